"""The template that rows measure in: a shop, its specimens, Odoo's own payments beside.

It is built once and kept, until the addon or what builds it changes.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

from benchmarks import core, fill
from benchmarks.kit import Bench
from stripe_standin.control_client import Standin
from tests.kit import Shop, session_id, start_checkout
from tools import database, demo_shop
from tools.ground import Odoo

OTHER_GATEWAYS = "bcd"
_HERE = Path(__file__).parent
_STRIPE_ID = re.compile(r"\b(cs_test|[a-z]+)_[A-Za-z0-9]{14,}\b")
_MODULES = ["payment_stripe", "payment_demo", "account_payment", "checkout_bench"]


def prepare(odoo: Odoo, quick: bool, million: bool) -> Bench:
    """Have the template, and give what rows need.

    :param odoo: Odoo as ``ground.ready()`` gives it.
    """
    odoo = replace(odoo, addons=(*odoo.addons, _HERE / "addons"))
    base = database.template(odoo)
    paths = [_HERE / "shop.py", *_HERE.glob("addons/**/*.py")]
    key = [base, *(path.read_bytes() for path in sorted(paths))]

    def make(partial: str) -> None:
        database.copy(odoo, base, partial)
        database.install(odoo, partial, _MODULES)
        _furnish(odoo, partial)

    name = database.kept(odoo, "bench", key, make, "Database: a shop for benchmarks")
    bench = Bench(odoo, name, {}, quick, million)
    return replace(bench, specimens=bench.inside(name, fill.read_specimens))


def _furnish(odoo: Odoo, name: str) -> None:
    """Make shop and specimens as merchants, payers and Stripe do."""
    with Standin.start(python=odoo.python) as standin:
        shop = Shop(odoo, name, standin, ())
        try:
            shop.start()
            shop.furnish()
            for account in OTHER_GATEWAYS:
                _add_gateway(shop, account)
            link = shop.make_link(fill.LINK)
            shop.pay_unnoticed(link)
            shop.wait_until_posted(link)
            shop.sync_for_the_first_time()
            opened = session_id(start_checkout(link))
        finally:
            shop.stop()
        bench = Bench(odoo, name, {}, True, False)
        bench.inside(name, set_up_core)
        bench.inside(name, record, standin, opened=opened)


def _add_gateway(shop: Shop, account: str) -> None:
    """A gateway of another Stripe account, with a link."""
    gateway_id = shop.admin.create(
        "checkout.gateway",
        name=f"Stripe {account}",
        secret_key=f"{demo_shop.SECRET_KEY}_at_{account}",
        webhook_secret=demo_shop.WEBHOOK_SECRET,
        post_entries=True,
    )
    shop.admin.call("checkout.gateway", "action_create_accounting", [gateway_id])
    shop.admin.call("checkout.gateway", "action_test_connection", [gateway_id])
    shop.make_link(f"{fill.LINK} {account}", gateway_id=gateway_id)


# -- inside Odoo ----------------------------------------------------------------------


def set_up_core(env) -> None:
    """Enable core's demo and Stripe providers, with the bank journal."""
    bank = env["account.journal"].search([("type", "=", "bank")], order="id", limit=1)
    outstanding = env["account.account"].create(
        {
            "name": "Outstanding Receipts of the benchmark",
            "code": "101499",
            "account_type": "asset_current",
            "reconcile": True,
        }
    )
    stripe = env["payment.provider"].search([("code", "=", "stripe")], limit=1)
    stripe.write(
        {
            "stripe_publishable_key": "pk_test_benchmark",
            "stripe_secret_key": "sk_test_benchmark",
            "stripe_webhook_secret": "whsec_benchmark",
        }
    )
    demo = env["payment.provider"].search([("code", "=", core.PROVIDER)], limit=1)
    for provider in stripe + demo:
        provider.write({"state": "test", "is_published": True})
        provider.journal_id = bank
    lines = bank.inbound_payment_method_line_ids.filtered("payment_provider_id")
    lines.write({"payment_account_id": outstanding.id})
    env.cr.commit()


def record(env, opened: str) -> None:
    """Keep the specimens: what Stripe says of them, and their rows here."""
    payments = env["checkout.payment"].search([])
    paid = payments.filtered("paid_at")
    open_ = payments.filtered(lambda p: p.stripe_checkout_session_id == opened)
    paid.ensure_one()
    client = paid.gateway_id._get_client()
    session = client.retrieve_session(paid.stripe_checkout_session_id)
    open_session = client.retrieve_session(opened)
    tokens = _find_tokens(session, open_session)
    tokens[open_.form_uuid] = "00000000-0000-4000-9000-00{}"
    tokens[paid.form_uuid] = "00000000-0000-4000-9000-00{}"
    tokens[paid.name] = "PAID/{}"
    events = env["checkout.event"].search([])
    completed = events.filtered(lambda e: e.type == "checkout.session.completed")
    for order, event in enumerate(events):
        tokens[event.stripe_event_id] = f"evt_bench{{}}_{order}"
    specimens = {
        "paid": session,
        "open": open_session,
        "account": client.retrieve_account(),
        "tokens": tokens,
        "posted": _describe(env, _get_all_of(paid, events)),
        "waiting": _describe(env, [open_, completed]),
    }
    env["ir.config_parameter"].set_param(fill.PARAMETER, json.dumps(specimens))
    env.cr.commit()


def _find_tokens(session: dict, opened: dict) -> dict[str, str]:
    """Texts in two sessions that are a payment's own, and what a copy has instead.

    :return: By text, a pattern with ``{}`` for the copy's ten digits. Ids of the same
        kind in both sessions get the same pattern: a copy is one payment.
    """
    tokens = {}
    for stripe_object in (session, opened):
        text = json.dumps(stripe_object)
        kinds: dict[str, int] = {}
        for found in _STRIPE_ID.finditer(text):
            if found[1] != "acct" and found[0] not in tokens:
                kinds[found[1]] = kinds.get(found[1], 0) + 1
                order = kinds[found[1]] - 1
                tokens[found[0]] = f"{found[1]}_bench{{}}{'x' * order}"
        uuid = stripe_object["metadata"]["checkout_payment"]
        tokens[uuid] = "00000000-0000-4000-8000-00{}"
    details = session["customer_details"]
    tokens[details["email"]] = "payer{}@example.com"
    tokens[details["name"]] = "Ada {}"
    return tokens


def _get_all_of(paid, events) -> list:
    """All records that one paid and posted payment has brought."""
    env, moves = paid.env, paid.movement_ids.move_id
    messages = env["mail.message"].search(
        ["|"]
        + ["&", ("model", "=", "checkout.payment"), ("res_id", "in", paid.ids)]
        + ["&", ("model", "=", "account.move"), ("res_id", "in", moves.ids)]
    )
    lines = paid.movement_ids.statement_line_id
    return [
        *(paid.partner_id, paid, moves, lines, moves.line_ids),
        *(paid.movement_ids, events, messages),
    ]


def _describe(env, recordsets) -> dict:
    """Tables with ids, and many2many tables with rows, as ``Cloner`` takes them."""
    env.flush_all()
    tables = {records._table: sorted(records.ids) for records in recordsets}
    relations = [
        [field.relation, field.column1, field.column2, records._table, other]
        for records in recordsets
        for field in records._fields.values()
        if field.type == "many2many" and field.store and not field.inherited
        for other in [env[field.comodel_name]._table]
        if _has_rows(env, field, records)
    ]
    unique = {relation[0]: relation for relation in relations}
    return {"tables": tables, "relations": list(unique.values())}


def _has_rows(env, field, records) -> bool:
    env.cr.execute(
        f"SELECT 1 FROM {field.relation} WHERE {field.column1} = ANY(%s) LIMIT 1",
        [records.ids],
    )
    return bool(env.cr.fetchone())
