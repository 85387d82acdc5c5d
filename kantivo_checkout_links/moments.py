"""Moments at Stripe's border: Unix seconds there, UTC without saying so in Odoo."""

from datetime import datetime, timezone


def to_datetime(timestamp: int) -> datetime:
    """Stripe's Unix seconds as Odoo keeps moments."""
    return datetime.fromtimestamp(timestamp, timezone.utc).replace(tzinfo=None)


def to_timestamp(moment: datetime) -> int:
    """A moment as Odoo keeps it, in Stripe's Unix seconds."""
    return int(moment.replace(tzinfo=timezone.utc).timestamp())
