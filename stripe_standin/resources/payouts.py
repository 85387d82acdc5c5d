"""Payouts: money sent from the Stripe balance to the merchant's bank."""

from decimal import Decimal

from stripe.params import (
    PayoutCancelParams,
    PayoutCreateParams,
    PayoutListParams,
    PayoutRetrieveParams,
    PayoutUpdateParams,
)

from .. import errors, money
from ..checks import merged_metadata, metadata
from ..pagination import in_range, page
from ..routing import endpoint
from . import balance_transactions, balances
from .accounts import bank_account_id

READ, WRITE = "rak_payout_read", "rak_payout_write"
ARRIVAL_DAYS = 2
# Seconds at Stripe's speed until an automatic payout is itemised.
RECONCILIATION = 5.0
INSTANT_FEE = Decimal("0.01")
PAYOUT_NULLS = (
    "application_fee application_fee_amount balance_transaction description "
    "failure_balance_transaction failure_code failure_message original_payout "
    "payout_method reversed_by statement_descriptor"
).split()
ON_ITS_WAY = ("pending", "in_transit")


# -- paths ----------------------------------------------------------------------------


@endpoint("POST", "/v1/payouts", PayoutCreateParams, WRITE)
def create(merchant, params):
    """A manual payout from the available balance."""
    currency = _checked_currency(merchant, params["currency"])
    amount = _checked_amount(merchant, params["amount"], currency)
    payout = _payout(merchant, amount, currency, automatic=False)
    payout["metadata"] = metadata(params.get("metadata"))
    for name in ("description", "method", "statement_descriptor"):
        payout[name] = params.get(name, payout[name])
    return _send(merchant, payout)


@endpoint("GET", "/v1/payouts/{id}", PayoutRetrieveParams, READ)
def retrieve(merchant, params, payout_id):
    """One payout."""
    return merchant.get("payout", payout_id)


@endpoint("GET", "/v1/payouts", PayoutListParams, READ)
def list_all(merchant, params):
    """The payouts, by status, destination or day of arrival if asked."""
    return page(merchant, "payout", params, lambda payout: _matches(payout, params))


@endpoint("POST", "/v1/payouts/{id}", PayoutUpdateParams, WRITE)
def update(merchant, params, payout_id):
    """Change the metadata."""
    payout = merchant.get("payout", payout_id)
    _change(
        merchant,
        payout,
        metadata=merged_metadata(payout["metadata"], params.get("metadata", {})),
    )
    return payout


@endpoint("POST", "/v1/payouts/{id}/cancel", PayoutCancelParams, WRITE)
def cancel_by_request(merchant, params, payout_id):
    """Cancel a manual payout that was not sent yet."""
    payout = merchant.get("payout", payout_id)
    if payout["status"] != "pending" or payout["automatic"]:
        raise errors.invalid(
            "Payouts can only be canceled while they are pending and were created "
            "manually."
        )
    cancel(merchant, payout)
    return payout


# -- what happens to a payout ---------------------------------------------------------


def make_automatic(merchant, currency, pending_too=False):
    """Stripe's own payout of all that is available, itemised.

    :param pending_too: take the pending money as well, so as not to wait for days
    """
    parts = [
        bt
        for bt in merchant.all("balance_transaction")
        if bt["currency"] == currency
        and bt["balance_type"] == "payments"
        and not bt["_payout"]
        and (pending_too or bt["status"] == "available")
    ]
    amount = _whole(sum(bt["net"] for bt in parts), currency)
    if not amount:
        raise errors.NotPossible(f"there is nothing to pay out in {currency}")
    payout = _payout(merchant, amount, currency, automatic=True)
    for bt in parts:
        bt["_payout"] = payout["id"]
    _send(merchant, payout)
    merchant.find(payout["balance_transaction"])["_payout"] = payout["id"]
    merchant.world.schedule.after(RECONCILIATION, lambda: reconcile(merchant, payout))
    return payout


def reconcile(merchant, payout):
    """The parts of an automatic payout are known now."""
    if payout["reconciliation_status"] != "in_progress":
        return
    payout["reconciliation_status"] = "completed"
    merchant.emit("payout.reconciliation_completed", payout)


def send(merchant, payout):
    """The payout leaves Stripe."""
    _check_under_way(payout, "pending")
    _change(merchant, payout, status="in_transit")


def pay(merchant, payout):
    """The payout arrives, with its trace id."""
    _check_under_way(payout, *ON_ITS_WAY)
    trace = {"status": "supported", "value": merchant.new_id("TRACE", 10).upper()}
    _change(merchant, payout, status="paid", trace_id=trace)
    merchant.emit("payout.paid", payout)


def fail(merchant, payout, code="account_closed"):
    """The bank refuses the money, even after `paid`; it comes back."""
    _check_under_way(payout, *ON_ITS_WAY, "paid")
    _bring_back(merchant, payout, "payout_failure")
    payout.update(
        status="failed",
        failure_code=code,
        failure_message="The bank account has been closed.",
    )
    merchant.emit("payout.failed", payout)


def cancel(merchant, payout):
    """The payout is stopped; the money comes back."""
    _check_under_way(payout, *ON_ITS_WAY)
    _bring_back(merchant, payout, "payout_cancel")
    payout["status"] = "canceled"
    merchant.emit("payout.canceled", payout)


def _check_under_way(payout, *statuses):
    if payout["status"] not in statuses:
        raise errors.NotPossible(f"the payout is {payout['status']} already")


def _send(merchant, payout):
    bt = balance_transactions.record(
        merchant,
        kind="payout",
        category="payout",
        amount=-payout["amount"],
        currency=payout["currency"],
        source=payout["id"],
        fees=_fees(payout),
        description=payout["description"] or "STRIPE PAYOUT",
    )
    payout["balance_transaction"] = bt["id"]
    merchant.add(payout)
    merchant.emit("payout.created", payout)
    merchant.world.schedule.at(
        payout["arrival_date"], lambda: _arrive_in_time(merchant, payout)
    )
    return payout


def _fees(payout):
    if payout["method"] != "instant":
        return []
    fee = money.rounded(payout["amount"] * INSTANT_FEE)
    return [
        balance_transactions.fee_detail(
            fee, payout["currency"], "stripe_fee", "Instant payout fee"
        )
    ]


def _bring_back(merchant, payout, kind):
    bt = balance_transactions.record(
        merchant,
        kind=kind,
        category="payout_reversal",
        amount=payout["amount"],
        currency=payout["currency"],
        source=payout["id"],
        description="PAYOUT FAILURE" if kind == "payout_failure" else "PAYOUT CANCEL",
    )
    payout["failure_balance_transaction"] = bt["id"]


def _arrive_in_time(merchant, payout):
    if payout["status"] in ON_ITS_WAY:
        pay(merchant, payout)


def _change(merchant, payout, **values):
    previous = {name: payout[name] for name in values}
    payout.update(values)
    merchant.emit("payout.updated", payout, previous)


# -- checks and the object ------------------------------------------------------------


def _matches(payout, params):
    arrival = params.get("arrival_date")
    return (
        params.get("status") in (None, payout["status"])
        and params.get("destination") in (None, payout["destination"])
        and (arrival is None or in_range(payout["arrival_date"], arrival))
    )


def _checked_currency(merchant, value):
    currency = money.checked_currency(value, "currency")
    if currency not in merchant.settings.currencies:
        raise errors.invalid(
            "Sorry, you don't have any external accounts in that currency "
            f"({currency}).",
            "currency",
        )
    return currency


def _checked_amount(merchant, amount, currency):
    if amount < 1:
        raise errors.invalid(
            "Invalid positive integer", "amount", "parameter_invalid_integer"
        )
    if amount != _whole(amount, currency):
        raise errors.invalid(
            f"Invalid amount: {currency.upper()} payouts must be divisible by 100.",
            "amount",
        )
    if amount > balances.total(merchant, currency, "available"):
        raise errors.invalid(
            "You have insufficient funds in your Stripe account for this transfer. "
            "You can use the /v1/balance endpoint to view your Stripe balance.",
            "amount",
            "balance_insufficient",
        )
    return amount


def _whole(amount, currency):
    """What can be paid out of it; the rest of HUF and TWD stays in the balance."""
    step = 100 if currency in money.WHOLE_HUNDREDS_IN_PAYOUTS else 1
    return amount - amount % step


def _payout(merchant, amount, currency, automatic):
    return {
        "id": merchant.new_id("po_1"),
        "object": "payout",
        **dict.fromkeys(PAYOUT_NULLS),
        "amount": amount,
        "arrival_date": balance_transactions.later(merchant, ARRIVAL_DAYS),
        "automatic": automatic,
        "created": merchant.now(),
        "currency": currency,
        "destination": bank_account_id(currency),
        "livemode": merchant.livemode,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "source_type": "card",
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
