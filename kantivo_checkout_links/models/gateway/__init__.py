"""The connection to a Stripe account: keys, setup, health, and its events' inbox."""

from . import (
    audit_trail,
    checkout_event,
    checkout_gateway,
    gateway_accounting,
    gateway_balance,
    gateway_clock,
    gateway_connection,
    gateway_disputes,
    gateway_endpoint,
    gateway_health,
    gateway_keys,
    gateway_lock,
    gateway_page,
    gateway_setup,
    gateway_signing,
    gateway_silence,
    gateway_turns,
    rate,
    res_currency,
    storefront,
)
