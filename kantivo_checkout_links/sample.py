"""Stripe's objects of a payment that never was, for showing what it would post.

Plain Python without Odoo. Amounts are integers of the currency's minor unit.
"""

import time
from typing import NamedTuple

CHARGE_ID, REFUND_ID = "ch_sample", "re_sample"


class Money(NamedTuple):
    """:ivar currency: Its code in lower case."""

    amount: int
    currency: str


def build_charge(paid: Money, settled: Money, fee: int) -> dict:
    """A charge with its balance transaction.

    :param paid: In the customer's currency.
    :param settled: The same in the balance's currency, before the fee.
    :param fee: In the balance's currency, positive.
    """
    return _build("charge", CHARGE_ID, paid, settled, fee)


def build_refund(refunded: Money, settled: Money) -> dict:
    """A refund with its balance transaction; both amounts are positive."""
    withdrawn = settled._replace(amount=-settled.amount)
    return _build("refund", REFUND_ID, refunded, withdrawn, 0)


def _build(object_type, object_id, paid, settled, fee):
    """https://docs.stripe.com/api/balance_transactions/object"""
    now = int(time.time())
    return {
        "object": object_type,
        "id": object_id,
        "amount": paid.amount,
        "currency": paid.currency,
        "created": now,
        "balance_transaction": {
            "id": f"txn_sample_{object_type}",
            "reporting_category": object_type,
            "amount": settled.amount,
            "currency": settled.currency,
            "fee": fee,
            "fee_details": [],
            "net": settled.amount - fee,
            "created": now,
        },
    }
