from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.tools import mute_logger

from .common import CheckoutCommon

LOGGER = "odoo.addons.kantivo_checkout_links.aside"


class TestOnPaid(CheckoutCommon):
    """Other addons are called once for each payment, and can't undo its money."""

    def setUp(self):
        super().setUp()
        self.link = self.create_link(110)
        self.calls = []
        payment_class = type(self.env["checkout.payment"])
        self.startPatcher(patch.object(payment_class, "_on_paid", self.get_hook()))

    def get_hook(self):
        """As another addon's override: it keeps a note in the payment's chatter."""

        def on_paid(payment):
            self.calls.append(payment)
            payment.message_post(body="Tickets are on their way")
            if self.error:
                raise self.error

        self.error = None
        return on_paid

    def get_notes(self, payment):
        bodies = payment.message_ids.mapped("body")
        return [body for body in bodies if "Tickets" in body]

    def test_payment_calls_once_however_often_it_is_reported(self):
        payment = self.pay(self.link)
        events = self.take_events()
        self.receive(events)
        self.receive(events)
        self.deliver()
        self.sync()
        self.sync()
        self.assertEqual(self.calls, [payment])
        self.assertTrue(self.calls[0].env.su)
        self.assertEqual(self.calls[0].env.company, payment.company_id)

    def test_money_is_posted_before(self):
        states = []

        def on_paid(payment):
            states.extend(payment.movement_ids.mapped("state"))

        with patch.object(type(self.env["checkout.payment"]), "_on_paid", on_paid):
            self.pay(self.link)
            self.deliver()
        self.assertEqual(set(states), {"posted"})

    def test_checkout_that_is_not_paid_does_not_call(self):
        payment = self.start_payment(self.link)
        self.standin.expire(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertFalse(self.calls)

    def test_bank_debit_calls_once_when_the_bank_has_confirmed_it(self):
        payment = self.pay(self.link, number="debit")
        self.receive(self.take_events())
        self.assertFalse(self.calls)
        self.standin.settle_debit(payment.stripe_checkout_session_id)
        self.deliver()
        self.sync()
        self.assertEqual(self.calls, [payment])

    def test_payment_of_a_deleted_link_calls(self):
        payment = self.pay(self.link)
        self.link.unlink()
        self.deliver()
        self.assertEqual(self.calls, [payment])

    def test_refund_and_dispute_do_not_call_again(self):
        payment = self.pay(self.link)
        self.deliver()
        payment.action_refund(10)
        self.standin.dispute(payment.stripe_charge_id, amount=1000)
        self.deliver()
        self.assertEqual(len(self.calls), 1)

    @mute_logger(LOGGER)
    def test_error_undoes_no_money_and_is_tried_again(self):
        self.error = ValueError("No printer")
        payment = self.pay(self.link)
        other = self.pay(self.link)
        self.deliver()
        self.assertEqual((payment | other).mapped("state"), ["paid", "paid"])
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        self.assertFalse(self.get_notes(payment))
        self.assertIn("ValueError", self.gateway.notice_problem)
        self.assertIn("ValueError", payment.on_paid_problem)
        self.error = None
        self.sync()
        self.assertFalse(self.gateway.notice_problem)
        self.assertFalse(payment.on_paid_problem)
        for paid in (payment, other):
            self.assertEqual(len(self.get_notes(paid)), 1)
        self.process()
        self.assertEqual(len(self.calls), 4)
        self.assert_agrees()

    def test_crash_before_the_call_is_recovered(self):
        payment = self.pay(self.link)
        payments = type(self.env["checkout.payment"])
        with patch.object(payments, "_call_on_paid_waiting", lambda *_args: None):
            self.deliver()
        self.assertEqual(payment.state, "paid")
        self.assertFalse(self.calls)
        self.process()
        self.assertEqual(self.calls, [payment])

    @mute_logger(LOGGER)
    def test_hook_that_keeps_failing_is_abandoned_after_a_month(self):
        self.error = ValueError("No printer")
        self.pay(self.link)
        self.deliver()
        tried = len(self.calls)
        with freeze_time(fields.Datetime.now() + timedelta(days=31)):
            self.sync()
        self.assertEqual(len(self.calls), tried)
