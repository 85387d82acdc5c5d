from ast import literal_eval

from lxml import etree

from odoo.tests import Form, new_test_user, tagged

from .common import CheckoutCommon

SCREENS = {
    "checkout.link": ("list", "kanban", "form", "search"),
    "checkout.payment": ("list", "kanban", "form", "pivot", "graph", "search"),
    "checkout.movement": ("list", "form", "search"),
    "checkout.refund": ("list", "form", "search"),
    "checkout.dispute": ("list", "form", "search"),
    "checkout.payout": ("list", "form", "search"),
    "checkout.gateway": ("list", "form", "search"),
}
# Each of these leads to what it is about.
LISTS = ("movement", "refund", "dispute", "payout", "payment", "link", "gateway")


@tagged("post_install", "-at_install")
class TestScreens(CheckoutCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.merchant = cls.make_user("merchant", "account.group_account_invoice")
        cls.auditor = cls.make_user("auditor", "account.group_account_readonly")
        cls.manager = cls.make_user("chief", "account.group_account_manager")

    @classmethod
    def make_user(cls, login, group):
        return new_test_user(cls.env, login, f"base.group_user,{group}")

    def get_screen(self, model, kind, user):
        arch = self.env[model].with_user(user).get_views([(False, kind)])
        return etree.fromstring(arch["views"][kind]["arch"])

    def read_screens(self, user):
        """Everything that a user's screens ask for of every record there is."""
        for model, kinds in SCREENS.items():
            records = self.env[model].with_user(user).search([])
            for kind in kinds:
                screen = self.get_screen(model, kind, user)
                names = screen.xpath("//field[not(ancestor::field)]/@name")
                records.read(set(names))

    def test_all_who_keep_accounts_can_read_every_screen(self):
        payments = [self.pay(self.create_link()) for _payer in range(2)]
        self.deliver()
        payments[0].action_refund(11)
        self.sandbox.dispute(payments[1].stripe_charge_id)
        self.sandbox.payout("usd")
        self.deliver()
        for model in SCREENS:
            self.assertTrue(self.env[model].search_count([]), model)
        self.env.invalidate_all()
        for user in (self.merchant, self.auditor, self.manager):
            with self.subTest(user=user.login):
                self.read_screens(user)

    def test_every_list_leads_to_a_form_of_ours(self):
        for name in LISTS:
            action = self.env.ref(f"kantivo_checkout_links.checkout_{name}_action")
            self.assertIn("form", action.view_mode.split(","), name)
            self.assertTrue(
                self.env["ir.ui.view"].search_count(
                    [("model", "=", f"checkout.{name}"), ("type", "=", "form")]
                ),
                name,
            )

    def test_payments_that_wait_for_a_choice_are_found_by_a_filter(self):
        waiting, accepted, returned, usual = (
            self.pay(self.create_link()) for _payer in range(4)
        )
        self.deliver()
        (waiting | accepted | returned).sudo().flag = "late"
        accepted.action_accept_flag()
        returned.action_refund()
        screen = self.get_screen("checkout.payment", "search", self.merchant)
        [domain] = screen.xpath("//filter[@name='flagged']/@domain")
        payments = waiting | accepted | returned | usual
        self.assertEqual(payments.filtered_domain(literal_eval(domain)), waiting)

    def test_an_auditor_sees_no_button_that_changes_a_link(self):
        for user, count in ((self.merchant, 1), (self.auditor, 0)):
            screen = self.get_screen("checkout.link", "form", user)
            for name in (
                "action_confirm_deactivation",
                "action_confirm_deletion",
                "action_activate",
            ):
                self.assertEqual(len(screen.xpath(f"//button[@name='{name}']")), count)

    def test_only_managers_see_the_way_to_gateways(self):
        way = "//a[@href='/odoo/checkout-gateways']"
        for user, count in ((self.merchant, 0), (self.manager, 1)):
            screen = self.get_screen("checkout.link", "form", user)
            self.assertEqual(len(screen.xpath(way)), count)

    def test_our_words_replace_the_usual_deletion(self):
        for kind in ("list", "kanban", "form"):
            screen = self.get_screen("checkout.link", kind, self.merchant)
            self.assertEqual(screen.get("delete"), "0")

    def test_the_menus_of_a_list_offer_what_a_merchant_may(self):
        bindings = self.env["ir.actions.actions"]
        names = {
            user: {
                action["name"]
                for action in bindings.with_user(user)
                .get_bindings("checkout.link")
                .get("action", ())
            }
            for user in (self.merchant, self.auditor)
        }
        ours = {"Deactivate", "Reactivate", "Delete"}
        self.assertEqual(names[self.merchant] & ours, ours)
        self.assertFalse(names[self.auditor] & ours)


@tagged("post_install", "-at_install")
class TestWays(CheckoutCommon):
    """From link to payment to entry, and back."""

    def setUp(self):
        super().setUp()
        self.link = self.create_link()
        self.payment = self.pay(self.link, email="ada@example.com", name="Ada")
        self.deliver()

    def follow(self, action):
        return self.env[action["res_model"]].search(action["domain"])

    def test_from_link_to_payments_and_entries(self):
        self.assertEqual(self.follow(self.link.action_view_payments()), self.payment)
        entries = self.follow(self.link.action_view_moves())
        self.assertEqual(entries, self.payment.movement_ids.move_id)
        self.assertEqual(self.payment.move_count, 2)

    def test_a_payment_shows_its_journal_items(self):
        lines = self.payment.move_line_ids
        self.assertAlmostEqual(sum(lines.mapped("debit")), 110 + 3.49)
        self.assertAlmostEqual(sum(lines.mapped("credit")), 110 + 3.49)

    def test_from_entry_to_payment(self):
        entry = self.get_movement(self.payment, "charge").move_id
        self.assertEqual(
            entry.action_view_checkout_payments()["res_id"], self.payment.id
        )

    def test_from_contact_to_payments(self):
        payer = self.payment.partner_id
        self.assertEqual(payer.checkout_payment_count, 1)
        self.assertEqual(
            self.follow(payer.action_view_checkout_payments()), self.payment
        )

    def test_a_company_counts_what_its_people_paid(self):
        company = self.env["res.partner"].create({"name": "Novak & Co"})
        self.env["res.partner"].create(
            {"name": "Emil", "email": "emil@example.com", "parent_id": company.id}
        )
        self.pay(self.link, email="emil@example.com")
        self.deliver()
        self.assertEqual(company.checkout_payment_count, 1)

    def test_stripe_ids_lead_to_the_dashboard_of_the_right_mode(self):
        intent = self.payment.stripe_payment_intent_id
        self.assertEqual(
            self.payment.stripe_url,
            f"https://dashboard.stripe.com/test/payments/{intent}",
        )
        self.payment.livemode = True
        self.assertEqual(
            self.payment.stripe_url, f"https://dashboard.stripe.com/payments/{intent}"
        )

    def test_an_unpaid_payment_leads_nowhere(self):
        self.assertFalse(self.begin(self.link).stripe_url)

    def test_the_payment_form_opens(self):
        with Form(self.payment) as form:
            self.assertEqual(form.amount, 110)
