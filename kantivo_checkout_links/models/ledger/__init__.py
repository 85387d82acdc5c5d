"""Stripe transactions, and the entries that they make."""

from . import (
    checkout_movement,
    checkout_payout,
    entry,
    entry_dispute,
    entry_reversal,
    entry_tax,
    matching,
    movement_dashboard,
    movement_source,
    poster,
    reclassification,
    revaluation,
    statement,
)
