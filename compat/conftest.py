"""A shop in a server that has the neighbours installed, with one payment posted."""

import os
from dataclasses import dataclass

import pytest

from stripe_standin.control_client import Standin
from tools import compat, demo_ledger, demo_shop, ground, payer, server
from tools.rpc import Client


@dataclass(frozen=True)
class Place:
    """A running shop.

    :param url: The server's address.
    :param admin: The administrator's session.
    """

    url: str
    database: str
    admin: Client
    shop: demo_shop.Shop
    standin: Standin

    @classmethod
    def furnish(cls, url, database, standin):
        """Open a shop in a database without accounting yet, and pay its first link."""
        admin = Client(url, database, demo_shop.LOGIN, demo_shop.PASSWORD)
        shop = demo_shop.open_shop(admin, url)
        place = cls(url, database, admin, shop, standin)
        place.deliver_to(shop.webhook_url)
        place.pay(shop.links[0])
        return place

    def deliver_to(self, webhook_url):
        """Have Stripe deliver its events to a gateway."""
        secret = demo_shop.WEBHOOK_SECRET
        self.standin.configure(webhook_url=webhook_url, webhook_secret=secret)

    def pay(self, link):
        """Pay a link as a payer from the United States, and wait for its entries."""
        payer.enter_card(payer.submit(payer.open_page(link.url)))
        demo_ledger.wait_for_entries(self.admin, link.id)

    def items(self):
        """The items of the Stripe journal now."""
        return demo_ledger.read_items(self.admin, self.shop)

    def problems(self):
        """What is not posted, or does not match Stripe."""
        return demo_ledger.find_problems(self.admin, self.shop)


@pytest.fixture(scope="session")
def odoo():
    """Odoo and PostgreSQL, ready."""
    with ground.ready() as odoo:
        yield odoo


@pytest.fixture
def standin():
    """Stripe."""
    with Standin.start(webhook_secret=demo_shop.WEBHOOK_SECRET) as standin:
        yield standin


@pytest.fixture(scope="session")
def place(odoo):
    """The shop beside all neighbours."""
    together = compat.with_neighbours(odoo)
    database = os.environ[compat.DATABASE_VARIABLE]
    with Standin.start(webhook_secret=demo_shop.WEBHOOK_SECRET) as standin:
        env = {"STRIPE_API_BASE": standin.url}
        with server.odoo_server(together, database, env=env) as running:
            yield Place.furnish(running.url, database, standin)
