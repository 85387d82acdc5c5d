from lxml import etree

from odoo.tests import Form
from odoo.tools import html2plaintext

from .common import CheckoutCommon

LISTS = ("link", "payment", "refund", "dispute", "payout", "movement")


class TestTestMode(CheckoutCommon):
    """Play money is never taken for real money."""

    def make_live(self):
        """A live gateway of the same company, as far as Odoo knows: no test has a live
        key, since it must not reach Stripe.
        """
        gateway = self.create_gateway(name="Live", secret_key="sk_live_kit")
        self.assertTrue(gateway.livemode)
        return gateway

    def get_arch(self, model, kind):
        return etree.fromstring(self.env[model].get_view(view_type=kind)["arch"])

    def find_shown(self, model):
        """What a list shows with the filters that its menu switches on."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            f"kantivo_checkout_links.{model.replace('.', '_')}_action"
        )
        self.assertIn("'search_default_without_tests': 1", action["context"])
        [found] = self.get_arch(model, "search").xpath(
            "//filter[@name='without_tests']"
        )
        self.assertEqual(
            found.get("domain"), "[('gateway_id.is_test_beside_live', '=', False)]"
        )
        return self.env[model].search([("gateway_id.is_test_beside_live", "=", False)])

    # === SIGNS === #

    def test_forms_have_a_ribbon_and_cards_a_badge(self):
        for model in ("checkout.link", "checkout.payment"):
            for kind, sign in (
                ("form", "//widget[@name='web_ribbon'][@title='Test']"),
                ("kanban", "//field[@name='test_badge'][@widget='badge']"),
            ):
                with self.subTest(model=model, kind=kind):
                    self.assertEqual(len(self.get_arch(model, kind).xpath(sign)), 1)

    def test_lists_have_a_badge(self):
        for name in LISTS:
            arch = self.get_arch(f"checkout.{name}", "list")
            [badge] = arch.xpath("//field[@name='test_badge']")
            self.assertEqual(badge.get("widget"), "badge")

    def test_badge_says_test_in_test_mode_only(self):
        live = self.make_live()
        test = self.create_link()
        self.assertEqual(test.test_badge, "Test")
        self.assertFalse(self.create_link(gateway_id=live.id).test_badge)
        payment = self.pay(test)
        self.deliver()
        self.assertEqual(payment.test_badge, "Test")
        self.assertEqual(payment.movement_ids.mapped("test_badge"), ["Test", "Test"])

    def test_warning_stands_beside_copy_link(self):
        arch = self.get_arch("checkout.link", "form")
        [address] = arch.xpath("//div[@name='address']")
        self.assertTrue(address.xpath("field[@widget='CopyClipboardButton']"))
        [warning] = address.xpath("span[@name='test_warning']")
        self.assertEqual(warning.get("invisible"), "not test_badge")
        with Form(self.create_link()) as form:
            self.assertEqual(form.test_badge, "Test")

    # === LEFT OUT === #

    def test_lists_leave_tests_out_beside_a_live_gateway(self):
        payment = self.pay(self.create_link())
        self.deliver()
        payment.action_refund(10)
        self.standin.dispute(payment.stripe_charge_id)
        self.standin.payout()
        self.deliver()
        for name in LISTS:
            self.assertTrue(self.find_shown(f"checkout.{name}"), name)
        self.make_live()
        for name in LISTS:
            self.assertFalse(self.find_shown(f"checkout.{name}"), name)

    def test_live_gateway_that_is_archived_counts(self):
        link = self.create_link()
        self.make_live().action_archive()
        self.assertNotIn(link, self.find_shown("checkout.link"))

    def test_live_gateway_of_another_company_does_not_count(self):
        other = self.setup_other_company()
        self.create_gateway(
            other["company"],
            secret_key="sk_live_kit",
            income_account_id=other["default_account_revenue"].id,
            tax_ids=False,
        )
        self.assertIn(self.create_link(), self.find_shown("checkout.link"))
        self.assertFalse(self.gateway.is_test_beside_live)

    def test_field_and_search_say_the_same(self):
        live = self.make_live()
        gateways = self.gateway | live
        flags = gateways.mapped("is_test_beside_live")
        self.assertEqual(flags, [True, False])
        for value, expected in ((True, self.gateway), (False, live)):
            domain = [("is_test_beside_live", "=", value), ("id", "in", gateways.ids)]
            self.assertEqual(self.gateway.search(domain), expected)

    def test_totals_of_a_link_leave_tests_out_once_it_is_live(self):
        link, tested = self.create_link(), self.create_link()
        payments = [self.pay(each) for each in (link, link, tested, tested)]
        payments[0].sudo().livemode = True
        self.deliver()
        self.assertEqual((tested.payment_count, tested.amount_collected), (2, 220))
        self.assertEqual((link.payment_count, link.amount_collected), (1, 110))
        tested.gateway_id = self.make_live()
        self.env.invalidate_all()
        self.assertEqual((tested.payment_count, tested.amount_collected), (0, 0))

    def test_totals_of_a_contact_leave_tests_out(self):
        payment = self.pay(self.create_link())
        self.deliver()
        partner = payment.partner_id
        self.assertEqual(partner.checkout_payment_count, 1)
        self.make_live()
        self.env.invalidate_all()
        self.assertEqual(partner.checkout_payment_count, 0)
        action = partner.action_view_checkout_payments()
        self.assertFalse(payment.search(action["domain"]))

    def test_tests_of_a_link_or_journal_are_still_shown_there(self):
        payment = self.pay(self.create_link())
        self.deliver()
        self.make_live()
        action = payment.link_id.action_view_payments()
        self.assertNotIn("search_default_without_tests", action["context"])
        self.assertEqual(payment.search(action["domain"]), payment)
        self.assertFalse(self.gateway.journal_id.open_action()["context"])
        buttons = self.get_arch("checkout.link", "form").xpath(
            "//button[contains(@context, 'search_default_link_id')]"
        )
        for button in buttons:
            self.assertIn("'search_default_without_tests': 0", button.get("context"))

    # === NOT POSTED === #

    def test_test_payment_shows_what_would_be_posted(self):
        self.gateway.post_entries = False
        payment = self.pay(self.create_link())
        self.deliver()
        self.assertFalse(payment.move_ids)
        preview = html2plaintext(payment.posting_preview).replace("\xa0", " ")
        for account, amount in (
            (self.gateway.journal_id.default_account_id, "$ 110.00"),
            (self.gateway.income_account_id, "$ 100.00"),
            (self.company_data["default_account_tax_sale"], "$ 10.00"),
            (self.gateway.fee_account_id, "$ 3.49"),
        ):
            self.assertIn(account.name, preview)
            self.assertIn(amount, preview)
        self.assertFalse(payment.move_ids)
        form = self.get_arch("checkout.payment", "form")
        [notice] = form.xpath("//div[@name='not_posted']")
        self.assertIn("Test payments are not posted", "".join(notice.itertext()))

    def test_preview_says_what_is_missing(self):
        self.gateway.write({"post_entries": False, "income_account_id": False})
        payment = self.pay(self.create_link())
        self.deliver()
        self.assertIn("account", str(payment.posting_preview))
        self.assertNotIn("<table", str(payment.posting_preview))

    def test_posted_and_live_payments_have_no_preview(self):
        payment = self.pay(self.create_link())
        self.deliver()
        self.assertFalse(payment.posting_preview)
        self.gateway.post_entries = False
        other = self.pay(self.create_link())
        self.deliver()
        self.assertTrue(other.posting_preview)
        other.sudo().livemode = True
        self.assertFalse(other.posting_preview)
