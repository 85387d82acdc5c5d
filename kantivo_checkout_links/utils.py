"""Small helpers without Odoo: what payers send, Stripe's timestamps and addresses."""

import re
import unicodedata
from datetime import datetime, timezone

from markupsafe import Markup, escape

# https://docs.stripe.com/dashboard/basics: what is in test mode lies below /test.
DASHBOARD = "https://dashboard.stripe.com"

_ADDRESS = re.compile(r"https?://[^\s<>\"']+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LINK = Markup(
    '<a href="%(href)s" target="_blank" rel="noopener noreferrer">%(text)s</a>'
)
_WORD = re.compile(r"[\w-]+", re.ASCII)

# === WHAT PAYERS SEND === #


def as_text(sent):
    """What was sent, if it is text; nothing of a file or of a text with a NUL, which
    PostgreSQL doesn't take.
    """
    return sent if isinstance(sent, str) and "\0" not in sent else ""


def without_invisible(text):
    """A text without what can't be seen, such as soft hyphens and marks of direction.

    https://www.unicode.org/reports/tr44/#General_Category_Values
    """
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def first_word(text):
    """A token or id without what a mail or messenger left around it: `kcl_x).` is
    `kcl_x`.
    """
    found = _WORD.search(without_invisible(text))
    return found[0] if found else ""


# === WHAT MERCHANTS WRITE === #


def linkify(text: str) -> Markup:
    """A text as HTML, in which web and email addresses are links."""
    parts, end = [], 0
    for found in _ADDRESS.finditer(text):
        address = found[0].rstrip(".,;:!?)")
        link = {"href": address if "://" in address else f"mailto:{address}"}
        link["text"] = address
        parts += [escape(text[end : found.start()]), _LINK % link]
        end = found.start() + len(address)
    return Markup("").join([*parts, escape(text[end:])])


# === STRIPE'S TIMESTAMPS === #


def to_datetime(timestamp: int) -> datetime:
    """Stripe's Unix seconds as Odoo stores datetimes: in UTC, without a time zone."""
    return datetime.fromtimestamp(timestamp, timezone.utc).replace(tzinfo=None)


def to_timestamp(moment: datetime) -> int:
    """A datetime as Odoo stores it, in Stripe's Unix seconds."""
    return int(moment.replace(tzinfo=timezone.utc).timestamp())


# === STRIPE'S DASHBOARD === #


def get_dashboard_url(path: str, livemode: bool) -> str:
    """The address of something in Stripe's dashboard, by its path there."""
    return "/".join((DASHBOARD, path) if livemode else (DASHBOARD, "test", path))
