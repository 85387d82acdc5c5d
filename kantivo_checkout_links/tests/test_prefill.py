import re
from html import unescape
from uuid import uuid4

from odoo.tools import mute_logger

from ..const import MAX_TRACKING_LENGTH
from .common import CLIENT_LOGGER
from .test_pay_page import PayPageCase

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
SHOP = {
    "reference": "SO-17",
    "utm_source": "newsletter",
    "utm_medium": "email",
    "utm_campaign": "Summer & sun",
}


class TestPrefill(PayPageCase):
    """What the address of a pay page says besides the link."""

    def open(self, link, **params):
        self.opener.cookies.clear()
        page = self.url_open(f"/checkout/{link.access_token}", params=params)
        self.assertEqual(page.status_code, 200)
        self.assertNotIn("Set-Cookie", page.headers)
        return page.text

    def read_form(self, page):
        """What the form would send as it stands."""
        form = {name: unescape(text) for name, text in HIDDEN.findall(page)}
        for name in ("amount", "email", "name"):
            if field := re.search(rf'id="{name}" [^>]*?value="([^"]*)"', page):
                form[name] = field[1]
        return form

    def start(self, link, params=(), **typed):
        """Open an address, send its form, and go to Stripe.

        :return: The payment.
        """
        form = self.read_form(self.open(link, **dict(params)))
        self.assert_to_stripe(self.send(link, **form | typed))
        return link.payment_ids.sorted("id")[-1]

    def pay_at_stripe(self, payment, email="payer@example.com"):
        self.standin.pay(payment.stripe_checkout_session_id, email=email)
        self.deliver()
        self.assertEqual(payment.state, "paid")

    def get_charge_contact(self, payment):
        return self.get_movement(payment, "charge").move_id.line_ids.partner_id

    # === TRACKING === #

    def test_reference_and_campaign_are_on_the_payment_and_the_reference_at_stripe(
        self,
    ):
        link = self.create_link()
        payment = self.start(link, SHOP)
        self.pay_at_stripe(payment)
        self.assertEqual({name: payment[name] for name in SHOP}, SHOP)
        params = self.get_session_requests()[-1]["params"]
        self.assertEqual(params["metadata"]["reference"], "SO-17")
        self.assertNotIn("customer_email", params)
        [[campaign, count]] = self.env["checkout.payment"]._read_group(
            [("reference", "ilike", "so-1")], ["utm_campaign"], ["__count"]
        )
        self.assertEqual((campaign, count), ("Summer & sun", 1))
        exported = payment.export_data(["reference", "utm_campaign", "utm_source"])
        self.assertEqual(exported["datas"], [["SO-17", "Summer & sun", "newsletter"]])

    def test_way_back_from_stripe_keeps_where_the_payer_came_from(self):
        link = self.create_link()
        self.start(link, SHOP)
        back = self.get_session_requests()[-1]["params"]["cancel_url"]
        page = self.url_open(back[back.index("/checkout/") :]).text
        form = self.read_form(page)
        self.assertEqual({name: form[name] for name in SHOP}, SHOP)

    def test_other_reference_is_another_payment_and_the_same_goes_on(self):
        link = self.create_open_link()
        form = self.read_form(self.open(link, **SHOP))
        for reference, number in (("SO-17", 1), ("SO-17", 1), ("SO-18", 2)):
            self.send(link, **form | {"amount": "5", "reference": reference})
            self.assertEqual(len(link.payment_ids), number, reference)

    def test_last_place_held_for_another_reference_is_not_shared(self):
        link = self.create_link(max_payments=1)
        self.start(link, {"email": "kim@example.com"})
        answer = self.send(link)
        self.assertEqual(answer.status_code, 409)
        self.assertNotIn("kim@example.com", answer.text)

    def test_strange_texts_are_kept_clean_or_ignored(self):
        link = self.create_link()
        odd = {
            "reference": "=1+1\n<b>x</b>" + "y" * 150,
            "utm_source": "z" * 300,
            "utm_medium": "\u202e",
            "unknown": "x",
            "amount": "5",
            "email": "no address",
            "contact": "AQ.forged",
        }
        payment = self.start(link, odd)
        self.assertEqual(payment.amount, 110)
        self.assertTrue(payment.reference.startswith("1+1 x y"))
        self.assertEqual(len(payment.reference), MAX_TRACKING_LENGTH)
        for name in ("utm_source", "utm_medium", "customer_email", "partner_id"):
            self.assertFalse(payment[name], name)

    # === AMOUNT === #

    def test_amount_of_an_open_link_is_filled_in_if_it_can_be_paid(self):
        link = self.create_open_link(minimum_amount=5, maximum_amount=500)
        for text, shown in (
            ("12.5", "12.50"),
            ("500", "500.00"),
            ("4", ""),
            ("501", ""),
            ("12,50", ""),
            ("1e2", ""),
            ("-7", ""),
            ("7.001", ""),
            ("9" * 60, ""),
        ):
            with self.subTest(text=text):
                form = self.read_form(self.open(link, amount=text))
                self.assertEqual(form.get("amount", ""), shown)

    # === WHO PAYS === #

    def test_email_is_in_a_field_that_the_payer_can_change(self):
        link = self.create_link()
        self.assertNotIn('id="email"', self.open(link))
        params = {"email": "kim@example.com", "name": "Kim <b>"}
        payment = self.start(link, params, email="bo@example.com")
        self.assertEqual(payment.customer_email, "bo@example.com")
        params = self.get_session_requests()[-1]["params"]
        self.assertEqual(params["customer_email"], "bo@example.com")
        self.assertEqual(payment.customer_name, "Kim")

    def test_email_that_is_none_is_asked_again_and_an_empty_one_is_fine(self):
        link = self.create_link()
        form = self.read_form(self.open(link, email="kim@example.com"))
        for email in ("kim", "kim@example", "a@b.c d", "kïm@example.com"):
            answer = self.send(link, **form | {"email": email})
            self.assert_refused_kindly(answer)
            self.assertIn('aria-invalid="true"', answer.text)
        self.assert_to_stripe(self.send(link, **form | {"email": ""}))
        self.assertFalse(link.payment_ids.customer_email)

    def test_prefilled_email_that_is_left_selects_no_contact(self):
        kim = self.env["res.partner"].create(
            {"name": "Kim", "email": "kim@example.com"}
        )
        link = self.create_link()
        left = self.start(link, {"email": "kim@example.com"})
        self.assertTrue(left.email_prefilled)
        self.pay_at_stripe(left, "kim@example.com")
        self.assertFalse(left.partner_id)
        self.assertEqual(left.customer_email, "kim@example.com")
        action = left.action_view_contact_wizard()
        wizard = (
            self.env[action["res_model"]].with_context(**action["context"]).create({})
        )
        self.assertEqual(wizard.partner_id, kim)
        typed = self.start(link, {"email": "x@example.com"}, email="kim@example.com")
        self.pay_at_stripe(typed, "kim@example.com")
        self.assertEqual(typed.partner_id, kim)

    def test_email_that_stripe_refuses_is_left_to_its_own_page(self):
        payment = (
            self.create_link()
            .sudo()
            ._start_payment(
                str(uuid4()), 110, "en_US", given={"customer_email": "no-address"}
            )
        )
        with mute_logger(CLIENT_LOGGER), payment.gateway_id._take_turn() as turn:
            self.assertTrue(payment._open_session(turn))
        self.assertFalse(payment.customer_email)

    def test_personal_link_makes_the_payment_the_contacts(self):
        kim, bo = self.env["res.partner"].create([{"name": "Kim"}, {"name": "Bo"}])
        link, other = self.create_link(), self.create_link()
        signed = link.sudo()._sign_contact(kim)
        payment = self.start(link, {"contact": f"{signed})."})
        self.pay_at_stripe(payment, "bo@example.com")
        self.assertEqual((payment.partner_id, payment.is_personal), (kim, True))
        self.assertEqual(self.get_charge_contact(payment), kim)
        back = self.get_session_requests()[-1]["params"]["cancel_url"]
        self.assertIn(f"contact={signed}", back)
        for link, contact, owner in (
            (other, signed, self.env["res.partner"]),
            (self.create_link(partner_id=bo.id), signed, bo),
        ):
            payment = self.start(link, {"contact": contact})
            self.assertEqual(payment.partner_id, owner)

    def test_personal_link_of_another_companys_contact_is_an_ordinary_one(self):
        company = self.setup_other_company()["company"]
        stranger = self.env["res.partner"].create(
            {"name": "Stranger", "company_id": company.id}
        )
        link = self.create_link()
        payment = self.start(link, {"contact": link.sudo()._sign_contact(stranger)})
        self.assertFalse(payment.partner_id)
        self.assertFalse(payment.is_personal)

    def test_try_again_sends_everything_once_more(self):
        link = self.create_link()
        params = {**SHOP, "email": "kim@example.com", "name": "Kim"}
        form = self.read_form(self.open(link, **params))
        self.standin.api_fault("status", "/v1/checkout/sessions", status=500, times=9)
        with mute_logger(CLIENT_LOGGER):
            answer = self.send(link, **form)
        self.assertEqual(answer.status_code, 503)
        self.assertEqual(self.read_form(answer.text), form)
