"""No one starts checkouts without end, and no one who pays has to wait for that."""

from datetime import timedelta
from unittest.mock import patch
from uuid import uuid4

from freezegun import freeze_time

from odoo import fields
from odoo.tools import mute_logger

from ..clients import Client, read_client
from ..const import CLIENT_STARTS, STARTS_PER_PAYMENT
from ..models.payment.link_brake import COUNTS
from ..stripe_client import StripeError
from .common import CheckoutCommon
from .test_pay_page import PayPageCase

BRAKE_LOGGER = "odoo.addons.kantivo_checkout_links.models.payment.link_brake"
OFFICE = Client("203.0.113.1")
PROXY = Client()


def visitor(number):
    """One of many who are at home."""
    return Client(f"198.51.{number // 250}.{number % 250}")


class BrakeCase(CheckoutCommon):
    def setUp(self):
        super().setUp()
        self.link = self.create_link().sudo()
        self.starts = self.env["checkout.start"].sudo()

    def start(self, client, link=None, form_uuid=None, amount=None):
        """:return: The payment; None where the brake holds."""
        link = (link or self.link).sudo()
        form_uuid = form_uuid or str(uuid4())
        try:
            return link._start_payment(form_uuid, amount or link.amount, False, client)
        except StripeError as error:
            self.assertEqual(error.reason, "braked")
            return None

    def count_started(self, clients, link=None):
        return sum(bool(self.start(client, link)) for client in clients)

    def move_clock(self, **delta):
        clock = freeze_time(fields.Datetime.now() + timedelta(**delta))
        clock.start()
        self.addCleanup(clock.stop)

    def pay_started(self, payments, link=None):
        """As the processor does, as far as the brake sees it."""
        payments.write({"state": "paid", "paid_at": fields.Datetime.now()})

    def make_room(self):
        self.starts._cron_make_room()
        self.env.invalidate_all()


class TestBrakeFigures(BrakeCase):
    """The limits themselves."""

    def test_thousand_starts_of_one_address_become_at_most_sixty(self):
        started = self.count_started([OFFICE] * 1000)
        self.assertEqual(started, CLIENT_STARTS)
        self.assertLessEqual(started, 60)

    def test_two_hundred_buyers_of_a_new_link_are_served(self):
        self.assertEqual(self.count_started(map(visitor, range(200))), 200)

    def test_fifty_buyers_of_one_address_are_served(self):
        self.assertEqual(self.count_started([OFFICE] * 50), 50)

    def test_behind_a_proxy_the_link_alone_brakes(self):
        self.assertEqual(self.count_started([PROXY] * 400), 300)


class SmallBrakeCase(BrakeCase):
    """The same with smaller limits."""

    links, clients = 30, 10

    def setUp(self):
        super().setUp()
        for name, value in (("LINK", self.links), ("CLIENT", self.clients)):
            self.startPatcher(patch(f"{BRAKE_LOGGER}.{name}_STARTS", value))


class TestBrake(SmallBrakeCase):
    """How it works."""

    def test_one_address_brakes_all_links_together_and_no_other_address(self):
        other = self.create_link()
        self.count_started([OFFICE] * 6)
        self.assertEqual(self.count_started([OFFICE] * 6, other), 4)
        self.assertTrue(self.start(visitor(1)))
        self.assertTrue(self.start(visitor(1), other))

    # === WHAT MAKES ROOM === #

    def test_time_makes_room(self):
        self.count_started([OFFICE] * 11)
        self.assertFalse(self.start(OFFICE))
        self.move_clock(minutes=11)
        self.assertTrue(self.start(OFFICE))

    def test_payments_make_room_for_their_address(self):
        self.count_started([OFFICE] * self.clients)
        self.pay_started(self.link.payment_ids[:2])
        more = self.count_started([OFFICE] * 30)
        self.assertEqual(more, 2 * (STARTS_PER_PAYMENT + 1))

    def test_payments_make_room_on_their_link(self):
        self.count_started(map(visitor, range(40)))
        self.assertEqual(len(self.link.payment_ids), self.links)
        self.pay_started(self.link.payment_ids[:2])
        more = self.count_started(map(visitor, range(400, 430)))
        self.assertEqual(more, 2 * (STARTS_PER_PAYMENT + 1))

    def test_behind_a_proxy_payments_make_room_for_as_many(self):
        self.count_started([PROXY] * self.links)
        self.pay_started(self.link.payment_ids[:2])
        self.assertEqual(self.count_started([PROXY] * 9), 2)

    # === ONE FORM, ONE CHECKOUT === #

    def test_form_that_is_sent_again_is_never_braked(self):
        payment = self.start(OFFICE, form_uuid="1" * 32)
        self.count_started([OFFICE] * 30)
        self.assertFalse(self.start(OFFICE))
        self.assertEqual(self.start(OFFICE, form_uuid="1" * 32), payment)

    def test_one_form_has_one_checkout_and_its_amounts_are_braked(self):
        link = self.create_open_link().sudo()
        number = str(uuid4())
        amounts = range(10, 30)
        started = [self.start(OFFICE, link, number, amount) for amount in amounts]
        self.assertEqual(len(list(filter(None, started))), self.clients)
        kept = link.payment_ids.filtered(lambda p: not p.expiry_requested)
        self.assertEqual(len(kept), 1)

    # === PLACES === #

    def test_one_address_holds_half_of_the_places(self):
        link = self.create_link(max_payments=6).sudo()
        self.assertEqual(self.count_started([OFFICE] * 6, link), 3)
        self.assertEqual(self.count_started([visitor(1), visitor(2)], link), 2)
        self.pay_started(link.payment_ids.sorted("id")[:1])
        self.assertTrue(self.start(OFFICE, link))

    def test_behind_a_proxy_all_places_are_taken(self):
        link = self.create_link(max_payments=3)
        self.assertEqual(self.count_started([PROXY] * 3, link), 3)

    # === WHO IS KNOWN === #

    def test_only_private_address_may_be_a_proxy(self):
        proxy = Client("172.17.0.1", is_private=True)
        self.assertEqual(self.count_started([proxy] * 40), self.links)
        self.move_clock(minutes=11)
        link = self.create_link()
        self.start(Client("172.17.0.2", is_private=True), link)
        self.assertEqual(self.count_started([proxy] * 20, link), self.clients)

    def test_client_of_a_request(self):
        fixed = {"werkzeug.proxy_fix.orig": {}}
        for environ, client in (
            ({"REMOTE_ADDR": "203.0.113.9"}, Client("203.0.113.9")),
            ({"REMOTE_ADDR": "10.1.2.3"}, Client("10.1.2.3", True)),
            ({"REMOTE_ADDR": "127.0.0.1"}, Client("127.0.0.1", True)),
            ({"REMOTE_ADDR": "::ffff:203.0.113.9"}, Client("203.0.113.9")),
            ({"REMOTE_ADDR": "2001:db8:1:2:3::4"}, Client("2001:db8:1:2::/64")),
            ({"REMOTE_ADDR": "fe80::1"}, Client("fe80::/64", True)),
            ({"REMOTE_ADDR": "x"}, PROXY),
            ({}, PROXY),
            ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}, PROXY),
            ({"REMOTE_ADDR": "198.51.100.1", "HTTP_FORWARDED": "for=x"}, PROXY),
            (
                {"REMOTE_ADDR": "203.0.113.9", "HTTP_X_FORWARDED_FOR": "x", **fixed},
                Client("203.0.113.9"),
            ),
        ):
            with self.subTest(environ=environ):
                self.assertEqual(read_client(environ), client)

    def test_addresses_are_kept_as_a_hash_of_the_day_for_an_hour(self):
        self.start(OFFICE)
        first = self.starts.search([]).client
        self.assertRegex(first, "^[0-9a-f]{64}$")
        self.move_clock(days=1)
        self.start(OFFICE)
        [start] = self.starts.search([("client", "!=", first)])
        self.make_room()
        self.assertEqual(self.starts.search([]), start)

    def test_tomorrow_the_clock_is_another(self):
        self.start(OFFICE)
        self.move_clock(hours=2)
        self.make_room()
        self.assertFalse(self.starts.search([]))

    # === THE BRAKE ITSELF === #

    def test_error_of_the_brake_stops_no_payer(self):
        with (
            patch.object(type(self.starts), "_count", side_effect=ZeroDivisionError),
            mute_logger(BRAKE_LOGGER),
        ):
            self.assertTrue(self.start(OFFICE))
        with (
            patch.object(type(self.starts), "_get_key", side_effect=ZeroDivisionError),
            mute_logger(BRAKE_LOGGER, "odoo.addons.kantivo_checkout_links.aside"),
        ):
            self.assertTrue(self.start(OFFICE))

    def test_programs_are_not_braked(self):
        self.assertEqual(self.count_started([None] * 31), 31)
        self.assertFalse(self.starts.search([]))

    def test_start_costs_few_queries(self):
        self.start(OFFICE)
        number = str(uuid4())
        self.env.flush_all()
        with self.assertQueryCount(3):
            self.link._check_brake(OFFICE)
            self.env.flush_all()
        self.assertTrue(self.start(OFFICE, form_uuid=number))

    def test_counts_are_found_by_indexes(self):
        values = {"link": self.link.id, "client": "x", "since": fields.Datetime.now()}
        self.env.flush_all()
        self.cr.execute("SET LOCAL enable_seqscan = off")
        self.cr.execute(f"EXPLAIN {COUNTS}", values)
        plan = "\n".join(line for [line] in self.cr.fetchall())
        self.assertNotIn("Seq Scan", plan)
        for index in ("start_link_idx", "start_client_idx"):
            self.assertIn(index, plan)


class TestRoom(SmallBrakeCase):
    """Where very many are open, the oldest are ended."""

    def crowd(self, *clients):
        for client in clients:
            self.start(client)
        self.link.payment_ids.write({"stripe_checkout_session_id": False})

    def get_ended(self):
        return self.link.payment_ids.filtered("expiry_requested")

    def test_crowded_link_asks_for_room(self):
        cron = self.env.ref("kantivo_checkout_links.ir_cron_make_room")
        triggers = self.env["ir.cron.trigger"]
        due = [("cron_id", "=", cron.id)]
        before = triggers.search_count(due)
        self.crowd(*map(visitor, range(26)))
        self.assertEqual(triggers.search_count(due), before)
        self.crowd(*map(visitor, range(26, 29)))
        self.assertEqual(triggers.search_count(due), before + 1)

    def test_no_checkout_of_the_last_ten_minutes_is_ended(self):
        self.crowd(*map(visitor, range(30)))
        self.make_room()
        self.assertFalse(self.get_ended())

    def test_oldest_of_who_has_most_are_ended_first(self):
        self.crowd(*map(visitor, range(20)))
        self.crowd(*[OFFICE] * self.clients)
        self.move_clock(minutes=11)
        self.make_room()
        ended = self.get_ended()
        self.assertEqual(len(ended), 30 - 24)
        starts = self.starts.search([("payment_id", "in", ended.ids)])
        self.assertEqual(set(starts.mapped("client")), {self.starts._get_key(OFFICE)})
        self.assertEqual(ended.sorted("id"), ended.sorted("create_date"))

    def test_link_with_few_checkouts_is_left_alone(self):
        self.crowd(*[OFFICE] * self.clients)
        self.move_clock(minutes=11)
        self.make_room()
        self.assertFalse(self.get_ended())
        self.assertFalse(self.link.activity_ids)

    def test_merchant_is_notified_once_a_day(self):
        self.crowd(*[PROXY] * 30)
        self.make_room()
        self.make_room()
        [activity] = self.link.activity_ids
        self.assertIn("30 checkouts of this link are open", activity.note)
        activity.action_feedback()
        self.make_room()
        self.assertFalse(self.link.activity_ids)
        self.move_clock(hours=25)
        self.link.payment_ids._set_abandoned()
        self.crowd(*[PROXY] * 30)
        self.make_room()
        self.assertEqual(len(self.link.activity_ids), 1)


class TestBrakedPage(PayPageCase):
    """What a payer sees who has to wait."""

    def test_page_asks_to_try_again_and_repeats_the_form(self):
        link = self.create_open_link()
        nonce = self.get_nonce(link)
        with patch.object(
            type(self.env["checkout.start"]), "_is_too_many", return_value=True
        ):
            answer = self.send(link, nonce=nonce, amount="12.50")
        self.assertEqual(answer.status_code, 503)
        self.assertIn(int(answer.headers["Retry-After"]), range(20, 61))
        self.assertIn("Please try again in a minute", answer.text)
        for value in (nonce, "12.50"):
            self.assertIn(f'value="{value}"', answer.text)
        self.assertFalse(self.get_session_requests())
        self.assertFalse(link.payment_ids)
        self.assert_to_stripe(self.send(link, nonce=nonce, amount="12.50"))

    def test_address_of_the_request_counts(self):
        link = self.create_link()
        self.assert_to_stripe(self.send(link))
        self.assert_to_stripe(self.send(link, {"X-Forwarded-For": "203.0.113.5"}))
        starts = self.env["checkout.start"].sudo().search([], order="id")
        clients = starts.mapped("client")
        self.assertEqual(len(clients), 2)
        self.assertTrue(clients[0])
        self.assertFalse(clients[1])


class TestPurge(CheckoutCommon):
    """Expired checkouts that no one paid are deleted in the end."""

    def expire(self, days, **vals):
        payment = self.create_link().sudo()._start_payment(str(uuid4()), 110, False)
        payment.write({"state": "expired", **vals})
        payment.flush_recordset()
        self.cr.execute(
            "UPDATE checkout_payment SET create_date = create_date - %s WHERE id = %s",
            [timedelta(days=days), payment.id],
        )
        payment.invalidate_recordset()
        return payment

    def test_old_expired_checkouts_are_deleted(self):
        old, young = self.expire(91), self.expire(89)
        charged = self.expire(91, stripe_charge_id="ch_1")
        failed = self.expire(91, state="failed")
        self.env["checkout.payment"].sudo()._gc_expired()
        kept = (old | young | charged | failed).exists()
        self.assertEqual(kept, young | charged | failed)

    def test_gateway_says_how_long(self):
        self.gateway.checkout_days = 0
        old = self.expire(400)
        self.env["checkout.payment"].sudo()._gc_expired()
        self.assertTrue(old.exists())
        self.gateway.checkout_days = 5
        recent = self.expire(29)  # Stripe's events would bring it back
        self.env["checkout.payment"].sudo()._gc_expired()
        self.assertFalse(old.exists())
        self.assertTrue(recent.exists())

    def test_paid_payment_is_never_deleted(self):
        payment = self.pay(self.create_link())
        self.deliver()
        self.cr.execute(
            "UPDATE checkout_payment SET create_date = create_date - interval '9 years'"
        )
        self.env["checkout.payment"].sudo()._gc_expired()
        self.assertTrue(payment.exists())
