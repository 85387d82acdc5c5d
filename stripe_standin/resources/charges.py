"""Charges: money taken from a customer."""

from stripe.params import ChargeListParams, ChargeRetrieveParams

from .. import methods
from ..pagination import page
from ..routing import endpoint
from . import balance_transactions

READ = "rak_charge_read"
CHARGE_NULLS = (
    "application application_fee application_fee_amount balance_transaction customer "
    "failure_balance_transaction failure_code failure_message on_behalf_of outcome "
    "receipt_number review shipping source source_transfer statement_descriptor "
    "transfer_data transfer_group"
).split()


@endpoint("GET", "/v1/charges/{id}", ChargeRetrieveParams, READ)
def retrieve(merchant, params, charge_id):
    """One charge."""
    return merchant.get("charge", charge_id)


@endpoint("GET", "/v1/charges", ChargeListParams, READ)
def list_all(merchant, params):
    """The charges, of one payment intent if asked."""
    return page(
        merchant,
        "charge",
        params,
        lambda charge: params.get("payment_intent") in (None, charge["payment_intent"]),
    )


def create(merchant, amount, currency, method, billing, intent=None, **data):
    """A charge by a way to pay, with its events; it ends as the method says.

    :param method: a `methods.Method`
    :param billing: `billing_details`
    :param intent: the payment intent it belongs to
    :param data: `description`, `metadata`, where there is no intent
    """
    charge = merchant.add(
        _charge(merchant, amount, currency, method, billing, intent, data)
    )
    OUTCOMES[method.outcome](merchant, charge, method)
    return charge


def succeed(merchant, charge):
    """The money arrived: report it, and give it its balance transaction in time."""
    charge.update(
        amount_captured=charge["amount"], captured=True, paid=True, status="succeeded"
    )
    charge["outcome"] = _outcome("authorized", "Payment complete.", None)
    merchant.emit("charge.succeeded", charge)
    if charge["balance_transaction"]:
        return
    if merchant.settings.balance_transactions == "auto":
        delay = merchant.settings.balance_transaction_delay
        merchant.world.schedule.after(delay, lambda: settle(merchant, charge))


def settle(merchant, charge):
    """Give the charge its balance transaction, unless it has one."""
    if charge["balance_transaction"]:
        return
    enter(merchant, charge)
    merchant.emit("charge.updated", charge, {"balance_transaction": None})


def enter(merchant, charge):
    """Enter the charge into the balance."""
    amount, currency, rate = balance_transactions.converted(
        merchant, charge["amount"], charge["currency"]
    )
    kind = "charge" if _is_card(charge) else "payment"
    bt = balance_transactions.record(
        merchant,
        kind=kind,
        category="charge",
        amount=amount,
        currency=currency,
        source=charge["id"],
        fees=balance_transactions.processing_fees(merchant, amount, currency),
        exchange_rate=rate,
        description=charge["description"],
        available_on=_available_on(merchant, charge),
    )
    charge["balance_transaction"] = bt["id"]


def take_back(merchant, charge):
    """Undo the balance transaction of a charge that failed after all."""
    entered = merchant.find(charge["balance_transaction"])
    if not entered:
        return
    bt = balance_transactions.record(
        merchant,
        kind="payment_failure_refund",
        category="charge_failure",
        amount=-entered["amount"],
        currency=entered["currency"],
        source=charge["id"],
        exchange_rate=entered["exchange_rate"],
        description="Failed bank debit",
        available_on=entered["available_on"],
    )
    charge["failure_balance_transaction"] = bt["id"]


def fail(merchant, charge, error):
    """The charge failed, at once or after days."""
    charge.update(
        failure_code=error["code"],
        failure_message=error["message"],
        paid=False,
        status="failed",
    )
    charge["outcome"] = _outcome(
        "issuer_declined", error["message"], error.get("decline_code")
    )
    merchant.emit("charge.failed", charge)


def unsettled(merchant):
    """Charges that were paid but have no balance transaction yet, oldest first."""
    return [
        charge
        for charge in merchant.all("charge")
        if charge["status"] == "succeeded" and not charge["balance_transaction"]
    ]


def _decline(merchant, charge, method):
    fail(merchant, charge, methods.decline_error(method))


def _succeed(merchant, charge, method):
    succeed(merchant, charge)


def _pend(merchant, charge, method):
    charge.update(paid=False, status="pending")
    merchant.emit("charge.pending", charge)
    if merchant.settings.debit_balance_transaction == "at_once":
        enter(merchant, charge)
        merchant.emit("charge.updated", charge, {"balance_transaction": None})


OUTCOMES = {"paid": _succeed, "declined": _decline, "processing": _pend}


def _is_card(charge):
    return charge["id"].startswith("ch_")


def _available_on(merchant, charge):
    if charge["_trait"] == "available":
        return merchant.now()
    return balance_transactions.later(merchant, merchant.settings.available_after_days)


def _charge(merchant, amount, currency, method, billing, intent, data):
    about = intent or {"description": None, "metadata": {}, "id": None, **data}
    prefix = "ch_3" if method.kind == "card" else "py_3"
    charge_id = merchant.new_id(prefix)
    return {
        "id": charge_id,
        "object": "charge",
        **dict.fromkeys(CHARGE_NULLS),
        "amount": amount,
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": {**billing, "tax_id": None},
        "calculated_statement_descriptor": _descriptor(merchant),
        "captured": False,
        "created": merchant.now(),
        "currency": currency,
        "description": about["description"],
        "disputed": False,
        "fraud_details": {},
        "livemode": merchant.livemode,
        "metadata": dict(about["metadata"]),
        "paid": False,
        "payment_intent": about["id"],
        "payment_method": merchant.new_id("pm_1"),
        "payment_method_details": _method_details(method, amount),
        "receipt_email": about.get("receipt_email"),
        "receipt_url": f"{merchant.world.base_url}/receipts/{charge_id}",
        "refunded": False,
        "statement_descriptor_suffix": about.get("statement_descriptor_suffix"),
        "status": "pending",
        "_charged_back": False,
        "_refunds": [],
        "_trait": method.trait,
    }


def _descriptor(merchant):
    return merchant.settings.merchant_name.upper()[:22]


def _outcome(network_status, message, reason):
    network = "approved" if network_status == "authorized" else "declined"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": f"{network}_by_network",
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": message,
        "type": network_status,
    }


def _method_details(method, amount):
    if method.kind == "card":
        return {"card": _card_details(method, amount), "type": "card"}
    return {method.kind: DEBIT_DETAILS[method.kind], "type": method.kind}


def _card_details(method, amount):
    return {
        "amount_authorized": amount,
        "authorization_code": None,
        "brand": method.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": method.country,
        "exp_month": 12,
        "exp_year": 2034,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": "StandinCard" + method.last4,
        "funding": "credit",
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": method.last4,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": method.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {
            "maximum_amount_capturable": amount,
            "status": "unavailable",
        },
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }


DEBIT_DETAILS = {
    "us_bank_account": {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "expected_debit_date": None,
        "fingerprint": "StandinBank6789",
        "last4": "6789",
        "mandate": None,
        "payment_reference": None,
        "routing_number": "110000000",
    },
    "sepa_debit": {
        "bank_code": "37040044",
        "branch_code": None,
        "country": "DE",
        "expected_debit_date": None,
        "fingerprint": "StandinBank6789",
        "last4": "6789",
        "mandate": None,
    },
    "bacs_debit": {
        "expected_debit_date": None,
        "fingerprint": "StandinBank6789",
        "last4": "6789",
        "mandate": None,
        "sort_code": "108800",
    },
}
