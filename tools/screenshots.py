"""``make screenshots``: the pictures of the documentation, from the demo's own shop."""

from tools import database, demo, demo_shop, ground, payer, project, server
from tools.console import step

FOLDER = project.ADDON_FOLDER / "static/description"
_PAYERS = ("Ada Lindqvist", "Bruno Costa", "Chen Wei", "Dara Okafor")
_REFUND = 33.0


def run(arguments: list[str]) -> int:
    """Take the pictures again.

    :return: The photographer's status: 0 if all pictures are there.
    :raise Problem: if something is not available or does not answer.
    """
    with (
        ground.ready() as odoo,
        database.passing(odoo, "screenshots") as name,
        demo.set_stage(odoo, name, server.free_port()) as stage,
    ):
        _have_customers(stage)
        with step(f"Pictures: into {FOLDER.relative_to(project.ROOT)}"):
            return ground.call(_photographer(odoo, stage), env=odoo.environment())


def _have_customers(stage: demo.Stage) -> None:
    """Several people pay, so that lists look as they do in life."""
    course, donation, _ = stage.shop.links
    with step("Customers: they pay on the hosted page"):
        for name in _PAYERS:
            _pay(course, name)
        for name, amount in zip(_PAYERS, ("25", "12.50"), strict=False):
            _pay(donation, name, amount=amount)
    _sync(stage)
    with step("Money back and out: a refund and a payout"):
        payment_id = _charge(stage, course)["payment_id"][0]
        stage.odoo.call("checkout.payment", "action_refund", [payment_id], _REFUND)
        stage.standin.payout("usd")
    _sync(stage)


def _sync(stage: demo.Stage) -> None:
    with step("Ledger: Sync Now"):
        stage.odoo.call("checkout.gateway", "action_sync", [stage.shop.gateway_id])


def _pay(link: demo_shop.Link, name: str, **values: str) -> None:
    hosted_page = payer.submit(payer.open_page(link.url), **values)
    payer.enter_card(hosted_page, name=name)


def _photographer(odoo: ground.Odoo, stage: demo.Stage) -> list[str]:
    """The command that takes them: the browser's package is in Odoo's Python only."""
    link = stage.shop.links[0]
    charge = _charge(stage, link)
    entry_id = charge["move_id"][0]
    pages = {
        "links": "/odoo/checkout-links",
        "link": f"/odoo/checkout-links/{link.id}",
        "payments": "/odoo/checkout-payments",
        "payment": f"/odoo/checkout-payments/{charge['payment_id'][0]}",
        "movements": "/odoo/checkout-movements",
        "entry": f"/odoo/action-account.action_move_journal_line/{entry_id}",
        "pay_page": link.url.removeprefix(stage.server.url),
    }
    words = [f"{name}={stage.server.url}{path}" for name, path in pages.items()]
    return [str(odoo.python), "-m", "tools.photographer", str(FOLDER), *words]


def _charge(stage: demo.Stage, link: demo_shop.Link) -> dict:
    """Payment and journal entry of the link's first charge."""
    domain = [("payment_id.link_id", "=", link.id), ("kind", "=", "charge")]
    fields = ["payment_id", "move_id"]
    return stage.odoo.rows("checkout.movement", domain, fields, order="id")[0]
