"""Payments without a page: an intent confirmed by the API with a test card.

The tests that also run against Stripe itself pay so, where no browser can.
Source: https://docs.stripe.com/testing#cards
"""

from stripe.params import PaymentIntentCreateParams

from .. import errors, methods
from ..checks import metadata
from ..routing import endpoint
from . import charges, payment_intents, sessions

WRITE = "rak_payment_intent_write"
MODELLED = {
    "amount",
    "automatic_payment_methods",
    "confirm",
    "currency",
    "description",
    "expand",
    "metadata",
    "payment_method",
}
NUMBERS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_createDispute": "4000000000000259",
}
CUSTOMER = {"email": None, "name": None, "phone": None, "country": None}


@endpoint("POST", "/v1/payment_intents", PaymentIntentCreateParams, WRITE)
def create(merchant, params):
    """An intent that is paid at once."""
    _check_modeled(params)
    intent = payment_intents.create(
        merchant, params["amount"], params["currency"], ["card"], _data(params)
    )
    method = methods.method_for(NUMBERS[params["payment_method"]], params["currency"])
    charge = charges.create(
        merchant,
        params["amount"],
        params["currency"],
        method,
        sessions.billing(CUSTOMER),
        intent,
    )
    payment_intents.succeeded(merchant, intent, charge)
    sessions.dispute_later(merchant, charge)
    return intent


def _check_modeled(params):
    for name in params.keys() - MODELLED:
        raise errors.not_modeled(name)
    if not params.get("confirm"):
        raise errors.not_modeled("confirm")
    if params.get("payment_method") not in NUMBERS:
        raise errors.not_modeled("payment_method")


def _data(params):
    return {
        "description": params.get("description"),
        "metadata": metadata(params.get("metadata")),
    }
