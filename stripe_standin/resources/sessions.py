"""Checkout Sessions in payment mode, on Stripe's hosted page."""

from stripe.params.checkout import (
    SessionCreateParams,
    SessionExpireParams,
    SessionListLineItemsParams,
    SessionListParams,
    SessionRetrieveParams,
)

from .. import errors
from ..pagination import cut, page
from ..routing import endpoint
from . import charges, disputes, payment_intents
from .new_sessions import KIND, build_session

READ, WRITE = "rak_checkout_session_read", "rak_checkout_session_write"
DISPUTES = {"disputed": disputes.open_dispute, "inquiry": disputes.open_inquiry}
# Seconds at Stripe's speed until a test card's charge is disputed.
DISPUTE_DELAY = 5.0


# -- paths ----------------------------------------------------------------------------


@endpoint("POST", "/v1/checkout/sessions", SessionCreateParams, WRITE)
def create(merchant, params):
    """A new open session, with the address of its page in `url`."""
    session = merchant.add(build_session(merchant, params))
    merchant.world.schedule.at(
        session["expires_at"], lambda: _expire_by_clock(merchant, session)
    )
    return session


@endpoint("GET", "/v1/checkout/sessions/{id}", SessionRetrieveParams, READ)
def retrieve(merchant, params, session_id):
    """One session."""
    return merchant.get(KIND, session_id, "session")


@endpoint("GET", "/v1/checkout/sessions", SessionListParams, READ)
def list_all(merchant, params):
    """The sessions, of one payment intent or status if asked."""
    return page(merchant, KIND, params, lambda session: _matches(session, params))


@endpoint(
    "GET", "/v1/checkout/sessions/{id}/line_items", SessionListLineItemsParams, READ
)
def list_line_items(merchant, params, session_id):
    """What the session sells."""
    session = merchant.get(KIND, session_id, "session")
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return cut(session["_line_items"], params, url, "item")


@endpoint("POST", "/v1/checkout/sessions/{id}/expire", SessionExpireParams, WRITE)
def expire(merchant, params, session_id):
    """Close an open session; its page takes no money any more."""
    session = merchant.get(KIND, session_id, "session")
    if session["status"] != "open":
        raise errors.invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. This '
            f"Checkout Session has a status of `{session['status']}`.",
            "session",
        )
    close(merchant, session)
    return session


# -- what happens to a session --------------------------------------------------------


def close(merchant, session):
    """The session expires, by clock or by request."""
    session.update(status="expired", url=None)
    merchant.emit("checkout.session.expired", session)


def pay(merchant, session, method, customer):
    """A customer submits the page.

    :param method: a `methods.Method`
    :param customer: dict with `email`, `name`, `phone`, `country`
    :returns: the `checkout.session.completed` event
    :raises StripeError: the session is not open (400), or the card declined (402)
    """
    _check_payable(session, method)
    intent = _intent(merchant, session)
    charge = charges.create(
        merchant,
        session["amount_total"],
        session["currency"],
        method,
        billing(customer),
        intent,
    )
    charge["_session"] = session["id"]
    return AFTER_CHARGE[method.outcome](merchant, session, intent, charge, customer)


def settle_debit(merchant, charge):
    """A bank debit arrives."""
    charges.succeed(merchant, charge)
    payment_intents.succeeded(merchant, merchant.find(charge["payment_intent"]), charge)
    session = merchant.find(charge["_session"])
    session["payment_status"] = "paid"
    merchant.emit("checkout.session.async_payment_succeeded", session)


def fail_debit(merchant, charge):
    """A bank debit fails; what was entered for it is taken back."""
    error = {
        "type": "invalid_request_error",
        "code": "payment_method_customer_decline",
        "message": "The customer's bank account could not be debited.",
    }
    charges.take_back(merchant, charge)
    charges.fail(merchant, charge, error)
    intent = merchant.find(charge["payment_intent"])
    payment_intents.failed(merchant, intent, charge, error)
    session = merchant.find(charge["_session"])
    merchant.emit("checkout.session.async_payment_failed", session)


def _check_payable(session, method):
    if session["status"] != "open":
        raise errors.invalid(f"This Checkout Session is {session['status']}.")
    if method.kind not in session["payment_method_types"]:
        raise errors.StripeError(
            402, "card_error", f"This page does not take {method.kind}."
        )


def _intent(merchant, session):
    known = merchant.find(session["payment_intent"])
    if known:
        return known
    intent = payment_intents.create(
        merchant,
        session["amount_total"],
        session["currency"],
        list(session["payment_method_types"]),
        session["_payment_intent_data"],
    )
    session["payment_intent"] = intent["id"]
    return intent


def _after_paid(merchant, session, intent, charge, customer):
    payment_intents.succeeded(merchant, intent, charge)
    session["payment_status"] = "paid"
    dispute_later(merchant, charge)
    return _complete(merchant, session, customer)


def dispute_later(merchant, charge):
    """Some test cards' holders complain a little later."""
    dispute = DISPUTES.get(charge["_trait"])
    if dispute:
        merchant.world.schedule.after(DISPUTE_DELAY, lambda: dispute(merchant, charge))


def _after_processing(merchant, session, intent, charge, customer):
    payment_intents.processing(merchant, intent, charge)
    return _complete(merchant, session, customer)


def _after_declined(merchant, session, intent, charge, customer):
    code, message = charge["failure_code"], charge["failure_message"]
    decline = charge["outcome"]["reason"]
    error = {"type": "card_error", "code": code, "message": message}
    payment_intents.failed(merchant, intent, charge, {**error, "decline_code": decline})
    raise errors.StripeError(
        402, "card_error", message, code, extra={"decline_code": decline}
    )


AFTER_CHARGE = {
    "paid": _after_paid,
    "processing": _after_processing,
    "declined": _after_declined,
}


def _complete(merchant, session, customer):
    session.update(
        status="complete",
        url=None,
        customer_details=_customer_details(customer),
        collected_information=_collected_information(customer),
    )
    return merchant.emit("checkout.session.completed", session)


def _expire_by_clock(merchant, session):
    if session["status"] == "open":
        close(merchant, session)


def _matches(session, params):
    wanted = params.get("customer_details", {}).get("email")
    email = (session["customer_details"] or {}).get("email")
    return (
        params.get("payment_intent") in (None, session["payment_intent"])
        and params.get("status") in (None, session["status"])
        and wanted in (None, email)
    )


# -- the customer ---------------------------------------------------------------------


def billing(customer):
    """`billing_details` of a customer."""
    return {
        "address": _address(customer),
        "email": customer.get("email"),
        "name": customer.get("name"),
        "phone": customer.get("phone"),
    }


def _address(customer):
    blank = dict.fromkeys(("city", "line1", "line2", "postal_code", "state"))
    return {**blank, "country": customer.get("country")}


def _customer_details(customer):
    return {
        **billing(customer),
        "business_name": None,
        "individual_name": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def _collected_information(customer):
    return {"business_name": None, "individual_name": None, "shipping_details": None}
