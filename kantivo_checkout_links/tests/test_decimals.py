from datetime import timedelta

from odoo import Command
from odoo.exceptions import AccessError, RedirectWarning, UserError, ValidationError
from odoo.tests import new_test_user

from stripe_standin.money import SUPPORTED

from ..money import from_minor
from .common import CheckoutCommon

ROUNDED_TO_1 = "Odoo rounds HUF to 1, but Stripe uses 0.01"


class DecimalsCommon(CheckoutCommon):
    """A currency that Odoo rounds more coarsely than Stripe counts it."""

    def setup_coarse_currency(self, code, rounding, rate):
        """:param float rate: How much of it one dollar buys."""
        currency = self.setup_other_currency(code, rates=[("2016-01-01", rate)])
        currency.rounding = rounding
        return currency

    def press_button_of(self, warning):
        """What the web client does where the button of a warning is pressed."""
        _message, action_id, _text, context = warning.args
        action = self.env["ir.actions.server"].browse(action_id)
        action.with_context(**context).run()
        self.env.flush_all()


class TestCoarseBalance(DecimalsCommon):
    """A balance in forints, of which Odoo keeps whole ones only."""

    def setUp(self):
        super().setUp()
        self.huf = self.setup_coarse_currency("HUF", 1, 360)
        self.standin.settings(
            currencies=["huf"], fee_rate="0", fee_fixed={"huf": 36550}
        )
        self.gateway.active = False
        self.forints = self.create_gateway(
            name="Stripe HUF", currency_id=self.huf.id, secret_key="sk_test_forints"
        )

    def pay_forints(self):
        """9,000.00, of which Stripe takes 365.50."""
        link = self.create_link(
            9000, currency_id=self.huf.id, gateway_id=self.forints.id
        )
        payment = self.pay(link)
        self.standin.release()
        self.receive(self.take_events(), self.forints)
        return payment

    def check(self):
        self.forints.action_check_agreement()
        return self.forints.agreement_state

    def test_what_odoo_would_round_waits_and_is_posted_with_stripes_decimals(self):
        payment = self.pay_forints()
        self.assertEqual(self.get_movement(payment, "charge").state, "posted")
        fee = self.get_movement(payment, "fee")
        self.assertEqual((fee.amount, fee.state), (-365.5, "to_post"))
        self.assertIn(ROUNDED_TO_1, fee.error)
        self.assertEqual((payment.fee_amount, payment.net_amount), (365.5, 8634.5))
        self.assertEqual(self.check(), "amber")
        self.assertEqual(self.forints.agreement_stripe_balance, 8634.5)
        self.assertEqual(self.forints.agreement_waiting, -365.5)
        self.forints.action_use_stripe_decimals()
        self.process()
        self.assertEqual((fee.state, fee.error), ("posted", False))
        self.assertEqual(self.get_journal_balance(self.forints), 8634.5)
        self.assert_agrees(self.forints)
        self.assertEqual(self.check(), "green")
        self.assertEqual(payment.link_id.agreement_state, "green")

    def test_a_transaction_that_odoo_would_round_is_taken_late_and_never_green(self):
        self.forints.action_use_stripe_decimals()
        self.pay_forints()
        self.sync(self.forints)
        self.change_rounding_in_the_database(1)
        self.assertEqual(self.check(), "green")
        self.forints.sudo().transactions_read_to += timedelta(days=1)
        self.standin.create_balance_transaction(-40, currency="huf")
        self.assertEqual(self.check(), "amber")
        self.assertEqual(self.forints.agreement_waiting, -0.4)
        self.assertEqual(self.forints.agreement_difference, 0)

    def change_rounding_in_the_database(self, rounding):
        """As it was in an older database, with entries that Odoo has rounded."""
        self.env.flush_all()
        self.cr.execute(
            "UPDATE res_currency SET rounding = %s, decimal_places = 0 WHERE id = %s",
            [rounding, self.huf.id],
        )
        self.env.invalidate_all()

    def test_an_entry_that_odoo_rounded_before_is_the_difference(self):
        self.forints.action_use_stripe_decimals()
        fee = self.get_movement(self.pay_forints(), "fee")
        self.env.flush_all()
        account = self.forints.journal_id.default_account_id
        self.cr.execute(
            "UPDATE account_move_line SET amount_currency = -366"
            " WHERE move_id = %s AND account_id = %s",
            [fee.move_id.id, account.id],
        )
        self.cr.execute(
            "UPDATE checkout_movement SET amount = -366 WHERE id = %s", fee.ids
        )
        self.env.invalidate_all()
        self.assertEqual(self.check(), "red")
        self.assertEqual(self.forints.agreement_difference, 0.5)
        notice = self.forints.action_view_difference()["params"]
        self.assertIn(fee.balance_transaction_id, notice["message"])
        self.assertIn("Post the difference of 0.50", notice["message"])
        self.assertEqual(notice["next"]["res_id"], fee.id)
        self.post_by_hand(account, 0.5)
        self.assertEqual(self.check(), "green")

    def post_by_hand(self, account, amount):
        item = {"currency_id": self.huf.id}
        move = self.env["account.move"].create(
            {
                "line_ids": [
                    Command.create(
                        {**item, "account_id": account.id, "amount_currency": amount}
                    ),
                    Command.create(
                        {
                            **item,
                            "account_id": self.forints.fee_account_id.id,
                            "amount_currency": -amount,
                        }
                    ),
                ]
            }
        )
        move.action_post()

    def test_it_is_said_before_the_first_payment(self):
        notice = self.forints.action_test_connection()["params"]["message"]
        self.assertIn(ROUNDED_TO_1, notice)
        self.assertIn(ROUNDED_TO_1, self.forints.health_message)
        self.assertEqual(self.forints.health_state, "bad")
        self.forints.action_use_stripe_decimals()
        self.assertNotIn("Odoo rounds", self.forints.health_message)
        self.assertFalse(self.forints.coarse_currency_ids)
        notice = self.forints.action_test_connection()["params"]["message"]
        self.assertNotIn("Odoo rounds", notice)

    def test_button_is_for_those_who_may_change_currencies(self):
        group = "base.group_user,account.group_account_invoice"
        merchant = new_test_user(self.env, "merchant", group)
        with self.assertRaises(AccessError):
            self.forints.with_user(merchant).action_use_stripe_decimals()
        group = "base.group_user,account.group_account_manager"
        manager = new_test_user(self.env, "manager", group)
        self.forints.with_user(manager).action_use_stripe_decimals()
        self.assertEqual(self.huf.rounding, 0.01)

    def test_decimals_are_added_where_entries_are_posted_already(self):
        self.pay_forints()
        self.assertTrue(self.huf._has_accounting_entries())
        self.forints.action_use_stripe_decimals()
        self.assertEqual((self.huf.rounding, self.huf.decimal_places), (0.01, 2))

    def test_web_client_reads_the_new_decimals(self):
        self.assertEqual(self.read_digits(), 0)
        self.forints.action_use_stripe_decimals()
        self.assertEqual(self.read_digits(), 2)

    def read_digits(self):
        currencies = self.env["res.currency"].get_all_currencies()
        return currencies[self.huf.id]["digits"][1]


class TestCoarsePrice(DecimalsCommon):
    """A price in francs that Odoo rounds to 0.05, on a balance in dollars."""

    def setUp(self):
        super().setUp()
        self.chf = self.setup_coarse_currency("CHF", 0.05, 0.9)
        self.english = self.env["res.lang"]._lang_get("en_US")

    def create_franc_link(self, amount=10, env=None):
        links = (env or self.env)["checkout.link"]
        return links.create(
            {
                "name": "Fondue",
                "amount": amount,
                "gateway_id": self.gateway.id,
                "currency_id": self.chf.id,
            }
        )

    def pay_francs(self, amount=10):
        payment = self.pay(self.create_franc_link(amount))
        self.deliver()
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        return payment

    def test_finer_price_is_refused_with_a_button_and_then_taken(self):
        with self.assertRaises(RedirectWarning) as caught:
            self.create_franc_link(12.34)
        message, _action, button, _context = caught.exception.args
        self.assertIn("Odoo rounds CHF to 0.05, but Stripe uses 0.01", message)
        self.assertEqual(button, "Use Stripe's Decimals for CHF")
        self.press_button_of(caught.exception)
        payment = self.pay_francs(12.34)
        charge = self.get_movement(payment, "charge")
        self.assertEqual((payment.amount, charge.source_amount), (12.34, 12.34))
        sale = charge.move_id.line_ids.filtered("credit")
        self.assertAlmostEqual(sum(sale.mapped("amount_currency")), -12.34)

    def test_finer_price_is_refused_on_writing_too(self):
        link = self.create_franc_link()
        with self.assertRaises(RedirectWarning):
            link.amount = 10.01

    def test_who_may_not_change_currencies_reads_what_to_do(self):
        group = "base.group_user,account.group_account_invoice"
        merchant = new_test_user(self.env, "merchant", group)
        with self.assertRaisesRegex(ValidationError, "Configuration › Currencies"):
            self.create_franc_link(12.34, self.env(user=merchant.id))

    def test_what_the_payer_types_is_what_is_charged_and_posted(self):
        link = self.create_open_link(currency_id=self.chf.id)
        with self.assertRaisesRegex(UserError, "multiples of 0.05"):
            link._get_amount_to_pay("10.03", self.english)
        self.assertEqual(link._get_amount_to_pay("10.05", self.english), 10.05)
        self.chf.action_use_stripe_decimals()
        typed = link._get_amount_to_pay("10.03", self.english)
        payment = self.pay(link, typed)
        self.deliver()
        [session] = self.standin.requests("POST /v1/checkout/sessions")[-1:]
        charged = session["params"]["line_items"]["0"]["price_data"]["unit_amount"]
        self.assertEqual((int(charged), payment.amount), (1003, 10.03))
        sale = self.get_movement(payment, "charge").move_id.line_ids.filtered("credit")
        self.assertAlmostEqual(sum(sale.mapped("amount_currency")), -10.03)

    def test_finer_refund_at_stripe_waits_and_is_posted_exactly(self):
        payment = self.pay_francs()
        self.standin.refund(payment.stripe_charge_id, 333)
        self.deliver()
        refund = self.get_movement(payment, "refund")
        self.assertEqual((refund.state, refund.source_amount), ("to_post", -3.33))
        self.assertIn("Odoo rounds CHF to 0.05", refund.error)
        self.assertEqual(payment.amount_refunded, 3.33)
        self.assertEqual(payment.state, "partially_refunded")
        self.assertEqual(payment._get_amount_left(), 6.67)
        self.gateway.invalidate_recordset()
        self.assertEqual(self.gateway.coarse_currency_ids, self.chf)
        self.gateway.action_use_stripe_decimals()
        self.process()
        self.assertEqual((refund.state, refund.error), ("posted", False))
        back = refund.move_id.line_ids.filtered("debit")
        self.assertAlmostEqual(sum(back.mapped("amount_currency")), 3.33)
        self.assert_agrees()

    def test_finer_refund_from_odoo_is_refused_and_not_rounded(self):
        payment = self.pay_francs()
        with self.assertRaisesRegex(UserError, "Odoo rounds CHF to 0.05"):
            self.refund_by_wizard(payment, 3.33)
        self.assertEqual(self.standin.requests("POST /v1/refunds"), [])
        self.refund_by_wizard(payment, 3.35)
        self.assertEqual(payment.amount_refunded, 3.35)
        self.chf.action_use_stripe_decimals()
        self.refund_by_wizard(payment, 3.33)
        self.assertEqual(payment.amount_refunded, 6.68)

    def refund_by_wizard(self, payment, amount):
        wizard = self.env["checkout.refund.wizard"].create(
            {"payment_id": payment.id, "amount": amount}
        )
        self.assertEqual(wizard.amount, amount)
        wizard.action_refund()

    def test_what_is_left_can_always_be_refunded(self):
        payment = self.pay_francs()
        self.standin.refund(payment.stripe_charge_id, 333)
        self.deliver()
        payment.action_refund()
        self.assertEqual((payment.state, payment.amount_refunded), ("refunded", 10))

    def test_amounts_are_kept_as_stripe_said_them(self):
        payment = self.pay_francs().sudo()
        for amount in (3.35, 3.33, 3.35, 3.34):
            payment.amount_refunded = amount
            self.env.flush_all()
            self.env.invalidate_all()
            self.assertEqual(payment.amount_refunded, amount)


class TestCoarseCompany(DecimalsCommon):
    """A company whose own currency is rounded to whole units."""

    def test_entries_in_company_currency_are_exact_or_wait(self):
        dollar = self.env.company.currency_id
        dollar.rounding = 1
        payment = self.pay(self.create_link(110))
        self.deliver()
        fee = self.get_movement(payment, "fee")
        self.assertEqual((fee.amount, fee.state), (-3.49, "to_post"))
        self.gateway.action_use_stripe_decimals()
        self.process()
        self.assertEqual(fee.state, "posted")
        self.assertEqual(self.get_journal_balance(), 106.51)
        self.assert_agrees()


class TestStripesDecimals(DecimalsCommon):
    """Which currencies Odoo rounds more coarsely, and that each can be made exact."""

    def search_currencies(self):
        currencies = self.env["res.currency"].with_context(active_test=False)
        return currencies.search([("name", "in", [c.upper() for c in SUPPORTED])])

    def test_of_odoos_own_only_the_new_taiwan_dollar_is_coarser(self):
        coarse = self.search_currencies().filtered(
            lambda currency: currency._is_coarser_than_stripe()
        )
        self.assertEqual(coarse.mapped("name"), ["TWD"])

    def test_each_of_stripes_currencies_can_be_given_its_decimals(self):
        used = self.env["account.move.line"].search([]).currency_id
        currencies = self.search_currencies() - used
        currencies.rounding = 10
        currencies.action_use_stripe_decimals()
        for currency in currencies:
            minor = 100 if currency.name in ("ISK", "UGX") else 1
            with self.subTest(currency=currency.name):
                amount = from_minor(minor, currency.name)
                self.assertFalse(currency._rounds_away(amount))
                self.assertFalse(currency._is_coarser_than_stripe())
        self.assertGreater(len(currencies), 120)
