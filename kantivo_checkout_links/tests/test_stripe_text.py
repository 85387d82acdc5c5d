import json
from unittest.mock import patch

from odoo.tools import mute_logger

from ..texts import clean, clean_text, to_email, to_line, to_phone
from .common import CheckoutHttpCommon
from .test_webhook import WEBHOOK_LOGGER, sign

ASIDE_LOGGER = "odoo.addons.kantivo_checkout_links.aside"
HALF = "\ud800"  # half of a surrogate pair
# What a customer types, and what is kept of it.
NAMES = {
    "Ro\0sa": "Rosa",
    f"Ro{HALF}sa": "Rosa",
    "Ro\x07\x1b\x9bsa": "Rosa",
    "Rosa\r\nBcc: all": "Rosa Bcc: all",
    "Rosa\tPayer\u2028Two": "Rosa Payer Two",
    "\u202eRosa": "Rosa",
    "R" * 10_000: "R" * 120,
    "<img src=x onerror=alert(1)>Rosa": "Rosa",
    "<b>Rosa</b>": "Rosa",
    "=HYPERLINK(1)": "HYPERLINK(1)",
    "+=-@ Rosa": "Rosa",
    "@Rosa": "Rosa",
    "-": False,
    "\0": False,
    "Ana O'Brien-Núñez": "Ana O'Brien-Núñez",
    "李小龍": "李小龍",
    "می‌خواهم": "می‌خواهم",
}
EMAILS = {
    "rosa@example.com\0": "rosa@example.com",
    f"rosa{HALF}@example.com": "rosa@example.com",
    "rosa@example.com\r\nBcc: all@example.com": "rosa@example.com Bcc: all@example.com",
    "=1+1@example.com": False,
    "@example.com": False,
    "r" * 10_000 + "@example.com": False,
}


class TestStripeText(CheckoutHttpCommon):
    """Any text that comes from Stripe is kept clean, and stops nothing."""

    def setUp(self):
        super().setUp()
        self.link = self.create_link(110)

    def assert_paid(self, payment):
        self.assertEqual(payment.state, "paid")
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        events = self.env["checkout.event"].search([("state", "!=", "done")])
        self.assertFalse(events.filtered("error"))
        self.assert_agrees()

    # === NAMES AND ADDRESSES === #

    def test_rules(self):
        for text, kept in NAMES.items():
            self.assertEqual(to_line(text, 120), kept, repr(text))
        for text, kept in EMAILS.items():
            self.assertEqual(to_email(text), kept, repr(text))
        for text in ("+1 (555) 010-9999", "030/123", "+49 30 123"):
            self.assertEqual(to_phone(text), text)
        for text in ("=cmd", "+1\0", "1" * 10_000, "<b>1</b>", None, 5, ""):
            self.assertFalse(text != "+1\0" and to_phone(text), text)
        for nothing in (None, 5, {}, "", "   "):
            self.assertIs(to_line(nothing), False)
            self.assertIs(to_email(nothing), False)

    def test_json_is_clean_all_the_way_down(self):
        sent = {"a\0": [{"b": f"x\n{HALF}y"}, 1, None, True, 1.5]}
        self.assertEqual(clean(sent), {"a": [{"b": "x y"}, 1, None, True, 1.5]})
        for number in range(0x20):
            self.assertNotIn(chr(number), clean_text(f"a{chr(number)}b"))

    def test_payment_is_posted_under_any_customer_name(self):
        for is_delivered in (True, False):
            for number, (name, kept) in enumerate(NAMES.items()):
                with self.subTest(name=name[:20], is_delivered=is_delivered):
                    email = f"a{number}{is_delivered}@example.com".lower()
                    payment = self.pay(self.link, name=name, email=email)
                    self.deliver() if is_delivered else self.sync()
                    self.assert_paid(payment)
                    self.assertEqual(payment.customer_name, kept)
                    self.assertEqual(payment.customer_email, email)
                    self.assertEqual(payment.partner_id.email, email)

    def test_payment_is_posted_with_any_address(self):
        for email, kept in EMAILS.items():
            with self.subTest(email=email[:20]):
                payment = self.pay(self.link, email=email, phone="=1\0")
                self.deliver()
                self.assert_paid(payment)
                self.assertEqual(payment.customer_email, kept)
                self.assertFalse(payment.customer_phone)

    def test_reasons_are_kept_clean(self):
        text = "<b>=Ro\0sa\r\n" + "x" * 10_000
        payment = self.pay(self.link)
        self.deliver()
        refund = self.standin.refund(payment.stripe_charge_id, 1000)
        self.standin.say(refund["id"], failure_reason=text)
        dispute = self.standin.dispute(payment.stripe_charge_id, amount=1000)
        self.standin.say(dispute["id"], reason=text)
        payout = self.standin.payout()
        self.standin.say(payout["id"], failure_message=text, trace_id={"value": text})
        self.deliver()
        payout = self.env["checkout.payout"].search([])
        for kept in (
            payment.refund_ids.error,
            payment.dispute_ids.reason,
            payment.dispute_reason,
            payout.failure_message,
            payout.trace_id,
        ):
            self.assertRegex(kept, r"^Rosa x+$")
            self.assertLessEqual(len(kept), 500)
        self.assert_agrees()

    # === THE INBOX === #

    def post(self, body):
        self.opener.cookies.clear()
        path = self.gateway.webhook_url.removeprefix(self.gateway.get_base_url())
        headers = {"Stripe-Signature": sign(body)}
        return self.url_open(
            path, data=body, headers=headers, method="POST"
        ).status_code

    def test_inbox_keeps_no_personal_data(self):
        payment = self.pay(self.link, name="Rosa Payer", email="rosa@example.com")
        self.standin.release()
        for event in self.take_events():
            self.assertEqual(self.post(json.dumps(event).encode()), 200)
        self.process()
        self.standin.refund(payment.stripe_charge_id, 1000)
        self.standin.dispute(payment.stripe_charge_id, amount=1000)
        self.standin.payout()
        self.sync()
        events = self.env["checkout.event"].search([("payload", "!=", False)])
        kinds = set()
        for event in events:
            kept = event.payload["data"]["object"]
            kinds.add(kept["object"])
            self.assertLessEqual(
                kept.keys(),
                {"id", "object", "charge", "payment_intent", "currency", "metadata"},
            )
            self.assertTrue(
                all(name.startswith("checkout_") for name in kept.get("metadata", ()))
            )
            self.assertNotIn("osa", json.dumps(event.payload))
        self.assertLessEqual(
            {"checkout.session", "charge", "refund", "dispute", "payout"}, kinds
        )

    def test_events_can_be_processed_again(self):
        payment = self.pay(self.link)
        self.deliver()
        self.standin.refund(payment.stripe_charge_id, 1000)
        self.standin.dispute(payment.stripe_charge_id, amount=1000)
        self.standin.payout()
        self.deliver()
        self.sync()
        movements = self.env["checkout.movement"].search_count([])
        events = self.env["checkout.event"].search([("payload", "!=", False)])
        events.action_process()
        self.assertEqual(set(events.mapped("state")), {"done"})
        self.assertEqual(self.env["checkout.movement"].search_count([]), movements)
        self.assert_agrees()

    @mute_logger(WEBHOOK_LOGGER)
    def test_signed_nonsense_is_no_error_of_ours(self):
        self.pay(self.link)
        [event] = self.take_events("checkout.session.completed")
        payout = {"id": "po_1", "object": "payout"}
        bodies = [
            self.change(event, id="evt_\0"),
            self.change(event, id=f"evt_{HALF}"),
            self.change(event, created="\0"),
            json.dumps(event).replace('"created"', '"x": NaN, "created"', 1),
            json.dumps(event).replace('"created"', '"x": 1e999, "created"', 1),
            self.change(event, id="e" * 100_000),
            self.change(event, type="checkout.session.completed" + "x" * 100_000),
            self.change(event, type="payout.paid", data={"object": payout}),
            *(
                self.change(event, data={"object": {**payout, "currency": odd}})
                for odd in (None, 5, {}, [], "\0", "xx\0x")
            ),
            *(
                self.change(event, data={"object": {**payout, name: {"a": [1]}}})
                for name in ("id", "object", "charge", "payment_intent", "metadata")
            ),
            *(
                json.dumps(event).replace('"x"', "", 1)[:-1]
                + f', "deep": {"[" * depth}{"]" * depth}}}'
                for depth in (500, 600, 900, 5_000, 100_000)
            ),
        ]
        for number, body in enumerate(bodies):
            with self.subTest(number=number), self.assertNoLogs("odoo.sql_db"):
                self.assertIn(self.post(body.encode()), (200, 400))
        self.process()

    def change(self, event, **members):
        return json.dumps({**event, **members})

    # === ONE BAD EVENT === #

    @mute_logger(ASIDE_LOGGER)
    def test_event_that_cannot_be_kept_stops_no_other(self):
        first, second = self.pay(self.link), self.pay(self.link)
        self.standin.release()
        bad = self.standin.events("checkout.session.completed")[0]["id"]
        inbox = type(self.env["checkout.event"])
        insert = inbox._insert

        def insert_where_possible(records, gateway, event_id, *args):
            """As where the database refuses one row."""
            if event_id == bad:
                records.env.cr.execute(
                    "SELECT %s::integer", ["rosa@example.com"], log_exceptions=False
                )
            return insert(records, gateway, event_id, *args)

        with patch.object(inbox, "_insert", insert_where_possible):
            self.sync()
        self.assertEqual([first.state, second.state], ["paid", "paid"])
        self.assertEqual(self.gateway.health_state, "bad")
        self.assertIn(bad, self.gateway.sync_error)
        self.assert_says_nothing_of_sql(self.gateway.health_message)
        self.sync()
        self.assertFalse(self.gateway.sync_error)
        kept = self.env["checkout.event"].search([("stripe_event_id", "=", bad)])
        self.assertEqual(kept.state, "done")

    def assert_says_nothing_of_sql(self, message):
        for word in ("invalid input", "rosa", "row", "column", "DETAIL", "LINE"):
            self.assertNotIn(word, message)
