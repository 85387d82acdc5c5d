"""``make demo``: a shop with Checkout Links, what happens in it, and its entries.

Everything is real but Stripe: PostgreSQL, Odoo's server, HTTP from end to end. The
stand-in for Stripe delivers signed webhooks, so the entries come the same way as in
production.
"""

import argparse
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from stripe_standin.control_client import Standin
from tools import (
    cache,
    database,
    demo_ledger,
    ground,
    payer,
    project,
    server,
)
from tools.console import Problem, elapsed, say, step, tail
from tools.demo_shop import (
    COMPANY,
    LOGIN,
    PASSWORD,
    WEBHOOK_SECRET,
    Link,
    Shop,
    open_shop,
)
from tools.ground import Odoo
from tools.rpc import Client, OdooError
from tools.server import Server

_PORT = 8069
_ALREADY_UP = (
    "A demo of this clone is already up. End it with Ctrl-C first, or have one beside"
    ' it that ends by itself: make demo ARGS="--once --port 8070"'
)
_REFUND = 33
_DONATION = "25"
_TRIES = 20  # to refund, one each second


@dataclass(frozen=True)
class Stage:
    """Everything that runs, and the shop in it."""

    server: Server
    standin: Standin
    odoo: Client
    shop: Shop


def run(arguments: list[str]) -> int:
    """Show the product.

    :return: 0 if all is posted and matches Stripe, else 1.
    :raise Problem: if something is not available or does not answer.
    """
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop_as_ctrl_c)
    server.check_port(options.port)
    with (
        ground.ready() as odoo,
        _database(odoo, options.once) as name,
        set_stage(odoo, name, options.port) as stage,
    ):
        _run_story(stage)
        if not _show_entries(stage):
            return 1
        if not options.once:
            _show_addresses(stage)
        print(f"\nReady in {elapsed():.1f} s", flush=True)
        if not options.once:
            _stay_up(stage.server)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make demo", description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="stop after printing")
    parser.add_argument(
        "--port", type=_port, default=_PORT, help=f"of Odoo, {_PORT} by default"
    )
    return parser


def _port(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is no port, which is a number to 65535")


def _stop_as_ctrl_c(number, frame) -> None:
    """Else no server would be stopped."""
    raise KeyboardInterrupt


@contextmanager
def _database(odoo: Odoo, once: bool) -> Iterator[str]:
    """A fresh database; a demo that stays up keeps its own, for ``make shell``."""
    if once:
        with database.passing(odoo, "demo") as name:
            yield name
        return
    name = project.database_name("demo")
    with cache.lock_or_refuse(name, _ALREADY_UP):
        database.copy(odoo, database.template(odoo), name)
        yield name


@contextmanager
def set_stage(odoo: Odoo, name: str, port: int) -> Iterator[Stage]:
    """Odoo and the stand-in for Stripe, running, with the shop open.

    :param name: A fresh database with the addon.
    """
    with ExitStack() as stack:
        standin = stack.enter_context(
            Standin.start(webhook_secret=WEBHOOK_SECRET, python=odoo.python)
        )
        env = {"STRIPE_API_BASE": standin.url}
        with step("Odoo: starting the server"):
            started = stack.enter_context(
                server.odoo_server(odoo, name, port=port, env=env)
            )
        yield _open(started, standin, name)


def _open(started: Server, standin: Standin, name: str) -> Stage:
    standin.settings(merchant_name=COMPANY)
    with step("Shop: company, chart of accounts, gateway and links"):
        odoo = Client(started.url, name, LOGIN, PASSWORD)
        shop = open_shop(odoo, started.url)
    standin.configure(webhook_url=shop.webhook_url, webhook_secret=WEBHOOK_SECRET)
    return Stage(started, standin, odoo, shop)


def _run_story(stage: Stage) -> None:
    """A payment, a part of it back, a payout, and another payment."""
    course, donation, _ = stage.shop.links
    _pay(stage, course)
    _refund(stage, course)
    _pay_out(stage)
    _pay(stage, donation, amount=_DONATION)


def _pay(stage: Stage, link: Link, **values: str) -> None:
    """A payer pays a link; Stripe's webhook brings it into the ledger."""
    with step(f"Payment: “{link.name}” is paid on the hosted page, then posted"):
        hosted_page = payer.submit(payer.open_page(link.url), **values)
        return_page = payer.enter_card(hosted_page)
        _check_return(stage, link, return_page)
        demo_ledger.wait_for_entries(stage.odoo, link.id)


def _check_return(stage: Stage, link: Link, page: payer.Page) -> None:
    if not page.url.startswith(f"{link.url}/return"):
        raise Problem(
            f"The payer ended on {page.url} with HTTP {page.status} instead of the"
            f" return page. The end of Odoo's log:\n{tail(stage.server.log)}"
        )


def _refund(stage: Stage, link: Link) -> None:
    """The merchant gives a part of the link's one payment back."""
    with step(f"Refund: {_REFUND}.00 of it, from Odoo"):
        domain = [("link_id", "=", link.id)]
        (payment_id,) = stage.odoo.search("checkout.payment", domain)
        _ask_for_refund(stage.odoo, payment_id)
        demo_ledger.wait_for_entries(stage.odoo, link.id, ("charge", "fee", "refund"))


def _ask_for_refund(odoo: Client, payment_id: int) -> None:
    """Have it made once, as a careful person would.

    Odoo refuses while an event or a scheduled action works on the payment, and says to
    look at its refunds before trying again.

    :raise OdooError: if it is still refused after many tries.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            odoo.call("checkout.payment", "action_refund", [payment_id], _REFUND)
        except OdooError:
            if not tries_left:
                raise
        if odoo.search("checkout.refund", [("payment_id", "=", payment_id)]):
            return
        time.sleep(1)


def _pay_out(stage: Stage) -> None:
    """Stripe sends the balance to the bank, where it arrives."""
    with step("Payout: Stripe sends the balance to the bank"):
        payout_id = stage.standin.payout()["id"]
        for action in ("reconcile", "pay"):
            stage.standin.change_payout(payout_id, action)
        demo_ledger.wait_for_payout(stage.odoo, payout_id)


def _show_entries(stage: Stage) -> bool:
    """Print the entries, and what is wrong with them; whether nothing is."""
    with step("Balance check: the gateway compares its journal with Stripe"):
        problems = demo_ledger.find_problems(stage.odoo, stage.shop)
    items = demo_ledger.read_items(stage.odoo, stage.shop)
    verdict = problems or ["All transactions are posted, and the balance is Stripe's."]
    print(f"\n{demo_ledger.table(items)}\n", *verdict, sep="\n", flush=True)
    return not problems


def _show_addresses(stage: Stage) -> None:
    url = stage.server.url
    print(f"\nOdoo           {url}/odoo   user {LOGIN}, password {PASSWORD}")
    print(f"Links          {url}/odoo/checkout-links")
    print(f"Payments       {url}/odoo/checkout-payments")
    for link in stage.shop.links:
        print(f"Pay page       {link.url}   {link.name}")
    print(f"Card to try    {payer.GOOD_CARD}, any date to come, any CVC")
    print(f"Card declined  {payer.DECLINED_CARD}")


def _stay_up(running: Server) -> None:
    print("Ctrl-C stops everything.", flush=True)
    try:
        running.process.wait()
    except KeyboardInterrupt:
        print(flush=True)
        say("Stopping")
        return
    raise Problem(f"Odoo ended by itself. The end of its log:\n{tail(running.log)}")
