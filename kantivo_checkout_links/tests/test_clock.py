import json
import time
from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tools import mute_logger

from ..models.payment.link_paying import RESUME_SCOPE
from .common import CLIENT_LOGGER, CheckoutHttpCommon
from .test_webhook import WEBHOOK_LOGGER, sign

HOURS = (-5, 5)


class TestClock(CheckoutHttpCommon):
    """This server's clock may be wrong; what Stripe dates and limits is by Stripe's."""

    def set_stripe_ahead(self, **offset):
        """Stripe's clock runs on, at another time than this server's."""
        self.standin.set_clock(now=time.time() + timedelta(**offset).total_seconds())

    def get_session_minutes(self, payment):
        """For how long Stripe takes the payment's session."""
        [request] = self.standin.requests("POST /v1/checkout/sessions")[-1:]
        expires_at = int(request["params"]["expires_at"])
        return round((expires_at - self.standin.clock()["now"]) / 60)

    # === SESSIONS === #

    def test_limited_link_is_paid_though_stripe_is_90_seconds_ahead(self):
        self.set_stripe_ahead(seconds=90)
        self.gateway.action_test_connection()
        payment = self.pay(self.create_link(max_payments=3))
        self.assertEqual(self.get_session_minutes(payment), 35)
        self.deliver()
        self.assertEqual(payment.state, "paid")

    def test_limited_link_is_paid_before_the_first_word_of_stripes_clock(self):
        for seconds in (-240, 240):
            self.set_stripe_ahead(seconds=seconds)
            payment = self.pay(self.create_link(max_payments=3))
            self.assertTrue(payment.stripe_checkout_session_id)

    def test_sessions_are_by_stripes_clock_hours_away(self):
        for hours in HOURS:
            with self.subTest(hours=hours):
                self.set_stripe_ahead(hours=hours)
                self.sync()
                payment = self.start_payment(self.create_link())
                self.assertEqual(self.get_session_minutes(payment), 60)
                self.start_payment(self.create_link(max_payments=1))
                self.assertEqual(self.get_session_minutes(payment), 35)

    @mute_logger(CLIENT_LOGGER)
    def test_first_customer_pays_after_a_clock_was_set(self):
        for hours in (*HOURS, 30, -30):
            for places in (0, 1):
                with self.subTest(hours=hours, places=places):
                    self.set_stripe_ahead(hours=hours)
                    payment = self.pay(self.create_link(max_payments=places))
                    self.deliver()
                    self.assertEqual(payment.state, "paid")

    def test_sync_leaves_a_session_alone_that_is_open_by_stripes_clock(self):
        self.set_stripe_ahead(hours=-5)
        self.sync()
        payment = self.start_payment(self.create_link())
        self.assertEqual(payment.link_id._count_payers(), 1)
        payment.stripe_checkout_session_id = False  # as after a crash
        self.sync()
        self.assertEqual(payment.state, "open")
        self.standin.advance(3700)
        self.sync()
        self.assertEqual(payment.state, "expired")

    def test_places_are_held_by_stripes_clock(self):
        for hours in HOURS:
            with self.subTest(hours=hours):
                self.set_stripe_ahead(hours=hours)
                self.sync()
                link = self.create_link(max_payments=2).sudo()  # as the public page
                payment = self.start_payment(link)
                self.start_payment(link)
                self.assertEqual(link._get_crowds()[link][0], "held")
                with link.gateway_id._take_turn() as turn:
                    self.assertFalse(link._free_places(turn))
                self.assertEqual(payment.state, "open")
                nonce = payment._get_resume_query().partition("resume=")[2]
                number = link._read_nonce(RESUME_SCOPE, nonce)
                self.assertEqual(link._find_checkout_to_continue(number), payment)

    # === WEBHOOK === #

    @mute_logger(WEBHOOK_LOGGER)
    def test_deliveries_are_taken_by_stripes_clock(self):
        for hours in HOURS:
            self.set_stripe_ahead(hours=hours)
            self.gateway.sudo().clock_offset = 0
            payment = self.pay(self.create_link())
            [event] = self.take_events("checkout.session.completed")
            at_stripe = int(self.standin.clock()["now"])
            self.assertEqual(self.post(event, at_stripe), 400)
            self.gateway.action_test_connection()
            for timestamp, status in (
                (at_stripe, 200),
                (time.time(), 200),
                (at_stripe - 310, 400),
                (at_stripe + 310, 400),
            ):
                self.assertEqual(self.post(event, int(timestamp)), status)
            self.process()
            self.assertEqual(payment.state, "paid")
            last = self.env["checkout.event"].search([], limit=1)
            self.assertLess(abs(last._get_lag()), 60)

    def post(self, event, timestamp):
        self.opener.cookies.clear()
        body = json.dumps(event).encode()
        headers = {"Stripe-Signature": sign(body, timestamp=timestamp)}
        path = self.gateway.webhook_url.removeprefix(self.gateway.get_base_url())
        return self.url_open(
            path, data=body, headers=headers, method="POST"
        ).status_code

    # === SYNC === #

    def test_day_of_syncs_loses_nothing_though_stripe_is_hours_ahead(self):
        self.live_a_day(hours=5)

    def test_day_of_syncs_loses_nothing_though_stripe_is_hours_behind(self):
        self.live_a_day(hours=-5)

    def live_a_day(self, hours):
        self.set_stripe_ahead(hours=hours)
        link = self.create_link()
        for _sync in range(4):
            self.standin.create_balance_transaction(-300)
            self.pay(link)
            self.standin.release()
            self.sync()
            self.standin.advance(4 * 3600)
        self.assert_agrees()
        self.assertEqual(self.gateway.agreement_state, "green")

    def test_money_before_a_start_that_is_still_to_come_at_stripe_is_not_lost(self):
        self.set_stripe_ahead(hours=-5)
        self.standin.create_balance_transaction(5000)
        self.sync()
        self.standin.advance(60)
        self.standin.create_balance_transaction(-300)
        self.sync()
        self.assert_agrees()
        self.assertLess(
            self.gateway.sync_from, fields.Datetime.now() - timedelta(hours=4)
        )

    def test_clock_that_was_set_back_reads_again_what_lies_between(self):
        ahead = fields.Datetime.now() + timedelta(hours=5)
        with freeze_time(ahead, tick=True):
            self.sync()
        self.standin.create_balance_transaction(-300)
        self.pay(self.create_link())
        self.standin.release()
        self.sync()
        self.assert_agrees()
        self.assertLess(abs(self.gateway.clock_offset), 5)

    # === SEEN === #

    def test_wrong_clock_is_shown(self):
        self.set_stripe_ahead(hours=-5)
        self.gateway.action_test_connection()
        self.assertIn("by 300 minutes", self.gateway.connection_message)
        self.assertIn("by 300 minutes", self.gateway.health_message)
        self.assertEqual(self.gateway.health_state, "warning")
        self.set_stripe_ahead(seconds=20)
        self.gateway.action_test_connection()
        self.assertFalse(self.gateway.health_message)
