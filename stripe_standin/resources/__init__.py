"""Stripe's objects, one file each: how they are made, how they change, their paths."""

from . import (
    accounts,
    balance_transactions,
    balances,
    charges,
    direct_payments,
    disputes,
    events,
    payment_intents,
    payouts,
    refunds,
    sessions,
    thin_events,
    webhook_endpoints,
)

__all__ = [
    "accounts",
    "balance_transactions",
    "balances",
    "charges",
    "direct_payments",
    "disputes",
    "events",
    "payment_intents",
    "payouts",
    "refunds",
    "sessions",
    "thin_events",
    "webhook_endpoints",
]
