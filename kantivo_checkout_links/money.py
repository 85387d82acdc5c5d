"""Amounts at Stripe's border: Decimal in, integers of Stripe's minor unit out.

Plain Python without Odoo, so that every rule can be tested by itself.
"""

import re
from decimal import Decimal, InvalidOperation

from .const import (
    AMOUNT_DIGITS,
    AMOUNT_DIGITS_BY_CURRENCY,
    MINOR_UNIT_STEP,
    THREE_DECIMAL_CURRENCIES,
    ZERO_DECIMAL_CURRENCIES,
)


class InvalidAmount(ValueError):
    """What was typed is no amount, or none that Stripe can charge."""


def stripe_decimals(currency_code: str) -> int:
    """Decimals of Stripe's minor unit of a currency.

    These are Stripe's own and differ from ISO 4217 for ISK, UGX and MGA.
    """
    if currency_code in ZERO_DECIMAL_CURRENCIES:
        return 0
    if currency_code in THREE_DECIMAL_CURRENCIES:
        return 3
    return 2


def to_minor(amount, currency_code: str) -> int:
    """An amount in major units as Stripe's integer.

    :raise InvalidAmount: if Stripe has no integer for it (half a yen, 1.5 króna).
    """
    scaled = Decimal(str(amount)).scaleb(stripe_decimals(currency_code))
    minor = int(scaled)
    if minor != scaled or minor % MINOR_UNIT_STEP.get(currency_code, 1):
        raise InvalidAmount(f"{amount} {currency_code}")
    return minor


def from_minor(minor: int, currency_code: str) -> float:
    """Stripe's integer in major units, as Odoo's Monetary fields hold it."""
    return float(Decimal(minor).scaleb(-stripe_decimals(currency_code)))


def smallest_step(currency_code: str) -> Decimal:
    """The smallest amount by which two charges in a currency can differ."""
    step = Decimal(MINOR_UNIT_STEP.get(currency_code, 1))
    return step.scaleb(-stripe_decimals(currency_code))


def largest_minor(currency_code: str) -> int:
    """The largest amount that can be paid at once, as Stripe's integer."""
    digits = AMOUNT_DIGITS_BY_CURRENCY.get(currency_code, AMOUNT_DIGITS)
    step = MINOR_UNIT_STEP.get(currency_code, 1)
    return (10**digits - 1) // step * step


_PLAIN_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SPACES = re.compile(r"[\s\u00a0\u2009\u202f'’]")


def parse_amount(
    text: str, decimal_point: str = ".", thousands_sep: str = ","
) -> Decimal:
    """What a payer typed, as an exact number.

    Digits of any script are taken, grouping and spaces are dropped, and both the
    separators of the payer's language and a plain point are understood. Exponents,
    signs, fractions and anything else are refused.

    :raise InvalidAmount: if it is no plain positive number.
    """
    text = _ascii_digits(_SPACES.sub("", text.strip()))
    text = _plain_separators(text, decimal_point or ".", thousands_sep)
    if len(text) > 20 or not _PLAIN_NUMBER.fullmatch(text):
        raise InvalidAmount(text)
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise InvalidAmount(text) from error


def _ascii_digits(text: str) -> str:
    """Digits of all scripts as 0-9, with the Arabic separators; `isdecimal` leaves out
    ² and ½.
    """
    arabic = text.translate(str.maketrans({"٫": ".", "٬": ""}))
    return "".join(str(int(c)) if c.isdecimal() else c for c in arabic)


def _plain_separators(text: str, decimal_point: str, thousands_sep: str) -> str:
    """The text with a point before the decimals and no grouping.

    Grouping is only dropped where it groups by three: "12,50" typed where a comma
    groups thousands is twelve and a half, never 1250.
    """
    if thousands_sep and _is_grouped(text, thousands_sep, decimal_point):
        text = text.replace(thousands_sep, "")
    if decimal_point in text:
        return (
            text.replace(decimal_point, ".") if text.count(decimal_point) == 1 else ""
        )
    return text.replace(",", ".") if text.count(",") == 1 else text


def _is_grouped(text: str, thousands_sep: str, decimal_point: str) -> bool:
    group, point = re.escape(thousands_sep), re.escape(decimal_point)
    return bool(re.fullmatch(rf"\d{{1,3}}(?:{group}\d{{3}})+(?:{point}\d*)?", text))
