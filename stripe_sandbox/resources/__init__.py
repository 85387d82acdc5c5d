"""Stripe's objects, one file each: how they are made, how they change, their paths."""

from . import (
    accounts,
    balance_transactions,
    balances,
    charges,
    events,
    payment_intents,
    sessions,
)

__all__ = [
    "accounts",
    "balances",
    "balance_transactions",
    "charges",
    "events",
    "payment_intents",
    "sessions",
]
