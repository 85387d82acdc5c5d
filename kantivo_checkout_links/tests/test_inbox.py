from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import PropertyMock, call, patch

import psycopg2

from odoo import fields
from odoo.tools import mute_logger

from ..budget import Budget
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

    # === ASKING STRIPE === #

    def pay_at_once(self, number):
        """Payments that are paid before anything of them reaches Odoo."""
        link = self.create_link()
        payments = [self.pay(link) for _number in range(number)]
        self.standin.release()
        self.gateway.sudo()._ensure_settlement()
        self.standin.clear_requests()
        return self.env["checkout.payment"].union(*payments)

    def test_burst_is_read_by_lists(self):
        payments = self.pay_at_once(40)
        self.receive(self.take_events())
        self.assertEqual(set(payments.mapped("state")), {"paid"})
        self.assertEqual(set(payments.movement_ids.mapped("state")), {"posted"})
        self.assertLessEqual(len(self.standin.requests()), 0.3 * len(payments))

    def test_payment_alone_takes_two_calls_at_most(self):
        [payment] = self.pay_at_once(1)
        for event in self.take_events():
            self.receive([event])
        self.assert_posted_once(payment)
        self.assertLessEqual(len(self.standin.requests()), 2)

    def test_charge_reported_before_its_session_is_found_by_the_payment_it_names(self):
        [payment] = self.pay_at_once(1)
        self.receive(self.take_events("charge.succeeded"))
        self.assert_posted_once(payment)
        self.assertEqual(len(self.standin.requests()), 1)

    def test_first_of_a_burst_are_posted_before_the_others_are_read(self):
        payments = self.pay_at_once(3)
        inbox = self.env["checkout.event"].sudo()
        for event in self.take_events("checkout.session.completed"):
            inbox._receive(self.gateway.sudo(), event)
        has_more = inbox._process_batch(self.gateway.sudo(), 2, [])
        self.assertTrue(has_more)
        self.assertEqual(set(payments[:2].movement_ids.mapped("state")), {"posted"})
        self.assertEqual(payments[2].state, "open")

    @mute_logger(CLIENT_LOGGER, "odoo.addons.kantivo_checkout_links.calls")
    def test_calls_that_stripe_limits_are_made_again_more_slowly(self):
        [payment] = self.pay_at_once(1)
        self.standin.api_fault("status", "GET /v1/checkout", status=429, times=2)
        with patch("odoo.addons.kantivo_checkout_links.calls.time.sleep") as sleep:
            self.receive(self.take_events())
        self.assert_posted_once(payment)
        self.assertIn(call(1), sleep.call_args_list)

    @mute_logger(CLIENT_LOGGER)
    def test_stripe_that_is_away_is_not_asked_for_the_rest_of_a_batch(self):
        payments = self.pay_at_once(30)
        self.standin.api_fault("hang", "GET /v1/checkout", times=999)
        self.receive(self.take_events("checkout.session.completed"))
        self.assertLess(len(self.standin.requests()), 2 * len(payments))
        events = self.env["checkout.event"].search([("state", "=", "pending")])
        self.assertEqual(len(events), len(payments))
        self.assertIn(0, events.mapped("attempts"))

    # === SEVERAL GATEWAYS === #

    def wait_at_two_gateways(self):
        """Twelve events at each of two gateways, of two accounts."""
        other = self.create_gateway(secret_key="sk_test_at_other")
        for gateway in self.gateway | other:
            for number in range(12):
                reference = {"id": f"re_{number}", "object": "refund"}
                self.env["checkout.event"].sudo()._receive_object(
                    gateway.sudo(), reference
                )
        return other

    @contextmanager
    def noting_batches(self):
        """The gateways that batches are processed of, and their sizes, in order."""
        inbox = type(self.env["checkout.event"])
        process, noted = inbox._process_batch, []

        def note(events, gateway, size, paying):
            noted.append((gateway, size))
            return process(events, gateway, size, paying)

        with patch.object(inbox, "_process_batch", note), mute_logger(CLIENT_LOGGER):
            yield noted

    def test_gateways_take_turns(self):
        other = self.wait_at_two_gateways()
        with self.noting_batches() as noted:
            self.process()
        mine = self.gateway
        self.assertEqual(noted, [(mine, 10), (other, 10), (mine, 25), (other, 25)])

    def test_gateway_that_others_work_on_is_left_to_them(self):
        other = self.wait_at_two_gateways()
        holding = type(other)._holding

        @contextmanager
        def hold(gateway, lock, wait=True):
            with holding(gateway, lock, wait) as is_held:
                yield is_held and gateway != self.gateway

        with (
            patch.object(type(other), "_holding", hold),
            self.noting_batches() as noted,
        ):
            self.process()
        self.assertEqual(noted, [(other, 10), (other, 25)])

    def test_helpers_are_woken_for_several_gateways_only(self):
        helper = self.env.ref("kantivo_checkout_links.ir_cron_process_events_2")
        triggers = self.env["ir.cron.trigger"].sudo()
        of_helper = [("cron_id", "=", helper.id)]
        self.pay_at_once(1)
        self.receive(self.take_events())
        self.assertFalse(triggers.search_count(of_helper))
        other = self.wait_at_two_gateways()
        self.process()
        self.assertEqual(triggers.search_count(of_helper), 1)
        helper.ir_actions_server_id.run()
        self.assertTrue(other)

    def test_run_stops_in_time_and_another_one_goes_on(self):
        self.wait_at_two_gateways()
        spent = PropertyMock(side_effect=[False, True, *[False] * 9])
        with (
            self.noting_batches() as noted,
            patch.object(Budget, "is_spent", spent),
            patch.object(
                type(self.env["checkout.event"]), "_trigger_processing"
            ) as trigger,
        ):
            self.env["checkout.event"]._cron_process()
            self.assertEqual(len(noted), 1)
            trigger.assert_called_once()
            self.process()
        due = self.env["checkout.event"].search([("attempts", "=", 0)])
        self.assertFalse(due)
