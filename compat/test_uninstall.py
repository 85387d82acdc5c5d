"""Uninstalling leaves the ledger as it is; installing again works."""

import time
from decimal import Decimal

import pytest

from tools import database, demo_shop, postgres, project, server
from tools.rpc import OdooError

from .conftest import Place

_ATTEMPTS = 60  # while Odoo runs what is scheduled, it refuses

_ITEMS = """
SELECT move.name, move.state, move.date, line.account_id, line.debit, line.credit,
       line.amount_currency, line.tax_line_id, line.reconciled, line.partner_id,
       statement_line.amount, move.journal_id
  FROM account_move_line line
  JOIN account_move move ON move.id = line.move_id
  LEFT JOIN account_bank_statement_line statement_line
    ON statement_line.move_id = move.id
 ORDER BY line.id
"""
_LEFTOVERS = f"""
SELECT relname::text FROM pg_class WHERE starts_with(relname, 'checkout_')
UNION ALL SELECT name FROM ir_model_data WHERE module = '{project.ADDON}'
UNION ALL SELECT model FROM ir_model WHERE starts_with(model, 'checkout.')
UNION ALL SELECT name FROM ir_model_fields WHERE name LIKE 'checkout_%'
UNION ALL SELECT action.name->>'en_US' FROM ir_cron JOIN ir_act_server action
    ON action.id = ir_actions_server_id WHERE code LIKE '%checkout.%'
UNION ALL SELECT key FROM ir_config_parameter WHERE key LIKE '%checkout%'
"""


@pytest.fixture
def place(odoo, standin):
    """A shop of its own, with one payment posted."""
    with database.passing(odoo, "uninstall") as name:
        env = {"STRIPE_API_BASE": standin.url}
        with server.odoo_server(odoo, name, env=env) as running:
            yield Place.furnish(running.url, name, standin)


def _module(place, method):
    (module_id,) = place.admin.search(
        "ir.module.module", [("name", "=", project.ADDON)]
    )
    for _ in range(_ATTEMPTS):
        try:
            return place.admin.call("ir.module.module", method, [module_id])
        except OdooError as error:
            if "scheduled action" not in str(error):
                raise
            time.sleep(1)
    raise AssertionError("scheduled actions run all the time")


def _items(place):
    return postgres.query(_ITEMS, place.database).splitlines()


def test_entries_stay_and_the_next_installation_takes_payments(place):
    before = _items(place)
    assert sum("|posted|" in item for item in before) == 5  # a charge and its fee
    journal_id = place.admin.read(
        "checkout.gateway", place.shop.gateway_id, "journal_id"
    )
    balance = _read_balance(place, journal_id)

    assert postgres.query(_LEFTOVERS, place.database)
    _module(place, "button_immediate_uninstall")
    assert _items(place) == before
    assert postgres.query(_LEFTOVERS, place.database) == ""
    assert _read_balance(place, journal_id) == balance

    _module(place, "button_immediate_install")
    assert _items(place) == before
    link, gateway_id = _connect_again(place)
    place.pay(link)
    assert _items(place)[: len(before)] == before
    new_journal_id = place.admin.read("checkout.gateway", gateway_id, "journal_id")
    assert _read_balance(place, new_journal_id) > 0


def _connect_again(place):
    """A new gateway of the same account, and a link of it."""
    admin = place.admin
    gateway_id = admin.create(
        "checkout.gateway",
        name="Stripe",
        secret_key=demo_shop.SECRET_KEY,
        webhook_secret=demo_shop.WEBHOOK_SECRET,
        post_entries=True,
        tax_ids=[(6, 0, admin.search("account.tax", [("name", "=", "10% included")]))],
    )
    admin.call("checkout.gateway", "action_create_accounting", [gateway_id])
    place.deliver_to(admin.read("checkout.gateway", gateway_id, "webhook_url"))
    name = "Evening course"
    link_id = admin.create(
        "checkout.link", gateway_id=gateway_id, name=name, amount=110
    )
    url = admin.read("checkout.link", link_id, "url")
    return demo_shop.Link(link_id, name, url), gateway_id


def _read_balance(place, journal_id):
    balance = place.admin.read(
        "account.journal", journal_id, "current_statement_balance"
    )
    return round(Decimal(balance), 2)
