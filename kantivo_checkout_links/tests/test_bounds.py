"""All that a stranger or a program sends is bounded: by length, shape and type."""

import csv
import io
import json
import socket
from contextlib import suppress
from unittest.mock import patch
from urllib.parse import quote, urlsplit

from odoo.exceptions import UserError
from odoo.tools import mute_logger

from ..const import MAX_AMOUNT_LENGTH, MAX_EVENT_BYTES, MAX_FORM_BYTES
from ..controllers.pay_page import PayForm
from ..stripe_client import SignatureError
from ..texts import FORMULA_SIGNS, to_email, to_line, to_phone
from ..utils import as_text, is_session_id, is_stripe_word
from .common import CheckoutCommon
from .test_pay_page import PayPageCase
from .test_webhook import WEBHOOK_LOGGER, sign

HALF = "\ud800"  # half of a surrogate pair
CHUNK = 64 * 1024


class TestBoundedPages(PayPageCase):
    """Forms and addresses of any length and shape."""

    def send_chunked(self, path, size, headers=()):
        """A body without a `Content-Length`, as long as the server reads it.

        :return: The status line.
        """
        address = urlsplit(self.base_url())
        with socket.create_connection((address.hostname, address.port), 30) as peer:
            head = [f"POST {path} HTTP/1.1", f"Host: {address.netloc}"]
            head += ["Transfer-Encoding: chunked", "Connection: close", *headers]
            peer.sendall("\r\n".join([*head, "", ""]).encode())
            with suppress(BrokenPipeError, ConnectionResetError):  # answered before
                for _chunk in range(size // CHUNK):
                    peer.sendall(b"%x\r\n%s\r\n" % (CHUNK, b"a" * CHUNK))
                peer.sendall(b"0\r\n\r\n")
            try:
                return peer.makefile("rb").readline().decode()
            except ConnectionResetError:
                return "reset"

    def test_long_form_is_refused_before_it_is_read(self):
        link = self.create_open_link()
        for name in ("amount", "nonce", "other"):
            answer = self.send(link, **{"nonce": "x", name: "9" * MAX_FORM_BYTES})
            self.assertEqual(answer.status_code, 413)
        self.assertFalse(link.payment_ids)

    def test_chunked_form_is_read_no_further_than_a_form_goes(self):
        link = self.create_open_link()
        header = "Content-Type: application/x-www-form-urlencoded"
        read, taken = [], PayForm.read

        def take(params):
            read.append(sum(map(len, params.values())))
            return taken(params)

        with patch.object(PayForm, "read", take):
            path = f"/checkout/{link.access_token}"
            answer = self.send_chunked(path, 10**7, [header])
        self.assertRegex(answer, " 4|reset")
        self.assertLessEqual(max(read, default=0), MAX_FORM_BYTES)

    def test_chunked_delivery_is_read_no_further_than_an_event_goes(self):
        path = urlsplit(self.gateway.webhook_url).path
        verify = patch(f"{WEBHOOK_LOGGER}.verify_event", side_effect=SignatureError)
        with verify as verify_event, mute_logger(WEBHOOK_LOGGER):
            answer = self.send_chunked(path, 8 * MAX_EVENT_BYTES)
        self.assertRegex(answer, " 4|reset")
        for call in verify_event.mock_calls:
            self.assertLessEqual(len(call.args[0]), MAX_EVENT_BYTES)

    def test_long_delivery_is_refused_before_it_is_read(self):
        path = urlsplit(self.gateway.webhook_url).path
        body = b"x" * (MAX_EVENT_BYTES + 1)
        answer = self.url_open(path, data=body, headers={"Content-Type": "text/plain"})
        self.assertEqual(answer.status_code, 413)

    def test_long_amount_is_neither_parsed_nor_shown(self):
        link = self.create_open_link()
        amount = "1" + "0" * MAX_AMOUNT_LENGTH
        with patch.object(
            type(link), "_check_typed_amount", side_effect=AssertionError
        ):
            answer = self.send(link, amount=amount)
        self.assert_refused_kindly(answer)
        self.assertNotIn(amount[:30], answer.text)

    def test_no_session_is_looked_for_that_stripe_cannot_have_made(self):
        link = self.create_link()
        payments = type(self.env["checkout.payment"])
        for session_id in ("", "x", "cs_1", "cs_test_", "ch_test_abcdefgh", "é" * 90):
            with patch.object(payments, "search", side_effect=AssertionError):
                query = f"session_id={quote(session_id)}"
                answer = self.url_open(f"/checkout/{link.access_token}/return?{query}")
            self.assertEqual(answer.status_code, 404)

    def test_what_is_sent(self):
        for text in ("a\0", HALF, "x" * 256, None, 5, b"a", ["a"]):
            self.assertEqual(as_text(text), "")
        self.assertEqual(as_text("12,50\n"), "12,50\n")
        for word in ("evt_1", "v2.core.account[requirements].updated"):
            self.assertTrue(is_stripe_word(word))
        for word in ("", "a b", "a\0", "é", HALF, "x" * 256, None, 5, {}, ["a"]):
            self.assertFalse(is_stripe_word(word))
        self.assertTrue(is_session_id("cs_live_a1B2c3D4e5F6"))
        for text in ("cs_test_\n", "cs_test_a1B2c3D4 ", "cs_prod_a1B2c3D4e5"):
            self.assertFalse(is_session_id(text))


class TestBoundedEvents(PayPageCase):
    """What has a good signature may still be anything."""

    def post(self, body):
        self.opener.cookies.clear()
        path = urlsplit(self.gateway.webhook_url).path
        headers = {"Content-Type": "application/json", "Stripe-Signature": sign(body)}
        return self.url_open(path, data=body, headers=headers).status_code

    def assert_nonsense(self, body):
        before = self.env["checkout.event"].search_count([])
        with mute_logger(WEBHOOK_LOGGER), self.assertNoLogs("odoo.sql_db"):
            self.assertEqual(self.post(body.encode()), 400, body[:200])
        self.assertEqual(self.env["checkout.event"].search_count([]), before)

    def prepare(self, **members):
        payout = {"id": "po_1", "object": "payout", "currency": "usd"}
        event = {
            "id": "evt_1",
            "type": "payout.paid",
            "livemode": False,
            "data": {"object": payout},
        }
        return event | members

    def test_nonsense_in_an_event_is_refused(self):
        for members in (
            *({"id": odd} for odd in ("", "e\0", HALF, "a b", "sync:cs_test_1", 5, {})),
            *({"type": odd} for odd in ("", "payout.paid\0", "x" * 256, [], None)),
            *({"livemode": odd} for odd in (0, None, "false", [])),
        ):
            with self.subTest(members=members):
                self.assert_nonsense(json.dumps(self.prepare(**members)))

    def test_nonsense_in_an_object_is_refused(self):
        for name in ("id", "object", "charge", "payment_intent", "currency"):
            odds = ["a\0", HALF, "", "é", "x" * 256, 5, True, [1], {"id": 5}]
            for odd in odds + [None] * (name in ("id", "object")):
                with self.subTest(name=name, odd=odd):
                    stripe_object = self.prepare()["data"]["object"] | {name: odd}
                    event = self.prepare(data={"object": stripe_object})
                    self.assert_nonsense(json.dumps(event))

    def test_what_is_no_json_is_refused(self):
        whole = json.dumps(self.prepare())[:-1]
        for tail in (
            ', "x": NaN}',
            ', "x": Infinity}',
            f', "x": {"9" * 5000}}}',
            f', "x": {"[" * 5_000}{"]" * 5_000}}}',
            f', "x": {"[" * 100_000}{"]" * 100_000}}}',
            ', "x": ' + '{"a":' * 20_000 + "1" + "}" * 20_001,
            ', "x": ',
        ):
            self.assert_nonsense(whole + tail)

    def test_strange_text_in_an_object_of_ours_is_taken(self):
        payment = self.pay(self.create_link())
        [event] = self.take_events("checkout.session.completed")
        event["data"]["object"]["customer_details"]["name"] = f"Ro\0sa{HALF}"
        event["data"]["object"]["metadata"]["checkout_note"] = f"x\0{HALF}" + "y" * 900
        self.assertEqual(self.post(json.dumps(event).encode()), 200)
        kept = self.env["checkout.event"].search([]).payload["data"]["object"]
        self.assertLessEqual(len(kept["metadata"]["checkout_note"]), 500)
        self.standin.release()
        self.process()
        self.assertEqual(payment.state, "paid")

    def test_object_that_is_not_ours_may_have_any_id(self):
        """Merchants choose the ids of products; their events are just ignored."""
        event = self.prepare(type="product.updated")
        event["data"] = {"object": {"id": "a b é", "object": "product"}}
        self.assertEqual(self.post(json.dumps(event).encode()), 200)


class TestBoundedArguments(CheckoutCommon):
    """Public methods are called by programs, with anything."""

    def setUp(self):
        super().setUp()
        self.payment = self.pay(self.create_link())
        self.deliver()

    def assert_refused(self, method, *args, **kwargs):
        with self.subTest(args=args, kwargs=kwargs), self.assertRaises(UserError):
            method(*args, **kwargs)

    def test_contact_is_one_contact(self):
        partner, users = self.payment.partner_id, self.env.user
        for odd in (1, "1", None, False, [1], {}, users, partner.browse(), 1.5):
            self.assert_refused(self.payment.action_set_contact, odd)
        others = partner.search([], limit=2)
        self.assert_refused(self.payment.action_set_contact, others)
        self.assertEqual(self.payment.partner_id, partner)

    def test_reclassification_takes_an_account_taxes_and_a_date(self):
        charge = self.get_movement(self.payment, "charge")
        account = self.company_data["default_account_expense"]
        for odd in (1, "1", None, [1], self.tax, account.browse()):
            self.assert_refused(charge.action_reclassify, odd)
        for odd in (1, "1", [1], account):
            self.assert_refused(charge.action_reclassify, account, odd)
        for odd in ("soon", 5, [1], "2026-13-45"):
            self.assert_refused(charge.action_reclassify, account, None, odd)
        self.assertFalse(charge.reclassification_move_ids)
        charge.action_reclassify(account, False, "2026-01-31")
        self.assertTrue(charge.reclassification_move_ids)

    def test_refund_takes_an_amount_and_texts(self):
        for odd in ("5", [5], {}, True, float("nan"), float("inf"), 10**400, -1, 0):
            self.assert_refused(self.payment.action_refund, odd)
        for odd in (5, {"a": 1}, [1], "k" * 256, "a\0", HALF):
            self.assert_refused(self.payment.action_refund, 1, idempotency_key=odd)
        for odd in ("because", ["duplicate"], 5, {}.keys()):
            if odd:
                self.assert_refused(self.payment.action_refund, 1, reason=odd)
        for odd in (5, ["x"], "a\0", "n" * 6000):
            self.assert_refused(self.payment.action_refund, 1, note=odd)
        self.assertFalse(self.payment.refund_ids)


class TestFormulas(CheckoutCommon):
    """A spreadsheet must take nothing that a payer typed for a formula."""

    def test_no_text_of_a_payer_starts_like_a_formula(self):
        for sign_ in (*FORMULA_SIGNS, "\t", "\r", "\n", "\0", " "):
            for start in (
                sign_,
                f" {sign_}",
                f"\u202e{sign_}",
                f"<b>{sign_}",
                sign_ * 3,
            ):
                for text in (
                    to_line(f"{start}1+1 a"),
                    to_email(f"{start}a@example.com"),
                ):
                    self.assertNotIn((text or "x")[0], f"{FORMULA_SIGNS}\t\r\n\0 ")
        for number in ("=1", "-1", "-1+2", "@12", "/12", ".12", " =12"):
            self.assertFalse(to_phone(number))

    def test_export_and_contact_hold_no_formula(self):
        payment = self.pay(
            self.create_link(),
            name="\t=cmd|' /C calc'!A0",
            email="ada@example.com",
            phone="-1-2",
        )
        self.deliver()
        names = ["customer_name", "customer_email", "customer_phone"]
        names += ["partner_id/name", "payment_method_label", "partner_id/phone"]
        [row] = payment.export_data(names)["datas"]
        self.assertEqual(row[0], "cmd|' /C calc'!A0")
        for cell in row:
            self.assertNotIn(str(cell or "x")[0], FORMULA_SIGNS + "\t\r")
        written = io.StringIO()
        csv.writer(written).writerow(row)
        self.assertNotIn("=", written.getvalue())
