"""Text at Stripe's border: customers type anything, and Stripe hands it on.

Plain Python without Odoo. What PostgreSQL can't keep, or what a screen or a
spreadsheet would take for a command, ends here.
"""

import re

# Lengths of what is kept. https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
NAME_LENGTH = 120
EMAIL_LENGTH = 254
LINE_LENGTH = 500
# A reference that is longer hides the amounts beside it, as on an invoice.
REF_LENGTH = 40

_BREAKS = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]+")
# Controls, halves of surrogate pairs, and what turns the direction of a whole line.
_UNWANTED = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]+")
_TAG = re.compile(r"<[^<>]*>")
# What a spreadsheet takes for the start of a formula.
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_SIGNS = "=+-@＝＋－＠"
_PHONE = re.compile(r"\+?[\d(][\d\s()./-]{2,39}")


def clean(value):
    """JSON of Stripe's, with all text in it clean, all the way down."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean(name): clean(item) for name, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def clean_text(text: str) -> str:
    """Text that PostgreSQL keeps and that is one line on any screen."""
    return _UNWANTED.sub("", _BREAKS.sub(" ", text))


def to_line(text, length=LINE_LENGTH):
    """What was typed, or what Stripe says, as a short plain line; False if nothing is
    left of it.
    """
    if not isinstance(text, str):
        return False
    text = " ".join(_TAG.sub(" ", clean_text(text)).split())
    return text.lstrip(f"{FORMULA_SIGNS} ")[:length].strip() or False


def to_ref(text):
    """The reference of an entry, cut where it is too long."""
    is_short = len(text) <= REF_LENGTH
    return text if is_short else f"{text[: REF_LENGTH - 1].rstrip()}…"


def to_email(text):
    """An address as it was typed; False for what can be none, so that part of it never
    stands for another person's.
    """
    text = clean_text(text).strip() if isinstance(text, str) else ""
    is_formula = text.startswith(tuple(FORMULA_SIGNS))
    return False if is_formula or len(text) > EMAIL_LENGTH else text or False


def to_phone(text):
    """A number as it was typed, a leading + included; False for anything else."""
    text = clean_text(text).strip() if isinstance(text, str) else ""
    return text if _PHONE.fullmatch(text) else False
