from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user
from odoo.tools.misc import format_date

from .common import CheckoutCommon


class RateCommon(CheckoutCommon):
    """A company in dollars with a balance in pounds at Stripe, and no rate for them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.gbp = cls.setup_other_currency("GBP", rates=[])
        cls.eur = cls.setup_other_currency("EUR", rates=[])
        cls.gateway.active = False  # the balance is in pounds
        cls.pounds = cls.create_gateway(
            name="Stripe GBP", currency_id=cls.gbp.id, secret_key="sk_test_pounds"
        )
        cls.liquidity = cls.pounds.journal_id.default_account_id
        cls.today = fields.Date.today()

    def setUp(self):
        super().setUp()
        self.standin.settings(currencies=["gbp"], rates={"gbp": "1.25"})

    @classmethod
    def add_rate(cls, currency, inverse_rate, days_ago=0, company=None):
        """:param inverse_rate: What one unit is worth in dollars."""
        return cls.env["res.currency.rate"].create(
            {
                "currency_id": currency.id,
                "name": cls.today - timedelta(days=days_ago),
                "rate": 1 / inverse_rate,
                "company_id": (company or cls.company).id,
            }
        )

    def pay_in(self, currency, amount=110, **vals):
        link = self.create_link(
            amount, currency_id=currency.id, gateway_id=self.pounds.id, **vals
        )
        payment = self.pay(link)
        self.deliver_to_pounds()
        return payment

    def deliver_to_pounds(self):
        self.standin.release()
        self.receive(self.take_events(), self.pounds)

    def describe_missing(self, currency):
        day = format_date(self.env, self.today)
        return f"no exchange rate for {currency.name} on or before {day}"

    def assert_waits_for_rate(self, movements):
        self.assertTrue(movements)
        for movement in movements:
            with self.subTest(kind=movement.kind):
                self.assertEqual(movement.state, "to_post")
                self.assertFalse(movement.move_id)
                self.assertIn(self.describe_missing(self.gbp), movement.error)

    def assert_all_posted(self):
        movements = self.env["checkout.movement"].search(
            [("gateway_id", "=", self.pounds.id)]
        )
        states = set(movements.mapped("state"))
        self.assertLessEqual(states, {"posted", "to_review"}, movements.mapped("error"))
        self.assert_agrees(self.pounds)
        self.pounds.action_check_agreement()
        self.assertEqual(self.pounds.agreement_state, "green")


class TestMissingRate(RateCommon):
    """Without a rate nothing is posted, and nothing 1:1."""

    def test_charge_and_fee_wait_and_post_by_themselves_once_there_is_a_rate(self):
        payment = self.pay_in(self.gbp)
        self.assertEqual(payment.state, "paid")
        self.assert_waits_for_rate(payment.movement_ids)
        self.pounds.action_check_agreement()
        self.assertEqual(self.pounds.agreement_state, "amber")
        self.assertEqual(self.pounds.agreement_waiting, 106.61)
        self.add_rate(self.gbp, 1.25)
        self.process()  # the scheduled processor
        self.assert_entry(
            self.get_movement(payment, "charge"),
            [
                (self.liquidity, 137.5, 0),
                (self.pounds.income_account_id, 0, 125),
                (self.company_data["default_account_tax_sale"], 0, 12.5),
            ],
        )
        self.assert_all_posted()

    def test_a_rate_of_a_later_day_is_none(self):
        self.add_rate(self.gbp, 1.25, days_ago=-1)
        payment = self.pay_in(self.gbp)
        self.assert_waits_for_rate(payment.movement_ids)

    def test_all_that_follows_waits_too_and_posts_in_order(self):
        refunded, lost, won = (self.pay_in(self.gbp) for _payer in range(3))
        refunded.action_refund(10)
        for payment, outcome in ((lost, "lose"), (won, "win")):
            dispute = self.standin.dispute(payment.stripe_charge_id)
            self.standin.change_dispute(dispute["id"], outcome)
        self.standin.payout(amount=5000)
        self.deliver_to_pounds()
        movements = self.env["checkout.movement"].search(
            [("gateway_id", "=", self.pounds.id)]
        )
        kinds = "charge fee refund dispute dispute_fee dispute_reversal payout"
        moved = movements.filtered("amount")
        self.assertEqual(set(moved.mapped("kind")), set(kinds.split()))
        self.assert_waits_for_rate(moved)
        self.assertEqual(set(movements.mapped("state")), {"to_post"})
        self.add_rate(self.gbp, 1.25)
        self.sync(self.pounds)
        self.assert_all_posted()

    def test_receivable_waits(self):
        self.pounds.credit_to = "receivable"
        payment = self.pay_in(self.gbp)
        self.assert_waits_for_rate(payment.movement_ids)
        self.add_rate(self.gbp, 1.25)
        self.process()
        self.assert_entry(
            self.get_movement(payment, "charge"),
            [
                (self.liquidity, 137.5, 0),
                (self.company_data["default_account_receivable"], 0, 137.5),
            ],
        )

    def test_opening_balance_waits(self):
        self.standin.create_balance_transaction(5000, currency="gbp")
        self.standin.advance(3600)
        self.pounds.sync_from = fields.Datetime.now() + timedelta(minutes=30)
        self.sync(self.pounds)
        opening = self.env["checkout.movement"].search([("kind", "=", "opening")])
        self.assertEqual(opening.amount, 50)
        self.assert_waits_for_rate(opening)
        self.add_rate(self.gbp, 1.25)
        self.sync(self.pounds)
        self.assert_all_posted()

    def test_price_in_company_currency_needs_no_rate_and_its_fee_does(self):
        payment = self.pay_in(self.company.currency_id)
        charge = self.get_movement(payment, "charge")
        self.assertEqual((charge.amount, charge.state), (88, "posted"))
        self.assertEqual(charge.move_id.line_ids.filtered("debit").balance, 110)
        self.assert_waits_for_rate(self.get_movement(payment, "fee"))

    def test_currency_of_a_link_needs_no_rate(self):
        self.add_rate(self.gbp, 1.25)
        self.standin.settings(rates={"eur": "1.10"})
        payment = self.pay_in(self.eur)
        charge = self.get_movement(payment, "charge")
        self.assertEqual(charge.source_currency_id, self.eur)
        self.assertEqual(charge.move_id.line_ids.filtered("debit").balance, 121)
        self.assert_all_posted()

    def test_balance_in_company_currency_needs_no_rate(self):
        self.standin.settings(currencies=["usd"], rates={"eur": "1.10"})
        self.gateway.active = True
        payment = self.pay(self.create_link(110, currency_id=self.eur.id))
        self.deliver()
        charge = self.get_movement(payment, "charge")
        self.assertEqual((charge.amount, charge.state), (121, "posted"))
        self.assert_agrees()


class TestRateOfCompany(RateCommon):
    """Rates are those of the root company, or of all."""

    def test_rate_of_another_company_is_none(self):
        other = self.env["res.company"].create({"name": "Other Company"})
        self.add_rate(self.gbp, 1.25, company=other)
        self.assert_waits_for_rate(self.pay_in(self.gbp).movement_ids)

    def test_rate_of_the_root_company_is_that_of_its_branch(self):
        branch = self.env["res.company"].create(
            {"name": "Branch", "parent_id": self.company.id}
        )
        self.add_rate(self.gbp, 1.25)
        value = self.env["checkout.rate"]._convert(100, self.gbp, branch, self.today)
        self.assertEqual(value, 125)

    def test_rate_of_all_companies_is_one(self):
        self.add_rate(self.gbp, 1.25).company_id = False
        self.assertEqual(
            set(self.pay_in(self.gbp).movement_ids.mapped("state")), {"posted"}
        )


class TestRateWarnings(RateCommon):
    """Test Connection and the gateway's form say it before the first payment."""

    def read_warnings(self):
        self.env.invalidate_all()
        message = self.pounds.action_test_connection()["params"]["message"]
        self.assertEqual(self.pounds.connection_state, "connected")
        return f"{message} {self.pounds.health_message}"

    def test_missing_rate_is_said_before_the_first_payment(self):
        missing = self.describe_missing(self.gbp)
        self.assertEqual(self.read_warnings().count(missing), 2)
        self.assertEqual(self.pounds.health_state, "bad")
        self.add_rate(self.gbp, 1.25)
        self.assertNotIn(missing, self.read_warnings())
        self.assertEqual(self.pounds.health_state, "good")

    def test_gateway_without_a_rate_can_be_made_and_its_sync_asks_for_one(self):
        groups = "base.group_user,account.group_account_manager"
        manager = new_test_user(self.env, "manager", groups)
        gateway = (
            self.env["checkout.gateway"]
            .with_user(manager)
            .create(
                {
                    "name": "New",
                    "currency_id": self.eur.id,
                    "secret_key": "sk_test_new",
                    "post_entries": True,
                }
            )
        )
        self.assertIn(self.describe_missing(self.eur), gateway.health_message)
        self.standin.settings(currencies=["eur"])
        gateway.sudo().action_sync()
        self.env.invalidate_all()
        [activity] = gateway.sudo().activity_ids
        self.assertIn(self.describe_missing(self.eur), activity.note)

    def test_rate_of_more_than_35_days_warns(self):
        rate = self.add_rate(self.gbp, 1.25, days_ago=36)
        old = (
            f"The last exchange rate for GBP is from {format_date(self.env, rate.name)}"
        )
        self.assertEqual(self.read_warnings().count(old), 2)
        self.assertEqual(self.pounds.health_state, "warning")

    def test_rate_of_35_days_does_not_warn(self):
        self.add_rate(self.gbp, 1.25, days_ago=35)
        self.assertNotIn("The last exchange rate", self.read_warnings())
        self.assertEqual(self.pounds.health_state, "good")

    def test_newer_rate_of_all_companies_does_not_count_beside_the_company_s_own(self):
        self.add_rate(self.gbp, 1.3, days_ago=0).company_id = False
        self.add_rate(self.gbp, 1.25, days_ago=36)
        self.assertIn("The last exchange rate", self.read_warnings())

    def test_health_says_nothing_of_rates_where_nothing_is_posted(self):
        self.pounds.post_entries = False
        self.assertEqual(self.pounds.health_state, "good")

    def test_balance_in_company_currency_has_no_rate_to_miss(self):
        self.assertEqual(self.gateway.health_state, "good")
