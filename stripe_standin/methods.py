"""Ways to pay that the hosted page takes: Stripe's test numbers.

Source: https://docs.stripe.com/testing
"""

from dataclasses import dataclass

from . import errors


@dataclass(frozen=True)
class Method:
    """What a test number stands for.

    :param outcome: `paid`, `declined` or `processing` (a bank debit)
    :param decline: Stripe's decline code
    :param trait: what comes later: `available` at once, `disputed`, `inquiry`,
        `refund_fails` or `refund_pending`
    """

    kind: str
    brand: str
    country: str
    outcome: str
    last4: str
    decline: str = None
    trait: str = None


def _card(number, outcome="paid", decline=None, trait=None, brand="visa", country="US"):
    return number, Method("card", brand, country, outcome, number[-4:], decline, trait)


METHODS = dict(
    [
        _card("4242424242424242"),
        _card("4000056655665556"),
        _card("5555555555554444", brand="mastercard"),
        _card("378282246310005", brand="amex"),
        _card("4000002760000016", country="DE"),
        _card("4000008260000000", country="GB"),
        _card("4000000000000077", trait="available"),
        _card("4000000000000259", trait="disputed"),
        _card("4000000000001976", trait="inquiry"),
        _card("4000000000005126", trait="refund_fails"),
        _card("4000000000007726", trait="refund_pending"),
        _card("4000000000000002", "declined", "generic_decline"),
        _card("4000000000009995", "declined", "insufficient_funds"),
        _card("4000000000009987", "declined", "lost_card"),
        _card("4000000000000069", "declined", "expired_card"),
        _card("4000000000000127", "declined", "incorrect_cvc"),
    ]
)
DEBIT_NUMBER = "000123456789"
DEBITS = {
    "usd": Method("us_bank_account", "", "US", "processing", "6789"),
    "eur": Method("sepa_debit", "", "DE", "processing", "6789"),
    "gbp": Method("bacs_debit", "", "GB", "processing", "6789"),
}
MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
}
CODES = ("expired_card", "incorrect_cvc")


def debit_kind(currency):
    """The bank debit that exists in this currency, or None."""
    method = DEBITS.get(currency)
    return method.kind if method else None


def method_for(number, currency):
    """The way to pay behind a number.

    :raises StripeError: 402, a number that stands for nothing
    """
    digits = "".join(c for c in number if c.isdigit())
    if digits == DEBIT_NUMBER and currency in DEBITS:
        return DEBITS[currency]
    if digits in METHODS:
        return METHODS[digits]
    raise errors.StripeError(
        402,
        "card_error",
        "Your card number is incorrect. The stand-in takes Stripe's test numbers only.",
        "incorrect_number",
        "number",
    )


def decline_error(method):
    """Stripe's error object for a declined card."""
    code = method.decline if method.decline in CODES else "card_declined"
    return {
        "type": "card_error",
        "code": code,
        "decline_code": method.decline,
        "doc_url": "https://docs.stripe.com/error-codes#" + code.replace("_", "-"),
        "message": MESSAGES.get(method.decline, "Your card was declined."),
    }
