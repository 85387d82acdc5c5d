from ast import literal_eval
from datetime import timedelta

from lxml import etree

from odoo import fields
from odoo.tests import Form, new_test_user, tagged
from odoo.tools.misc import format_date
from odoo.tools.safe_eval import safe_eval

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
        self.standin.dispute(payments[1].stripe_charge_id)
        self.standin.payout("usd")
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

    def test_live_gateway_that_does_not_post_is_warned_of(self):
        gateway = self.env["checkout.gateway"].create(
            {"name": "Live", "secret_key": "sk_live_a", "post_entries": False}
        )
        self.assertTrue(self.is_warned_of(gateway))
        gateway.post_entries = True
        self.assertFalse(self.is_warned_of(gateway))
        self.gateway.post_entries = False
        self.assertFalse(self.is_warned_of(self.gateway))

    def is_warned_of(self, gateway):
        screen = self.get_screen("checkout.gateway", "form", self.manager)
        [hidden] = screen.xpath("//div[@name='not_posting']/@invisible")
        names = ("id", "secret_key", "livemode", "post_entries")
        return not safe_eval(hidden, {name: gateway[name] for name in names})

    def test_our_words_replace_the_usual_deletion(self):
        for kind in ("list", "kanban", "form"):
            screen = self.get_screen("checkout.link", kind, self.merchant)
            self.assertEqual(screen.get("delete"), "0")

    def test_badges_of_links_say_whether_customers_can_pay(self):
        for kind in ("list", "kanban"):
            screen = self.get_screen("checkout.link", kind, self.merchant)
            [badge] = screen.xpath("//field[@name='availability']")
            self.assertEqual(badge.get("widget"), "badge")
            self.assertFalse(screen.xpath("//field[@name='state']"))

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
class TestFilters(CheckoutCommon):
    """What the search bars of the lists offer."""

    def get_search(self, model):
        arch = self.env[model].get_views([(False, "search")])
        return etree.fromstring(arch["views"]["search"]["arch"])

    def find(self, model, name):
        """What a filter of a model's search bar shows."""
        [domain] = self.get_search(model).xpath(f"//filter[@name='{name}']/@domain")
        return self.env[model].search(safe_eval(domain, {"uid": self.env.uid}))

    def test_every_filter_can_be_applied(self):
        for model in SCREENS:
            for name in self.get_search(model).xpath("//filter[@domain]/@name"):
                with self.subTest(model=model, filter=name):
                    self.find(model, name)

    def test_every_group_can_be_made(self):
        self.pay(self.create_link())
        self.deliver()
        for model in SCREENS:
            for context in self.get_search(model).xpath("//filter/@context"):
                by = literal_eval(context)["group_by"]
                with self.subTest(model=model, by=by):
                    self.env[model].web_read_group([], [by], ["__count"])

    def test_links_are_found_by_state_kind_and_owner(self):
        other = new_test_user(
            self.env, "colleague", "base.group_user,account.group_account_invoice"
        )
        fixed, tips = self.create_link(), self.create_open_link(user_id=other.id)
        archived = self.create_link(active=False)
        tips.action_deactivate()
        past = self.create_open_link(user_id=other.id, expires_at=fields.Datetime.now())
        for name, links in (
            ("mine", fixed),
            ("state_active", fixed),
            ("state_inactive", tips),
            ("fixed", fixed),
            ("open", tips | past),
            ("expired", past),
            ("archived", archived),
        ):
            with self.subTest(filter=name):
                self.assertEqual(self.find("checkout.link", name), links)

    def test_links_are_found_by_what_was_paid(self):
        lately, long_ago, started = (self.create_link() for _link in range(3))
        past = self.create_link(expires_at=fields.Datetime.now() - timedelta(hours=1))
        self.pay(lately)
        old = self.pay(long_ago)
        self.deliver()
        old.paid_at -= timedelta(days=40)
        self.start_payment(started)
        for name, links in (
            ("paid", lately | long_ago),
            ("paid_lately", lately),
            ("unpaid", started | past),
            ("expired", past),
        ):
            with self.subTest(filter=name):
                self.assertEqual(self.find("checkout.link", name), links)

    def test_payments_are_found_by_how_far_they_are(self):
        paid = self.pay(self.create_link())
        expired = self.start_payment(self.create_link())
        self.standin.expire(expired.stripe_checkout_session_id)
        self.deliver()
        opened = self.start_payment(self.create_link())
        waiting = self.pay(self.create_link(), number="debit")
        self.receive(self.take_events())
        for name, payments in (
            ("received", paid | waiting),
            ("processing", waiting),
            ("unpaid", expired | opened),
            ("test", paid | expired | opened | waiting),
        ):
            with self.subTest(filter=name):
                self.assertEqual(self.find("checkout.payment", name), payments)

    def test_movements_are_found_by_what_is_to_be_done(self):
        waiting, left_out = self.pay(self.create_link()), self.pay(self.create_link())
        self.deliver()
        self.standin.create_balance_transaction(
            -500, type="adjustment", category="other_adjustment"
        )
        self.sync()
        waiting.movement_ids.sudo().state = "to_post"
        left_out.movement_ids.sudo().state = "skipped"
        review = self.env["checkout.movement"].search([("kind", "=", "adjustment")])
        for name, movements in (
            ("to_post", waiting.movement_ids),
            ("to_review", review),
            ("not_posted", left_out.movement_ids),
        ):
            with self.subTest(filter=name):
                self.assertEqual(self.find("checkout.movement", name), movements)

    def test_payments_are_found_by_each_of_stripes_ids(self):
        payment = self.pay(self.create_link())
        self.pay(self.create_link())
        self.deliver()
        [domain] = self.get_search("checkout.payment").xpath(
            "//field[@name='stripe_payment_intent_id']/@filter_domain"
        )
        for stripe_id in (
            payment.stripe_payment_intent_id,
            payment.stripe_charge_id,
            payment.stripe_checkout_session_id,
        ):
            found = payment.search(safe_eval(domain, {"self": stripe_id}))
            self.assertEqual(found, payment, stripe_id)

    def test_what_a_screen_switches_on_at_first_is_in_its_search_bar(self):
        for name in LISTS:
            action = self.env.ref(f"kantivo_checkout_links.checkout_{name}_action")
            switched_on = [
                key.removeprefix("search_default_")
                for key in literal_eval(action.context or "{}")
                if key.startswith("search_default_")
            ]
            filters = self.get_search(action.res_model).xpath("//@name")
            self.assertLessEqual(set(switched_on), set(filters), name)


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
        self.assertFalse(self.start_payment(self.link).stripe_url)

    def test_what_is_opened_is_named_in_words(self):
        number = self.payment.name
        self.standin.dispute(self.payment.stripe_charge_id, amount=2000)
        payout_id = self.standin.payout()["id"]
        self.deliver()
        payout = self.env["checkout.payout"].search([("stripe_id", "=", payout_id)])
        arrival = format_date(self.env, payout.arrival_date)
        movements = self.payment.movement_ids.sorted("id")
        self.assertEqual(
            [
                movements[0].display_name,
                self.payment.dispute_ids.display_name,
                payout.display_name,
                payout._get_own_movements().display_name,
            ],
            [
                f"Charge · {number}",
                f"{number} · $\N{NO-BREAK SPACE}20.00",
                f"$\N{NO-BREAK SPACE}71.51 · {arrival}",
                f"Payout · {payout_id}",
            ],
        )

    def test_the_payment_form_opens(self):
        with Form(self.payment) as form:
            self.assertEqual(form.amount, 110)
