"""The kit for tests of this addon and of addons that build on it.

Stripe is a stand-in, a process that speaks HTTP: nothing of the client is patched.
"""

import os
from unittest.mock import patch
from uuid import uuid4

from odoo import Command
from odoo.tests import HttpCase, tagged

from odoo.addons.account.tests.common import AccountTestInvoicingCommon

from stripe_standin.control_client import Standin, StandinError  # noqa: F401

from ..money import from_minor

WEBHOOK_SECRET = "whsec_test"
CLIENT_LOGGER = "odoo.addons.kantivo_checkout_links.stripe_client"
SYNC_LOGGER = "odoo.addons.kantivo_checkout_links.models"
DECLINED_CARD = "4000000000000002"
# A company whose chart of accounts is loaded, where the database was made for tests.
PREPARED_COMPANY = "Checkout Links Tests"
# Where a stand-in for Stripe runs that whoever runs all tests has started for them.
STANDIN_VARIABLE = "CHECKOUT_STANDIN_URL"


@tagged("post_install", "-at_install")
class CheckoutCommon(AccountTestInvoicingCommon):
    """A company that sells at 10 % tax included, with a connected gateway.

    :cvar standin: Stripe, empty at the start of each test.
    :cvar gateway: A gateway in test mode that posts, with a journal of its own.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.standin = cls.get_standin()
        cls.standin.reset(speed=1000)
        cls.startClassPatcher(
            patch.dict(os.environ, {"STRIPE_API_BASE": cls.standin.url})
        )
        cls.tax = cls.create_tax(10)
        cls.gateway = cls.create_gateway()

    def setUp(self):
        super().setUp()
        self.standin.reset(speed=1000, webhook_url=None)
        self.taken_events = set()

    @classmethod
    def get_standin(cls):
        """Stripe: the one that the test run offers, else one of this class alone, since
        Odoo ends the processes that a class leaves behind.
        """
        if url := os.environ.get(STANDIN_VARIABLE):
            return Standin(url)
        standin = Standin.start(webhook_secret=WEBHOOK_SECRET)
        cls.addClassCleanup(standin.stop)
        return standin

    @classmethod
    def setup_independent_company(cls, **kwargs):
        """The prepared company if there is one: loading a chart takes seconds."""
        companies_sudo = cls.env["res.company"].sudo()  # not the user's yet
        prepared = companies_sudo.search([("name", "=", PREPARED_COMPANY)])
        if not prepared or cls.chart_template or cls.country_code:
            return super().setup_independent_company(**kwargs)
        cls.env.user.company_ids = [Command.link(prepared.id)]
        return prepared.with_env(cls.env)

    # === MERCHANT === #

    @classmethod
    def create_gateway(cls, company=None, **vals):
        """A gateway that is ready to take payments and posts them."""
        company = company or cls.env.company
        gateway = (
            cls.env["checkout.gateway"]
            .with_company(company)
            .create(
                {
                    "name": "Stripe",
                    "company_id": company.id,
                    "secret_key": "sk_test_kit",
                    "webhook_secret": WEBHOOK_SECRET,
                    "post_entries": True,
                    "tz": "UTC",
                    "income_account_id": cls.company_data["default_account_revenue"].id,
                    "tax_ids": [Command.set(cls.tax.ids)],
                    **vals,
                }
            )
        )
        gateway.action_create_accounting()
        return gateway

    @classmethod
    def create_tax(cls, percentage):
        """A sales tax, included in prices, with tags of its own for base and tax."""
        tags = cls.env["account.account.tag"].create(
            [
                {"name": f"{kind} {percentage}", "applicability": "taxes"}
                for kind in ("SALES BASE", "SALES TAX", "REFUND BASE", "REFUND TAX")
            ]
        )
        account = cls.company_data["default_account_tax_sale"]
        return cls.env["account.tax"].create(
            {
                "name": f"{percentage} % included",
                "amount": percentage,
                "type_tax_use": "sale",
                "price_include_override": "tax_included",
                "invoice_repartition_line_ids": cls._prepare_repartition(
                    tags[0], tags[1], account
                ),
                "refund_repartition_line_ids": cls._prepare_repartition(
                    tags[2], tags[3], account
                ),
            }
        )

    @classmethod
    def _prepare_repartition(cls, base_tag, tax_tag, account):
        base = {"repartition_type": "base", "tag_ids": [Command.set(base_tag.ids)]}
        tax = {
            "repartition_type": "tax",
            "tag_ids": [Command.set(tax_tag.ids)],
            "account_id": account.id,
        }
        return [Command.create(base), Command.create(tax)]

    @classmethod
    def create_link(cls, amount=110.0, **vals):
        """A fixed link of the kit's gateway."""
        return cls.env["checkout.link"].create(
            {"name": "Summer course", "amount": amount, "gateway_id": cls.gateway.id}
            | vals
        )

    @classmethod
    def create_open_link(cls, **vals):
        """A link whose payer decides on the amount."""
        return cls.create_link(amount=0, amount_type="open", **vals)

    # === PAYER === #

    @classmethod
    def start_payment(cls, link, amount=None):
        """A payment with a Checkout Session at Stripe, not paid yet."""
        link_sudo = link.sudo()  # as the public page does
        payment = link_sudo._start_payment(str(uuid4()), amount or link.amount, "en_US")
        with payment.gateway_id._take_turn() as turn:
            payment._open_session(turn)
        return payment

    @classmethod
    def pay(cls, link, amount=None, **customer):
        """A payment, paid at Stripe; nothing of it has reached Odoo yet."""
        payment = cls.start_payment(link, amount)
        cls.standin.pay(payment.stripe_checkout_session_id, **customer)
        return payment

    # === STRIPE === #

    def take_events(self, *types):
        """What Stripe has reported since the last time, oldest first."""
        events = [
            event
            for event in self.standin.events()
            if event["id"] not in self.taken_events
            and (not types or event["type"] in types)
        ]
        self.taken_events.update(event["id"] for event in events)
        return events

    def receive(self, events, gateway=None):
        """Deliver events and have them processed."""
        gateway = (gateway or self.gateway).sudo()  # as the webhook does
        for event in events:
            self.env["checkout.event"].sudo()._receive(gateway, event)
        self.process()

    def deliver(self, *types):
        """Deliver what Stripe has to report, and have it processed."""
        self.standin.release()
        self.receive(self.take_events(*types))

    def process(self):
        """What the scheduled processor does."""
        self.env["checkout.event"]._cron_process()
        self.env.invalidate_all()

    def sync(self, gateway=None):
        """What the scheduled sync does, or *Sync Now*."""
        (gateway or self.gateway).action_sync()
        self.env.invalidate_all()

    # === LEDGER === #

    def get_journal_balance(self, gateway=None):
        """The ledger's balance of the Stripe account, in the journal's currency."""
        self.env.flush_all()
        account = (gateway or self.gateway).journal_id.default_account_id
        lines = self.env["account.move.line"].search(
            [("account_id", "=", account.id), ("parent_state", "=", "posted")]
        )
        return round(sum(lines.mapped("amount_currency")), 3)

    def assert_agrees(self, gateway=None):
        """The ledger and Stripe hold the same, to the smallest unit."""
        currency = (gateway or self.gateway).currency_id
        at_stripe = self.standin.balance().get(currency.name.lower(), 0)
        self.assertEqual(
            self.get_journal_balance(gateway), from_minor(at_stripe, currency.name)
        )

    def get_tags(self, move):
        """The tax report's figures of an entry: sum of balances by tag."""
        totals = {}
        for line in move.line_ids:
            for tag in line.tax_tag_ids:
                totals[tag.name] = round(totals.get(tag.name, 0) + line.balance, 2)
        return totals

    def assert_entry(self, movement, expected):
        """:param expected: `(account, debit, credit)` of each item, in any order."""
        self.assertEqual(movement.error or "", "")
        self.assertEqual(movement.state, "posted")
        lines = movement.move_id.line_ids
        found = [(line.account_id, line.debit, line.credit) for line in lines]
        self.assertCountEqual(found, expected)

    def get_movement(self, payment, kind):
        """The only movement of a kind of a payment."""
        return payment.movement_ids.filtered(lambda m: m.kind == kind).ensure_one()

    def get_card_balance(self, gateway=None):
        """The balance that the journal's dashboard card shows."""
        self.env.flush_all()
        journal = (gateway or self.gateway).journal_id
        data = journal._get_journal_dashboard_data_batched()[journal.id]
        return data["account_balance"]


@tagged("post_install", "-at_install")
class CheckoutHttpCommon(CheckoutCommon, HttpCase):
    """The kit with a running server: pages and webhooks over HTTP."""
