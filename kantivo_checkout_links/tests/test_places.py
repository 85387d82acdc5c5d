import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user
from odoo.tools import format_time, mute_logger

from .common import CLIENT_LOGGER, CheckoutCommon
from .test_pay_page import PayPageCase

BUSY = "Someone is paying right now. Try again at "


class PlacesCase(PayPageCase):
    """Payers who press Pay, and come back in one of several ways."""

    def press_pay(self, link, page=None, **data):
        """Send a page's form; a new page's by default."""
        page = page or self.get_page(link)
        return self.send(link, nonce=self.read_nonce(page), **data)

    def read_nonce(self, page):
        return re.search(r'name="nonce"[^>]*value="([^"]+)"', page.text)[1]

    def get_cancel_query(self):
        """What Stripe's own Back adds to the pay page's address."""
        url = self.get_session_requests()[-1]["params"]["cancel_url"]
        return dict(parse_qs(urlsplit(url).query))["resume"][0]

    def get_kept_query(self, page):
        """What the script keeps in the browser's own storage when a form is sent."""
        return re.search(r'<form[^>]*data-resume="([^"]+)"', page.text)[1]

    def come_back(self, link, resume=None):
        self.opener.cookies.clear()
        params = {"resume": resume} if resume else None
        return self.opener.get(f"{self.base_url()}{self.path(link)}", params=params)

    def path(self, link):
        return f"/checkout/{link.access_token}"

    def get_typed(self, page):
        return re.search(r'name="amount"[^>]*value="([^"]*)"', page.text)[1]

    def get_session_url(self, answer):
        self.assert_to_stripe(answer)
        return answer.headers["Location"]

    def assert_busy(self, answer, payment):
        self.assertEqual(answer.status_code, 409)
        self.assertIn('data-state="held"', answer.text)
        end = payment.session_expires_at + timedelta(seconds=59)
        text = re.sub(r"<[^>]+>", "", answer.text)
        self.assertIn(f"{BUSY}{end:%H:%M}.", text)


class TestLastPlace(PlacesCase):
    """Where one place is left, whoever opens the link continues its only checkout."""

    def test_payer_who_goes_back_continues_the_same_session(self):
        link = self.create_link(300, max_payments=1)
        first = self.press_pay(link)
        for page in (
            self.come_back(link, self.get_cancel_query()),
            self.come_back(link),  # scripts off, from the mail
        ):
            self.assertEqual(page.status_code, 200)
            again = self.press_pay(link, page)
            self.assertEqual(self.get_session_url(again), first.headers["Location"])
        self.assertEqual(self.standin.counts()["checkout.session"], 1)
        self.assertEqual(len(link.payment_ids), 1)

    def test_payer_finds_the_amount_that_was_typed(self):
        link = self.create_open_link(max_payments=1)
        first = self.press_pay(link, amount="12.5")
        for page in (
            self.come_back(link, self.get_cancel_query()),
            self.come_back(link),
        ):
            self.assertEqual(self.get_typed(page), "12.50")
            again = self.press_pay(link, page, amount=self.get_typed(page))
            self.assertEqual(again.headers["Location"], first.headers["Location"])

    def test_payer_who_pays_another_amount_abandons_the_first_session(self):
        link = self.create_open_link(max_payments=1)
        self.press_pay(link, amount="10")
        page = self.come_back(link, self.get_cancel_query())
        self.assert_to_stripe(self.press_pay(link, page, amount="20"))
        states = {p.amount: p.state for p in link.payment_ids}
        self.assertEqual(states, {10: "expired", 20: "open"})
        self.assertEqual(len(self.standin.events("checkout.session.expired")), 1)
        again = self.press_pay(link, page, amount="10")  # and back once more
        self.assert_to_stripe(again)
        self.assertEqual(self.get_asked_amount(), 1000)
        self.assertEqual(len(self.standin.events("checkout.session.expired")), 2)

    def test_payer_who_opened_another_amount_finds_that_one(self):
        link = self.create_open_link(max_payments=2)
        self.press_pay(link, amount="5")
        page = self.get_page(link)
        self.press_pay(link, page, amount="10")
        self.press_pay(link, page, amount="20")
        kept = self.get_kept_query(page)
        self.assertEqual(self.get_typed(self.come_back(link, kept)), "20.00")

    def test_first_session_that_was_paid_leaves_no_place_for_another_amount(self):
        link = self.create_open_link(max_payments=1)
        self.press_pay(link, amount="10")
        page = self.come_back(link, self.get_cancel_query())
        self.standin.pay(link.payment_ids.stripe_checkout_session_id)
        self.assertEqual(self.press_pay(link, page, amount="20").status_code, 409)
        self.process()
        self.assertEqual(link.payment_ids.mapped("state"), ["paid"])
        self.assertEqual(self.come_back(link).status_code, 410)

    @mute_logger(CLIENT_LOGGER)
    def test_place_stays_held_while_stripe_does_not_confirm(self):
        link = self.create_open_link(max_payments=1)
        self.press_pay(link, amount="10")
        page = self.come_back(link, self.get_cancel_query())
        self.standin.api_fault("status", "/expire", status=500, times=9)
        answer = self.press_pay(link, page, amount="20")
        self.assert_busy(answer, link.payment_ids)
        self.assertEqual(self.standin.counts()["checkout.session"], 1)
        self.standin.clear_faults()
        self.assert_to_stripe(self.press_pay(link, page, amount="20"))

    def test_form_that_was_open_before_leads_to_the_same_session(self):
        link = self.create_link(max_payments=1)
        before = self.get_page(link)
        first = self.press_pay(link)
        other = self.press_pay(link, before)
        self.assertEqual(self.get_session_url(other), first.headers["Location"])

    def test_form_that_was_open_before_takes_no_other_amount(self):
        link = self.create_open_link(max_payments=1)
        before = self.get_page(link)
        self.press_pay(link, amount="10")
        self.assert_busy(self.press_pay(link, before, amount="20"), link.payment_ids)
        self.assertEqual(self.standin.counts()["checkout.session"], 1)

    def test_form_that_was_opened_after_takes_no_other_amount(self):
        link = self.create_open_link(max_payments=1)
        first = self.press_pay(link, amount="10")
        after = self.come_back(link)  # somebody else, or a browser that kept nothing
        self.assert_busy(self.press_pay(link, after, amount="20"), link.payment_ids)
        again = self.press_pay(link, after, amount="10")
        self.assertEqual(again.headers["Location"], first.headers["Location"])
        self.assertEqual(self.standin.counts()["checkout.session"], 1)

    def test_wrong_amount_is_corrected_in_the_same_place(self):
        link = self.create_open_link(max_payments=1, minimum_amount=5)
        first = self.press_pay(link, amount="10")
        page = self.come_back(link, self.get_cancel_query())
        page = self.press_pay(link, page, amount="3")
        self.assertEqual(page.status_code, 422)
        again = self.press_pay(link, page, amount="10")
        self.assertEqual(again.headers["Location"], first.headers["Location"])

    def test_paid_link_is_no_longer_available(self):
        link = self.create_link(max_payments=1)
        self.press_pay(link)
        query = self.get_cancel_query()
        self.standin.pay(link.payment_ids.stripe_checkout_session_id)
        self.deliver()
        for resume in (None, query):
            self.assertEqual(self.come_back(link, resume).status_code, 410)

    def test_closed_link_continues_nothing(self):
        link = self.create_link(max_payments=1)
        page = self.get_page(link)
        self.press_pay(link, page)
        query = self.get_cancel_query()
        link.action_deactivate()
        for answer in (
            self.come_back(link, query),
            self.come_back(link),
            self.press_pay(link, page),
        ):
            self.assertEqual(answer.status_code, 410)


class TestPaidJustNow(PlacesCase):
    """Stripe has the money, and Odoo's processor hasn't heard of it yet."""

    def test_payer_starts_a_new_payment_and_not_the_paid_one(self):
        link = self.create_link()
        page = self.get_page(link)
        self.press_pay(link, page)
        payment = link.payment_ids
        session_id = payment.stripe_checkout_session_id
        self.standin.pay(session_id)
        address = f"{self.path(link)}/return?session_id={session_id}"
        self.assertIn('data-state="paid"', self.url_open(address).text)
        self.assertEqual(payment.state, "open")
        again = self.come_back(link, self.get_kept_query(page))
        self.assertIn('data-resume="refused"', again.text)
        self.press_pay(link, again)
        self.assertEqual(len(link.payment_ids), 2)
        self.deliver()
        self.assertEqual(payment.state, "paid")


class TestHeldPlaces(PlacesCase):
    """Where several checkouts hold the places, each payer continues their own."""

    def fill(self, link):
        """Two payers press Pay: what each of them may come back with."""
        pages = [self.get_page(link), self.get_page(link)]
        queries = []
        for page, amount in zip(pages, ("10", "20"), strict=True):
            self.press_pay(link, page, amount=amount)
            queries.append((self.get_cancel_query(), self.get_kept_query(page)))
        return queries

    def test_each_payer_continues_their_own_session(self):
        link = self.create_open_link(max_payments=2)
        for queries, amount in zip(self.fill(link), (10, 20), strict=True):
            payment = link.payment_ids.filtered(lambda p, a=amount: p.amount == a)
            for query in queries:
                page = self.come_back(link, query)
                self.assertIn('data-resume="taken"', page.text)
                self.assertEqual(self.get_typed(page), f"{amount}.00")
                answer = self.press_pay(link, page, amount=str(amount))
                self.assertEqual(answer.headers["Location"], payment.sudo().session_url)
        self.assertEqual(self.standin.counts()["checkout.session"], 2)

    def test_others_read_from_when_on_they_may_try_again(self):
        link = self.create_open_link(max_payments=2)
        before = self.get_page(link)
        self.fill(link)
        first = link.payment_ids.sorted("session_expires_at")[0]
        page = self.come_back(link)
        self.assert_busy(page, first)
        self.assertNotIn("no longer available", page.text)
        self.assertIn(f'href="{self.path(link)}"', page.text)
        self.assert_busy(self.press_pay(link, before, amount="30"), first)
        self.assertEqual(len(link.payment_ids), 2)

    def test_time_is_that_of_the_merchants_zone_and_names_it(self):
        self.gateway.tz = "Asia/Kolkata"
        link = self.create_open_link(max_payments=2)
        self.fill(link)
        page = self.come_back(link)
        first = min(link.payment_ids.mapped("session_expires_at"))
        end = first + timedelta(seconds=59)
        clock = f"{end + timedelta(hours=5, minutes=30):%H:%M}</time>"
        self.assertIn(f"datetime='{end:%Y-%m-%dT%H:%M}:00Z'", page.text)
        self.assertIn(clock, page.text)
        self.assertIn("Time zone: Asia/Kolkata", page.text)

    def test_at_that_time_there_is_a_place_without_any_event(self):
        link = self.create_open_link(max_payments=2)
        self.fill(link)
        self.standin.advance(36 * 60)
        with freeze_time(fields.Datetime.now() + timedelta(minutes=36), tick=True):
            page = self.come_back(link)
            self.assertEqual(page.status_code, 200)
            self.assert_to_stripe(self.press_pay(link, page, amount="30"))
        states = link.payment_ids.sorted("id").mapped("state")
        self.assertEqual(sorted(states), ["expired", "open", "open"])

    def test_money_of_the_last_second_keeps_its_place(self):
        link = self.create_link(max_payments=1)
        self.press_pay(link)
        self.standin.pay(link.payment_ids.stripe_checkout_session_id)
        with freeze_time(fields.Datetime.now() + timedelta(minutes=36), tick=True):
            page = self.come_back(link)
            self.assertEqual(self.press_pay(link, page).status_code, 409)
            self.process()
        self.assertEqual(link.payment_ids.mapped("state"), ["paid"])

    def test_forged_foreign_and_old_nonces_lead_nowhere(self):
        link, other = self.create_open_link(max_payments=2), self.create_link()
        [(query, _kept), _second] = self.fill(link)
        form_nonce = self.get_nonce(other)
        self.press_pay(other)
        foreign = self.get_cancel_query()
        for resume in ("forged", "é", "A" * 300, form_nonce, foreign):
            with self.subTest(resume=resume):
                answer = self.come_back(link, resume)
                self.assertEqual(answer.status_code, 409)
                self.assertIn('data-resume="refused"', answer.text)
        with freeze_time(fields.Datetime.now() + timedelta(hours=2), tick=True):
            page = self.come_back(link, query)
            self.assertIn('data-resume="refused"', page.text)

    def test_nonce_of_an_address_is_no_form(self):
        link = self.create_link(max_payments=2)
        self.press_pay(link)
        for nonce in (
            self.get_cancel_query(),
            self.get_kept_query(self.get_page(link)),
        ):
            self.assertEqual(self.send(link, nonce=nonce).status_code, 422)

    def test_payer_of_an_unlimited_link_continues_too(self):
        link = self.create_open_link()
        first = self.press_pay(link, amount="12.5")
        page = self.come_back(link, self.get_cancel_query())
        self.assertEqual(self.get_typed(page), "12.50")
        again = self.press_pay(link, page, amount="12.5")
        self.assertEqual(again.headers["Location"], first.headers["Location"])
        self.assertFalse(self.get_typed(self.come_back(link)))

    def test_coming_back_makes_nothing(self):
        link = self.create_open_link(max_payments=2)
        [(query, kept), _second] = self.fill(link)
        self.standin.clear_requests()
        for resume in (None, query, kept, "forged"):
            self.assertNotIn("Set-Cookie", self.come_back(link, resume).headers)
        self.assertEqual(len(link.payment_ids), 2)
        self.assertFalse(self.standin.requests())

    @mute_logger(CLIENT_LOGGER)
    def test_second_attempt_still_finds_a_session(self):
        link = self.create_link(max_payments=1)
        page = self.get_page(link)
        self.standin.api_fault("hang", "/v1/checkout", seconds=0)
        self.assertEqual(self.press_pay(link, page).status_code, 503)
        payment = link.payment_ids
        payment.sudo().session_expires_at -= timedelta(minutes=3)  # three minutes on
        self.assert_to_stripe(self.press_pay(link, page))
        self.assertEqual(link.payment_ids, payment)

    def test_repetition_sends_stripe_the_same_words(self):
        payment = self.start_payment(self.create_link(max_payments=1))
        with freeze_time(fields.Datetime.now() + timedelta(minutes=2)):
            again = payment._prepare_session_params()
        [request] = self.get_session_requests()
        self.assertEqual(again["cancel_url"], request["params"]["cancel_url"])


class TestRelease(CheckoutCommon):
    """A merchant sees until when places are held, and can free them."""

    def setUp(self):
        super().setUp()
        self.link = self.create_link(max_payments=1)
        self.payment = self.start_payment(self.link)
        self.env.invalidate_all()

    def release(self):
        notification = self.link.action_release_places()["params"]
        self.env.invalidate_all()
        return notification["type"]

    def test_held_link_says_until_when(self):
        self.assertEqual(self.link.availability, "held")
        self.assertEqual(self.link.held_until, self.payment.session_expires_at)
        until = format_time(
            self.env, self.payment.session_expires_at, time_format="short"
        )
        self.assertIn(f"expires at {until}. Click Release", self.link.closed_hint)

    def test_release_frees_the_place_once_stripe_confirms(self):
        self.assertEqual(self.release(), "success")
        self.assertEqual(self.payment.state, "expired")
        self.assertEqual(self.link.availability, "active")
        self.assertEqual(len(self.standin.events("checkout.session.expired")), 1)

    @mute_logger(CLIENT_LOGGER)
    def test_place_is_held_until_stripe_has_answered(self):
        self.standin.api_fault("status", "/expire", status=500, times=2)
        self.assertEqual(self.release(), "warning")
        self.assertEqual(self.payment.state, "open")
        self.assertEqual(self.link.availability, "held")
        self.process()
        self.assertEqual(self.payment.state, "expired")
        self.assertEqual(self.link.availability, "active")

    def test_place_of_who_has_just_paid_is_not_released(self):
        self.standin.pay(self.payment.stripe_checkout_session_id)
        self.assertEqual(self.release(), "warning")
        self.process()
        self.assertEqual(self.payment.state, "paid")
        self.assertFalse(self.payment.flag)
        self.assertEqual(self.link.availability, "full")

    def test_place_that_never_reached_stripe_is_released(self):
        link = self.create_link(max_payments=1)
        payment = link.sudo()._start_payment("crashed", 110, "en_US")
        link.action_release_places()
        self.assertEqual(payment.state, "expired")

    @mute_logger(CLIENT_LOGGER)
    def test_session_that_stripe_no_longer_has_is_released(self):
        path = f"/v1/checkout/sessions/{self.payment.stripe_checkout_session_id}"
        self.standin.api_fault("status", path, status=404, times=9)
        self.assertEqual(self.release(), "success")
        self.assertEqual(self.payment.state, "expired")

    def test_release_is_for_merchants(self):
        merchant = new_test_user(
            self.env, "mia-places", groups="account.group_account_invoice"
        )
        reader = new_test_user(
            self.env, "rea-places", groups="account.group_account_readonly"
        )
        with self.assertRaises(AccessError):
            self.link.with_user(reader).action_release_places()
        self.link.with_user(merchant).action_release_places()
        self.assertEqual(self.payment.state, "expired")
