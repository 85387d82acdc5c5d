"""Refunds: money given back, at once or after days, or not after all."""

from stripe.params import (
    RefundCancelParams,
    RefundCreateParams,
    RefundListParams,
    RefundRetrieveParams,
    RefundUpdateParams,
)

from .. import errors, money
from ..checks import merged_metadata, metadata
from ..pagination import page
from ..routing import endpoint
from . import balance_transactions

READ, WRITE = "rak_charge_read", "rak_charge_write"
# Seconds at Stripe's speed until a test card's refund changes by itself.
LATER = 5.0
REFUND_NULLS = (
    "balance_transaction customer customer_account payment_method reason "
    "receipt_number source_transfer_reversal transfer_reversal"
).split()
OPEN_STATUSES = ("pending", "requires_action")


# -- paths ----------------------------------------------------------------------------


@endpoint("POST", "/v1/refunds", RefundCreateParams, WRITE)
def create(merchant, params):
    """Give back a charge, or a part of it."""
    charge = _charge(merchant, params)
    amount = _checked_amount(charge, params.get("amount"))
    refund = merchant.add(_refund(merchant, charge, amount, params))
    charge["_refunds"].insert(0, refund)
    _count(charge, amount)
    outcome = TRAITS.get(charge["_trait"], merchant.settings.refund_outcome)
    OUTCOMES[outcome](merchant, refund)
    merchant.emit("refund.created", refund)
    merchant.emit("charge.refunded", charge)
    return refund


@endpoint("GET", "/v1/refunds/{id}", RefundRetrieveParams, READ)
def retrieve(merchant, params, refund_id):
    """One refund."""
    return merchant.get("refund", refund_id)


@endpoint("GET", "/v1/refunds", RefundListParams, READ)
def list_all(merchant, params):
    """The refunds, of one charge or payment intent if asked."""
    return page(
        merchant,
        "refund",
        params,
        lambda refund: all(
            params.get(name) in (None, refund[name])
            for name in ("charge", "payment_intent")
        ),
    )


@endpoint("POST", "/v1/refunds/{id}", RefundUpdateParams, WRITE)
def update(merchant, params, refund_id):
    """Change the metadata."""
    refund = merchant.get("refund", refund_id)
    old = refund["metadata"]
    refund["metadata"] = merged_metadata(old, params.get("metadata", {}))
    merchant.emit("refund.updated", refund, {"metadata": old})
    return refund


@endpoint("POST", "/v1/refunds/{id}/cancel", RefundCancelParams, WRITE)
def cancel_by_request(merchant, params, refund_id):
    """Cancel a refund that waits for the customer."""
    refund = merchant.get("refund", refund_id)
    if refund["status"] != "requires_action":
        raise errors.invalid(
            f"Refund {refund_id} cannot be canceled: only refunds with a status of "
            "requires_action can."
        )
    cancel(merchant, refund)
    return refund


# -- what happens to a refund ---------------------------------------------------------


def succeed(merchant, refund):
    """A pending refund goes through."""
    _require_open(refund)
    if not refund["balance_transaction"]:
        _enter(merchant, refund)
    _change(merchant, refund, status="succeeded")


def fail(merchant, refund, reason="expired_or_canceled_card"):
    """A refund fails, even days after it succeeded; the money comes back."""
    if refund["status"] in ("failed", "canceled"):
        raise errors.NotPossible(f"the refund is {refund['status']} already")
    _undo(merchant, refund)
    _change(merchant, refund, status="failed", failure_reason=reason)
    merchant.emit("refund.failed", refund)


def cancel(merchant, refund):
    """A refund is given up before it went through."""
    _require_open(refund)
    _undo(merchant, refund)
    _change(merchant, refund, status="canceled")


def _require_open(refund):
    if refund["status"] not in OPEN_STATUSES:
        raise errors.NotPossible(f"the refund is {refund['status']} already")


def _change(merchant, refund, **values):
    previous = {name: refund.get(name) for name in values}
    refund.update(values)
    refund.pop("pending_reason", None)
    merchant.emit("refund.updated", refund, previous)
    merchant.emit("charge.refund.updated", refund, previous)


def _enter(merchant, refund):
    charge = merchant.find(refund["charge"])
    entered = merchant.find(charge["balance_transaction"])
    amount, currency, rate = balance_transactions.converted(
        merchant, refund["amount"], refund["currency"], entered and entered["currency"]
    )
    bt = balance_transactions.record(
        merchant,
        kind="refund" if refund["id"].startswith("re_") else "payment_refund",
        category="refund",
        amount=-amount,
        currency=currency,
        source=refund["id"],
        exchange_rate=rate,
        description=f"REFUND FOR {charge['description'] or 'CHARGE'}",
    )
    refund["balance_transaction"] = bt["id"]


def _undo(merchant, refund):
    charge = merchant.find(refund["charge"])
    _count(charge, -refund["amount"])
    entered = merchant.find(refund["balance_transaction"])
    if not entered:
        return
    bt = balance_transactions.record(
        merchant,
        kind="refund_failure",
        category="refund_failure",
        amount=-entered["amount"],
        currency=entered["currency"],
        source=refund["id"],
        exchange_rate=entered["exchange_rate"],
        description="REFUND FAILURE",
    )
    refund["failure_balance_transaction"] = bt["id"]


def _count(charge, amount):
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


def _begin_succeeded(merchant, refund):
    refund["status"] = "succeeded"
    _enter(merchant, refund)


def _begin_pending(merchant, refund):
    refund.update(status="pending", pending_reason="processing")
    _enter(merchant, refund)


def _begin_waiting_for_funds(merchant, refund):
    refund.update(status="pending", pending_reason="insufficient_funds")


def _begin_waiting_for_customer(merchant, refund):
    refund["status"] = "requires_action"
    _enter(merchant, refund)


def _begin_failing(merchant, refund):
    _begin_succeeded(merchant, refund)
    merchant.world.schedule.after(LATER, lambda: fail(merchant, refund))


def _begin_slow(merchant, refund):
    _begin_pending(merchant, refund)
    merchant.world.schedule.after(LATER, lambda: succeed(merchant, refund))


OUTCOMES = {
    "succeeded": _begin_succeeded,
    "pending": _begin_pending,
    "insufficient_funds": _begin_waiting_for_funds,
    "requires_action": _begin_waiting_for_customer,
    "fails_later": _begin_failing,
    "succeeds_later": _begin_slow,
}
TRAITS = {"refund_fails": "fails_later", "refund_pending": "succeeds_later"}


# -- checks and the object ------------------------------------------------------------


def _charge(merchant, params):
    if "charge" in params:
        charge = merchant.get("charge", params["charge"], "charge")
    elif "payment_intent" in params:
        charge = _charge_of_intent(merchant, params["payment_intent"])
    else:
        raise errors.invalid(
            "One of the following params should be provided for this request: "
            "payment_intent or charge."
        )
    _check_refundable(charge)
    return charge


def _charge_of_intent(merchant, intent_id):
    intent = merchant.get("payment_intent", intent_id, "payment_intent")
    if intent["status"] != "succeeded":
        raise errors.invalid(
            f"This PaymentIntent ({intent_id}) does not have a successful charge to "
            "refund.",
            "payment_intent",
            "payment_intent_unexpected_state",
        )
    return merchant.find(intent["latest_charge"])


def _check_refundable(charge):
    name = f"Charge {charge['id']}"
    if charge["status"] != "succeeded":
        raise errors.invalid(
            f"{name} has a status of {charge['status']} and cannot be refunded.",
            "charge",
            "charge_not_refundable",
        )
    if charge["refunded"]:
        raise errors.invalid(
            f"{name} has already been refunded.", code="charge_already_refunded"
        )
    if charge["_charged_back"]:
        raise errors.invalid(
            f"{name} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )


def _checked_amount(charge, wanted):
    currency = charge["currency"]
    left = charge["amount"] - charge["amount_refunded"]
    amount = left if wanted is None else wanted
    if amount < 1:
        raise errors.invalid(
            "Invalid positive integer", "amount", "parameter_invalid_integer"
        )
    money.check_granularity(amount, currency, "amount")
    if amount > left:
        raise errors.invalid(
            f"Refund amount ({money.formatted(amount, currency)}) is greater than "
            f"unrefunded amount on charge ({money.formatted(left, currency)})",
            "amount",
        )
    return amount


def _refund(merchant, charge, amount, params):
    is_card = charge["id"].startswith("ch_")
    return {
        "id": merchant.new_id("re_3" if is_card else "pyr_1"),
        "object": "refund",
        **dict.fromkeys(REFUND_NULLS),
        "amount": amount,
        "charge": charge["id"],
        "created": merchant.now(),
        "currency": charge["currency"],
        "destination_details": _destination(charge["payment_method_details"]),
        "metadata": metadata(params.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "reason": params.get("reason"),
        "status": "pending",
    }


def _destination(method):
    if method["type"] != "card":
        return None
    reference = {
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {"card": reference, "type": "card"}
