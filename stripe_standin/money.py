"""Currencies as Stripe counts them, and conversion between them.

Source: https://docs.stripe.com/currencies
"""

from decimal import ROUND_HALF_UP, Decimal

from . import errors

ZERO_DECIMAL = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()
)
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
WHOLE_HUNDREDS = frozenset({"isk", "ugx"})
WHOLE_HUNDREDS_IN_PAYOUTS = frozenset({"huf", "twd"})
TWO_DECIMAL = frozenset(
    (
        "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl "
        "bsd bwp byn bzd cad cdf chf cny cop crc cve czk dkk dop dzd egp etb eur fjd "
        "fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr "
        "kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn "
        "nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr "
        "sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx uyu uzs "
        "wst xcd yer zar zmw"
    ).split()
)
SUPPORTED = ZERO_DECIMAL | THREE_DECIMAL | TWO_DECIMAL

# The least charge, in minor units of the currency the account is paid out in.
MINIMUM = {
    "usd": 50, "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50,
    "cop": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500,
    "idr": 50, "ils": 50, "inr": 50, "jpy": 50, "krw": 50, "mxn": 1000, "myr": 200,
    "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "rub": 50, "sek": 300,
    "sgd": 50, "thb": 1000, "zar": 50,
}  # fmt: skip
# How many digits a charge may have in minor units, with any method.
# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
MAXIMUM_DIGITS = {"cop": 10, "idr": 12, "inr": 9}

# The fixed part of a fee, in minor units of the settlement currency.
FIXED_FEE = {
    "usd": 30, "aud": 30, "brl": 39, "cad": 30, "chf": 30, "czk": 650, "dkk": 180,
    "eur": 25, "gbp": 20, "hkd": 235, "huf": 8500, "jpy": 0, "mxn": 300, "myr": 100,
    "nok": 200, "nzd": 30, "pln": 100, "ron": 100, "sek": 180, "sgd": 50,
}  # fmt: skip

# What one unit is worth in US dollars; round figures, a test sets its own.
USD_RATE = {
    "usd": "1", "eur": "1.10", "gbp": "1.25", "jpy": "0.0065", "chf": "1.12",
    "cad": "0.72", "aud": "0.65", "kwd": "3.25", "bhd": "2.65", "isk": "0.0072",
    "ugx": "0.00027", "sek": "0.094", "dkk": "0.147", "nok": "0.091", "huf": "0.0027",
    "twd": "0.031", "krw": "0.00072", "pln": "0.25", "mxn": "0.054", "inr": "0.012",
    "cop": "0.00025", "idr": "0.000061",
}  # fmt: skip
SYMBOL = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def decimals(currency):
    """Digits after the point in Stripe's amounts (2 for ISK and UGX)."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def major(amount, currency):
    """Minor units to a Decimal of the currency itself."""
    return Decimal(amount).scaleb(-decimals(currency))


def minor(value, currency):
    """A Decimal of the currency to minor units, half away from zero."""
    return rounded(Decimal(value).scaleb(decimals(currency)))


def rounded(value):
    """A Decimal to the nearest integer, half away from zero."""
    return int(value.to_integral_value(ROUND_HALF_UP))


def formatted(amount, currency):
    """For people: `$110.00`, `¥5,000`, `KWD 1.500`."""
    number = f"{major(amount, currency):,.{decimals(currency)}f}"
    if currency in SYMBOL:
        return SYMBOL[currency] + number
    return f"{currency.upper()} {number}"


def checked_currency(value, param):
    """The currency in lower case.

    :raises StripeError: Stripe does not know it
    """
    currency = value.lower()
    if currency not in SUPPORTED:
        listed = ", ".join(sorted(SUPPORTED))
        raise errors.invalid(
            f"Invalid currency: {value}. Stripe currently supports these currencies: "
            f"{listed}",
            param,
        )
    return currency


def check_granularity(amount, currency, param):
    """Refuse amounts that the currency's smallest coin cannot pay.

    :raises StripeError: ISK and UGX need whole hundreds, three-decimal ones tens
    """
    step = 100 if currency in WHOLE_HUNDREDS else 1
    step = 10 if currency in THREE_DECIMAL else step
    if amount % step:
        raise errors.invalid(
            f"Invalid amount: {currency.upper()} amounts must be divisible by {step}.",
            param,
        )


def check_limits(amount, currency, settlement, rates, param):
    """Refuse charges outside Stripe's limits.

    :param settlement: the currency the least amount is defined in
    :raises StripeError: `amount_too_small` or `amount_too_large`
    """
    most = 10 ** MAXIMUM_DIGITS.get(currency, 8) - 1
    if amount > most:
        raise errors.invalid(
            "The Checkout Session's total amount due must be no more than "
            f"{formatted(most, currency)} {currency}",
            param,
            "amount_too_large",
        )
    least = MINIMUM.get(settlement, 50)
    if converted(amount, currency, settlement, rates) >= least:
        return
    raise errors.invalid(
        "The Checkout Session's total amount must convert to at least "
        f"{formatted(least, settlement)} {settlement}.",
        param,
        "amount_too_small",
    )


def rate(source, target, rates):
    """How much of `target` one unit of `source` buys.

    :param rates: what one unit is worth in US dollars, by currency; overrides
    :returns: a Decimal of at most six significant digits, as Stripe's rates have
    """
    worth = {**USD_RATE, **rates}
    quotient = Decimal(worth.get(source, "1")) / Decimal(worth.get(target, "1"))
    return Decimal(f"{quotient:.6g}")


def converted(amount, source, target, rates):
    """Minor units of `source` in minor units of `target`."""
    if source == target:
        return amount
    return minor(major(amount, source) * rate(source, target, rates), target)
