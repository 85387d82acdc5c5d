from datetime import timedelta

import psycopg2

from odoo import fields
from odoo.tools import mute_logger

from ..const import RETRY_MINUTES
from .common import CLIENT_LOGGER, CheckoutCommon


class TestInbox(CheckoutCommon):
    """Deliveries come any number of times, in any order, or not at all."""

    def assert_posted_once(self, payment):
        self.assertEqual(payment.state, "paid")
        self.assertCountEqual(payment.movement_ids.mapped("kind"), ["charge", "fee"])
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        self.assertEqual(
            self.env["account.move"].search_count(
                [("journal_id", "=", self.gateway.journal_id.id)]
            ),
            2,
        )

    def test_five_deliveries_of_an_event_post_once(self):
        payment = self.pay(self.create_link())
        self.standin.release()
        events = self.take_events()
        for _delivery in range(5):
            self.receive(events)
        self.assert_posted_once(payment)

    def test_events_in_reverse_order_post_once(self):
        payment = self.pay(self.create_link())
        self.standin.release()
        for event in reversed(self.take_events()):
            self.receive([event])
        self.assert_posted_once(payment)

    def test_sync_posts_what_no_webhook_reported(self):
        payment = self.pay(self.create_link())
        self.standin.release()
        self.gateway.action_sync()
        self.env.invalidate_all()
        self.assert_posted_once(payment)

    def test_sync_after_deliveries_changes_nothing(self):
        payment = self.pay(self.create_link())
        self.deliver()
        self.gateway.action_sync()
        self.gateway.action_sync()
        self.assert_posted_once(payment)

    def test_event_of_another_database_is_ignored_without_payload(self):
        self.standin.create_charge(5000)
        self.standin.release()
        self.receive(self.take_events())
        events = self.env["checkout.event"].search([])
        self.assertTrue(events)
        self.assertEqual(set(events.mapped("state")), {"ignored"})
        self.assertFalse(any(events.mapped("payload")))

    def test_payment_whose_row_was_lost_is_still_posted(self):
        payment = self.pay(self.create_link())
        session_id = payment.stripe_checkout_session_id
        payment.sudo().unlink()
        self.deliver()
        found = self.env["checkout.payment"].search(
            [("stripe_checkout_session_id", "=", session_id)]
        )
        self.assert_posted_once(found)

    def test_object_is_read_again_after_its_contents_were_forgotten(self):
        payment = self.pay(self.create_link())
        self.deliver()
        dispute = self.standin.dispute(payment.stripe_charge_id)
        self.sync()
        self.standin.change_dispute(dispute["id"], "lose")
        self.sync()
        events = self.env["checkout.event"].sudo().search([])
        events.write({"received_at": fields.Datetime.now() - timedelta(days=91)})
        events._gc_contents()
        self.standin.create_balance_transaction(-1500, source=dispute["id"])
        self.sync()
        self.assert_agrees()

    def test_event_without_contents_keeps_no_other_waiting(self):
        empty = (
            self.env["checkout.event"]
            .sudo()
            .create(
                {
                    "gateway_id": self.gateway.id,
                    "stripe_event_id": "sync:re_of_a_lost_day",
                    "type": "sync.refund",
                    "received_at": fields.Datetime.now(),
                    "next_attempt_at": fields.Datetime.now(),
                }
            )
        )
        payment = self.pay(self.create_link())
        logger = "odoo.addons.kantivo_checkout_links.models.processing.stripe_reader"
        with mute_logger(logger):
            self.deliver()
        self.assert_posted_once(payment)
        self.assertEqual(empty.state, "pending")
        self.assertTrue(empty.error)

    def test_payout_of_another_account_of_a_platform_is_ignored(self):
        self.gateway.action_test_connection()
        self.pay(self.create_link())
        self.deliver()
        payout = {**self.standin.payout(), "id": "po_of_another"}
        event = self.standin.events("payout.created")[-1]
        with mute_logger(CLIENT_LOGGER):
            self.receive(
                [
                    {
                        **event,
                        "id": "evt_of_another",
                        "account": "acct_of_another",
                        "data": {"object": payout},
                    }
                ]
            )
        kept = self.env["checkout.event"].search(
            [("stripe_event_id", "=", "evt_of_another")]
        )
        self.assertEqual((kept.state, kept.payload), ("ignored", False))

    def test_what_stripe_sent_is_in_no_log_if_it_cant_be_kept(self):
        inbox = self.env["checkout.event"].sudo()
        stripe_object = {"id": "ch_1", "object": "charge", "email": "ada@example.com"}
        with (
            self.assertRaises(psycopg2.Error),
            self.assertNoLogs("odoo.sql_db"),
            self.cr.savepoint(),
        ):
            inbox._insert(self.gateway.sudo(), "evt_1", None, "pending", stripe_object)

    @mute_logger(CLIENT_LOGGER)
    def test_what_stripe_does_not_have_is_given_up_in_the_end(self):
        inbox = self.env["checkout.event"].sudo()
        inbox._receive_object(
            self.gateway.sudo(), {"id": "re_gone", "object": "refund"}
        )
        event = inbox.search([])
        for _try in range(len(RETRY_MINUTES)):
            event.next_attempt_at = fields.Datetime.now()
            self.process()
            self.assertEqual(event.state, "pending")
        event.next_attempt_at = fields.Datetime.now()
        self.process()
        self.assertEqual(event.state, "ignored")
