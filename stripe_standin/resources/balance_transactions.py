"""Balance transactions: every change of the Stripe balance."""

from decimal import Decimal

from stripe.params import BalanceTransactionListParams, BalanceTransactionRetrieveParams

from .. import errors, money
from ..pagination import page
from ..routing import endpoint
from . import balances

DAY = 24 * 3600
READ = "rak_balance_transaction_source_read"


def record(merchant, *, kind, category, amount, currency, source=None, **optional):
    """Record a change of the balance.

    :param kind: the BT's `type`
    :param category: its `reporting_category`
    :param amount: signed, in minor units of the settlement `currency`
    :param source: id of the object behind it
    :param optional: `fees` (fee_details), `exchange_rate`, `description`,
        `available_on` (default: at once), `balance_type` (default: payments),
        `created` (default: now)
    """
    fees = optional.get("fees") or []
    fee = sum(detail["amount"] for detail in fees)
    now = merchant.now()
    bt = merchant.add(
        {
            "id": merchant.new_id("txn_"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": optional.get("available_on") or now,
            "balance_type": optional.get("balance_type") or "payments",
            "created": optional.get("created") or now,
            "currency": currency,
            "description": optional.get("description"),
            "exchange_rate": optional.get("exchange_rate"),
            "fee": fee,
            "fee_details": fees,
            "net": amount - fee,
            "reporting_category": category,
            "source": source,
            "status": "pending",
            "type": kind,
            "_payout": None,
        }
    )
    _become_available_in_time(merchant, bt)
    return bt


def _become_available_in_time(merchant, bt):
    if bt["available_on"] <= merchant.now():
        bt["status"] = "available"
        return
    schedule = merchant.world.schedule
    schedule.at(bt["available_on"], lambda: _become_available(merchant))


def _become_available(merchant):
    due = [
        bt
        for bt in merchant.all("balance_transaction")
        if bt["status"] == "pending" and bt["available_on"] <= merchant.now()
    ]
    for bt in due:
        bt["status"] = "available"
    if due:
        merchant.emit("balance.available", balances.current(merchant))


def settlement_currency(merchant, currency):
    """The balance that a charge in this currency goes to."""
    currencies = merchant.settings.currencies
    return currency if currency in currencies else currencies[0]


def converted(merchant, amount, currency, target=None):
    """An amount as it moves the balance.

    :param target: the balance's currency, where it is already decided
    :returns: (signed amount, settlement currency, exchange rate or None)
    """
    target = target or settlement_currency(merchant, currency)
    if target == currency:
        return amount, target, None
    rates = merchant.settings.rates
    rate = money.rate(currency, target, rates)
    return money.converted(amount, currency, target, rates), target, float(rate)


def processing_fees(merchant, amount, currency):
    """Stripe's fee for a charge of `amount` in the settlement currency, and its tax."""
    settings = merchant.settings
    fixed = {**money.FIXED_FEE, **settings.fee_fixed}.get(currency, 0)
    fee = money.rounded(amount * Decimal(settings.fee_rate)) + fixed
    details = [fee_detail(fee, currency, "stripe_fee", "Stripe processing fees")]
    tax = money.rounded(fee * Decimal(settings.fee_tax_rate))
    if tax:
        details.append(fee_detail(tax, currency, "tax", "VAT"))
    return details


def fee_detail(amount, currency, kind, description):
    """One line of a BT's `fee_details`."""
    return {
        "amount": amount,
        "application": None,
        "currency": currency,
        "description": description,
        "type": kind,
    }


def later(merchant, days):
    """The start of the (UTC) day that many days ahead."""
    return (merchant.now() // DAY + days) * DAY


@endpoint(
    "GET", "/v1/balance_transactions/{id}", BalanceTransactionRetrieveParams, READ
)
def retrieve(merchant, params, bt_id):
    """One balance transaction."""
    return merchant.get("balance_transaction", bt_id)


@endpoint("GET", "/v1/balance_transactions", BalanceTransactionListParams, READ)
def list_all(merchant, params):
    """The balance transactions that the filters choose."""
    _check_payout(merchant, params.get("payout"))
    return page(
        merchant, "balance_transaction", params, lambda bt: _matches(bt, params)
    )


def _matches(bt, params):
    return all(
        params.get(name) in (None, bt[name]) for name in ("currency", "source", "type")
    ) and params.get("payout") in (None, bt["_payout"])


def _check_payout(merchant, payout_id):
    if payout_id and not merchant.get("payout", payout_id, "payout")["automatic"]:
        raise errors.invalid(
            "Balance transaction history can only be filtered on automatic transfers, "
            "not manual.",
            "payout",
        )
