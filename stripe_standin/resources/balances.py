"""The balance: nothing but the sum of the balance transactions."""

from stripe.params import BalanceRetrieveParams

from ..routing import endpoint


@endpoint("GET", "/v1/balance", BalanceRetrieveParams, "rak_balance_read")
def retrieve(merchant, params):
    """Available and pending money by settlement currency."""
    return current(merchant)


def current(merchant):
    """The balance object as of now."""
    return {
        "object": "balance",
        "available": _amounts(merchant, "available"),
        "livemode": merchant.livemode,
        "pending": _amounts(merchant, "pending"),
    }


def total(merchant, currency, status=None):
    """Sum of the net amounts in a currency, minor units; all of it without status.

    What other balances of the account hold (`balance_type`) is not in it.
    """
    return sum(
        bt["net"]
        for bt in merchant.all("balance_transaction")
        if bt["currency"] == currency
        and bt["balance_type"] == "payments"
        and status in (None, bt["status"])
    )


def currencies(merchant):
    """The currencies the account holds, the main one first."""
    used = {bt["currency"] for bt in merchant.all("balance_transaction")}
    fixed = merchant.settings.currencies
    return [*fixed, *sorted(used - set(fixed))]


def _amounts(merchant, status):
    return [
        _amount(currency, total(merchant, currency, status))
        for currency in currencies(merchant)
    ]


def _amount(currency, amount):
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
