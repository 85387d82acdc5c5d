from datetime import timedelta

from odoo import fields
from odoo.tools import mute_logger

from ..const import CHARGE_STATUSES, INTENT_STATUSES, RECHECK_HOURS
from .common import CLIENT_LOGGER, CheckoutCommon

# What Stripe may call a status tomorrow; null is in the package's types today.
WORDS = (None, "blocked", "x" * 200)


class TestUnknownWords(CheckoutCommon):
    """Money follows the balance transactions, under any status of Stripe's."""

    def setUp(self):
        super().setUp()
        self.link = self.create_link(110)

    def pay_and_deliver(self):
        payment = self.pay(self.link)
        self.deliver()
        return payment

    def sync_a_day_later(self):
        """Sync when what was asked for before is asked for once more."""
        asked = self.env["checkout.event"].sudo().search([])
        asked.received_at = fields.Datetime.now() - timedelta(hours=RECHECK_HOURS)
        self.sync()

    def assert_nothing_waits(self):
        events = self.env["checkout.event"].search([("state", "=", "pending")])
        self.assertFalse(events.mapped("error"))
        self.assertFalse(events)
        self.assertFalse(self.env["checkout.movement"].search([("error", "!=", False)]))

    def assert_noted(self, record, word):
        self.assertEqual(record.unknown_status, word or "null")
        self.assertEqual(self.gateway.health_state, "warning")
        self.assertIn(word or "null", self.gateway.health_message)

    # === REFUNDS === #

    def refund_in_words(self, word, amount=1000):
        payment = self.pay_and_deliver()
        refund = self.standin.refund(payment.stripe_charge_id, amount)
        self.standin.say(refund["id"], status=word)
        return payment, refund["id"]

    def test_refund_is_posted_in_any_status(self):
        for word in WORDS:
            for is_delivered in (True, False):
                with self.subTest(word=word, is_delivered=is_delivered):
                    payment, refund_id = self.refund_in_words(word)
                    self.deliver() if is_delivered else self.sync()
                    self.assertEqual(payment.state, "partially_refunded")
                    self.assertEqual(payment.amount_refunded, 10)
                    refund = payment.refund_ids
                    self.assertEqual(refund.stripe_id, refund_id)
                    self.assertEqual((refund.state, refund.amount), ("unknown", 10))
                    self.assertEqual(
                        self.get_movement(payment, "refund").state, "posted"
                    )
                    self.assert_noted(refund, word)
                    self.assert_nothing_waits()
                    self.assert_agrees()

    def test_refund_whose_word_is_known_again_is_as_it_is_then(self):
        payment, refund_id = self.refund_in_words("blocked")
        self.sync()
        self.standin.say(refund_id, status="succeeded")
        self.sync_a_day_later()
        self.assertEqual(payment.refund_ids.state, "succeeded")
        self.assertFalse(payment.refund_ids.unknown_status)
        self.assertFalse(self.gateway.health_message)

    def test_refund_of_an_unknown_status_that_came_back_is_no_refund(self):
        payment, refund_id = self.refund_in_words("blocked")
        self.sync()
        self.standin.change_refund(refund_id, "fail")
        self.sync()
        self.assertEqual((payment.state, payment.amount_refunded), ("paid", 0))
        self.assert_agrees()

    def test_refund_that_moved_nothing_can_only_not_be_refunded_twice(self):
        self.standin.settings(refund_outcome="insufficient_funds")
        payment, _refund_id = self.refund_in_words("blocked", 11000)
        self.deliver()
        self.assertEqual((payment.state, payment.amount_refunded), ("paid", 0))
        self.assertEqual(payment._get_amount_left(), 0)

    @mute_logger(CLIENT_LOGGER)
    def test_refund_that_cannot_be_read_is_posted_from_the_list(self):
        payment, refund_id = self.refund_in_words("succeeded")
        self.standin.api_fault("status", f"GET /v1/refunds/{refund_id}", times=99)
        self.standin.api_fault("status", "GET /v1/refunds", times=99)
        self.sync()
        self.assertEqual(self.get_movement(payment, "refund").state, "posted")
        self.assert_agrees()
        self.standin.clear_faults()
        self.env["checkout.event"].search([("state", "=", "pending")]).action_process()
        self.assertEqual(payment.refund_ids.state, "succeeded")
        self.get_movement(payment, "refund")
        self.assert_agrees()

    # === DISPUTES === #

    def test_dispute_is_posted_in_any_status(self):
        for word in WORDS:
            for is_delivered in (True, False):
                with self.subTest(word=word, is_delivered=is_delivered):
                    payment = self.pay_and_deliver()
                    dispute = self.standin.dispute(payment.stripe_charge_id)
                    self.standin.say(dispute["id"], status=word)
                    self.deliver() if is_delivered else self.sync()
                    self.assertEqual(payment.state, "disputed")
                    self.assertEqual(payment.dispute_status, "unknown")
                    self.assertEqual(payment.dispute_ids.state, "unknown")
                    self.assert_noted(payment.dispute_ids, word)
                    self.assert_nothing_waits()
                    self.assert_agrees()

    def test_dispute_of_an_unknown_status_without_money_contests_nothing(self):
        payment = self.pay_and_deliver()
        dispute = self.standin.dispute(payment.stripe_charge_id, inquiry=True)
        self.standin.say(dispute["id"], status="arbitration", evidence_details=None)
        self.deliver()
        self.assertEqual(payment.state, "paid")
        self.assertEqual(payment.dispute_ids.state, "unknown")
        self.standin.say(dispute["id"], status="warning_closed")
        self.sync()
        self.assertEqual(payment.dispute_ids.state, "warning_closed")

    # === PAYOUTS === #

    def test_payout_is_posted_in_any_status(self):
        for number, word in enumerate(WORDS):
            for is_delivered in (True, False):
                with self.subTest(word=word, is_delivered=is_delivered):
                    self.pay_and_deliver()
                    payout_id = self.standin.payout()["id"]
                    self.standin.say(
                        payout_id, status=word, reconciliation_status=f"new{number}"
                    )
                    self.deliver() if is_delivered else self.sync()
                    payout = self.env["checkout.payout"].search(
                        [("stripe_id", "=", payout_id)]
                    )
                    self.assertEqual(payout.state, "unknown")
                    self.assert_noted(payout, word)
                    self.assert_nothing_waits()
                    self.assert_agrees()

    # === SESSIONS === #

    def pay_in_words(self, **words):
        """A payment of which Stripe says what it does with other words.

        :param words: The `status` of intent and charge, and the rest of the session.
        """
        payment = self.start_payment(self.link)
        session_id = payment.stripe_checkout_session_id
        paid = self.standin.pay(session_id)
        for name in ("payment_intent", "charge"):
            if name in words:
                self.standin.say(paid[name]["id"], status=words.pop(name))
        self.standin.say(session_id, **words)
        self.standin.release()
        return payment

    def assert_paid(self, payment, word):
        self.assertEqual(payment.state, "paid")
        self.assertEqual(payment.movement_ids.mapped("state"), ["posted", "posted"])
        self.assert_noted(payment, word)
        self.assert_nothing_waits()
        self.assert_agrees()

    def test_session_is_paid_if_any_one_status_is_unknown(self):
        names = ("status", "payment_status", "payment_intent", "charge")
        for name in names:
            for word in WORDS[:2]:
                for is_delivered in (True, False):
                    with self.subTest(name=name, word=word, is_delivered=is_delivered):
                        payment = self.pay_in_words(**{name: word})
                        self.deliver() if is_delivered else self.sync()
                        self.assert_paid(payment, word)

    def test_session_is_paid_by_its_balance_transaction_alone(self):
        payment = self.pay_in_words(
            status="z", payment_status="z", payment_intent="z", charge="z"
        )
        self.sync()
        self.assert_paid(payment, "z")

    def test_open_session_of_an_unknown_status_stays_open(self):
        payment = self.start_payment(self.link)
        session_id = payment.stripe_checkout_session_id
        self.standin.say(session_id, status="paused", payment_status="z")
        self.sync()
        self.assertEqual(payment.state, "open")
        self.assert_nothing_waits()
        self.standin.pay(session_id)
        self.deliver()
        self.assertEqual(payment.state, "paid")

    def test_money_that_is_not_confirmed_stays_unpaid_in_any_words(self):
        self.standin.settings(debit_balance_transaction="at_once")
        payment = self.pay(self.link, number="debit")
        self.standin.say(
            payment.stripe_checkout_session_id, status="z", payment_status="z", url=None
        )
        self.sync()
        self.assertEqual(payment.state, "processing")
        self.assertEqual(self.get_movement(payment, "charge").state, "to_post")
        self.standin.settle_debit(payment.stripe_checkout_session_id)
        self.sync()
        self.assertEqual(payment.state, "paid")
        self.assert_agrees()

    def test_session_without_an_intent_or_charge_is_no_error(self):
        payment = self.start_payment(self.link)
        session_id = payment.stripe_checkout_session_id
        self.standin.say(
            session_id, payment_status="no_payment_required", payment_intent=None
        )
        payment.sudo().session_expires_at -= timedelta(days=2)
        for status in ("complete", None, "z"):
            self.standin.say(session_id, status=status, url=None)
            self.sync_a_day_later()
            self.assertEqual(payment.state, "processing")
            self.assert_nothing_waits()

    def test_known_words_are_no_note(self):
        self.assertIn("succeeded", INTENT_STATUSES & CHARGE_STATUSES)
        self.pay_and_deliver()
        self.pay(self.link, number="debit")
        self.deliver()
        self.start_payment(self.link)
        self.sync()
        payments = self.env["checkout.payment"].search([])
        self.assertFalse(any(payments.mapped("unknown_status")))
        self.assertFalse(self.gateway.health_message)

    def test_note_of_a_paid_payment_ends_one_day(self):
        payment = self.pay_in_words(payment_status="z")
        self.sync()
        self.assertIn("doesn't support: z", self.gateway.health_message)
        self.env.flush_all()
        self.cr.execute(
            "UPDATE checkout_payment SET create_date = %s WHERE id = %s",
            [fields.Datetime.now() - timedelta(days=91), payment.id],
        )
        self.env.invalidate_all()
        self.assertNotIn("doesn't support", self.gateway.health_message or "")

    # === OBJECTS THAT LAG BEHIND THE BALANCE === #

    def test_charge_failure_that_no_object_names_is_posted_from_the_list(self):
        payment = self.pay_and_deliver()
        self.standin.create_balance_transaction(
            -11000,
            type="payment_failure_refund",
            category="charge_failure",
            source=payment.stripe_charge_id,
        )
        self.sync()
        failure = self.get_movement(payment, "charge_failure")
        self.assertEqual((failure.state, failure.amount), ("posted", -110))
        self.assert_agrees()
        self.sync()
        self.get_movement(payment, "charge_failure")

    def test_charge_whose_transaction_it_does_not_name_is_posted_from_the_list(self):
        payment = self.start_payment(self.link)
        paid = self.standin.pay(payment.stripe_checkout_session_id)
        self.standin.say(paid["charge"]["id"], balance_transaction=None)
        self.standin.release()
        self.sync()
        self.assertEqual(sorted(payment.movement_ids.mapped("amount")), [-3.49, 110])
        self.assert_agrees()

    def test_transaction_of_a_nameless_balance_is_posted(self):
        fee = self.standin.create_balance_transaction(-300)
        words = dict.fromkeys(("balance_type", "reporting_category", "status"))
        self.standin.say(fee["id"], type="new", **words)
        self.sync()
        movement = self.env["checkout.movement"].search([])
        self.assertEqual((movement.kind, movement.state), ("adjustment", "to_review"))
        self.assert_agrees()

    # === OTHER WORDS === #

    def test_words_that_only_describe_are_kept_as_text(self):
        payment = self.start_payment(self.link)
        paid = self.standin.pay(payment.stripe_checkout_session_id)
        self.standin.say(
            paid["charge"]["id"],
            payment_method_details={"type": "moon_pay", "moon_pay": None},
        )
        self.deliver()
        self.assertEqual(payment.payment_method_label, "Moon pay")
        refund = self.standin.refund(payment.stripe_charge_id, 1000)
        self.standin.say(refund["id"], reason="moon", failure_reason="moon")
        dispute = self.standin.dispute(payment.stripe_charge_id, amount=1000)
        self.standin.say(dispute["id"], reason=None)
        payout = self.standin.payout()
        self.standin.say(payout["id"], trace_id=None, failure_message=None)
        self.deliver()
        self.sync()
        self.assertEqual(payment.refund_ids.error, "moon")
        self.assertFalse(payment.dispute_ids.reason)
        self.assert_nothing_waits()
        self.assert_agrees()
