from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tools import mute_logger

from .common import CLIENT_LOGGER, SYNC_LOGGER, CheckoutCommon

BACK_LOGGER = "odoo.addons.kantivo_checkout_links.models.payment.payment_refunding"


class TestRefund(CheckoutCommon):
    """Money given back, from here or from the Stripe Dashboard."""

    def setUp(self):
        super().setUp()
        self.liquidity = self.gateway.journal_id.default_account_id
        self.income = self.gateway.income_account_id
        self.tax_account = self.company_data["default_account_tax_sale"]

    def pay_and_post(self, amount=110, **vals):
        payment = self.pay(self.create_link(amount, **vals))
        self.deliver()
        self.assertEqual(payment.state, "paid")
        return payment

    def refund_at_stripe(self, payment, amount=None, **how):
        """What the merchant clicks in the Stripe Dashboard."""
        return self.standin.refund(payment.stripe_charge_id, amount, **how)

    # === FROM HERE === #

    def test_part_refund_takes_back_revenue_and_tax_in_proportion(self):
        payment = self.pay_and_post(110)
        payment.action_refund(33)
        self.assert_entry(
            self.get_movement(payment, "refund"),
            [
                (self.liquidity, 0, 33),
                (self.income, 30, 0),
                (self.tax_account, 3, 0),
            ],
        )
        self.assertEqual(payment.state, "partially_refunded")
        self.assertEqual(payment.amount_refunded, 33)
        self.assert_agrees()

    def test_refund_carries_the_tags_of_a_refund(self):
        payment = self.pay_and_post(110)
        payment.action_refund(33)
        self.assertEqual(
            self.get_tags(self.get_movement(payment, "refund").move_id),
            {"REFUND BASE 10": 30, "REFUND TAX 10": 3},
        )

    def test_refund_without_amount_is_all_that_is_left(self):
        payment = self.pay_and_post(110)
        payment.action_refund(33)
        refund = payment.action_refund()
        self.assertEqual(refund.amount, 77)
        self.assertEqual(refund.state, "succeeded")
        self.assertEqual(payment.state, "refunded")
        self.assert_agrees()

    def test_refund_says_for_whom_and_what_it_was(self):
        payment = self.pay_and_post(110)
        refund = payment.action_refund()
        self.assertTrue(payment.customer_name)
        self.assertEqual(refund.customer_name, payment.customer_name)
        self.assertEqual(refund.link_name, payment.link_id.name)
        self.assertEqual(refund.stripe_url, payment.stripe_url)

    def test_last_refund_takes_the_remaining_cents(self):
        payment = self.pay_and_post(0.99)
        for amount in (0.33, 0.33, 0.33):
            payment.action_refund(amount)
        lines = payment.move_ids.line_ids
        for account in (self.income, self.tax_account):
            balances = lines.filtered(lambda line, a=account: line.account_id == a)
            self.assertAlmostEqual(sum(balances.mapped("balance")), 0)
        self.assertEqual(payment.state, "refunded")

    def test_same_key_is_the_same_refund(self):
        payment = self.pay_and_post(110)
        first = payment.action_refund(10, idempotency_key="order 7")
        second = payment.action_refund(10, idempotency_key="order 7")
        self.assertEqual(first, second)
        self.assertEqual(payment.amount_refunded, 10)
        self.assertEqual(len(self.standin.requests("POST /v1/refunds")), 1)

    @mute_logger(CLIENT_LOGGER)
    def test_refund_that_is_still_being_made_is_not_refused(self):
        payment = self.pay_and_post(110)
        self.standin.api_fault("status", "POST /v1/refunds", status=409, times=2)
        with self.assertRaisesRegex(UserError, "will be retried automatically"):
            payment.action_refund(40)
        self.assertEqual(payment.refund_ids.state, "requested")
        self.assertEqual(payment._get_amount_left(), 70)
        self.sync()
        self.assertEqual(payment.amount_refunded, 40)

    @mute_logger(CLIENT_LOGGER, SYNC_LOGGER)
    def test_refund_without_an_answer_isnt_refused_by_a_bad_key(self):
        payment = self.pay_and_post(110)
        self.standin.api_fault("status", "POST /v1/refunds", status=503, times=2)
        with self.assertRaisesRegex(UserError, "didn't respond"):
            payment.action_refund(40)
        self.standin.api_fault("status", "GET /v1/refunds", status=401)
        self.sync()
        self.assertEqual(payment.refund_ids.state, "requested")
        self.assertEqual(payment._get_amount_left(), 70)

    @mute_logger(CLIENT_LOGGER)
    def test_dialog_continues_after_a_refusal(self):
        payment = self.pay_and_post(110)
        wizard = self.env["checkout.refund.wizard"].create({"payment_id": payment.id})
        self.standin.api_fault("status", "POST /v1/refunds", status=400, times=2)
        for amount in (40, 50):
            wizard.amount = amount
            with self.assertRaisesRegex(UserError, "Stripe refused"):
                wizard.action_refund()
        wizard.amount = 30
        for _press in range(2):
            wizard.action_refund()
        self.assertEqual(payment.amount_refunded, 30)

    def test_same_key_is_of_one_amount(self):
        payment = self.pay_and_post(110)
        refund = payment.action_refund(20, idempotency_key="one")
        self.assertEqual(payment.action_refund(idempotency_key="one"), refund)
        with self.assertRaisesRegex(UserError, "for a refund of"):
            payment.action_refund(30, idempotency_key="one")
        self.assertEqual(payment.amount_refunded, 20)

    @mute_logger(CLIENT_LOGGER)
    def test_same_key_gives_the_same_refusal(self):
        payment = self.pay_and_post(110)
        self.standin.api_fault("status", "POST /v1/refunds", status=400)
        for _call in range(2):
            with self.assertRaisesRegex(UserError, "Stripe refused the refund"):
                payment.action_refund(10, idempotency_key="refused")
        self.assertEqual(payment.refund_ids.state, "failed")
        self.assertEqual(len(self.standin.requests("POST /v1/refunds")), 1)

    def test_refunds_without_metadata_are_not_ours(self):
        refunds = self.env["checkout.refund"]
        for metadata in (None, {}, {"order": "12"}):
            self.assertFalse(refunds._get_uuid({"metadata": metadata}))

    def test_trouble_after_stripe_refunded_is_no_failure_of_the_refund(self):
        payment = self.pay_and_post(110)
        inbox = type(self.env["checkout.event"])
        with (
            patch.object(inbox, "_process_gateway", side_effect=RuntimeError),
            mute_logger(BACK_LOGGER),
        ):
            refund = payment.action_refund(10)
        self.assertEqual(len(self.standin.requests("POST /v1/refunds")), 1)
        self.process()
        self.assertEqual(refund.state, "succeeded")
        self.assertEqual(payment.amount_refunded, 10)

    def test_more_than_is_left_is_refused_before_stripe_is_asked(self):
        payment = self.pay_and_post(110)
        payment.action_refund(100)
        self.standin.clear_requests()
        for amount in (10.01, 0, -5, 0.001):
            with self.subTest(amount=amount), self.assertRaises(UserError):
                payment.action_refund(amount)
        self.assertEqual(self.standin.requests("POST /v1/refunds"), [])

    def test_unpaid_payment_is_not_refunded(self):
        payment = self.start_payment(self.create_link())
        with self.assertRaises(UserError):
            payment.action_refund()

    @mute_logger(CLIENT_LOGGER)
    def ask_in_vain(self, payment, amount):
        """The row of a refund that Stripe gave no answer to."""
        self.standin.api_fault("status", "POST /v1/refunds", status=503, times=2)
        try:
            payment.action_refund(amount)
        except UserError as error:
            self.assertIn("only once", str(error))
        return payment.refund_ids.filtered(lambda refund: refund.state == "requested")

    def test_refund_without_an_answer_is_asked_for_again(self):
        payment = self.pay_and_post(110)
        refund = self.ask_in_vain(payment, 40)
        self.assertTrue(refund)
        self.sync()
        self.assertEqual(refund.state, "succeeded")
        self.assertEqual(payment.amount_refunded, 40)
        self.assert_agrees()

    def test_refund_whose_answer_was_lost_is_found_not_made_again(self):
        payment = self.pay_and_post(110)
        refund = self.ask_in_vain(payment, 40)
        made = {"checkout_refund": refund.sudo().uuid}
        self.refund_at_stripe(payment, 4000, metadata=made)
        self.sync()
        self.assertEqual(refund.state, "succeeded")
        self.assertEqual(payment.refund_ids, refund)
        self.assertEqual(payment.amount_refunded, 40)
        self.assert_agrees()

    def test_refund_made_before_a_crash_is_found_not_made_again(self):
        payment = self.pay_and_post(110)
        refunds_sudo = self.env["checkout.refund"].sudo()  # as the button does
        options = {"idempotency_key": "of a lost day"}
        refund = refunds_sudo._request(payment.sudo(), 40, options).sudo(False)
        # Stripe forgets a key after a day, so here it doesn't know it.
        made = {"checkout_refund": refund.sudo().uuid}
        self.refund_at_stripe(payment, 4000, metadata=made)
        self.sync()
        self.assertEqual(payment.refund_ids, refund)
        self.assertEqual(payment.amount_refunded, 40)
        self.assertFalse(self.standin.requests("POST /v1/refunds"))
        self.assert_agrees()

    def test_refusal_leaves_a_failed_row_with_stripes_words(self):
        payment = self.pay_and_post(110)
        self.refund_at_stripe(payment)
        try:
            payment.action_refund(5)
        except UserError as error:
            self.assertIn("refunded", str(error))
        self.assertEqual(payment.refund_ids.filtered("error").state, "failed")

    def test_chatter_names_who_refunded(self):
        payment = self.pay_and_post(110)
        payment.action_refund(11, note="Broken cup")
        message = payment.message_ids.filtered(lambda m: "Broken cup" in m.body)
        self.assertIn(self.env.user.name, message.body)

    def test_reason_reaches_stripe_and_the_chatter(self):
        payment = self.pay_and_post(110)
        payment.action_refund(11, reason="duplicate")
        client = self.gateway.sudo()._get_client()
        (refund,) = client.list_refunds(payment.stripe_charge_id)
        self.assertEqual(refund["reason"], "duplicate")
        self.assertEqual(payment.refund_ids.reason, "duplicate")
        self.assertTrue(any("Duplicate" in m.body for m in payment.message_ids))

    def test_fee_is_kept_and_the_dialog_says_how_much(self):
        payment = self.pay_and_post(110)
        wizard = self.env["checkout.refund.wizard"].create({"payment_id": payment.id})
        self.assertEqual(wizard.fee_amount, 3.49)
        wizard.action_refund()
        self.assertEqual(payment.fee_amount, 3.49)
        self.assertEqual(self.get_journal_balance(), -3.49)
        self.assert_agrees()

    def test_refund_under_way_is_no_longer_left(self):
        payment = self.pay_and_post(110)
        self.refund_at_stripe(payment, 10000, outcome="insufficient_funds")
        self.deliver()
        self.standin.clear_requests()
        with self.assertRaisesRegex(UserError, "10.00"):
            payment.action_refund(10.01)
        self.assertEqual(self.standin.requests("POST /v1/refunds"), [])
        payment.action_refund(10)

    def test_wizard_pressed_twice_refunds_once(self):
        payment = self.pay_and_post(110)
        wizard = self.env["checkout.refund.wizard"].create({"payment_id": payment.id})
        self.assertEqual(wizard.amount, 110)
        wizard.amount = 10
        wizard.action_refund()
        wizard.action_refund()
        self.assertEqual(payment.amount_refunded, 10)

    # === FROM STRIPE === #

    def test_dashboard_refund_by_event(self):
        payment = self.pay_and_post(110)
        self.refund_at_stripe(payment, 5500)
        self.deliver()
        self.assertEqual(payment.state, "partially_refunded")
        self.assertEqual(self.get_movement(payment, "refund").state, "posted")
        self.assert_agrees()

    def test_dashboard_refund_by_sync(self):
        payment = self.pay_and_post(110)
        self.refund_at_stripe(payment)
        self.sync()
        self.assertEqual(payment.state, "refunded")
        self.assert_agrees()

    def test_refund_known_before_its_payment(self):
        payment = self.pay(self.create_link(110))
        session = self.standin.events("checkout.session.completed")[-1]
        charge = self.standin.events("charge.succeeded")[-1]["data"]["object"]
        self.standin.refund(charge["id"], 1000)
        self.receive(self.take_events("refund.created", "refund.updated"))
        self.assertEqual(payment.state, "open")
        self.receive([session])
        self.assertEqual(payment.state, "partially_refunded")
        self.assertEqual(self.get_movement(payment, "refund").state, "posted")

    def test_failed_refund_restores_the_sale(self):
        payment = self.pay_and_post(110)
        refund = self.refund_at_stripe(payment, 3300)
        self.deliver()
        self.standin.change_refund(refund["id"], "fail")
        self.deliver()
        self.assertEqual(payment.state, "paid")
        self.assertEqual(payment.amount_refunded, 0)
        self.assertEqual(payment.refund_ids.state, "failed")
        failure = self.get_movement(payment, "refund_failure")
        self.assert_entry(
            failure,
            [
                (self.liquidity, 33, 0),
                (self.income, 0, 30),
                (self.tax_account, 0, 3),
            ],
        )
        self.assertEqual(
            self.get_tags(failure.move_id), {"REFUND BASE 10": -30, "REFUND TAX 10": -3}
        )
        self.assert_agrees()

    def test_refund_after_a_failed_one_is_right_to_the_cent(self):
        payment = self.pay_and_post(99.99)
        failing = self.refund_at_stripe(payment, 3333)
        self.deliver()
        self.standin.change_refund(failing["id"], "fail")
        self.refund_at_stripe(payment)
        self.deliver()
        self.assertEqual(payment.state, "refunded")
        lines = payment.move_ids.line_ids
        for account in (self.income, self.tax_account):
            balances = lines.filtered(lambda line, a=account: line.account_id == a)
            self.assertAlmostEqual(sum(balances.mapped("balance")), 0)

    def test_failure_known_after_the_last_refund_leaves_no_cent(self):
        payment = self.pay_and_post(99.99)
        for part in (500, 500):
            failing = self.refund_at_stripe(payment, part)
            self.deliver()
        self.standin.change_refund(failing["id"], "fail")
        self.take_events()
        self.refund_at_stripe(payment)
        self.deliver()
        self.sync()
        self.assertEqual(payment.state, "refunded")
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        lines = payment.move_ids.line_ids
        for account in (self.income, self.tax_account):
            balances = lines.filtered(lambda line, a=account: line.account_id == a)
            self.assertAlmostEqual(sum(balances.mapped("balance")), 0)

    def test_refund_known_after_the_dispute_that_followed_its_failure(self):
        self.gateway.dispute_loss_account_id = False
        payment = self.pay_and_post(110)
        refund = self.refund_at_stripe(payment)
        self.standin.change_refund(refund["id"], "fail")
        self.take_events()
        dispute = self.standin.dispute(payment.stripe_charge_id)
        self.standin.change_dispute(dispute["id"], "lose")
        self.deliver()
        self.sync()
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        lines = payment.move_ids.line_ids
        for account in (self.income, self.tax_account):
            balances = lines.filtered(lambda line, a=account: line.account_id == a)
            self.assertEqual(sum(balances.mapped("balance")), 0)
        self.assert_agrees()

    def test_refund_that_waits_for_funds_is_posted_when_stripe_moves_money(self):
        payment = self.pay_and_post(110)
        refund = self.refund_at_stripe(payment, 1000, outcome="insufficient_funds")
        self.deliver()
        self.assertEqual(payment.refund_ids.state, "pending")
        self.assertNotIn("refund", payment.movement_ids.mapped("kind"))
        self.standin.change_refund(refund["id"], "succeed")
        self.deliver()
        self.assertEqual(payment.refund_ids.state, "succeeded")
        self.assert_agrees()

    def test_canceled_refund_leaves_nothing(self):
        payment = self.pay_and_post(110)
        refund = self.refund_at_stripe(payment, 1000, outcome="requires_action")
        self.deliver()
        self.standin.change_refund(refund["id"], "cancel")
        self.deliver()
        self.assertEqual(payment.refund_ids.state, "canceled")
        self.assertEqual(payment.state, "paid")
        self.assert_agrees()

    # === RECEIVABLE === #

    def test_receivable_refund_closes_what_still_waited_for_an_invoice(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_and_post(110)
        payment.action_refund()
        account = self.company_data["default_account_receivable"]
        items = payment.move_ids.line_ids.filtered(
            lambda line: line.account_id == account
        )
        self.assertEqual(len(items), 2)
        self.assertTrue(all(items.mapped("reconciled")))

    # === LATE MONEY === #

    def test_accepting_a_flag_says_who_did(self):
        link = self.create_link(110)
        payment = self.start_payment(link)
        link.unlink()
        self.standin.pay(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual(payment.flag, "late")
        payment.action_accept_flag()
        self.assertFalse(payment.flag)
        self.assertIn("accepted", payment.message_ids[0].body)
