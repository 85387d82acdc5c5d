"""Small helpers without Odoo: for texts, timestamps, addresses and notifications."""

import re
import unicodedata
from datetime import datetime, timezone
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from .const import MAX_ID_LENGTH

# https://docs.stripe.com/dashboard/basics: what is in test mode lies below /test.
DASHBOARD = "https://dashboard.stripe.com"

_ADDRESS = re.compile(r"https?://[^\s<>\"']+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LINK = Markup(
    '<a href="%(href)s" target="_blank" rel="noopener noreferrer">%(text)s</a>'
)
_WORD = re.compile(r"[\w-]+", re.ASCII)
_SESSION_ID = re.compile(r"cs_(?:test|live)_\w{8,}", re.ASCII)
# A NUL, and halves of surrogate pairs: PostgreSQL keeps none of them.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_VISIBLE = re.compile("[!-~]+")

# === WHAT PAYERS SEND === #


def as_text(sent, length=MAX_ID_LENGTH):
    """What was sent, if it is text that can be looked for; nothing of a file, of a text
    that PostgreSQL doesn't take, or of one that is longer than it can be.
    """
    is_text = isinstance(sent, str) and len(sent) <= length
    return sent if is_text and not _UNSTORABLE.search(sent) else ""


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


def is_session_id(text):
    """Whether a text looks like the id of a Checkout Session.

    https://docs.stripe.com/api/checkout/sessions/object#checkout_session_object-id
    """
    return bool(_SESSION_ID.fullmatch(text))


# === WHAT STRIPE SENDS === #


def is_stripe_word(value):
    """Whether a value can be an id, a type or a code of Stripe's: visible ASCII, and
    short enough for an index.
    """
    is_text = isinstance(value, str) and len(value) <= MAX_ID_LENGTH
    return is_text and bool(_VISIBLE.fullmatch(value))


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


def is_web_address(text: str) -> bool:
    """Whether a text is the complete address of a web page."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    has_host = bool(parts.hostname) and not re.search(r"\s", text)
    return has_host and parts.scheme in ("http", "https")


# === STRIPE'S TIMESTAMPS === #


def to_datetime(timestamp: int) -> datetime:
    """Stripe's Unix seconds as Odoo stores datetimes: in UTC, without a time zone."""
    return datetime.fromtimestamp(timestamp, timezone.utc).replace(tzinfo=None)


def to_timestamp(moment: datetime) -> int:
    """A datetime as Odoo stores it, in Stripe's Unix seconds."""
    return int(moment.replace(tzinfo=timezone.utc).timestamp())


# === WEB CLIENT === #

SOFT_RELOAD = {"type": "ir.actions.client", "tag": "soft_reload"}


def notify(kind: str, message: str, **params) -> dict:
    """The action that shows a message.

    :param kind: `success`, `warning` or `danger`.
    :param params: Others of Odoo's `display_notification`, such as `next`.
    """
    params = {"type": kind, "message": message, **params}
    return {
        "type": "ir.actions.client",
        "tag": "display_notification",
        "params": params,
    }


# === STRIPE'S DASHBOARD === #


def get_dashboard_url(path: str, livemode: bool) -> str:
    """The address of something in the Stripe Dashboard, by its path there."""
    return "/".join((DASHBOARD, path) if livemode else (DASHBOARD, "test", path))
