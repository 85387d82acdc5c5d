import json
from datetime import datetime

from odoo.tools import mute_logger

from .common import CLIENT_LOGGER, WEBHOOK_SECRET, CheckoutHttpCommon
from .test_webhook import WEBHOOK_LOGGER, sign

THIN_SECRET = "whsec_of_the_thin_destination"
CREATED = "2026-11-01T10:00:00.000Z"


class TestThinEvents(CheckoutHttpCommon):
    """Stripe's thin events come to the same address, with a secret of their own."""

    def setUp(self):
        super().setUp()
        self.gateway.webhook_secret = f"{WEBHOOK_SECRET}\n{THIN_SECRET}"
        self.path = self.gateway.webhook_url.removeprefix(self.gateway.get_base_url())
        self.link = self.create_link(110)

    def post(self, event, secret=THIN_SECRET, path=None):
        self.opener.cookies.clear()
        body = json.dumps(event).encode()
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": sign(body, secret),
        }
        return self.url_open(
            path or self.path, data=body, headers=headers, method="POST"
        ).status_code

    def take_thin_events(self):
        """What Stripe has to report, as thin events, oldest first."""
        self.standin.release()
        return [self.make_thin(event) for event in self.take_events()]

    def make_thin(self, event):
        stripe_object = event["data"]["object"]
        return {
            "id": event["id"].replace("evt_", "evt_test_65"),
            "object": "v2.core.event",
            "type": f"v1.{event['type']}",
            "livemode": event["livemode"],
            "created": CREATED,
            "context": None,
            "related_object": {
                "id": stripe_object["id"],
                "type": stripe_object["object"],
                "url": f"/v1/{stripe_object['object']}s/{stripe_object['id']}",
            },
        }

    def deliver_thin(self, events):
        for event in events:
            self.assertEqual(self.post(event), 200)
        self.process()

    def assert_posted_once(self, payment):
        self.assertEqual(payment.state, "paid")
        self.assertCountEqual(payment.movement_ids.mapped("kind"), ["charge", "fee"])
        self.assert_agrees()

    def test_thin_events_alone_lead_to_the_same_ledger(self):
        payment = self.pay(self.link)
        self.deliver_thin(self.take_thin_events())
        self.assert_posted_once(payment)

    def test_time_of_the_event_is_kept(self):
        self.pay(self.link)
        events = self.take_thin_events()
        self.deliver_thin(events)
        ids = [event["id"] for event in events]
        kept = self.env["checkout.event"].search([("stripe_event_id", "in", ids)])
        self.assertEqual(set(kept.mapped("created_at")), {datetime(2026, 11, 1, 10)})

    def test_each_alone_is_enough(self):
        payment = self.pay(self.link)
        for event in self.take_thin_events():
            if event["type"] in ("v1.charge.succeeded", "v1.charge.updated"):
                with self.subTest(type=event["type"]):
                    self.deliver_thin([event])
                    self.assertEqual(payment.state, "paid")
        self.assert_posted_once(payment)

    def test_both_kinds_in_any_order_have_one_effect(self):
        payment = self.pay(self.link)
        self.standin.release()
        events = self.take_events()
        for event in reversed(events):
            for _time in range(2):
                self.assertEqual(self.post(self.make_thin(event)), 200)
                self.assertEqual(self.post(event, WEBHOOK_SECRET), 200)
        self.process()
        self.assert_posted_once(payment)

    def test_refund_dispute_and_payout(self):
        payment, other = self.pay(self.link), self.pay(self.link)
        self.deliver_thin(self.take_thin_events())
        self.standin.refund(payment.stripe_charge_id, 1000)
        self.standin.dispute(other.stripe_charge_id)
        payout = self.standin.payout("usd", pending_too=True)
        self.deliver_thin(self.take_thin_events())
        self.assertEqual(payment.state, "partially_refunded")
        self.assertEqual(other.state, "disputed")
        found = self.env["checkout.payout"].search([("stripe_id", "=", payout["id"])])
        self.assertTrue(found)
        self.assert_agrees()

    def test_other_softwares_objects_are_ignored_once_they_are_read(self):
        self.standin.create_charge(5000)
        self.deliver_thin(self.take_thin_events())
        events = self.env["checkout.event"].search([])
        self.assertEqual(set(events.mapped("state")), {"ignored"})
        self.assertFalse(any(events.mapped("payload")))
        self.assertFalse(self.env["checkout.payment"].search([]))

    def test_other_accounts_of_a_platform_are_ignored(self):
        self.gateway.action_test_connection()
        self.pay(self.link)
        event = {**self.take_thin_events()[0], "context": "org_1/acct_of_another"}
        self.deliver_thin([event])
        kept = self.env["checkout.event"].search([])
        self.assertEqual((kept.state, kept.payload), ("ignored", False))

    def test_unknown_types_are_ignored_and_nothing_of_them_is_kept(self):
        event = {
            "id": "evt_test_651",
            "object": "v2.core.event",
            "type": "v2.core.account.updated",
            "livemode": False,
            "related_object": None,
        }
        self.assertEqual(self.post(event), 200)
        row = self.env["checkout.event"].search([])
        self.assertEqual(row.state, "ignored")
        self.assertFalse(row.payload)

    def test_what_cannot_be_read_waits_with_the_reason(self):
        payment = self.pay(self.link)
        events = self.take_thin_events()
        self.standin.api_fault("status", "GET /v1", status=500, times=999)
        with mute_logger(CLIENT_LOGGER):
            self.deliver_thin(events)
        waiting = self.env["checkout.event"].search([("state", "=", "pending")])
        self.assertTrue(waiting)
        self.assertTrue(all(waiting.mapped("error")))
        self.standin.clear_faults()
        waiting.action_process()
        self.env.invalidate_all()
        self.assert_posted_once(payment)

    @mute_logger(WEBHOOK_LOGGER)
    def test_wrong_secret_or_mode_is_refused(self):
        self.pay(self.link)
        event, *_others = self.take_thin_events()
        self.assertEqual(self.post(event, "whsec_unknown"), 400)
        self.assertEqual(self.post({**event, "livemode": True}), 400)
        self.assertFalse(self.env["checkout.event"].search([]))

    @mute_logger(WEBHOOK_LOGGER)
    def test_odd_content_is_never_an_error_of_ours(self):
        for related in (None, [], "x", {}, {"id": 5, "type": "charge"}, {"id": "ch_1"}):
            for event_type in ("v1.charge.updated", 7, None):
                with self.subTest(related=related, type=event_type):
                    event = {
                        "id": f"evt_{related}_{event_type}",
                        "object": "v2.core.event",
                        "type": event_type,
                        "livemode": False,
                        "related_object": related,
                    }
                    self.assertIn(self.post(event), (200, 400))
        self.process()
        self.assertFalse(self.env["checkout.payment"].search([]))

    @mute_logger(WEBHOOK_LOGGER)
    def test_delivery_to_another_companys_gateway_has_no_effect(self):
        other = self.setup_other_company()["company"]
        gateway = self.create_gateway(
            other,
            secret_key="sk_test_at_other",
            webhook_secret="whsec_other",
            income_account_id=False,
            tax_ids=[],
            post_entries=False,
        )
        payment = self.pay(self.link)
        path = gateway.webhook_url.removeprefix(gateway.get_base_url())
        for event in self.take_thin_events():
            self.assertEqual(self.post(event, path=path), 400)
            self.assertEqual(self.post(event, "whsec_other", path), 200)
        self.process()
        self.assertEqual(payment.state, "open")
