"""Payment intents: made when a customer submits Stripe's page."""

from stripe.params import PaymentIntentListParams, PaymentIntentRetrieveParams

from ..pagination import page
from ..routing import endpoint

READ = "rak_payment_intent_read"

INTENT_NULLS = (
    "application application_fee_amount automatic_payment_methods canceled_at "
    "cancellation_reason customer customer_account excluded_payment_method_types "
    "last_payment_error latest_charge next_action on_behalf_of payment_method "
    "payment_method_configuration_details processing review setup_future_usage "
    "shipping source statement_descriptor transfer_data transfer_group"
).split()


@endpoint("GET", "/v1/payment_intents/{id}", PaymentIntentRetrieveParams, READ)
def retrieve(merchant, params, intent_id):
    """One payment intent."""
    return merchant.get("payment_intent", intent_id)


@endpoint("GET", "/v1/payment_intents", PaymentIntentListParams, READ)
def list_all(merchant, params):
    """All payment intents."""
    return page(merchant, "payment_intent", params)


def create(merchant, amount, currency, methods, data):
    """A payment intent that waits for a way to pay.

    :param data: the session's `payment_intent_data`
    """
    intent_id = merchant.new_id("pi_3")
    secret = f"{intent_id}_secret_{merchant.new_id('')}"
    intent = merchant.add(
        {
            "id": intent_id,
            "object": "payment_intent",
            **dict.fromkeys(INTENT_NULLS),
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "capture_method": data.get("capture_method", "automatic_async"),
            "client_secret": secret,
            "confirmation_method": "automatic",
            "created": merchant.now(),
            "currency": currency,
            "description": data.get("description"),
            "livemode": merchant.livemode,
            "metadata": dict(data.get("metadata", {})),
            "payment_method_options": {},
            "payment_method_types": methods,
            "receipt_email": data.get("receipt_email"),
            "statement_descriptor_suffix": data.get("statement_descriptor_suffix"),
            "status": "requires_payment_method",
        }
    )
    merchant.emit("payment_intent.created", intent)
    return intent


def succeeded(merchant, intent, charge):
    """The charge was paid."""
    intent.update(
        amount_received=intent["amount"],
        last_payment_error=None,
        latest_charge=charge["id"],
        payment_method=charge["payment_method"],
        processing=None,
        status="succeeded",
    )
    merchant.emit("payment_intent.succeeded", intent)


def processing(merchant, intent, charge):
    """A bank debit is on its way."""
    intent.update(
        last_payment_error=None,
        latest_charge=charge["id"],
        payment_method=charge["payment_method"],
        status="processing",
    )
    merchant.emit("payment_intent.processing", intent)


def failed(merchant, intent, charge, error):
    """The charge was declined; the customer may try again.

    :param error: Stripe's error object
    """
    intent.update(
        last_payment_error={**error, "charge": charge["id"]},
        latest_charge=charge["id"],
        payment_method=None,
        processing=None,
        status="requires_payment_method",
    )
    merchant.emit("payment_intent.payment_failed", intent)
