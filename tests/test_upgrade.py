"""A database of each released version keeps its data, and goes on, when upgraded."""

import re
import tarfile
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from stripe_standin.control_client import Standin
from tests.kit import (
    SPEED,
    Shop,
    assert_posted_once,
    post_event,
    start_checkout,
    wait_for,
)
from tools import cache, database, odoo_source, payer, project

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.tar.xz"))
_WORSE_THAN_INFO = re.compile(
    r"^[\d-]+ [\d:,]+ \d+ (?:WARNING|ERROR|CRITICAL) .*", re.M
)
LIVES = (
    "Kept",
    "Refunded in part",
    "Disputed",
    "Won in part",
    "Closed",
    "Archived",
    "Deleted",
)
# Ids that say when a row was looked at, not what it says.
_PASSING_COLUMNS = {"write_date", "write_uid"}
# Totals that say what is left since: see `test_totals_say_what_is_left`.
_RECOMPUTED_COLUMNS = {"fee_amount", "net_amount"}
# What a release might leave open, and is said from the next one on, or kept less of.
_COMPLETED_COLUMNS = {"deactivated_at", "payload", "sync_from"}
# What said nothing but that someone was at work.
_DROPPED_COLUMNS = {"places_lock"}
# What has another name since: tables, and columns of any table.
_RENAMED_TABLES = {
    "checkout_movement_rebooking_rel": "checkout_movement_reclassification_rel",
    "checkout_movement_rebooked_line_rel": "checkout_movement_reclassified_line_rel",
}
_RENAMED_COLUMNS = {"is_foreign": "is_third_party"}
# A dialog's rows end with it.
_DIALOG_TABLES = {"checkout_rebook_wizard", "account_tax_checkout_rebook_wizard_rel"}


@pytest.fixture(scope="module", params=RELEASES, ids=lambda path: path.name)
def upgraded(odoo, request, tmp_path_factory):
    """A shop that was opened with a release and upgraded; what was, what is there."""
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    with _shop_of_release(odoo, folder) as shop:
        links = live_through_everything(shop)
        shop.stop()
        before = _rename(read_tables(shop.database))
        log = _upgrade(odoo, shop)
        after = read_tables(shop.database)
        shop.use_options()
        shop.start()
        yield Upgrade(shop, links, before, after, log.read_text())
        shop.stop()


class Upgrade:
    """What an upgrade is judged by.

    :ivar links: The links of the shop, by title.
    :ivar before: All rows of our tables before, by table, and `after` it.
    """

    def __init__(self, shop, links, before, after, log):
        self.shop = shop
        self.links = links
        self.before = before
        self.after = after
        self.log = log


@contextmanager
def _shop_of_release(odoo, folder):
    paths = [*odoo_source.addons_paths(odoo.source), folder]
    old_addon = f"--addons-path={','.join(map(str, paths))}"
    with (
        database.passing_without_addon(odoo, "upgrade") as name,
        Standin.start(python=odoo.python, speed=SPEED) as standin,
    ):
        _run_odoo(odoo, name, "--init", old_addon)
        shop = Shop(odoo, name, standin, (old_addon,))
        try:
            shop.start()
            shop.furnish()
            shop.sync_for_the_first_time()
            yield shop
        finally:
            shop.stop()


def _run_odoo(odoo, name, what, *options):
    log = cache.log_file(f"{name}{what}")
    odoo.run(
        f"--database={name}",
        f"{what}={project.ADDON}",
        *("--stop-after-init", "--no-http", "--skip-auto-install", *options),
        log=log,
    )
    return log


def _upgrade(odoo, shop):
    return _run_odoo(odoo, shop.database, "--update")


# -- what happens before --------------------------------------------------------------


def live_through_everything(shop):
    """One payment in each state that leaves something in the ledger."""
    links = {name: shop.make_link(name) for name in LIVES}
    for link in links.values():
        shop.pay_unnoticed(link)
    for link in links.values():
        shop.wait_until_posted(link)
    start_checkout(links["Kept"])
    links["Held"] = shop.make_link("Held", max_payments=1)
    start_checkout(links["Held"])
    links["Opened before"] = shop.make_link("Opened before")
    start_checkout(links["Opened before"])
    _refund(shop, links["Refunded in part"])
    _dispute(shop, links["Disputed"])
    _win_in_part(shop, links["Won in part"])
    shop.admin.call("checkout.link", "action_deactivate", [links["Closed"].id])
    shop.admin.call("checkout.link", "unlink", [links["Deleted"].id])
    shop.admin.write("checkout.link", links["Archived"].id, active=False)
    shop.admin.create("checkout.gateway", name="Without a begin", sync_from=False)
    _add_gateway_in_euros(shop)
    _pay_out(shop)
    _leave_an_event_waiting(shop)
    return links


def _payment_id(shop, link):
    domain = [("link_id", "=", link.id), ("paid_at", "!=", False)]
    (row,) = shop.admin.rows("checkout.payment", domain, ["id"])
    return row["id"]


def _refund(shop, link):
    payment_id = _payment_id(shop, link)
    shop.admin.call("checkout.payment", "action_refund", [payment_id], 33)
    shop.wait_for_state(link, "partially_refunded")


def _dispute(shop, link):
    payment_id = _payment_id(shop, link)
    charge = shop.admin.read("checkout.payment", payment_id, "stripe_charge_id")
    dispute = shop.standin.dispute(charge)
    shop.wait_for_state(link, "disputed")
    return dispute["id"]


def _win_in_part(shop, link):
    dispute_id = _dispute(shop, link)
    shop.standin.change_dispute(dispute_id, "win", amount=7000)
    shop.wait_for_state(link, "paid")


def _add_gateway_in_euros(shop):
    domain = [("name", "=", "EUR"), ("active", "in", (True, False))]
    (euro,) = shop.admin.rows("res.currency", domain, ["id"])
    shop.admin.create("checkout.gateway", name="In euros", currency_id=euro["id"])


def _pay_out(shop):
    shop.standin.payout("usd", pending_too=True)
    domain = [("kind", "=", "payout"), ("state", "=", "posted")]
    wait_for(lambda: shop.admin.rows("checkout.movement", domain, ["id"]), "payout")


def _leave_an_event_waiting(shop):
    """Of a session that Stripe doesn't know (any more)."""
    link = shop.make_link("Waiting event")
    start_checkout(link)
    (request,) = shop.standin.requests("POST /v1/checkout/sessions")[-1:]
    session = {"id": "cs_gone", "object": "checkout.session"}
    event = {
        **shop.standin.events()[0],
        "id": "evt_waiting",
        "type": "checkout.session.completed",
        "data": {"object": {**session, "metadata": request["params"]["metadata"]}},
    }
    assert post_event(shop.webhook_url, event) == 200
    domain = [("stripe_event_id", "=", "evt_waiting"), ("error", "!=", False)]
    wait_for(lambda: shop.admin.rows("checkout.event", domain, ["id"]), "failed event")


def read_tables(name):
    """All rows of our tables and of the journal entries: by table and id, by column."""
    with closing(psycopg2.connect(dbname=name)) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'checkout_%'"
            " OR tablename IN ('account_move', 'account_move_line')"
        )
        return {table: _read_table(cursor, table) for [table] in cursor.fetchall()}


def _read_table(cursor, table):
    cursor.execute(f'SELECT * FROM "{table}"')
    columns = [column.name for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _rename(tables):
    """Tables as read before, under the names that they have after."""
    return {
        _RENAMED_TABLES.get(table, table): [
            {_RENAMED_COLUMNS.get(name, name): row[name] for name in row}
            for row in rows
        ]
        for table, rows in tables.items()
        if table not in _DIALOG_TABLES
    }


# -- what must be so afterwards -------------------------------------------------------


def test_release_was_upgraded_to_the_version_at_hand(upgraded):
    domain = [("name", "=", project.ADDON)]
    (module,) = upgraded.shop.admin.rows("ir.module.module", domain, ["latest_version"])
    assert module["latest_version"] == project.manifest()["version"]


def test_upgrade_keeps_every_row_and_value(upgraded):
    assert upgraded.before["checkout_dispute"]
    for table, rows in upgraded.before.items():
        columns = rows[0].keys() if rows else set()
        columns = columns - _PASSING_COLUMNS - _COMPLETED_COLUMNS - _RECOMPUTED_COLUMNS
        columns -= _DROPPED_COLUMNS
        kept = Counter(_values(upgraded.after[table], columns))
        lost = Counter(_values(_complete(table, rows, upgraded), columns)) - kept
        assert not lost, table


def _complete(table, rows, upgraded):
    """What is lost of a dispute that was won is a loss from now on."""
    if table != "checkout_payment":
        return rows
    won_id = upgraded.links["Won in part"].id
    states = {won_id: {"state": "disputed"}}
    return [{**row, **states.get(row["link_id"], {})} for row in rows]


def _values(rows, columns):
    return sorted(repr([(name, row[name]) for name in sorted(columns)]) for row in rows)


def test_checkout_from_before_is_continued(upgraded):
    shop, link = upgraded.shop, upgraded.links["Held"]
    (session,) = shop.sessions_made(link)
    assert payer.submit(payer.open_page(link.url)).url == session["url"]
    assert len(shop.sessions_made(link)) == 1


def test_what_was_left_open_is_said(upgraded):
    moments = {row["name"]: row["deactivated_at"] for row in _links(upgraded.after)}
    assert {name for name, at in moments.items() if at} == {"Archived", "Closed"}
    [before] = [row for row in _links(upgraded.before) if row["name"] == "Closed"]
    assert moments["Closed"] == before["deactivated_at"]
    assert all(row["sync_from"] for row in upgraded.after["checkout_gateway"])


def test_links_and_payments_go_on_mapping_taxes(upgraded):
    payments = upgraded.after["checkout_payment"]
    assert all(row["map_taxes"] for row in [*_links(upgraded.after), *payments])


def test_fees_are_posted_without_analytics_and_without_an_unstated_tax(upgraded):
    for row in upgraded.after["checkout_gateway"]:
        assert (row["fee_analytics"], bool(row["fee_tax_invoiced"])) == (False, False)


def test_upgrade_switches_no_revaluation_on(upgraded):
    gateways = {row["name"]: row for row in upgraded.after["checkout_gateway"]}
    assert gateways["In euros"]["currency_id"] != gateways["Stripe"]["currency_id"]
    assert not any(row["revalue_month_end"] for row in gateways.values())


def test_rest_of_a_dispute_that_was_won_is_a_loss(upgraded):
    shop, link = upgraded.shop, upgraded.links["Won in part"]
    payment_id = _payment_id(shop, link)
    domain = [("payment_id", "=", payment_id)]
    [dispute] = shop.admin.rows("checkout.dispute", domain, ["lost_amount"])
    paid = shop.admin.read("checkout.payment", payment_id, "amount")
    assert dispute["lost_amount"] == paid - 70
    shop.admin.call("checkout.gateway", "action_sync", [shop.gateway_id])
    lost = [*domain, ("kind", "=", "dispute_loss")]
    [loss] = shop.admin.rows("checkout.movement", lost, ["state"])
    assert loss["state"] == "posted"


def test_gateways_go_on_keeping_the_tax_in_what_is_lost(upgraded):
    policies = {row["dispute_tax"] for row in upgraded.after["checkout_gateway"]}
    assert policies == {"keep"}


def _links(tables):
    return tables["checkout_link"]


def test_totals_say_what_is_left(upgraded):
    left = {"Kept": (110, 106.51), "Refunded in part": (77, 73.51)}
    left["Disputed"] = (110, 91.51)  # withheld, and not lost yet
    paid = [row for row in upgraded.after["checkout_payment"] if row["paid_at"]]
    found = {row["link_name"]: row for row in paid}
    for name, amounts in left.items():
        row = found[name]
        assert (float(row["amount_left"]), float(row["net_amount"])) == amounts, name
        assert row["tax_amount"] + row["untaxed_amount"] == row["amount_left"], name


def test_links_say_what_their_payments_come_to(upgraded):
    totals = {row["link_id"]: row for row in upgraded.after["checkout_link_total"]}
    paid = [row for row in upgraded.after["checkout_payment"] if row["paid_at"]]
    for link_id in {row["link_id"] for row in paid} - {None}:
        own = [row for row in paid if row["link_id"] == link_id]
        total = totals.pop(link_id)
        assert total["payment_count"] == len(own)
        assert total["amount_collected"] == sum(row["amount"] for row in own)
        assert total["last_payment_at"] == max(row["paid_at"] for row in own)
        assert not total["red_count"]
    assert not totals


def test_entries_of_before_are_found_by_stripes_ids(upgraded):
    entries = {row["id"]: row for row in upgraded.after["account_move"]}
    payments = {row["id"]: row for row in upgraded.after["checkout_payment"]}
    for movement in upgraded.after["checkout_movement"]:
        entry = entries.get(movement["move_id"])
        if entry:
            transaction_id = entry["stripe_balance_transaction_id"]
            assert transaction_id == movement["balance_transaction_id"]
            payment = payments.get(movement["payment_id"])
            charge_id = payment and payment["stripe_charge_id"]
            assert entry["stripe_charge_id"] == charge_id


def test_inbox_keeps_what_finds_an_object_and_nothing_of_its_customer(upgraded):
    names = {"id", "object", "charge", "payment_intent", "currency", "metadata"}
    objects = [
        row["payload"]["data"]["object"]
        for row in upgraded.after["checkout_event"]
        if row["payload"]
    ]
    assert objects and all(kept.keys() <= names for kept in objects)
    assert "@" not in str(objects)
    [waiting] = [kept for kept in objects if kept["id"] == "cs_gone"]
    assert waiting["metadata"]["checkout_payment"]


def test_upgrade_logs_nothing_worse_than_information(upgraded):
    assert _WORSE_THAN_INFO.findall(upgraded.log) == []


def test_addresses_given_out_before_still_take_payments(upgraded):
    shop, link = upgraded.shop, upgraded.links["Closed"]
    assert payer.open_page(upgraded.links["Kept"].url).status == 200
    shop.admin.call("checkout.link", "action_activate", [link.id])
    before = len(shop.movements(link))
    shop.pay_unnoticed(link)
    wait_for(lambda: len(shop.movements(link)) == before + 2, "entries")


def test_checkout_opened_before_is_paid_after(upgraded):
    shop, link = upgraded.shop, upgraded.links["Opened before"]
    [session] = shop.sessions_made(link)
    assert "checkout_signature" not in session["metadata"]
    shop.standin.pay(session["id"])
    shop.wait_until_posted(link)
    assert_posted_once(shop, link)


def test_each_gateway_signs_with_a_key_of_its_own(upgraded):
    gateways = upgraded.after["checkout_gateway"]
    keys = {row["signing_key"] for row in gateways}
    assert len(keys) == len(gateways) > 1
    assert all(keys)


def test_responsible_user_is_notified_of_payments_of_earlier_links(upgraded):
    shop = upgraded.shop
    paid = shop.admin.xml_id(f"{project.ADDON}.mt_link_paid")
    domain = [("res_model", "=", "checkout.link"), ("subtype_ids", "=", paid)]
    rows = shop.admin.rows("mail.followers", domain, ["res_id"])
    assert upgraded.links["Kept"].id in {row["res_id"] for row in rows}


def test_old_money_is_not_announced(upgraded):
    assert upgraded.after["checkout_announcement"] == []


def test_new_link_is_paid_and_posted(upgraded):
    link = upgraded.shop.make_link("After the upgrade")
    upgraded.shop.pay_unnoticed(link)
    upgraded.shop.wait_until_posted(link)
    assert_posted_once(upgraded.shop, link)


def test_ledger_agrees_with_stripe_after_the_next_sync(upgraded):
    shop = upgraded.shop
    shop.admin.call("checkout.gateway", "action_sync", [shop.gateway_id])
    assert shop.journal_balance() == shop.balance()
    state = shop.admin.read("checkout.gateway", shop.gateway_id, "agreement_state")
    assert state == "green"
