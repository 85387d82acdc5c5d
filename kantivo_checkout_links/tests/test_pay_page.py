import os
import re
from datetime import datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time
from lxml import html

from odoo import sql_db
from odoo.tools import mute_logger

from .. import stripe_client
from ..const import SILENT_CALLS
from ..controllers.pay_page import BLANK
from ..models.payment.link_paying import FORM_SCOPE, RESUME_SCOPE
from .common import CLIENT_LOGGER, CheckoutHttpCommon
from .many import reading

PAGE_LOGGER = "odoo.addons.kantivo_checkout_links.controllers.pay_page"


class PayPageCase(CheckoutHttpCommon):
    """A payer's browser without scripts and without cookies."""

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def get_page(self, link, **kwargs):
        self.opener.cookies.clear()
        return self.url_open(f"/checkout/{link.access_token}", **kwargs)

    def get_nonce(self, link):
        return re.search(r'name="nonce"[^>]*value="([^"]+)"', self.get_page(link).text)[
            1
        ]

    def send(self, link, headers=None, **data):
        if "nonce" not in data:
            data["nonce"] = self.get_nonce(link)
        self.opener.cookies.clear()
        return self.url_open(
            f"/checkout/{link.access_token}",
            data=data,
            headers=headers,
            allow_redirects=False,
        )

    def get_session_requests(self):
        return self.standin.requests("POST /v1/checkout/sessions")

    def get_asked_amount(self):
        params = self.get_session_requests()[-1]["params"]
        return int(params["line_items"]["0"]["price_data"]["unit_amount"])

    def assert_to_stripe(self, answer):
        self.assertEqual(answer.status_code, 303, answer.text)
        self.assertTrue(answer.headers["Location"].startswith(self.standin.url))

    def assert_refused_kindly(self, answer):
        self.assertEqual(answer.status_code, 422)
        self.assertIn('role="alert"', answer.text)
        self.assertFalse(self.get_session_requests())

    def assert_only_our_host(self, answer):
        hosts = set(re.findall(r"(?:https?:)?//([\w.-]+)", answer.text))
        own = re.search(r"//([\w.-]+)", self.gateway.get_base_url())[1]
        self.assertLessEqual(hosts, {own, "127.0.0.1", "www.w3.org"})


class TestPayPage(PayPageCase):
    """The public page, as anybody on the internet meets it."""

    def test_page_takes_at_most_six_queries(self):
        for link in (self.create_link(110), self.create_open_link(max_payments=9)):
            self.get_page(link)  # what is read once is then known
            url = f"/checkout/{link.access_token}"
            with reading("") as reads:
                self.assertEqual(self.url_open(url).status_code, 200)
            places = 2 if link.max_payments else 0
            self.assertLessEqual(
                len(reads.queries), 6 + places, "\n\n".join(reads.queries)
            )

    # === WHO MAY === #

    def test_anonymous_payer_sees_title_and_amount(self):
        page = self.get_page(self.create_link(110))
        self.assertEqual(page.status_code, 200)
        self.assertIn("Summer course", page.text)
        self.assertIn("110.00", page.text)

    def test_other_companys_link_is_paid_into_that_company(self):
        other = self.setup_other_company()
        gateway = self.create_gateway(
            other["company"],
            secret_key="sk_test_at_other",
            income_account_id=other["default_account_revenue"].id,
            tax_ids=[],
        )
        link = self.create_link(
            gateway_id=gateway.id, company_id=other["company"].id, tax_ids=[]
        )
        self.assert_to_stripe(self.send(link))
        self.assertEqual(link.payment_ids.company_id, other["company"])

    def test_unknown_address_is_a_friendly_404(self):
        for path in ("/checkout/kcl_nothing", "/checkout/kcl_nothing/return"):
            answer = self.url_open(path)
            self.assertEqual(answer.status_code, 404)
            self.assertIn('data-state="not_found"', answer.text)

    def test_address_that_no_database_can_hold_is_a_friendly_404(self):
        token = self.create_link().access_token
        for path, data in (
            ("/checkout/%00", None),
            ("/checkout/%00", {"amount": "5"}),
            ("/checkout/%00/return?session_id=cs_test_nothing", None),
            (f"/checkout/{token}/return?session_id=%00", None),
        ):
            with self.subTest(path=path, data=data):
                with self.assertNoLogs("odoo", "WARNING"):
                    answer = self.url_open(path, data=data)
                self.assertEqual(answer.status_code, 404)
                self.assertIn('data-state="not_found"', answer.text)

    # === LOOKING === #

    def test_two_hundred_visits_make_nothing(self):
        link = self.create_link()
        for _visit in range(200):
            page = self.get_page(link)
            self.assertEqual(page.status_code, 200)
            self.assertNotIn("Set-Cookie", page.headers)
        self.assertFalse(link.payment_ids)
        self.assertFalse(self.standin.requests())

    def test_page_names_no_other_host_and_needs_no_script(self):
        page = self.get_page(self.create_link())
        self.assert_only_our_host(page)
        policy = page.headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("form-action", policy)
        self.assertEqual(page.headers["Cache-Control"], "no-store")

    def test_style_and_script_of_the_page_exist_and_set_no_cookie(self):
        page = self.get_page(self.create_link())
        paths = re.findall(r'(?:href|src)="(/kantivo_checkout_links/[^"]+)"', page.text)
        self.assertGreaterEqual(len(paths), 2)
        for path in paths:
            self.opener.cookies.clear()
            answer = self.url_open(path)
            self.assertEqual(answer.status_code, 200)
            self.assertNotIn("Set-Cookie", answer.headers)

    def test_page_weighs_at_most_24_kilobytes_in_at_most_4_requests(self):
        page = self.get_page(self.create_open_link(minimum_amount=5))
        paths = re.findall(r'(?:href|src)="(/kantivo_checkout_links/[^"]+)"', page.text)
        self.assertLessEqual(len(paths) + 1, 4)
        weight = sum(len(self.url_open(path).content) for path in paths)
        self.assertLessEqual(weight + len(page.content), 24 * 1024)

    def test_texts_of_the_merchant_are_shown_as_text(self):
        link = self.create_link(
            name="<script>alert(1)</script>", description="<b>bold</b>\nsecond line"
        )
        page = self.get_page(link)
        self.assertNotIn("<script>alert", page.text)
        self.assertNotIn("<b>bold", page.text)
        self.assertIn("&lt;b&gt;bold", page.text)

    def test_addresses_in_the_description_are_links(self):
        link = self.create_link(
            description='https://example.com/a?b=1&c="x" <i>Ask</i> kim@example.com!'
        )
        page = self.get_page(link)
        self.assertIn('href="https://example.com/a?b=1&amp;c="', page.text)
        self.assertIn(">kim@example.com</a>!", page.text)
        self.assertIn("&lt;i&gt;Ask&lt;/i&gt;", page.text)

    def test_inactive_link_says_so_in_the_merchants_words(self):
        link = self.create_link()
        link.action_deactivate()
        page = self.get_page(link)
        self.assertEqual(page.status_code, 410)
        self.assertIn("no longer available", page.text)
        link.inactive_message = "The course is full."
        self.assertIn("The course is full.", self.get_page(link).text)
        link.action_activate()
        self.assertEqual(self.get_page(link).status_code, 200)

    def test_archived_link_says_so_as_an_inactive_one_does(self):
        link = self.create_link(inactive_message="The course is full.")
        nonce = self.get_nonce(link)
        link.action_archive()
        for answer in (self.get_page(link), self.send(link, nonce=nonce)):
            self.assertEqual(answer.status_code, 410)
            self.assertIn("The course is full.", answer.text)
        self.assertFalse(self.get_session_requests())

    def test_link_of_an_archived_gateway_is_not_available_until_it_is_back(self):
        link = self.create_link()
        nonce = self.get_nonce(link)
        self.gateway.action_archive()
        for answer in (self.get_page(link), self.send(link, nonce=nonce)):
            self.assertEqual(answer.status_code, 410)
            self.assertIn("at the moment", answer.text)
        self.assertFalse(self.get_session_requests())
        self.gateway.action_unarchive()
        self.assert_to_stripe(self.send(link, nonce=nonce))

    # === PAYING === #

    def test_payer_without_cookies_and_scripts_can_pay(self):
        link = self.create_link(110)
        self.opener.cookies.clear()
        answer = self.send(link)
        self.assert_to_stripe(answer)
        self.assertNotIn("Set-Cookie", answer.headers)
        hosted = self.url_open(answer.headers["Location"], allow_redirects=False)
        self.assertEqual(hosted.status_code, 200)
        paid = self.url_open(
            answer.headers["Location"],
            data={
                "email": "rosa@example.com",
                "name": "Rosa Payer",
                "number": "4242424242424242",
                "expiry": "12/34",
                "cvc": "123",
            },
            allow_redirects=False,
        )
        self.assertEqual(paid.status_code, 303)
        self.opener.cookies.clear()
        back = self.url_open(paid.headers["Location"])
        self.assertEqual(back.status_code, 200)
        self.assertNotIn("Set-Cookie", back.headers)
        self.assertIn('data-state="paid"', back.text)
        self.assertIn("110.00", back.text)
        self.assertNotIn("rosa@example.com", back.text)
        self.assert_only_our_host(back)
        self.process()
        self.assertEqual(link.payment_ids.state, "paid")
        self.assertEqual(link.payment_ids.customer_name, "Rosa Payer")

    def test_session_is_made_from_the_link_alone(self):
        link = self.create_link(110)
        self.assert_to_stripe(self.send(link, amount="1", currency="eur"))
        self.assertEqual(self.get_asked_amount(), 11000)
        params = self.get_session_requests()[0]["params"]
        self.assertEqual(params["mode"], "payment")
        self.assertTrue(params["cancel_url"].startswith(f"{link.url}?resume="))
        self.assertIn("{CHECKOUT_SESSION_ID}", params["success_url"])
        self.assertEqual(params["adaptive_pricing"]["enabled"], "false")
        self.assertEqual(params["metadata"], params["payment_intent_data"]["metadata"])

    def test_button_statement_and_methods_are_as_the_link_says(self):
        self.send(self.create_link())
        params = self.get_session_requests()[-1]["params"]
        self.assertEqual(params["submit_type"], "auto")
        self.assertNotIn("excluded_payment_method_types", params)
        self.assertNotIn("statement_descriptor_suffix", params["payment_intent_data"])
        link = self.create_link(
            submit_type="donate",
            statement_descriptor_suffix="SUMMER",
            excluded_payment_method_types="klarna,us_bank_account",
        )
        self.assert_to_stripe(self.send(link))
        params = self.get_session_requests()[-1]["params"]
        self.assertEqual(params["submit_type"], "donate")
        excluded = params["excluded_payment_method_types"]
        self.assertEqual(list(excluded.values()), ["klarna", "us_bank_account"])
        intent = params["payment_intent_data"]
        self.assertEqual(intent["statement_descriptor_suffix"], "SUMMER")

    def test_statement_that_no_longer_fits_costs_no_payment(self):
        link = self.create_link(statement_descriptor_suffix="SUMMERCAMP")
        self.standin.settings(statement_prefix="KANTIVOPAY")
        self.gateway.action_test_connection()
        self.assertEqual(link.statement_preview, "KANTIVOPAY* SUMMERCAMP")
        link.sudo().gateway_id.statement_prefix = "KANTIVOPAYS"
        self.assert_to_stripe(self.send(link))
        intent = self.get_session_requests()[-1]["params"]["payment_intent_data"]
        self.assertNotIn("statement_descriptor_suffix", intent)

    def test_title_and_description_are_on_stripes_page_too(self):
        for description, expected in (
            ("With lunch", {"name": "Summer course", "description": "With lunch"}),
            (False, {"name": "Summer course"}),
        ):
            self.send(self.create_link(description=description))
            params = self.get_session_requests()[-1]["params"]
            product = params["line_items"]["0"]["price_data"]["product_data"]
            self.assertEqual(product, expected)

    def test_same_form_sent_twice_makes_one_session(self):
        link = self.create_link()
        nonce = self.get_nonce(link)
        first, second = self.send(link, nonce=nonce), self.send(link, nonce=nonce)
        self.assert_to_stripe(first)
        self.assertEqual(first.headers["Location"], second.headers["Location"])
        self.assertEqual(len(link.payment_ids), 1)
        self.assertEqual(self.standin.counts()["checkout.session"], 1)

    def test_form_of_another_link_or_a_forged_one_pays_nothing(self):
        link, other = self.create_link(), self.create_link(5)
        for nonce in (self.get_nonce(other), "", "forged", "é", "A" * 300, "AQ=="):
            with self.subTest(nonce=nonce):
                self.assert_refused_kindly(self.send(link, nonce=nonce))
        self.assertFalse(link.payment_ids)

    def test_form_with_a_file_or_a_nul_in_it_is_asked_again(self):
        link = self.create_open_link()
        nonce = self.get_nonce(link)
        for sent in (
            {"data": {"amount": "5"}, "files": {"nonce": ("a.txt", nonce)}},
            {"data": {"nonce": nonce}, "files": {"amount": ("a.txt", "5")}},
            {"data": {"nonce": f"{nonce}\0", "amount": "5"}},
            {"data": {"nonce": nonce, "amount": "5\0"}},
        ):
            with self.subTest(sent=sent):
                with self.assertNoLogs("odoo", "WARNING"):
                    answer = self.url_open(f"/checkout/{link.access_token}", **sent)
                self.assert_refused_kindly(answer)
        self.assertFalse(link.payment_ids)

    def test_form_older_than_a_day_is_asked_again(self):
        link = self.create_link()
        nonce = self.get_nonce(link)
        with freeze_time(datetime.now() + timedelta(hours=25), tick=True):
            answer = self.send(link, nonce=nonce)
        self.assert_refused_kindly(answer)

    def test_link_closed_meanwhile_takes_no_payment(self):
        link = self.create_link()
        nonce = self.get_nonce(link)
        link.action_deactivate()
        answer = self.send(link, nonce=nonce)
        self.assertEqual(answer.status_code, 410)
        self.assertFalse(self.get_session_requests())


class TestKeptPage(PayPageCase):
    """What is kept in memory of a page is never another payer's, and never old."""

    def test_each_payer_gets_what_is_signed_for_them(self):
        link = self.create_link()
        pages = [self.get_page(link) for _payer in range(2)]
        numbers = set()
        for page in pages:
            [nonce] = re.findall(r'name="nonce"[^>]*value="([^"]+)"', page.text)
            [resume] = re.findall(r'data-resume="([^"]{20,})"', page.text)
            number = link.sudo()._read_nonce(FORM_SCOPE, nonce)
            self.assertTrue(number)
            self.assertEqual(link.sudo()._read_nonce(RESUME_SCOPE, resume), number)
            numbers.add(number)
            [style] = re.findall(r'<style nonce="([^"]+)"', page.text)
            self.assertIn(f"'nonce-{style}'", page.headers["Content-Security-Policy"])
            numbers.add(style)
            self.assertNotIn(BLANK, page.text)
        self.assertEqual(len(numbers), 4)

    def test_changes_of_the_merchant_are_seen_at_once(self):
        link = self.create_link()
        company = self.gateway.company_id
        self.assertIn("Test mode", self.get_page(link).text)
        company.name = "Bakery One"
        self.assertIn("Bakery One", self.get_page(link).text)
        company.name = "Bakery Two"
        self.assertIn("Bakery Two", self.get_page(link).text)
        company.primary_color = "#7a1fa2"
        self.assertIn("#7a1fa2", self.get_page(link).text)
        company.primary_color = "#2e7d32"
        self.assertIn("#2e7d32", self.get_page(link).text)
        self.gateway.secret_key = "sk_live_kit"
        self.assertNotIn("Test mode", self.get_page(link).text)
        link.name = "Another title"
        self.assertIn("Another title", self.get_page(link).text)
        self.gateway.active = False
        self.assertEqual(self.get_page(link).status_code, 410)

    def test_changes_of_a_template_are_seen_at_once(self):
        link = self.create_link()
        self.get_page(link)
        view = self.env.ref("kantivo_checkout_links.pay_reassurance")
        view.arch = view.arch.replace("secure page", "very own page")
        self.assertIn("very own page", self.get_page(link).text)

    def test_pay_page_takes_six_queries(self):
        """Of which a test lacks the one that asks for other processes' changes, and has
        another one that asks which databases there are.
        """
        link = self.create_link(minimum_amount=5, amount_type="open", amount=0)
        path = f"/checkout/{link.access_token}"
        self.url_open(path)
        before = sql_db.sql_counter
        self.assertEqual(self.url_open(path).status_code, 200)
        self.assertLessEqual(sql_db.sql_counter - before, 6)


class TestAmounts(PayPageCase):
    """What reaches Stripe is the link's amount, or what the payer meant."""

    def test_minor_units_at_stripe_are_stripes_own(self):
        cases = [
            ("USD", 110.0, 11000),
            ("JPY", 5000, 5000),
            ("KWD", 5.25, 5250),
            ("ISK", 1500, 150000),
            ("UGX", 40000, 4000000),
        ]
        for code, amount, minor in cases:
            currency = self.env.ref(f"base.{code}")
            currency.active = True
            with self.subTest(currency=code):
                link = self.create_link(amount, currency_id=currency.id)
                self.assert_to_stripe(self.send(link))
                self.assertEqual(self.get_asked_amount(), minor)

    def test_open_amount_outside_the_limits_is_refused_kindly(self):
        link = self.create_open_link(minimum_amount=5, maximum_amount=100)
        for typed in (
            "4.99",
            "100.01",
            "0",
            "-10",
            "",
            "1e9",
            "1e1",
            "NaN",
            "ten",
            "10.001",
            "9" * 30,
        ):
            with self.subTest(typed=typed):
                self.assert_refused_kindly(self.send(link, amount=typed))
        self.assertFalse(link.payment_ids)

    def test_refused_amount_is_shown_again_with_the_reason(self):
        link = self.create_open_link(minimum_amount=5)
        answer = self.send(link, amount="4.99")
        self.assertIn("4.99", answer.text)
        self.assertIn("The minimum is", answer.text)

    def test_only_an_error_about_the_amount_marks_its_field(self):
        link = self.create_open_link()
        wrong = self.send(link, amount="x")
        self.assertIn('aria-describedby="pay-error"', wrong.text)
        self.assertIn('aria-invalid="true"', wrong.text)
        forged = self.send(link, amount="10", nonce="forged")
        self.assertIn('id="pay-error"', forged.text)
        self.assertNotIn("aria-invalid", forged.text)

    def test_open_amount_at_the_limits_is_taken(self):
        link = self.create_open_link(minimum_amount=5, maximum_amount=100)
        for typed, minor in (("5", 500), ("100.00", 10000), ("١٢", 1200)):
            with self.subTest(typed=typed):
                self.assert_to_stripe(self.send(link, amount=typed))
                self.assertEqual(self.get_asked_amount(), minor)

    def test_comma_of_the_payers_language_is_a_decimal_point(self):
        self.env["res.lang"]._activate_lang("de_DE")
        link = self.create_open_link()
        german = {"Accept-Language": "de-DE,de;q=0.9"}
        for typed, minor in (("12,50", 1250), ("1.250,75", 125075), ("1.250", 125000)):
            with self.subTest(typed=typed):
                self.assert_to_stripe(self.send(link, headers=german, amount=typed))
                self.assertEqual(self.get_asked_amount(), minor)

    def test_most_that_stripe_takes_is_shown_before_stripe_is_asked(self):
        link = self.create_open_link()
        self.assert_refused_kindly(self.send(link, amount="1000000"))

    def test_fraction_of_a_yen_is_refused(self):
        self.env.ref("base.JPY").active = True
        link = self.create_open_link(currency_id=self.env.ref("base.JPY").id)
        answer = self.send(link, amount="100.5")
        self.assert_refused_kindly(answer)
        self.assertIn("multiples of 1", answer.text)

    def test_suggested_amount_is_chosen_without_a_script(self):
        link = self.create_open_link(suggested_amounts="10, 25, 50", preset_amount=25)
        page = self.get_page(link).text
        self.assertIn("Pay $50.00", page)
        self.assertRegex(page, r'value="25"[^>]*checked')
        self.assert_to_stripe(self.send(link, choice="50"))
        self.assertEqual(self.get_asked_amount(), 5000)
        self.assert_to_stripe(self.send(link, choice="", amount="12.50"))
        self.assertEqual(self.get_asked_amount(), 1250)

    def test_amount_that_is_given_or_preset_is_chosen_where_it_is_suggested(self):
        link = self.create_open_link(suggested_amounts="10, 25", preset_amount=40)
        path = f"/checkout/{link.access_token}"
        for query, chosen, typed in (
            ("", "", "40.00"),
            ("?amount=25.00", "25", ""),
            ("?amount=30", "", "30.00"),
            ("?choice=25", "", "40.00"),
        ):
            page = html.fromstring(self.url_open(f"{path}{query}").text)
            self.assertEqual(
                page.xpath("//*[@name='choice'][@checked]/@value"), [chosen]
            )
            self.assertEqual(page.xpath("//*[@id='amount']/@value"), [typed])

    def test_amount_that_is_not_suggested_is_refused_as_a_choice(self):
        link = self.create_open_link(suggested_amounts="10, 25", minimum_amount=5)
        for choice in ("1", "10.0", "10,25", "-10", "NaN", "x"):
            with self.subTest(choice=choice):
                answer = self.send(link, choice=choice)
                self.assert_refused_kindly(answer)
                self.assertIn("no longer offered", answer.text)
        fixed = self.create_link(110)
        self.assert_to_stripe(self.send(fixed, choice="1"))
        self.assertEqual(self.get_asked_amount(), 11000)

    def test_another_amount_from_the_same_form_is_another_payment(self):
        link = self.create_open_link()
        nonce = self.get_nonce(link)
        self.send(link, nonce=nonce, amount="10")
        self.assert_to_stripe(self.send(link, nonce=nonce, amount="20"))
        self.assertEqual(self.get_asked_amount(), 2000)
        self.assertCountEqual(link.payment_ids.mapped("amount"), [10, 20])


class TestStripeTrouble(PayPageCase):
    """Stripe away, slow or busy: a kind page with a retry, and nothing half-made."""

    def setUp(self):
        super().setUp()
        stripe_client.SILENCE.end("sk_test_kit")

    def assert_kind_retry(self, answer):
        self.assertEqual(answer.status_code, 503)
        self.assertIn("Nothing was charged", answer.text)
        self.assertIn('name="nonce"', answer.text)

    def retry(self, link, answer, **data):
        nonce = re.search(r'name="nonce"[^>]*value="([^"]+)"', answer.text)[1]
        return self.send(link, nonce=nonce, **data)

    def assert_retry_pays_once(self, link, answer):
        self.assert_kind_retry(answer)
        self.assertFalse(link.payment_ids.filtered(lambda p: p.state == "open"))
        self.standin.clear_faults()
        self.assert_to_stripe(self.retry(link, answer))
        self.assertEqual(len(link.payment_ids.filtered(lambda p: p.state == "open")), 1)

    @mute_logger(CLIENT_LOGGER)
    def test_busy(self):
        link = self.create_link()
        self.standin.api_fault("status", "/v1/checkout", status=429, times=5)
        self.assert_retry_pays_once(link, self.send(link))

    @mute_logger(CLIENT_LOGGER)
    def test_same_form_still_being_worked_on(self):
        link = self.create_link()
        self.standin.api_fault("status", "/v1/checkout", status=409, times=2)
        answer = self.send(link)
        self.assertNotIn("contact the merchant", answer.text)
        self.assert_retry_pays_once(link, answer)
        self.assertEqual(len(link.payment_ids), 1)

    @mute_logger(CLIENT_LOGGER)
    def test_second_try_that_comes_too_late_for_the_first_session(self):
        link = self.create_link(max_payments=1)
        self.standin.api_fault("hang", "/v1/checkout", seconds=0)
        answer = self.send(link)
        first = link.payment_ids
        first.sudo().session_expires_at -= timedelta(minutes=5)  # as five minutes on
        for _try in range(2):
            self.assert_to_stripe(self.retry(link, answer))
        self.assertEqual(first.state, "failed")
        self.assertEqual(len(link.payment_ids), 2)

    @mute_logger(CLIENT_LOGGER)
    def test_failing(self):
        link = self.create_link()
        self.standin.api_fault("status", "/v1/checkout", status=500, times=5)
        self.assert_retry_pays_once(link, self.send(link))

    @mute_logger(CLIENT_LOGGER)
    def test_failing_and_repeating_it_for_the_same_key(self):
        link = self.create_link()
        self.standin.api_fault(
            "status", "/v1/checkout", status=500, times=5, saved=True
        )
        self.assert_retry_pays_once(link, self.send(link))

    @mute_logger(CLIENT_LOGGER)
    def test_half_an_answer(self):
        link = self.create_link()
        self.standin.api_fault("half_body", "/v1/checkout", times=5)
        answer = self.send(link)
        self.assert_retry_pays_once(link, answer)
        self.assertEqual(self.standin.counts()["checkout.session"], 1)

    @mute_logger(CLIENT_LOGGER)
    def test_silent_for_longer_than_a_payer_waits(self):
        link = self.create_link()
        self.standin.api_fault("hang", "/v1/checkout", seconds=4)
        self.assert_retry_pays_once(link, self.send(link))

    @mute_logger(CLIENT_LOGGER)
    def test_away(self):
        link = self.create_link()
        nonce = self.get_nonce(link)
        with patch.dict(os.environ, {"STRIPE_API_BASE": "http://127.0.0.1:9"}):
            answer = self.send(link, nonce=nonce)
        self.assert_retry_pays_once(link, answer)

    # === EACH PRESS IS ONE CALL === #

    @mute_logger(CLIENT_LOGGER)
    def test_each_press_is_one_call_of_the_same_form(self):
        for fault in ({"status": 500}, {"status": 429}, {"status": 409}):
            self.assert_one_call_each("status", **fault)
        self.assert_one_call_each("hang")

    def assert_one_call_each(self, kind, **fault):
        self.standin.clear_requests()
        link = self.create_link()
        nonce = self.get_nonce(link)
        self.standin.api_fault(kind, "/v1/checkout", times=2, **fault)
        for calls in (1, 2):
            answer = self.send(link, nonce=nonce)
            self.assert_kind_retry(answer)
            self.assertEqual(answer.headers["Retry-After"], "4")
            self.assertIn(f'value="{nonce}"', answer.text)
            self.assertEqual(len(self.get_session_requests()), calls)
        self.assert_to_stripe(self.send(link, nonce=nonce))
        self.assertEqual(len(link.payment_ids), 1)

    def get_keys(self, link):
        """The ends of the idempotency keys that Stripe was asked with."""
        uuid = link.payment_ids.sudo().uuid
        keys = [entry["idempotency_key"] for entry in self.get_session_requests()]
        return [key.removeprefix(uuid) for key in keys]

    @mute_logger(CLIENT_LOGGER)
    def test_answered_failure_gets_a_new_key_and_silence_the_same(self):
        link = self.create_link()
        nonce = self.get_nonce(link)
        for kind, fault in (
            ("status", {"status": 500, "saved": True}),
            ("lost_answer", {"status": 503}),
            ("hang", {}),
            ("half_body", {}),
            ("status", {"status": 429}),
        ):
            self.standin.api_fault(kind, "/v1/checkout", **fault)
            self.assert_kind_retry(self.send(link, nonce=nonce))
        self.assert_to_stripe(self.send(link, nonce=nonce))
        self.assertEqual(self.get_keys(link), ["", ":2", ":3", ":3", ":3", ":3"])
        self.assertEqual(link.payment_ids.state, "open")

    @mute_logger(CLIENT_LOGGER)
    def test_session_that_stripe_made_before_it_failed_is_never_paid(self):
        link = self.create_link()
        nonce = self.get_nonce(link)
        self.standin.api_fault("lost_answer", "/v1/checkout", status=500)
        for _press in range(2):
            answer = self.send(link, nonce=nonce)
        payment = link.payment_ids
        [made] = {
            event["data"]["object"]["id"] for event in self.expire_all_but(payment)
        }
        self.assertNotEqual(made, payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual(payment.state, "open")
        self.assertIn(payment.stripe_checkout_session_id, answer.headers["Location"])

    def expire_all_but(self, payment):
        """End the other sessions at Stripe: the events of it."""
        client = payment.gateway_id.sudo()._get_client()
        sessions = client._v1.checkout.sessions.list().data
        for session in sessions:
            if session.id != payment.stripe_checkout_session_id:
                self.standin.expire(session.id)
        return self.standin.events("checkout.session.expired")

    @mute_logger(CLIENT_LOGGER)
    def test_stripe_that_stays_silent_is_left_alone_for_some_seconds(self):
        link = self.create_link()
        nonce = self.get_nonce(link)
        self.standin.api_fault("hang", "/v1/checkout", times=SILENT_CALLS)
        for _press in range(SILENT_CALLS + 2):
            self.assert_kind_retry(self.send(link, nonce=nonce))
        self.assertEqual(len(self.get_session_requests()), SILENT_CALLS)
        self.assertEqual(len(link.payment_ids), 1)
        with patch.object(stripe_client, "SILENT_SECONDS", 0):
            self.assert_to_stripe(self.send(link, nonce=nonce))
        self.assert_to_stripe(self.send(link))

    def test_calls_of_several_payers_go_over_one_connection(self):
        link = self.create_link()
        for _payer in range(3):
            self.assert_to_stripe(self.send(link))
        connections = {row["connection"] for row in self.get_session_requests()}
        self.assertEqual(len(connections), 1)

    @mute_logger(PAGE_LOGGER, "odoo.sql_db")
    def test_database_that_takes_no_changes(self):
        for code in ("53100", "25006"):  # disk full, read only
            link = self.create_link()
            self.refuse_writes(code)
            answer = self.send(link)
            self.assert_kind_retry(answer)
            self.assertEqual(answer.headers["Retry-After"], "4")
            self.assertFalse(self.get_session_requests())
            self.env.cr.execute("DROP TRIGGER refused ON checkout_payment")
            self.assert_to_stripe(self.retry(link, answer))
            self.assertEqual(len(link.payment_ids), 1)
            self.standin.clear_requests()

    @mute_logger(PAGE_LOGGER, "odoo.sql_db")
    def test_return_page_of_a_database_that_takes_no_changes(self):
        link = self.create_link()
        self.assert_to_stripe(self.send(link))
        session_id = link.payment_ids.stripe_checkout_session_id
        url = f"/checkout/{link.access_token}/return?session_id={session_id}"
        self.refuse_writes("53100", "checkout_event")
        answer = self.url_open(url)
        self.assertEqual(answer.status_code, 200)
        self.assertIn("do not pay again", answer.text)

    def refuse_writes(self, code, table="checkout_payment"):
        """Have PostgreSQL refuse every new row of a table with an SQLSTATE."""
        self.env.flush_all()
        self.env.cr.execute(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = %s; END $$",
            [code],
        )
        self.env.cr.execute(
            f"CREATE TRIGGER refused BEFORE INSERT ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

    @mute_logger(CLIENT_LOGGER)
    def test_key_that_stripe_refuses_is_the_merchants_matter(self):
        self.gateway.secret_key = "sk_test_kit_invalid"
        link = self.create_link()
        answer = self.send(link)
        self.assertEqual(answer.status_code, 503)
        self.assertIn("contact the merchant", answer.text)
        self.assertNotIn("sk_test", answer.text)
        self.assertEqual(link.payment_ids.state, "failed")
        self.assertIn("API", link.payment_ids.failure_message)

    def test_live_key_never_leaves_for_another_address(self):
        self.gateway.write({"secret_key": "sk_live_kit", "post_entries": True})
        link = self.create_link()
        answer = self.send(link)
        self.assertEqual(answer.status_code, 503)
        self.assertFalse(self.standin.requests())
        self.assertIn("STRIPE_API_BASE", link.payment_ids.failure_message)
