import re
from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tools import mute_logger

from ..utils import to_datetime
from .common import CLIENT_LOGGER, DECLINED_CARD, CheckoutCommon, StandinError
from .test_pay_page import PayPageCase

BANK_DEBIT = "debit"
CLOSINGS = {
    "deactivating": lambda link: link.action_deactivate(),
    "archiving": lambda link: link.action_archive(),
    "deleting": lambda link: link.unlink(),
    "expiring": lambda link: link.write({"expires_at": fields.Datetime.now()}),
    "archiving the gateway": lambda link: link.gateway_id.action_archive(),  # for all
}


class TestPaymentLife(CheckoutCommon):
    """A payment's states are Stripe's, however and whenever we hear of them."""

    def test_bank_debit_is_processing_and_unposted_until_the_bank_pays(self):
        payment = self.pay(self.create_link(), number=BANK_DEBIT)
        self.receive(self.take_events())
        self.assertEqual(payment.state, "processing")
        self.assertFalse(payment.movement_ids)
        self.standin.settle_debit(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual(payment.state, "paid")
        self.assertCountEqual(payment.movement_ids.mapped("kind"), ["charge", "fee"])

    def test_bank_debit_that_fails_leaves_no_entry(self):
        payment = self.pay(self.create_link(), number=BANK_DEBIT)
        self.receive(self.take_events())
        self.standin.fail_debit(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual(payment.state, "failed")
        self.assertTrue(payment.failure_message)
        self.assertFalse(payment.movement_ids)

    def test_old_events_do_not_undo_a_payment(self):
        payment = self.pay(self.create_link(), number=BANK_DEBIT)
        early = self.take_events()
        self.standin.settle_debit(payment.stripe_checkout_session_id)
        self.deliver()
        self.receive(early)
        self.assertEqual(payment.state, "paid")

    def test_declined_card_leaves_the_checkout_open(self):
        payment = self.start_payment(self.create_link())
        with self.assertRaisesRegex(StandinError, "declined"):
            self.standin.pay(payment.stripe_checkout_session_id, number=DECLINED_CARD)
        self.deliver()
        self.assertEqual(payment.state, "open")
        self.standin.pay(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual(payment.state, "paid")

    def test_session_that_expires_is_expired(self):
        payment = self.start_payment(self.create_link())
        self.standin.expire(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual(payment.state, "expired")
        self.assertFalse(payment.movement_ids)

    def test_payer_is_kept_as_stripe_knows_them(self):
        payment = self.pay(
            self.create_link(), name="Rosa Payer", email="rosa@example.com"
        )
        self.deliver()
        self.assertEqual(payment.customer_name, "Rosa Payer")
        self.assertEqual(payment.customer_email, "rosa@example.com")
        self.assertEqual(payment.partner_id.email, "rosa@example.com")
        self.assertIn("4242", payment.payment_method_label)
        self.assertTrue(payment.stripe_payment_intent_id.startswith("pi_"))
        self.assertTrue(payment.stripe_charge_id.startswith("ch_"))

    def test_payment_that_a_crash_kept_from_stripe_expires(self):
        link_sudo = self.create_link().sudo()
        payment = link_sudo._start_payment("crashed", 110, "en_US")
        self.gateway.action_sync()
        self.assertEqual(payment.state, "open")
        self.standin.advance(7200)
        self.gateway.action_sync()
        self.assertEqual(payment.state, "expired")


class TestClosing(CheckoutCommon):
    """Deactivate means stop, and money that still arrives is posted and flagged."""

    def test_deactivating_ends_open_checkouts_at_stripe(self):
        link = self.create_link()
        payment = self.start_payment(link)
        link.action_deactivate()
        self.process()
        self.assertEqual(payment.state, "expired")
        [session] = self.standin.events("checkout.session.expired")
        self.assertEqual(
            session["data"]["object"]["id"], payment.stripe_checkout_session_id
        )

    def test_checkout_with_a_declined_card_is_ended_too(self):
        link = self.create_link()
        payment = self.start_payment(link)
        with self.assertRaises(StandinError):
            self.standin.pay(payment.stripe_checkout_session_id, number=DECLINED_CARD)
        link.action_deactivate()
        self.process()
        self.assertEqual(payment.state, "expired")
        self.assertTrue(payment.stripe_payment_intent_id.startswith("pi_"))

    @mute_logger(CLIENT_LOGGER)
    def test_checkout_that_stripe_is_busy_with_is_ended_later(self):
        link = self.create_link()
        payment = self.start_payment(link)
        self.standin.api_fault("status", "/expire", status=409, times=2)
        link.action_deactivate()
        self.process()
        self.assertEqual(payment.state, "open")
        self.process()
        self.assertEqual(payment.state, "expired")

    @mute_logger(CLIENT_LOGGER)
    def test_checkout_that_stripe_no_longer_has_is_over(self):
        link = self.create_link()
        lost, payment = self.start_payment(link), self.pay(self.create_link())
        lost.sudo().session_expires_at -= timedelta(hours=2)
        path = f"/v1/checkout/sessions/{lost.stripe_checkout_session_id}"
        self.standin.api_fault("status", path, status=404, times=9)
        self.sync()
        self.assertEqual(lost.state, "expired")
        self.assertTrue(lost.failure_message)
        self.assertEqual(payment.state, "paid")

    @mute_logger(CLIENT_LOGGER)
    def test_closing_ends_what_stripe_no_longer_has(self):
        link = self.create_link()
        lost, other = self.start_payment(link), self.start_payment(link)
        path = f"/v1/checkout/sessions/{lost.stripe_checkout_session_id}"
        self.standin.api_fault("status", path, status=404, times=9)
        link.action_deactivate()
        self.process()
        self.assertEqual((lost | other).mapped("state"), ["expired"] * 2)

    def test_new_price_ends_open_checkouts_and_a_new_title_does_not(self):
        link = self.create_link()
        payment = self.start_payment(link)
        link.name = "Summer courses"
        self.process()
        self.assertEqual(payment.state, "open")
        link.amount = 120
        self.process()
        self.assertEqual(payment.state, "expired")
        self.assertEqual(payment.link_name, "Summer course")

    @mute_logger(CLIENT_LOGGER)
    def test_money_paid_after_closing_is_posted_and_flagged(self):
        for how in CLOSINGS:
            with self.subTest(how=how):
                payment = self.start_payment(self.create_link())
                self.close(payment.link_id, how, timedelta(minutes=-1))
                self.standin.pay(payment.stripe_checkout_session_id)
                self.process()
                self.deliver()
                self.assertEqual(payment.state, "paid")
                self.assertEqual(payment.flag, "late")
                self.assertEqual(self.get_movement(payment, "charge").state, "posted")

    def test_money_paid_before_closing_is_not_late_however_late_the_event(self):
        for how in CLOSINGS:
            with self.subTest(how=how):
                payment = self.pay(self.create_link())
                self.close(payment.link_id, how, timedelta(minutes=1))
                self.deliver()
                self.assertEqual(payment.state, "paid")
                self.assertFalse(payment.flag)

    def test_money_paid_in_the_second_of_closing_is_flagged(self):
        self.standin.set_clock(frozen=True)
        now = to_datetime(int(self.standin.clock()["now"]))
        payment = self.pay(self.create_link())
        with freeze_time(now):
            payment.link_id.action_deactivate()
        self.deliver()
        self.assertEqual(payment.flag, "late")

    def close(self, link, how, since_now):
        """Close a link in one of some ways, at another moment than now."""
        with freeze_time(fields.Datetime.now() + since_now):
            CLOSINGS[how](link)

    def test_deleting_a_closed_link_makes_no_late_money_timely(self):
        now = fields.Datetime.now()
        closed = self.create_link()
        expired = self.create_link(expires_at=now + timedelta(minutes=1))
        payments = [self.start_payment(closed), self.start_payment(expired)]
        closed.action_deactivate()
        self.standin.advance(120)
        for payment in payments:
            self.standin.pay(payment.stripe_checkout_session_id)
        with freeze_time(now + timedelta(minutes=3)):
            (closed | expired).unlink()
        self.deliver()
        self.assertEqual([payment.flag for payment in payments], ["late", "late"])

    def test_deleted_link_leaves_payment_entry_and_title(self):
        link = self.create_link()
        payment = self.pay(link)
        self.deliver()
        moves = payment.move_ids
        link.unlink()
        self.assertFalse(payment.link_id)
        self.assertEqual(payment.link_name, "Summer course")
        self.assertEqual(payment.move_ids, moves)
        self.assertEqual(set(moves.mapped("state")), {"posted"})

    def test_deleting_a_link_ends_its_open_checkouts(self):
        link = self.create_link()
        payment = self.start_payment(link)
        link.unlink()
        self.process()
        self.assertEqual(payment.state, "expired")

    def test_payment_whose_row_and_link_are_gone_is_posted_and_flagged(self):
        link = self.create_link()
        lost = self.pay(link)
        lost.sudo().unlink()
        link.unlink()
        self.deliver()
        payment = self.env["checkout.payment"].search([])
        self.assertEqual(payment.flag, "late")
        self.assertEqual(self.get_movement(payment, "charge").state, "posted")

    def test_reactivated_link_takes_payments_at_the_same_address(self):
        link = self.create_link()
        url = link.url
        link.action_deactivate()
        link.action_activate()
        self.assertEqual(link.url, url)
        self.pay(link)
        self.deliver()
        self.assertEqual(link.payment_count, 1)


class TestArchivedGateway(CheckoutCommon):
    """An archived gateway takes no new money, and posts what still moves."""

    def pay_and_archive(self):
        payment = self.pay(self.create_link())
        self.deliver()
        self.gateway.action_archive()
        return payment

    def test_archiving_ends_open_checkouts_at_stripe(self):
        payments = [self.start_payment(self.create_link()) for _link in range(2)]
        self.gateway.action_archive()
        self.process()
        self.assertEqual([payment.state for payment in payments], ["expired"] * 2)
        self.assertEqual(len(self.standin.events("checkout.session.expired")), 2)

    def test_it_knows_since_when_it_is_archived(self):
        self.assertFalse(self.gateway.archived_at)
        with freeze_time("2026-03-01 12:00"):
            self.gateway.action_archive()
        self.gateway.write({"active": False, "name": "Old"})
        self.assertEqual(self.gateway.archived_at, datetime(2026, 3, 1, 12))
        self.gateway.action_unarchive()
        self.assertFalse(self.gateway.archived_at)

    def test_money_that_was_under_way_is_posted(self):
        payment = self.pay(self.create_link())
        self.gateway.action_archive()
        self.deliver()
        self.assertEqual(payment.state, "paid")
        self.assertEqual(self.get_movement(payment, "charge").state, "posted")

    def test_scheduled_sync_posts_refunds_disputes_and_payouts(self):
        payment = self.pay_and_archive()
        self.standin.refund(payment.stripe_charge_id, 1000)
        self.standin.dispute(payment.stripe_charge_id, amount=2000)
        self.standin.payout()
        self.env["checkout.sync"]._cron_sync()
        kinds = self.env["checkout.movement"].search([]).mapped("kind")
        self.assertLessEqual({"refund", "dispute", "payout"}, set(kinds))
        self.assert_agrees()

    def test_scheduled_check_compares_it_with_stripe(self):
        self.pay_and_archive()
        self.env["checkout.agreement"]._cron_check()
        self.assertEqual(self.gateway.agreement_state, "green")

    def test_without_a_key_nothing_is_asked_for_it(self):
        self.pay_and_archive()
        self.gateway.secret_key = False
        self.env["checkout.sync"]._cron_sync()
        self.env["checkout.agreement"]._cron_check()
        self.assertFalse(self.gateway.sync_error)


class TestLimits(PayPageCase):
    """Limits of a link hold, and say so."""

    def test_place_of_an_expired_checkout_is_free_again(self):
        link = self.create_link(max_payments=1)
        self.assert_to_stripe(self.send(link))
        self.standin.expire(link.payment_ids.stripe_checkout_session_id)
        self.deliver()
        self.assert_to_stripe(self.send(link))

    def test_payer_who_comes_back_keeps_the_place(self):
        link = self.create_link(max_payments=1)
        nonce = self.get_nonce(link)
        first = self.send(link, nonce=nonce)
        self.assertEqual(
            self.send(link, nonce=nonce).headers["Location"], first.headers["Location"]
        )

    def test_failed_try_does_not_take_back_a_place_that_another_has(self):
        link = self.create_link(max_payments=1)
        nonces = [self.get_nonce(link), self.get_nonce(link)]
        self.standin.api_fault("status", "POST /v1/checkout/sessions", status=400)
        with mute_logger(CLIENT_LOGGER):
            self.send(link, nonce=nonces[0])
        self.assertEqual(link.payment_ids.state, "failed")
        other = self.send(link, nonce=nonces[1])
        self.assert_to_stripe(other)
        again = self.send(link, nonce=nonces[0])
        self.assertEqual(again.headers["Location"], other.headers["Location"])
        self.assertEqual(self.standin.counts()["checkout.session"], 1)

    def test_money_above_the_limit_is_posted_and_flagged(self):
        link = self.create_link()
        payments = [self.start_payment(link), self.start_payment(link)]
        link.max_payments = 1
        for payment in payments:
            self.standin.pay(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual([payment.flag for payment in payments], [False, "over_limit"])
        for payment in payments:
            self.assertEqual(self.get_movement(payment, "charge").state, "posted")

    def test_money_paid_after_the_links_end_is_posted_and_flagged(self):
        link = self.create_link(expires_at=fields.Datetime.now() + timedelta(hours=1))
        payment = self.start_payment(link)
        link.expires_at = fields.Datetime.now() - timedelta(hours=1)
        self.standin.pay(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual(payment.flag, "late")
        self.assertEqual(self.get_movement(payment, "charge").state, "posted")

    def test_sessions_of_limited_links_live_35_minutes(self):
        link = self.create_link(max_payments=5)
        self.assert_to_stripe(self.send(link))
        left = link.payment_ids.session_expires_at - fields.Datetime.now()
        self.assertAlmostEqual(left.total_seconds(), 35 * 60, delta=60)

    def test_link_past_its_end_takes_nothing(self):
        link = self.create_link(expires_at=fields.Datetime.now() - timedelta(hours=1))
        self.assertEqual(self.get_page(link).status_code, 410)


class TestReturnPage(PayPageCase):
    """The return page says what Stripe says, and nothing to strangers."""

    def get_return(self, link, session_id):
        self.opener.cookies.clear()
        return self.url_open(
            f"/checkout/{link.access_token}/return?session_id={session_id}"
        )

    def get_state(self, link, payment):
        answer = self.get_return(link, payment.stripe_checkout_session_id)
        self.assertEqual(answer.status_code, 200)
        self.assertNotIn("Set-Cookie", answer.headers)
        return answer.text.partition('data-state="')[2].partition('"')[0]

    def test_reference_is_shown_once_there_is_one(self):
        link = self.create_link()
        payment = self.pay(link)
        session_id = payment.stripe_checkout_session_id
        self.assertNotIn("Reference", self.get_return(link, session_id).text)
        self.deliver()
        text = self.get_return(link, session_id).text
        self.assertIn("Reference", text)
        self.assertIn(payment.name, text)

    def test_paid_before_any_webhook(self):
        link = self.create_link()
        payment = self.pay(link)
        self.assertEqual(self.get_state(link, payment), "paid")
        self.process()
        self.assertEqual(payment.state, "paid")

    def test_not_paid_from_the_address_alone(self):
        link = self.create_link()
        payment = self.start_payment(link)
        self.assertEqual(self.get_state(link, payment), "open")
        self.assertEqual(payment.state, "open")

    def test_bank_debit_is_processing(self):
        link = self.create_link()
        payment = self.pay(link, number=BANK_DEBIT)
        self.assertEqual(self.get_state(link, payment), "processing")

    def test_session_of_another_link_is_not_found(self):
        link, other = self.create_link(), self.create_link(5)
        payment = self.pay(link)
        answer = self.get_return(other, payment.stripe_checkout_session_id)
        self.assertEqual(answer.status_code, 404)
        for session_id in ("", "cs_test_nothing", "é", "x" * 5000):
            self.assertEqual(self.get_return(link, session_id).status_code, 404)

    def test_page_not_found_is_the_same_whether_or_not_the_link_exists(self):
        link = self.create_link()
        self.opener.cookies.clear()
        unknown = self.url_open("/checkout/kcl_nothing/return?session_id=cs_nothing")
        known = self.get_return(link, "cs_nothing")
        self.assertEqual(
            *(re.sub('nonce="[^"]+"', "", page.text) for page in (unknown, known))
        )

    def test_payer_reads_how_much_was_sent_back(self):
        link = self.create_link()
        payment = self.pay(link)
        self.deliver()
        payment.action_refund(33)
        answer = self.get_return(link, payment.stripe_checkout_session_id)
        self.assertIn('data-state="refunded"', answer.text)
        self.assertIn(payment.currency_id._format_price(33), answer.text)

    @mute_logger(CLIENT_LOGGER)
    def test_no_session_is_not_that_of_a_payment_without_one(self):
        link, other = self.create_link(), self.create_link(5, name="Other")
        self.standin.api_fault("status", "/v1/checkout", status=400, times=1)
        self.assertEqual(self.send(link).status_code, 503)
        payment = link.payment_ids
        self.assertFalse(payment.stripe_checkout_session_id)
        self.assertEqual(self.get_return(link, "").status_code, 404)
        link.unlink()
        answer = self.get_return(other, "")
        self.assertEqual(answer.status_code, 404)
        self.assertNotIn(payment.link_name, answer.text)

    def test_expired_checkout_is_over(self):
        link = self.create_link()
        payment = self.start_payment(link)
        self.standin.expire(payment.stripe_checkout_session_id)
        self.assertEqual(self.get_state(link, payment), "expired")

    def test_bank_debit_that_fails_is_failed(self):
        link = self.create_link()
        payment = self.pay(link, number=BANK_DEBIT)
        self.standin.fail_debit(payment.stripe_checkout_session_id)
        self.assertEqual(self.get_state(link, payment), "failed")

    def test_dispute_is_between_bank_and_merchant(self):
        link = self.create_link()
        payment = self.pay(link)
        self.deliver()
        self.standin.dispute(payment.stripe_charge_id)
        self.deliver()
        self.assertEqual(payment.state, "disputed")
        self.assertEqual(self.get_state(link, payment), "paid")

    @mute_logger(CLIENT_LOGGER)
    def test_nothing_is_claimed_while_stripe_is_away(self):
        link = self.create_link()
        payment = self.pay(link)
        self.standin.api_fault("status", "/v1/checkout", status=500, times=5)
        answer = self.get_return(link, payment.stripe_checkout_session_id)
        self.assertEqual(answer.status_code, 200)
        self.assertIn('data-state="unknown"', answer.text)
        self.assertIn('http-equiv="refresh"', answer.text)

    def test_payer_who_has_paid_never_reads_anything_else(self):
        link = self.create_link()
        payment = self.pay(link)
        now = fields.Datetime.now()
        for seconds, state in (
            (0, "paid"),
            (0.5, "checking"),
            (2, "checking"),
            (8, "paid"),
        ):
            with freeze_time(now + timedelta(seconds=seconds), tick=True):
                answer = self.get_return(link, payment.stripe_checkout_session_id)
            self.assertIn(f'data-state="{state}"', answer.text)
            self.assertNotIn("not completed", answer.text)
            self.assertNotIn("Try again", answer.text)
            self.assertNotIn("/checkout/", answer.text.partition("<main")[2])
        self.assertEqual(payment.state, "open")  # nothing has been processed yet

    def test_way_to_pay_is_offered_only_by_stripes_word_in_this_request(self):
        link = self.create_link()
        cases = [
            ("open", self.start_payment(link), "Back to the payment page"),
            ("expired", self.start_payment(link), "Try again"),
            ("failed", self.pay(link, number=BANK_DEBIT), "Try again"),
        ]
        self.standin.expire(cases[1][1].stripe_checkout_session_id)
        self.standin.fail_debit(cases[2][1].stripe_checkout_session_id)
        self.deliver()
        later = fields.Datetime.now() + timedelta(seconds=30)
        with freeze_time(later, tick=True):
            for state, payment, words in cases:
                for expected in (state, "checking"):
                    page = self.get_return(link, payment.stripe_checkout_session_id)
                    self.assertIn(f'data-state="{expected}"', page.text)
                    self.assertEqual(words in page.text, expected == state)
                    self.assertEqual("?resume=" in page.text, expected == state)

    def test_payer_of_a_deleted_link_still_gets_an_answer(self):
        link = self.create_link()
        payment = self.pay(link)
        token, session_id = link.access_token, payment.stripe_checkout_session_id
        link.unlink()
        answer = self.url_open(f"/checkout/{token}/return?session_id={session_id}")
        self.assertIn('data-state="paid"', answer.text)

    def test_reloading_asks_stripe_no_more_than_every_five_seconds(self):
        link = self.create_link()
        payment = self.start_payment(link)
        self.standin.clear_requests()
        for _reload in range(5):
            self.get_state(link, payment)
        self.assertEqual(len(self.standin.requests("GET /v1/checkout/sessions")), 1)
        with freeze_time(fields.Datetime.now() + timedelta(seconds=6), tick=True):
            self.get_state(link, payment)
        self.assertEqual(len(self.standin.requests("GET /v1/checkout/sessions")), 2)
