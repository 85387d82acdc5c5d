"""Amounts at Stripe's border: Decimal in, integers of Stripe's minor unit out.

Plain Python without Odoo, so that every rule can be tested by itself.
"""

import re
from decimal import Decimal

from .const import (
    AMOUNT_DIGITS,
    AMOUNT_DIGITS_BY_CURRENCY,
    MINOR_UNIT_STEP,
    THREE_DECIMAL_CURRENCIES,
    ZERO_DECIMAL_CURRENCIES,
)
from .utils import without_invisible

# No currency at Stripe has more.
FINEST_DECIMALS = 3


class InvalidAmount(ValueError):
    """What was typed is no amount, or none that Stripe can charge."""


class AmbiguousAmount(InvalidAmount):
    """What was typed can be read in more than one way.

    :ivar readings: The amounts that it can be, the largest first.
    """

    def __init__(self, text, readings):
        super().__init__(text)
        self.readings = sorted(readings, reverse=True)


def stripe_decimals(currency_code: str) -> int:
    """Decimals of Stripe's minor unit of a currency.

    These are Stripe's own and differ from ISO 4217 for ISK, UGX and MGA.
    """
    if currency_code in ZERO_DECIMAL_CURRENCIES:
        return 0
    if currency_code in THREE_DECIMAL_CURRENCIES:
        return 3
    return 2


def to_minor(amount: float | Decimal, currency_code: str) -> int:
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


def stripe_unit(currency_code: str) -> float:
    """What two amounts at Stripe differ by at least, in major units: also those that
    no one chooses, such as fees.
    """
    decimals = stripe_decimals(currency_code)
    return 1.0 if MINOR_UNIT_STEP.get(currency_code) == 100 else 10**-decimals


def round_exact(amount: float) -> float:
    """A sum of Stripe's amounts without what floats add to it."""
    return round(float(amount), FINEST_DECIMALS)


def differs(amount: float, other: float) -> bool:
    """Whether two amounts of Stripe's in one currency are not the same.

    Odoo's `compare_amounts` leaves out what Odoo rounds, and with it a difference.
    """
    return bool(round_exact(amount - other))


def smallest_step(currency_code: str) -> Decimal:
    """The smallest amount by which two charges in a currency can differ."""
    step = Decimal(MINOR_UNIT_STEP.get(currency_code, 1))
    return step.scaleb(-stripe_decimals(currency_code))


def largest_minor(currency_code: str) -> int:
    """The largest amount that can be paid at once, as Stripe's integer."""
    digits = AMOUNT_DIGITS_BY_CURRENCY.get(currency_code, AMOUNT_DIGITS)
    step = MINOR_UNIT_STEP.get(currency_code, 1)
    return (10**digits - 1) // step * step


_STATED_MINIMUM = re.compile(r"at least \D{0,5}([\d,]+(?:\.\d+)?) ([a-z]{3})\b", re.I)


def read_minimum(message: str) -> tuple[Decimal, str] | None:
    """The minimum that Stripe states when it refuses an amount as too small.

    :param message: Such as "Amount must be at least $0.50 usd".
    :return: The amount in major units and its currency's code; None if it states none
        with a currency, as in "at least 50 cents".
    """
    stated = _STATED_MINIMUM.search(message)
    if not stated:
        return None
    return Decimal(stated[1].replace(",", "")), stated[2].upper()


# What groups digits in no more than one way, in one form; and what else means the same.
_GROUPING_SPACES = re.compile(r"[\s\u00a0\u2009\u202f'’]")
_ALIKE = str.maketrans({"٫": ".", "٬": "'", "．": ".", "，": ",", "＄": "$", "￥": "¥"})
# "15,-" and "15.–" have no cents.
_NO_CENTS = re.compile(r"(?<=\d)[.,][-–—]{1,2}$")
# Decimal sign and grouping of the whole world; of a lone sign only the place decides.
_CONVENTIONS = ((".", ","), (",", "."), (".", "'"), (",", "'"))


def parse_amount(
    text: str,
    decimal_point: str = ".",
    thousands_sep: str = ",",
    decimals: int = 2,
    names: tuple[str, ...] = (),
) -> Decimal:
    """What a payer typed, as an exact number.

    Digits of any script are taken, and the separators of the payer's language; others
    where they can mean one thing only. Exponents, signs, fractions, and anything else
    are refused.

    :param decimals: Of the currency. Three digits after a sign are thousands where the
        currency has no decimals, and could be either where it has one or two.
    :param names: Symbol and code of the currency, one of which may stand at each end.
    :raise AmbiguousAmount: if it can be read as different amounts.
    :raise InvalidAmount: if it is no plain positive number.
    """
    text = _ascii_digits(_without_names(text, names))
    own = (decimal_point or ".", thousands_sep or "'")
    readings = _read(text, [own, (own[0], "'")], decimals)
    readings = readings or _read(text, _CONVENTIONS, decimals)
    return _only_one(readings, text)


def parse_amount_in(
    text: str, separators: list[tuple[str, str]], decimals: int, names: tuple[str, ...]
) -> Decimal:
    """What a payer typed whose language isn't that of the page: both have to agree.

    :param separators: Decimal sign and grouping of each language.
    :raise InvalidAmount: as :func:`parse_amount`.
    """
    readings, problem = set(), None
    for decimal_point, thousands_sep in separators:
        try:
            readings.add(
                parse_amount(text, decimal_point, thousands_sep, decimals, names)
            )
        except InvalidAmount as error:
            problem = error
    if not readings:
        raise problem
    return _only_one(readings, text)


def _only_one(readings: set[Decimal], text: str) -> Decimal:
    if len(readings) > 1:
        raise AmbiguousAmount(text, readings)
    if not readings:
        raise InvalidAmount(text)
    return readings.pop()


def _without_names(text: str, names: tuple[str, ...]) -> str:
    """The text without the currency around the number, in any case, with or without a
    point ("Fr.", "kr"), and without the dash of an amount without cents.
    """
    text = without_invisible(text).translate(_ALIKE).strip()
    bare = [without_invisible(name).strip().rstrip(".") for name in names if name]
    if bare:
        known = "|".join(map(re.escape, sorted(bare, key=len, reverse=True)))
        name = rf"(?:(?:{known})\.?)"
        text = re.sub(rf"^{name}\s*|\s*{name}$", "", text, flags=re.IGNORECASE)
    return _NO_CENTS.sub("", text.strip())


def _ascii_digits(text: str) -> str:
    """Digits of all scripts as 0-9, and one sign for all spaces and apostrophes between
    them; `isdecimal` leaves out ² and ½.
    """
    text = _GROUPING_SPACES.sub("'", text.strip())
    return "".join(str(int(c)) if c.isdecimal() else c for c in text)


def _read(text: str, conventions, decimals: int) -> set[Decimal]:
    """What a text is by some pairs of decimal sign and grouping."""
    readings = set()
    for point, group in conventions:
        readings |= _read_as(text, re.escape(point), re.escape(group), decimals)
    return readings


def _read_as(text: str, point: str, group: str, decimals: int) -> set[Decimal]:
    """Groups have three digits, in India two from the thousands on: "12,50" typed where
    a comma groups is twelve and a half, never 1250.
    """
    if len(text) > 20:
        return set()
    if decimals < 3 and re.fullmatch(rf"[1-9]\d{{0,2}}{point}\d{{3}}", text):
        thousands = Decimal(re.sub(point, "", text))
        decimal = Decimal(re.sub(point, ".", text))
        return {thousands, decimal} if decimals else {thousands}
    grouped = rf"[1-9]\d{{0,2}}(?:{group}\d{{2,3}})*{group}\d{{3}}"
    if not re.fullmatch(rf"(?:\d+|{grouped})(?:{point}\d+)?", text):
        return set()
    return {Decimal(re.sub(point, ".", re.sub(group, "", text)))}
