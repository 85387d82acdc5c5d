"""Checks of values that the types of the contract cannot express."""

import re
from urllib.parse import urlsplit

from . import errors

EMAIL = re.compile(r"^[^@\s<>,;:\"()\[\]\\]+@[^@\s.]+(\.[^@\s.]+)+$")
METADATA_KEYS, METADATA_KEY, METADATA_VALUE = 50, 40, 500


def check_email(value, param):
    """Refuse what is no email address."""
    if not value.isascii() or not EMAIL.match(value):
        raise errors.invalid_email(param, value)


def check_url(value, param, livemode):
    """Refuse what is no absolute address; live mode wants https.

    Braces are allowed: `{CHECKOUT_SESSION_ID}` is filled in later.
    """
    try:
        parts = urlsplit(value)
    except ValueError:
        raise errors.invalid_url(param) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise errors.invalid_url(param)
    if livemode and parts.scheme != "https":
        raise errors.invalid(
            "Livemode requests must always be redirected via HTTPS.", param
        )


def check_length(value, limit, param):
    """Refuse texts over Stripe's limit."""
    if value is not None and len(value) > limit:
        raise errors.invalid(
            f"Invalid string: {value[:20]}...; must be at most {limit} characters",
            param,
        )


def check_statement(prefix, suffix, param):
    """Refuse what card statements can't have after the account's prefix.

    https://docs.stripe.com/get-started/account/statement-descriptors
    """
    if suffix is None:
        return
    if not suffix.isascii() or set(suffix) & set("<>\\'\"*"):
        raise errors.invalid("The statement descriptor has invalid characters.", param)
    if not any(character.isalpha() for character in suffix):
        raise errors.invalid("The statement descriptor needs a letter.", param)
    check_length(suffix, 20 - len(prefix or "x" * 10), param)


def metadata(value, param="metadata"):
    """New metadata within Stripe's limits; empty values are left out."""
    kept = {name: text for name, text in (value or {}).items() if text != ""}
    if len(kept) > METADATA_KEYS:
        raise errors.invalid(
            f"Metadata cannot have more than {METADATA_KEYS} keys.", param
        )
    for name, text in kept.items():
        _check_metadata_item(name, text, param)
    return kept


def merged_metadata(old, changes):
    """Metadata after an update: an empty value removes its key, `""` all keys."""
    if changes == "":
        return {}
    both = {**old, **changes}
    return metadata(both)


def _check_metadata_item(name, text, param):
    if len(name) > METADATA_KEY:
        raise errors.invalid(
            f"Metadata keys can be at most {METADATA_KEY} characters long.", param
        )
    if len(text) > METADATA_VALUE:
        raise errors.invalid(
            f"Metadata values can be at most {METADATA_VALUE} characters long.",
            f"{param}[{name}]",
        )
