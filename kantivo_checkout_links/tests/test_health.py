from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from .common import CLIENT_LOGGER, SYNC_LOGGER, CheckoutCommon
from .many import copy_payments, reading


class TestHealth(CheckoutCommon):
    """Whether events arrive is shown to whom it concerns, with what to do."""

    def pay_and_take(self):
        payment = self.pay(self.create_link(110))
        self.standin.release()
        return payment, self.take_events()

    def fail_events(self):
        """Have events fail permanently, as after a day of trouble."""
        _payment, events = self.pay_and_take()
        self.standin.api_fault("status", "GET /v1/checkout", status=500, times=999)
        with mute_logger(CLIENT_LOGGER):
            self.receive(events)
        rows = self.env["checkout.event"].search([("state", "=", "pending")])
        rows.sudo().write({"state": "failed"})  # as after the last try
        self.standin.clear_faults()
        return rows

    def get_health(self):
        self.env.invalidate_all()
        return self.gateway.health_state

    def test_new_gateway_is_in_good_health(self):
        self.assertEqual(self.get_health(), "good")
        self.assertFalse(self.gateway.health_message)
        self.assertFalse(self.gateway.last_event_at)

    def test_last_event_and_how_long_it_took(self):
        _payment, events = self.pay_and_take()
        self.receive(events)
        self.env.invalidate_all()
        self.assertTrue(self.gateway.last_event_at)
        self.assertIn(self.gateway.event_lag, range(60))
        self.assertEqual(self.get_health(), "good")

    def test_late_event_is_reported(self):
        _payment, events = self.pay_and_take()
        for event in events:
            event["created"] -= 3600
        self.receive(events)
        self.assertEqual(self.get_health(), "warning")
        self.assertGreaterEqual(self.gateway.event_lag, 3600)
        self.assertIn("late", self.gateway.health_message)

    def test_failed_events_are_counted_and_retried(self):
        rows = self.fail_events()
        self.assertEqual(self.get_health(), "bad")
        self.assertEqual(self.gateway.events_failed, len(rows))
        self.assertIn("then retry", self.gateway.health_message)
        self.gateway.action_retry_events()
        self.assertEqual(self.get_health(), "good")
        self.assertEqual(set(rows.mapped("state")), {"done"})
        self.assert_agrees()

    def test_waiting_events_are_counted(self):
        _payment, events = self.pay_and_take()
        self.standin.api_fault("status", "GET /v1/checkout", status=500, times=999)
        with mute_logger(CLIENT_LOGGER):
            self.receive(events)
        self.env.invalidate_all()
        waiting = self.env["checkout.event"].search_count([("state", "=", "pending")])
        self.assertTrue(waiting)
        self.assertEqual(self.gateway.events_waiting, waiting)
        self.standin.clear_faults()

    def test_responsible_user_is_notified_once_until_it_is_resolved(self):
        self.fail_events()
        self.sync()
        activity = self.gateway._get_health_activities()
        self.assertEqual(activity.user_id, self.gateway.user_id)
        self.assertIn("then retry", activity.note)
        self.sync()
        self.assertEqual(self.gateway._get_health_activities(), activity)
        self.gateway.action_retry_events()
        self.assertFalse(self.gateway._get_health_activities())

    def test_payments_that_only_the_sync_found_are_counted(self):
        self.pay_and_take()
        payment, events = self.pay_and_take()
        self.receive(events)
        self.assertEqual(payment.state, "paid")
        self.sync()
        self.assertEqual(self.gateway.recovered_last, 1)
        self.assertEqual(self.get_health(), "warning")
        self.sync()
        self.assertEqual(self.gateway.recovered_last, 0)
        self.assertEqual(self.gateway.recovered_total, 1)
        self.assertEqual(self.get_health(), "good")

    def test_delivery_that_waits_in_the_inbox_is_no_discovery_of_the_sync(self):
        _payment, events = self.pay_and_take()
        for event in events:
            self.env["checkout.event"].sudo()._receive(self.gateway.sudo(), event)
        self.sync()
        self.assertEqual(self.gateway.recovered_last, 0)

    # === THE ENDPOINT === #

    def make_endpoint(self):
        self.env["ir.config_parameter"].set_param(
            "web.base.url", "https://shop.example.com"
        )
        self.env.invalidate_all()
        self.gateway.action_create_webhook()
        self.sync()
        self.assertEqual(self.get_health(), "good")
        return self.gateway.webhook_endpoint_id

    def change_endpoint(self, endpoint_id, **vals):
        client = self.gateway.sudo()._get_client()
        client._call(client._v1.webhook_endpoints.update, endpoint_id, vals)
        self.sync()

    def test_endpoint_that_stripe_disabled(self):
        self.change_endpoint(self.make_endpoint(), disabled=True)
        self.assertEqual(self.get_health(), "bad")
        self.assertIn("disabled the webhook", self.gateway.health_message)
        self.assertTrue(self.gateway._get_health_activities())

    def test_endpoint_that_is_gone(self):
        endpoint_id = self.make_endpoint()
        self.gateway.sudo()._get_client().delete_webhook_endpoint(endpoint_id)
        self.sync()
        self.assertIn("no longer has a webhook", self.gateway.health_message)

    def test_endpoint_of_another_api_version(self):
        client = self.gateway.sudo()._get_client()
        client.create_webhook_endpoint(
            {
                "url": self.gateway.webhook_url,
                "enabled_events": ["*"],
                "api_version": "2025-03-31.basil",
            }
        )
        self.sync()
        self.assertIn("2025-03-31.basil", self.gateway.health_message)
        self.assertEqual(self.get_health(), "bad")

    def test_sync_that_fails_says_why(self):
        self.standin.api_fault("status", "GET /v1", status=500, times=999)
        with mute_logger(CLIENT_LOGGER, SYNC_LOGGER):
            self.env["checkout.sync"]._cron_sync()
        self.assertEqual(self.get_health(), "bad")
        self.standin.clear_faults()
        self.sync()
        self.assertEqual(self.get_health(), "good")

    def test_key_that_stripe_refuses_is_reported_once_until_it_is_resolved(self):
        self.standin.api_fault("status", "GET /v1", status=401, times=999)
        with mute_logger(CLIENT_LOGGER, SYNC_LOGGER):
            for _sync in range(3):
                self.env["checkout.sync"]._cron_sync()
        self.assertEqual(len(self.gateway._get_health_activities()), 1)
        self.standin.clear_faults()
        self.sync()
        self.assertFalse(self.gateway._get_health_activities())

    def test_another_user_is_notified_where_the_responsible_user_has_left(self):
        gone = new_test_user(self.env, "gone", groups="account.group_account_manager")
        self.gateway.user_id = gone
        gone.active = False
        self.standin.api_fault("status", "GET /v1", status=401, times=999)
        with mute_logger(CLIENT_LOGGER, SYNC_LOGGER):
            self.env["checkout.sync"]._cron_sync()
        user = self.gateway._get_health_activities().user_id
        self.assertTrue(user.active)
        self.assertTrue(user.has_group("account.group_account_manager"))

    # === SILENCE === #

    def assert_silent(self, words):
        self.assertEqual(self.get_health(), "bad")
        self.assertIn(words, self.gateway.health_message)
        link = self.create_link()
        self.assertEqual(link.gateway_health, "bad")
        self.assertTrue(self.gateway._prepare_card()["checkout_health"])

    def write_gateway(self, **vals):
        self.gateway.sudo().write(vals)

    def ago(self, **time):
        return fields.Datetime.now() - timedelta(**time)

    def test_events_that_wait_while_nothing_runs(self):
        _payment, events = self.pay_and_take()
        for event in events:
            self.env["checkout.event"].sudo()._receive(self.gateway.sudo(), event)
        self.assertEqual(self.get_health(), "good")
        rows = self.env["checkout.event"].sudo().search([("state", "=", "pending")])
        rows.next_attempt_at = self.ago(minutes=16)
        self.assert_silent("Stripe events have been waiting since")
        rows.next_attempt_at = fields.Datetime.now() + timedelta(minutes=5)
        self.assertEqual(self.get_health(), "good")

    def test_sync_that_does_not_run(self):
        self.sync()
        self.write_gateway(last_sync_at=self.ago(minutes=29))
        self.assertEqual(self.get_health(), "good")
        self.write_gateway(last_sync_at=self.ago(minutes=31))
        self.assert_silent("There has been no sync since")
        self.assertIn("sync with Stripe", self.gateway.health_message)
        self.write_gateway(sync_error="Away")
        self.assertNotIn("There has been no sync", self.gateway.health_message)

    def test_sync_that_continues_for_hours_is_not_missing(self):
        self.write_gateway(last_sync_at=self.ago(days=2))
        self.assert_silent("There has been no sync since")
        self.write_gateway(sync_started_at=self.ago(hours=23))
        self.assertEqual(self.get_health(), "good")
        self.write_gateway(sync_started_at=self.ago(hours=25))
        self.assert_silent("There has been no sync since")

    def test_interval_of_the_sync_is_that_of_the_scheduled_action(self):
        self.env.ref("kantivo_checkout_links.ir_cron_sync").interval_type = "hours"
        self.write_gateway(last_sync_at=self.ago(hours=29))
        self.assertEqual(self.get_health(), "good")

    def test_transactions_that_wait_for_long(self):
        self.gateway.fee_account_id = False
        payment, events = self.pay_and_take()
        self.receive(events)
        self.assertEqual(self.get_health(), "good")
        self.env.flush_all()
        self.cr.execute(
            "UPDATE checkout_movement SET create_date = %s WHERE payment_id = %s",
            [self.ago(minutes=61), payment.id],
        )
        self.assert_silent("waiting to be posted since")

    def test_balance_check_that_is_old(self):
        self.gateway.action_check_agreement()
        self.write_gateway(agreement_checked_at=self.ago(hours=25))
        self.assert_silent("The balance has not been checked since")
        card = self.gateway._prepare_card()
        self.assertEqual(card["checkout_agreement"], "grey")
        self.gateway.action_check_agreement()
        self.assertEqual(self.get_health(), "good")

    def test_address_that_customers_can_not_open(self):
        self.gateway.secret_key = "sk_live_kit"
        self.assert_silent("which customers can't open")
        self.env["ir.config_parameter"].set_param(
            "web.base.url", "https://shop.example.com"
        )
        self.assertEqual(self.get_health(), "good")

    def test_gateway_without_a_key_is_not_expected_to_run(self):
        self.write_gateway(last_sync_at=self.ago(days=9))
        self.gateway.secret_key = False
        self.assertEqual(self.get_health(), "good")

    def test_responsible_user_gets_a_mail_each_day_while_action_is_required(self):
        self.gateway.fee_account_id = False
        payment, events = self.pay_and_take()
        self.receive(events)
        self.env["checkout.agreement"]._cron_check()
        messages = self.gateway.message_ids
        self.env.flush_all()
        self.cr.execute(
            "UPDATE checkout_movement SET create_date = %s WHERE payment_id = %s",
            [self.ago(days=2), payment.id],
        )
        for _day in range(2):
            self.env.invalidate_all()
            self.env["checkout.agreement"]._cron_check()
        mails = self.env["mail.message"].search(
            [
                ("model", "=", "checkout.gateway"),
                ("res_id", "=", self.gateway.id),
                ("message_type", "=", "user_notification"),
                ("id", "not in", messages.ids),
            ]
        )
        to_user = mails.filtered(lambda m: "action required" in (m.subject or ""))
        self.assertEqual(len(to_user), 2)
        self.assertEqual(to_user.notified_partner_ids, self.gateway.user_id.partner_id)
        self.assertIn("waiting to be posted", to_user[0].body)

    def test_who_may_not_change_the_gateway_is_not_the_one_to_notify(self):
        clerk = new_test_user(self.env, "clerk", groups="account.group_account_invoice")
        self.gateway.user_id = clerk
        user = self.gateway._get_responsible()
        self.assertNotEqual(user, clerk)
        self.assertTrue(user.has_group("account.group_account_manager"))

    def test_health_is_looked_up_in_indexes(self):
        payment, events = self.pay_and_take()
        self.receive(events)
        copy_payments(payment, 2000)
        self.env.invalidate_all()
        with reading("checkout_") as reads:
            self.gateway._prepare_card()
        self.assertLess(reads.rows, 60, "\n".join(reads.queries))

    # === CONTENTS === #

    def age(self, days):
        rows = self.env["checkout.event"].sudo().search([])
        rows.received_at = fields.Datetime.now() - timedelta(days=days)
        return rows.filtered(lambda row: row.state == "done")

    def test_contents_of_finished_events_are_forgotten_in_time(self):
        _payment, events = self.pay_and_take()
        self.receive(events)
        done = self.age(89)
        self.env["checkout.event"].sudo()._gc_contents()
        self.assertTrue(all(done.mapped("payload")))
        self.age(91)
        self.env["checkout.event"].sudo()._gc_contents()
        self.assertFalse(any(done.mapped("payload")))

    def test_merchant_chooses_how_long_contents_are_kept(self):
        self.gateway.payload_days = 10
        _payment, events = self.pay_and_take()
        self.receive(events)
        done = self.age(9)
        self.env["checkout.event"].sudo()._gc_contents()
        self.assertTrue(all(done.mapped("payload")))
        self.age(11)
        self.env["checkout.event"].sudo()._gc_contents()
        self.assertFalse(any(done.mapped("payload")))

    def test_contents_of_an_archived_gateway_are_forgotten_too(self):
        _payment, events = self.pay_and_take()
        self.receive(events)
        self.gateway.action_archive()
        done = self.age(91)
        self.env["checkout.event"].sudo()._gc_contents()
        self.assertFalse(any(done.mapped("payload")))

    def test_forgotten_event_delivered_again_has_no_effect(self):
        payment, events = self.pay_and_take()
        self.receive(events)
        self.age(91)
        self.env["checkout.event"].sudo()._gc_contents()
        count = self.env["checkout.event"].search_count([])
        self.receive(events)
        self.assertEqual(self.env["checkout.event"].search_count([]), count)
        self.assertEqual(len(payment.movement_ids), 2)
        self.env["checkout.event"].sudo().search([]).action_process()
        self.assert_agrees()

    def test_what_waits_or_failed_is_not_forgotten(self):
        rows = self.fail_events()
        self.age(400)
        self.env["checkout.event"].sudo()._gc_contents()
        self.assertTrue(all(rows.mapped("payload")))

    def test_zero_days_keep_contents_forever(self):
        self.gateway.payload_days = 0
        _payment, events = self.pay_and_take()
        self.receive(events)
        done = self.age(4000)
        self.env["checkout.event"].sudo()._gc_contents()
        self.assertTrue(all(done.mapped("payload")))
