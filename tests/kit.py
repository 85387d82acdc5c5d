"""What the whole-system tests stand on: a shop whose server can crash and come back."""

import hashlib
import hmac
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2
import stripe

from stripe_standin.control_client import Standin
from tests import worker_client
from tools import database, demo_shop, payer, project, server
from tools.console import Problem
from tools.demo_shop import LOGIN, PASSWORD, SECRET_KEY, WEBHOOK_SECRET, Link
from tools.rpc import Client, OdooError

PATIENCE = 90  # seconds that something may take on a busy machine
# How much faster than Stripe it is that balance transactions appear; at 30, 0.7 s.
SPEED = 30


class Shop:
    """The demo's shop in a running server, with a Stripe of its own.

    Made by ``open_shop``.

    :ivar admin: The administrator's session.
    :ivar database: The name of its database.
    :ivar standin: Stripe; it delivers to this shop.
    """

    def __init__(self, odoo, database_name: str, standin: Standin, options: tuple):
        self._odoo = odoo
        self.database = database_name
        self._options = options
        self._port = server.free_port()
        self._running = ExitStack()
        self._env: dict[str, str] = {}
        self.standin = standin

    @property
    def url(self) -> str:
        """The server's address, the same after each start."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self):
        """The file that the server logs to."""
        return self._server.log

    # -- the server -------------------------------------------------------------------

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._server = self._running.enter_context(
            server.odoo_server(
                self._odoo,
                self.database,
                port=self._port,
                env={
                    **self._environment(),
                    # Else the scheduler sees within a minute what has become due.
                    "ODOO_NOTIFY_CRON_CHANGES": "1",
                },
                options=self._options,
            )
        )
        self.admin = self.log_in(LOGIN, PASSWORD)

    def hire(self) -> None:
        """Have worker processes ready beside the server: `workers`. They sync once."""
        self.workers = self._running.enter_context(
            worker_client.hired(self._odoo, self.database, self._environment())
        )

    def _environment(self) -> dict[str, str]:
        return {"STRIPE_API_BASE": self.standin.url, **self._env}

    def furnish(self) -> None:
        """Make company, gateway and the rest, and have Stripe deliver to them."""
        shop = demo_shop.open_shop(self.admin, self.url)
        self.gateway_id = shop.gateway_id
        self.webhook_url = shop.webhook_url
        self.end_troubles()

    def crash(self) -> None:
        """End the server and all of its processes at once (SIGKILL)."""
        self._server.kill()
        wait_for(self._is_port_free, "end of the workers")

    def _is_port_free(self) -> bool:
        try:
            server.check_port(self._port)
        except Problem:
            return False
        return True

    def kill_workers(self) -> None:
        """End the server's worker processes (SIGKILL); it starts new ones."""
        master = self._server.process.pid
        for process in (
            Path(f"/proc/{master}/task/{master}/children").read_text().split()
        ):
            os.kill(int(process), signal.SIGKILL)

    def read_log(self) -> str:
        """What the server has logged."""
        return self._server.log.read_text()

    def stop(self) -> None:
        """Stop the server in an orderly way."""
        self._running.close()

    def use_options(self, *options: str) -> None:
        """Start with other options of Odoo's from now on."""
        self._options = options

    @contextmanager
    def with_environment(self, env: Mapping[str, str]) -> Iterator[None]:
        """Start with these environment variables, too, until the block ends."""
        self._env = dict(env)
        try:
            yield
        finally:
            self._env = {}

    @contextmanager
    def second_server(self, *options: str) -> Iterator[server.Server]:
        """Another server on the same database, with the same Stripe."""
        env = self._environment()
        with server.odoo_server(
            self._odoo, self.database, env=env, options=options
        ) as other:
            yield other

    def log_in(self, login: str, password: str) -> Client:
        """Another user's session."""
        return Client(self.url, self.database, login, password)

    # -- Stripe -----------------------------------------------------------------------

    def end_troubles(self) -> None:
        """Have Stripe deliver everything to this shop, and answer every call."""
        self.standin.clear_faults()
        self.standin.configure(
            webhook_url=self.webhook_url, webhook_secret=WEBHOOK_SECRET
        )

    @property
    def stripe(self) -> stripe.StripeClient:
        """Stripe's API, with the key that the gateway has too."""
        return stripe.StripeClient(SECRET_KEY, base_addresses={"api": self.standin.url})

    def sessions_made(self, link: Link) -> list[dict]:
        """Stripe's Checkout Sessions of a link, newest first."""
        return [
            session.to_dict()
            for session in self.stripe.v1.checkout.sessions.list({"limit": 100}).data
            if session.metadata["checkout_link"] == str(link.id)
        ]

    def events_of(self, link: Link) -> dict[str, dict]:
        """The newest event of each type about a link's payments."""
        return {
            event["type"]: event
            for event in self.standin.events()
            if event["data"]["object"]["metadata"].get("checkout_link") == str(link.id)
        }

    def pay_unnoticed(self, link: Link) -> None:
        """Pay a link on the hosted page; the payer never comes to the return page."""
        self.standin.pay(session_id(start_checkout(link)), name="Ada Example")

    def pay_often(self, link: Link, count: int) -> list[str]:
        """Pay a link so often, without a browser: the ids of the charges.

        It takes workers, who begin payments faster than a server shows pages.
        """
        started = self.workers.do("start_payments", link_id=link.id, count=count)
        return [self.standin.pay(session)["charge"]["id"] for session in started.answer]

    def balance(self) -> float:
        """Stripe's balance in US dollars."""
        return self.standin.balance().get("usd", 0) / 100

    def moved(self) -> dict[str, float]:
        """What the balance changed by, by the id of each balance transaction."""
        rows = self.stripe.v1.balance_transactions.list({"limit": 100})
        return {row.id: row.net / 100 for row in rows.auto_paging_iter()}

    # -- the merchant -----------------------------------------------------------------

    def make_link(self, name: str, **values) -> Link:
        """A link of 110.00 with 10 % tax, unless the values say otherwise."""
        values = {"name": name, "amount": 110, "gateway_id": self.gateway_id, **values}
        link_id = self.admin.create("checkout.link", **values)
        return Link(link_id, name, self.admin.read("checkout.link", link_id, "url"))

    def find_link(self, name: str) -> Link:
        """The only link of that title."""
        domain = [("name", "=", name)]
        (row,) = self.admin.rows("checkout.link", domain, ["name", "url"])
        return Link(**row)

    def run_cron(self, name: str) -> None:
        """Make a scheduled action due; the server's own scheduler runs it."""
        cron_id = self.admin.xml_id(f"{project.ADDON}.{name}")
        wait_for(lambda: self._make_due(cron_id), "end of an earlier run")

    def _make_due(self, cron_id: int) -> bool:
        moment = datetime.now(timezone.utc) - timedelta(minutes=1)
        nextcall = f"{moment:%Y-%m-%d %H:%M:%S}"
        try:
            self.admin.write("ir.cron", cron_id, nextcall=nextcall)
        except OdooError:  # Odoo refuses that while it runs
            return False
        return True

    def sync_for_the_first_time(self) -> None:
        """Have it done, so that no test meets a sync that it did not ask for."""
        self.run_cron("ir_cron_sync")
        cron_id = self.admin.xml_id(f"{project.ADDON}.ir_cron_sync")
        wait_for(lambda: self.admin.read("ir.cron", cron_id, "lastcall"), "first sync")

    @contextmanager
    def written_to(self, table: str, record_id: int) -> Iterator[Callable[[], bool]]:
        """Another transaction changes a row, and commits at the end of the block.

        It gives a question: whether anybody waits for that to happen.
        """
        with (
            closing(psycopg2.connect(dbname=self.database)) as writer,
            closing(psycopg2.connect(dbname=self.database)) as watcher,
        ):
            watcher.autocommit = True
            change = f"UPDATE {table} SET write_date = write_date WHERE id = %s"
            writer.cursor().execute(change, [record_id])
            yield lambda: _is_anybody_waiting(watcher)
            writer.commit()

    def execute(self, statement: str, *values: object) -> None:
        """Change the database as no user can."""
        with (
            closing(psycopg2.connect(dbname=self.database)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values)

    # -- the ledger -------------------------------------------------------------------

    def find(self, model: str, domain: list, fields: list[str]) -> dict:
        """The only record that matches."""
        (row,) = self.admin.rows(model, domain, fields)
        return row

    def payments(self, link: Link) -> list[dict]:
        """The payments of a link, oldest first."""
        fields = ["state", "amount", "stripe_checkout_session_id", "flag"]
        domain = [("link_id", "=", link.id)]
        return self.admin.rows("checkout.payment", domain, fields, order="id")

    def movements(self, link: Link) -> list[tuple[str, str, float]]:
        """Kind, state and amount of each movement of a link's payments."""
        rows = self.admin.rows(
            "checkout.movement",
            [("payment_id.link_id", "=", link.id)],
            ["kind", "state", "amount"],
            order="kind",
        )
        return [(row["kind"], row["state"], row["amount"]) for row in rows]

    def entry_of(self, link: Link, kind: str) -> list[tuple[str, float, float]]:
        """Account, debit and credit of each item of a movement's only entry."""
        (movement,) = self.admin.rows(
            "checkout.movement",
            [("payment_id.link_id", "=", link.id), ("kind", "=", kind)],
            ["move_id"],
        )
        rows = self.admin.rows(
            "account.move.line",
            [("move_id", "=", movement["move_id"][0])],
            ["account_id", "debit", "credit"],
        )
        return sorted(
            (row["account_id"][1].partition(" ")[2], row["debit"], row["credit"])
            for row in rows
        )

    def gateway(self, field: str):
        """What the gateway says; of a many2one its id alone."""
        return self.admin.read("checkout.gateway", self.gateway_id, field)

    def account_name(self, field: str) -> str:
        """Of the gateway's account in that field; a release may have made its own."""
        return self.admin.read("account.account", self.gateway(field), "name")

    def stripe_account(self) -> int:
        """The account that holds in Odoo what is at Stripe."""
        journal_id = self.gateway("journal_id")
        return self.admin.read("account.journal", journal_id, "default_account_id")

    def journal_balance(self) -> float:
        """The Stripe journal's balance, as its dashboard card shows it."""
        field = "current_statement_balance"
        return self.admin.read("account.journal", self.gateway("journal_id"), field)

    def posted(self) -> dict[str, float]:
        """What is posted on the Stripe account, by the balance transaction it is of."""
        movements = self.admin.rows(
            "checkout.movement",
            [("gateway_id", "=", self.gateway_id), ("move_id", "!=", False)],
            ["move_id", "balance_transaction_id"],
        )
        names = {row["move_id"][0]: row["balance_transaction_id"] for row in movements}
        account = ("account_id", "=", self.stripe_account())
        items = self.admin.rows(
            "account.move.line",
            [account, ("parent_state", "=", "posted")],
            ["move_id", "balance"],
        )
        amounts = defaultdict(float)
        for item in items:
            amounts[names.get(item["move_id"][0])] += item["balance"]
        return {name: round(amount, 2) for name, amount in amounts.items()}

    def wait_until_posted(self, link: Link, payments: int = 1) -> None:
        """Wait until so many payments of a link are posted, fees included."""
        expected = ["posted"] * 2 * payments
        wait_for(lambda: self._movement_states(link) == expected, "entries")

    def _movement_states(self, link: Link) -> list[str]:
        return [state for _kind, state, _amount in self.movements(link)]

    def wait_for_state(self, link: Link, state: str) -> None:
        """Wait until a link's newest payment is in that state."""
        wait_for(lambda: self.payments(link)[-1]["state"] == state, state)


@contextmanager
def open_shop(odoo, name: str, options: tuple[str, ...] = ()) -> Iterator[Shop]:
    """A running shop in a database of its own, which is dropped at the end.

    :param odoo: Odoo as ``ground.ready()`` gives it.
    :param options: More options for Odoo's command line.
    """
    with _furnished_shop(odoo, name, options) as shop:
        shop.sync_for_the_first_time()
        yield shop


@contextmanager
def open_still_shop(odoo, name: str) -> Iterator[Shop]:
    """A shop whose inbox only fills: workers wait instead of a scheduler."""
    with _furnished_shop(odoo, name, ("--max-cron-threads=0",)) as shop:
        shop.pay_unnoticed(shop.make_link("What workers begin with"))
        shop.hire()
        yield shop


@contextmanager
def _furnished_shop(odoo, name: str, options: tuple[str, ...]) -> Iterator[Shop]:
    with (
        database.passing(odoo, name) as database_name,
        Standin.start(python=odoo.python, speed=SPEED) as standin,
    ):
        shop = Shop(odoo, database_name, standin, options)
        try:
            shop.start()
            shop.furnish()
            yield shop
        finally:
            shop.stop()


ONCE_POSTED = [("charge", "posted", 110.0), ("fee", "posted", -3.49)]
CHARGE_ENTRY = [
    ("Product Sales", 0.0, 100.0),
    ("Sales Tax", 0.0, 10.0),
    ("Stripe", 110.0, 0.0),
]


def assert_posted_once(shop: Shop, link: Link) -> None:
    """One payment of 110.00, one charge entry, one fee entry, and Stripe agrees."""
    paid = [row for row in shop.payments(link) if row["state"] == "paid"]
    assert len(paid) == 1
    assert shop.movements(link) == ONCE_POSTED
    assert shop.entry_of(link, "charge") == CHARGE_ENTRY
    fees = shop.account_name("fee_account_id")
    fee_entry = [(fees, 3.49, 0.0), ("Stripe", 0.0, 3.49)]
    assert shop.entry_of(link, "fee") == sorted(fee_entry)


def assert_agrees(shop: Shop) -> None:
    """Each of Stripe's balance transactions is posted once, and nothing else is."""
    assert shop.posted() == shop.moved()
    assert shop.journal_balance() == shop.balance()
    undone = ["|", ("state", "=", "pending"), ("state", "=", "failed")]
    assert shop.admin.rows("checkout.event", undone, ["type", "error"]) == []


def _is_anybody_waiting(connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND wait_event = 'transactionid'"
        )
        return bool(cursor.fetchone()[0])


def start_checkout(link: Link, **values: str) -> payer.Page:
    """The hosted page, reached by a payer from the pay page."""
    page = payer.submit(payer.open_page(link.url), **values)
    assert "/c/pay/" in page.url, page.text
    return page


def session_id(hosted_page: payer.Page) -> str:
    """Id of the session that a hosted page is about."""
    return hosted_page.url.rpartition("/")[2]


def wait_for(condition, what: str, patience: float = PATIENCE):
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + patience
    while not (result := condition()):
        assert time.monotonic() < deadline, f"no {what} after {patience} s"
        time.sleep(0.2)
    return result


def post_event(url: str, event: dict) -> int:
    """Deliver an event with Stripe's signature; the HTTP status."""
    body = json.dumps(event).encode()
    moment = int(time.time())
    signed = hmac.new(WEBHOOK_SECRET.encode(), b"%d." % moment + body, hashlib.sha256)
    header = f"t={moment},v1={signed.hexdigest()}"
    headers = {"Stripe-Signature": header, "Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def at_once(function, arguments: list) -> list:
    """Call a function with each of the arguments at the same time."""
    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(function, arguments))
