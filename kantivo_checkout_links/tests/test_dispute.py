from datetime import datetime

from .common import CheckoutCommon


class TestDispute(CheckoutCommon):
    """A customer's bank takes the money back, or asks about it."""

    def setUp(self):
        super().setUp()
        self.liquidity = self.gateway.journal_id.default_account_id
        self.withheld = self.gateway.dispute_account_id
        self.payment = self.pay(self.create_link(110))
        self.deliver()
        self.assertEqual(self.payment.state, "paid")

    def dispute(self, **how):
        dispute = self.standin.dispute(self.payment.stripe_charge_id, **how)
        self.deliver()
        return dispute["id"]

    def act(self, dispute_id, *actions, **how):
        for action in actions:
            self.standin.change_dispute(dispute_id, action, **how)
        self.deliver()

    def get_withheld_balance(self):
        lines = self.payment.move_ids.line_ids
        return sum(
            lines.filtered(lambda line: line.account_id == self.withheld).mapped(
                "balance"
            )
        )

    def assert_withheld_is_settled(self):
        lines = self.payment.move_ids.line_ids.filtered(
            lambda line: line.account_id == self.withheld
        )
        self.assertTrue(lines)
        self.assertTrue(all(lines.mapped("reconciled")))
        self.assert_agrees()

    def test_opened_dispute_withholds_money_and_fee(self):
        self.dispute()
        self.assertEqual(self.payment.state, "disputed")
        self.assertEqual(self.payment.dispute_status, "needs_response")
        self.assertEqual(self.payment.dispute_reason, "fraudulent")
        self.assert_entry(
            self.get_movement(self.payment, "dispute"),
            [(self.liquidity, 0, 110), (self.withheld, 110, 0)],
        )
        self.assert_entry(
            self.get_movement(self.payment, "dispute_fee"),
            [(self.liquidity, 0, 15), (self.gateway.fee_account_id, 15, 0)],
        )
        self.assert_agrees()

    def test_responsible_user_gets_the_evidence_due_date(self):
        dispute_id = self.dispute()
        activity = self.payment.activity_ids
        due_by = self.payment.dispute_ids.evidence_due_at
        self.assertEqual(activity.date_deadline, due_by.date())
        self.assertEqual(activity.user_id, self.gateway.user_id)
        self.act(dispute_id, "respond")
        self.assertFalse(self.payment.activity_ids)
        self.assertEqual(self.payment.dispute_status, "under_review")

    def test_dispute_leads_to_its_payment_in_stripes_dashboard(self):
        self.dispute()
        url = self.payment.dispute_ids.stripe_url
        self.assertIn("https://dashboard.stripe.com/test/payments/", url)
        self.assertEqual(url, self.payment.stripe_url)

    def test_dispute_is_found_by_customer_and_link(self):
        self.dispute()
        dispute = self.payment.dispute_ids
        for field, value in (
            ("customer_name", self.payment.customer_name),
            ("link_name", self.payment.link_id.name),
        ):
            self.assertTrue(value)
            self.assertEqual(dispute[field], value)
            self.assertEqual(dispute.search([(field, "=", value)]), dispute)

    def test_won_dispute_gives_back_what_was_withheld(self):
        dispute_id = self.dispute()
        self.act(dispute_id, "win")
        self.assertEqual(self.payment.state, "paid")
        self.assertEqual(self.payment.dispute_status, "won")
        self.assertEqual(self.get_withheld_balance(), 0)
        self.assert_withheld_is_settled()

    def test_fee_that_stripe_returns_is_posted_back(self):
        dispute_id = self.dispute()
        self.act(dispute_id, "win", returned_fee=1500)
        fees = self.payment.movement_ids.filtered(lambda m: m.kind == "dispute_fee")
        self.assertEqual(sum(fees.mapped("amount")), 0)
        self.assert_agrees()

    def test_fee_for_countering_is_one_more_dispute_fee(self):
        dispute_id = self.dispute()
        self.standin.create_balance_transaction(
            -1500, type="stripe_fee", category="fee", source=dispute_id
        )
        self.sync()
        fees = self.payment.movement_ids.filtered(lambda m: m.kind == "dispute_fee")
        self.assertEqual(fees.mapped("amount"), [-15, -15])
        self.assertEqual(set(fees.mapped("state")), {"posted"})
        self.assert_agrees()
        self.sync()
        self.assertEqual(len(self.payment.movement_ids), 5)

    def test_other_adjustment_of_a_dispute_is_for_review(self):
        dispute_id = self.dispute()
        self.standin.create_balance_transaction(
            -37, type="adjustment", category="other_adjustment", source=dispute_id
        )
        self.sync()
        adjustment = self.get_movement(self.payment, "adjustment")
        self.assertEqual(adjustment.state, "to_review")
        self.assertEqual(adjustment.stripe_source_id, dispute_id)
        self.assert_agrees()

    def test_reinstated_is_not_won(self):
        dispute_id = self.dispute()
        self.act(dispute_id, "reinstate")
        self.assertEqual(self.payment.state, "disputed")
        self.assertEqual(self.get_withheld_balance(), 0)
        self.act(dispute_id, "withdraw_again", "lose")
        self.assertEqual(self.payment.dispute_status, "lost")
        self.assert_withheld_is_settled()

    def test_lost_dispute_is_a_loss_in_a_general_entry(self):
        dispute_id = self.dispute()
        self.act(dispute_id, "lose")
        loss = self.get_movement(self.payment, "dispute_loss")
        self.assert_entry(
            loss,
            [
                (self.withheld, 0, 110),
                (self.gateway.dispute_loss_account_id, 110, 0),
            ],
        )
        self.assertEqual(loss.move_id.journal_id.type, "general")
        self.assertFalse(loss.statement_line_id)
        self.assertEqual(self.payment.state, "disputed")
        self.assert_withheld_is_settled()

    def test_lost_dispute_without_a_loss_account_takes_the_sale_back(self):
        self.gateway.dispute_loss_account_id = False
        dispute_id = self.dispute(amount=5500)
        self.act(dispute_id, "lose")
        loss = self.get_movement(self.payment, "dispute_loss")
        self.assert_entry(
            loss,
            [
                (self.withheld, 0, 55),
                (self.gateway.income_account_id, 50, 0),
                (self.company_data["default_account_tax_sale"], 5, 0),
            ],
        )
        self.assertEqual(
            self.get_tags(loss.move_id), {"REFUND BASE 10": 50, "REFUND TAX 10": 5}
        )
        self.assert_withheld_is_settled()

    def test_loss_is_dated_when_it_was_decided(self):
        dispute_id = self.dispute()
        self.standin.advance(40 * 3600)
        self.standin.change_dispute(dispute_id, "lose")
        closed = self.standin.events("charge.dispute.closed")[-1]["created"]
        self.deliver()
        loss = self.get_movement(self.payment, "dispute_loss")
        self.assertEqual(loss.occurred_at, datetime.utcfromtimestamp(closed))

    def test_inquiry_moves_nothing_but_asks_for_an_answer(self):
        dispute_id = self.dispute(inquiry=True)
        self.assertEqual(self.payment.state, "paid")
        self.assertEqual(self.payment.dispute_status, "warning_needs_response")
        self.assertTrue(self.payment.activity_ids)
        self.act(dispute_id, "close_inquiry")
        self.assertFalse(self.payment.activity_ids)
        self.assertNotIn("dispute", self.payment.movement_ids.mapped("kind"))

    def test_escalated_inquiry_is_a_dispute(self):
        dispute_id = self.dispute(inquiry=True)
        self.act(dispute_id, "escalate")
        self.assertEqual(self.payment.state, "disputed")
        self.assertEqual(self.get_withheld_balance(), 110)

    def test_events_in_reverse_order_lead_to_the_same(self):
        dispute = self.standin.dispute(self.payment.stripe_charge_id)
        self.standin.change_dispute(dispute["id"], "win")
        for event in reversed(self.take_events()):
            self.receive([event])
        self.assertEqual(self.payment.state, "paid")
        self.assert_withheld_is_settled()

    def test_dispute_is_found_by_the_sync(self):
        dispute = self.standin.dispute(self.payment.stripe_charge_id)
        self.sync()
        self.assertEqual(self.payment.state, "disputed")
        self.standin.change_dispute(dispute["id"], "lose")
        self.sync()
        self.assertEqual(self.payment.dispute_status, "lost")
        self.assert_withheld_is_settled()

    def test_dispute_of_a_partly_refunded_payment(self):
        self.gateway.dispute_loss_account_id = False
        self.payment.action_refund(33)
        dispute_id = self.dispute(amount=7700)
        self.act(dispute_id, "lose")
        income = self.payment.move_ids.line_ids.filtered(
            lambda line: line.account_id == self.gateway.income_account_id
        )
        self.assertEqual(sum(income.mapped("balance")), 0)
        self.assert_withheld_is_settled()
