from datetime import timedelta

from odoo import Command, fields
from odoo.tools import mute_logger

from ..models.payment.link_preview import Sample
from .common import SYNC_LOGGER, CheckoutCommon

# What identifies an object of Stripe's, or is a text with it.
NAMES = ("name", "partner", "partner_id")


class TestPostingPreview(CheckoutCommon):
    """What is previewed for a link is what its payments post, item by item."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kim = cls.create_customer("Kim")

    @classmethod
    def create_customer(cls, name, **vals):
        email = f"{name.lower()}.preview@example.com"
        return cls.env["res.partner"].create({"name": name, "email": email, **vals})

    def preview(self, link, amount=None, fee=0, refund=0, partner=None):
        amount = amount or link.amount
        sample = Sample(amount, fee, refund, partner.id if partner else False)
        return link._preview_posting(sample)

    def assert_as_posted(self, link, amount=None, refund=None, partner=None):
        """A real payment posts what was previewed for one of its amounts and fee."""
        partner = partner or self.kim
        payment = self.pay(link, amount, email=partner.email)
        self.deliver()
        payment.action_refund(refund)
        self.deliver()
        movements = payment.movement_ids.sorted("id")
        self.assertEqual(set(movements.mapped("state")), {"posted"})
        fee = -self.get_movement(payment, "fee").amount
        entries, _problems = self.preview(
            link, payment.amount, fee, payment.amount_refunded, partner
        )
        self.assertEqual(len(entries), len(movements))
        for entry, movement in zip(entries, movements, strict=True):
            with self.subTest(kind=movement.kind):
                self.assertFalse(entry["error"])
                self.assertEqual(entry["date"], movement.move_id.date)
                self.assertEqual(
                    entry["journal"], movement.move_id.journal_id.display_name
                )
                self.assertEqual(
                    [self.strip(item) for item in entry["items"]],
                    [self.describe(line) for line in movement.move_id.line_ids],
                )

    def strip(self, item):
        kept = {name: value for name, value in item.items() if name not in NAMES}
        tags = Command.set(sorted(item["tax_tag_ids"][0][2]))
        return {**kept, "partner_id": item["partner_id"], "tax_tag_ids": [tags]}

    def describe(self, line):
        """An item as it stands in the ledger, read without the addon's help."""
        return {
            "account_id": line.account_id.id,
            "partner_id": line.partner_id.id,
            "product_id": line.product_id.id,
            "currency_id": line.currency_id.id,
            "amount_currency": line.amount_currency,
            "balance": line.balance,
            "tax_ids": [Command.set(line.tax_ids.ids)],
            "tax_repartition_line_id": line.tax_repartition_line_id.id,
            "tax_tag_ids": [Command.set(sorted(line.tax_tag_ids.ids))],
            "tax_base_amount": line.tax_base_amount,
            "analytic_distribution": line.analytic_distribution,
        }

    # === THE SAME AS POSTED === #

    def test_taxed_sale_with_a_part_refund(self):
        self.assert_as_posted(self.create_link(110.07), refund=33.33)

    def test_several_taxes_on_top(self):
        taxes = self.tax | self.create_tax(5)
        taxes.price_include_override = "tax_excluded"
        self.assert_as_posted(self.create_link(99.99, tax_ids=taxes.ids))

    def test_no_tax_and_an_open_amount(self):
        link = self.create_open_link(tax_ids=[Command.clear()])
        self.assert_as_posted(link, amount=12.5)

    def test_product(self):
        tag = self.env["account.account.tag"].create(
            {"name": "PACKAGING", "applicability": "products"}
        )
        product = self.env["product.product"].create(
            {
                "name": "Bread course",
                "list_price": 99.99,
                "taxes_id": [Command.set(self.create_tax(19).ids)],
                "account_tag_ids": [Command.set(tag.ids)],
            }
        )
        vals = {"product_id": product.id, "gateway_id": self.gateway.id}
        link = self.env["checkout.link"].create(vals)
        self.assert_as_posted(link, refund=33.33)
        self.assertIn("Bread course", self.open_dialog(link).preview)

    def test_receivable(self):
        self.gateway.credit_to = "receivable"
        self.assert_as_posted(self.create_link(50))

    def test_fiscal_position_of_the_customer(self):
        exempt = self.env["account.fiscal.position"].create({"name": "Exempt"})
        reduced = self.create_tax(3)
        reduced.write(
            {
                "fiscal_position_ids": [Command.set(exempt.ids)],
                "original_tax_ids": [Command.set(self.tax.ids)],
            }
        )
        partner = self.create_customer("Exo", property_account_position_id=exempt.id)
        self.assert_as_posted(self.create_link(50), partner=partner)

    # === NOTHING IS KEPT === #

    def test_nothing_is_kept(self):
        link = self.create_link()
        sequence = self.env["ir.sequence"].search([("code", "=", "checkout.payment")])
        counted = (
            "account.move",
            "checkout.payment",
            "checkout.movement",
            "res.partner",
        )
        before = {name: self.env[name].search_count([]) for name in counted}
        number = sequence.number_next_actual
        entries, _problems = self.preview(link, fee=3.3, refund=110)
        self.assertEqual(
            [entry["title"] for entry in entries], ["Charge", "Fee", "Refund"]
        )
        self.assertEqual(
            {name: self.env[name].search_count([]) for name in counted}, before
        )
        sequence.invalidate_recordset()
        self.assertEqual(sequence.number_next_actual, number)
        self.assertEqual(link.payment_count, 0)

    # === PROBLEMS === #

    def find_problems(self, link, **vals):
        return [
            text for _level, text in self.preview(link, fee=1, refund=10, **vals)[1]
        ]

    def test_no_problem(self):
        self.gateway.action_test_connection()
        self.assertEqual(self.find_problems(self.create_link()), [])

    @mute_logger(SYNC_LOGGER)
    def test_every_problem_is_named_once(self):
        self.gateway.write({"fee_account_id": False, "post_entries": False})
        link = self.create_link(tax_ids=[Command.clear()])
        self.gateway.company_id.account_sale_tax_id = self.tax
        text = "\n".join(problems := self.find_problems(link))
        self.assertEqual(len(problems), len(set(problems)))
        for part in (
            "no account for Stripe's fees",
            "posted without tax",
            "posts no journal entries now",
        ):
            self.assertIn(part, text)
        self.assertNotIn("Waiting", text)

    def test_missing_income_account_is_no_reason_to_wait_for(self):
        self.gateway.income_account_id = False
        text = "\n".join(self.find_problems(self.create_link()))
        self.assertIn("There is no income account", text)
        self.assertNotIn("Waiting", text)

    def test_closed_period(self):
        today = fields.Date.context_today(self.gateway)
        self.gateway.company_id.fiscalyear_lock_date = today + timedelta(days=3)
        text = "\n".join(self.find_problems(self.create_link()))
        self.assertIn("Today's period is closed", text)

    def test_missing_rate(self):
        currency = self.env["res.currency"].with_context(active_test=False)
        currency = currency.search([("name", "=", "NZD")])
        currency.active = True
        currency.rate_ids.unlink()
        entries, problems = self.preview(self.create_link(currency_id=currency.id))
        self.assertEqual(entries, [])
        self.assertIn("Stripe converts NZD to ", problems[0][1])

    # === THE DIALOG === #

    def open_dialog(self, link):
        action = link.action_preview_posting()
        wizards = self.env[action["res_model"]].with_context(**action["context"])
        return wizards.create({})

    def test_dialog_shows_entries_and_problems(self):
        wizard = self.open_dialog(self.create_link())
        self.assertEqual((wizard.amount, wizard.refund_amount), (110, 110))
        self.assertEqual(wizard.fee_amount, 3.3)
        self.assertEqual(wizard.preview.count("<table"), 3)
        self.gateway.fee_account_id = False
        wizard.invalidate_recordset()
        with mute_logger(SYNC_LOGGER):
            self.assertIn("Would not be posted", wizard.preview)
