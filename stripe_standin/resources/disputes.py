"""Disputes: a customer's bank takes the money back, or only asks."""

import inspect

import stripe
from stripe.params import (
    DisputeCloseParams,
    DisputeListParams,
    DisputeRetrieveParams,
    DisputeUpdateParams,
)

from .. import errors
from ..checks import merged_metadata
from ..pagination import page
from ..rendering import rendered
from ..routing import endpoint
from . import balance_transactions

READ, WRITE = "rak_dispute_read", "rak_dispute_write"
RESPONSE_DAYS = 9
CLOSED = ("won", "lost", "warning_closed", "prevented")
EVIDENCE = [
    name
    for name in inspect.get_annotations(stripe.Dispute.Evidence)
    if not name.startswith("_") and name != "appeal"
]


# -- paths ----------------------------------------------------------------------------


@endpoint("GET", "/v1/disputes/{id}", DisputeRetrieveParams, READ)
def retrieve(merchant, params, dispute_id):
    """One dispute."""
    return merchant.get("dispute", dispute_id)


@endpoint("GET", "/v1/disputes", DisputeListParams, READ)
def list_all(merchant, params):
    """The disputes, of one charge or payment intent if asked."""
    return page(
        merchant,
        "dispute",
        params,
        lambda dispute: all(
            params.get(name) in (None, dispute[name])
            for name in ("charge", "payment_intent")
        ),
    )


@endpoint("POST", "/v1/disputes/{id}", DisputeUpdateParams, WRITE)
def update(merchant, params, dispute_id):
    """Add evidence or metadata; evidence is submitted unless `submit` is false."""
    dispute = merchant.get("dispute", dispute_id)
    if dispute["status"] in CLOSED:
        raise errors.invalid("This dispute is already closed")
    dispute["metadata"] = merged_metadata(
        dispute["metadata"], params.get("metadata", {})
    )
    if "evidence" in params:
        _add_evidence(dispute, params["evidence"])
    if "evidence" in params and params.get("submit", True):
        respond(merchant, dispute)
    else:
        merchant.emit("charge.dispute.updated", dispute, {})
    return dispute


@endpoint("POST", "/v1/disputes/{id}/close", DisputeCloseParams, WRITE)
def close(merchant, params, dispute_id):
    """Give in: the dispute is lost."""
    dispute = merchant.get("dispute", dispute_id)
    if dispute["status"] in CLOSED:
        raise errors.invalid("This dispute is already closed")
    lose(merchant, dispute)
    return dispute


# -- what happens to a dispute --------------------------------------------------------


def open_dispute(merchant, charge, amount=None, reason="fraudulent"):
    """A bank disputes a charge: the money and a fee are taken.

    :param amount: in the charge's currency; default all of it
    """
    dispute = _add(merchant, charge, amount, reason, "needs_response")
    _withdraw(merchant, dispute, merchant.settings.dispute_fee)
    merchant.emit("charge.dispute.created", dispute)
    merchant.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def open_inquiry(merchant, charge, amount=None, reason="fraudulent"):
    """A bank only asks (`warning_…`): no money moves."""
    dispute = _add(merchant, charge, amount, reason, "warning_needs_response")
    merchant.emit("charge.dispute.created", dispute)
    return dispute


def escalate(merchant, dispute):
    """An inquiry becomes a dispute: now the money is taken."""
    old = _set_status(dispute, "needs_response")
    _withdraw(merchant, dispute, merchant.settings.dispute_fee)
    merchant.emit("charge.dispute.updated", dispute, old)
    merchant.emit("charge.dispute.funds_withdrawn", dispute)


def respond(merchant, dispute):
    """The merchant's evidence is handed in."""
    inquiry = dispute["status"].startswith("warning")
    old = _set_status(dispute, "warning_under_review" if inquiry else "under_review")
    details = dispute["evidence_details"]
    details.update(has_evidence=True, submission_method="manual")
    details["submission_count"] += 1
    merchant.emit("charge.dispute.updated", dispute, old)


def win(merchant, dispute, **how):
    """The merchant wins: the money comes back as `reinstate` says."""
    reinstate(merchant, dispute, **how)
    _close(merchant, dispute, "won")


def close_as_won(merchant, dispute):
    """The merchant wins; the money comes back later.

    https://docs.stripe.com/api/events/types#event_types-charge.dispute.funds_reinstated
    """
    _close(merchant, dispute, "won")


def reinstate(merchant, dispute, returned_fee=0, amount=None):
    """The money comes back, in any status.

    :param returned_fee: of the dispute's fee, in the balance's currency
    :param amount: in the balance's currency; default all that was taken
    """
    taken = sum(bt["amount"] for bt in dispute["balance_transactions"])
    if taken >= 0:
        raise errors.NotPossible("no money was withdrawn")
    first = dispute["balance_transactions"][0]
    fees = [_fee(-returned_fee, first["currency"])] if returned_fee else []
    back = -taken if amount is None else amount
    _move(merchant, dispute, back, first["currency"], fees, "dispute_reversal")
    merchant.emit("charge.dispute.funds_reinstated", dispute)


def withdraw_again(merchant, dispute):
    """The bank takes the money a second time (an appeal)."""
    old = _set_status(dispute, "needs_response")
    _withdraw(merchant, dispute, 0)
    merchant.emit("charge.dispute.updated", dispute, old)
    merchant.emit("charge.dispute.funds_withdrawn", dispute)


def lose(merchant, dispute):
    """The customer wins; the money is gone already."""
    _close(merchant, dispute, "lost")


def prevent(merchant, dispute):
    """The customer is paid back by a rule agreed on before; the money stays gone."""
    _close(merchant, dispute, "prevented")


def close_inquiry(merchant, dispute):
    """The bank asks no more."""
    _close(merchant, dispute, "warning_closed")


def _withdraw(merchant, dispute, fee):
    charge = merchant.find(dispute["charge"])
    charge["_charged_back"] = True
    entered = merchant.find(charge["balance_transaction"])
    amount, currency, rate = balance_transactions.converted(
        merchant,
        dispute["amount"],
        dispute["currency"],
        entered and entered["currency"],
    )
    fees = [_fee(fee, currency)] if fee else []
    _move(merchant, dispute, -amount, currency, fees, "dispute", rate)


def _move(merchant, dispute, amount, currency, fees, category, rate=None):
    word = "withdrawal" if amount < 0 else "reversal"
    bt = balance_transactions.record(
        merchant,
        kind="adjustment",
        category=category,
        amount=amount,
        currency=currency,
        source=dispute["id"],
        fees=fees,
        exchange_rate=rate,
        description=f"Chargeback {word} for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(rendered(bt))


def _fee(amount, currency):
    return balance_transactions.fee_detail(
        amount, currency, "stripe_fee", "Dispute fee"
    )


def _close(merchant, dispute, status):
    _set_status(dispute, status)
    merchant.emit("charge.dispute.closed", dispute)


def _set_status(dispute, status):
    old = {"status": dispute["status"]}
    dispute["status"] = status
    return old


def _add_evidence(dispute, evidence):
    evidence.pop("enhanced_evidence", None)
    dispute["evidence"].update(
        {name: value or None for name, value in evidence.items()}
    )
    dispute["evidence_details"]["has_evidence"] = True


# -- the object -----------------------------------------------------------------------


def _add(merchant, charge, amount, reason, status):
    if charge["status"] != "succeeded":
        raise errors.NotPossible(f"{charge['id']} was not paid")
    charge["disputed"] = True
    return merchant.add(_dispute(merchant, charge, amount, reason, status))


def _dispute(merchant, charge, amount, reason, status):
    return {
        "id": merchant.new_id("du_1"),
        "object": "dispute",
        "amount": charge["amount"] if amount is None else amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": merchant.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": _evidence_details(merchant),
        "is_charge_refundable": status.startswith("warning"),
        "livemode": merchant.livemode,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": _method_details(charge, status),
        "reason": reason,
        "status": status,
    }


def _evidence_details(merchant):
    return {
        "due_by": balance_transactions.later(merchant, RESPONSE_DAYS) - 1,
        "enhanced_eligibility": {},
        "has_evidence": False,
        "past_due": False,
        "submission_count": 0,
        "submission_method": "not_submitted",
    }


def _method_details(charge, status):
    card = charge["payment_method_details"].get("card")
    if not card:
        return None
    return {
        "card": {
            "brand": card["brand"],
            "case_type": "inquiry" if status.startswith("warning") else "chargeback",
            "network": card["network"],
            "network_reason_code": "10.4",
        },
        "type": "card",
    }
