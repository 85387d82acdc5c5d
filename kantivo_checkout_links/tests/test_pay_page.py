import re

from odoo.tests import tagged

from .common import CheckoutHttpCommon


class TestPayPage(CheckoutHttpCommon):
    """The public page, as anybody on the internet meets it."""

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)
        self.opener.cookies.clear()

    def get_nonce(self, link):
        page = self.url_open(f"/checkout/{link.access_token}")
        self.assertEqual(page.status_code, 200)
        return re.search(r'name="nonce"[^>]*value="([^"]+)"', page.text)[1]

    def send(self, link, **data):
        data.setdefault("nonce", self.get_nonce(link))
        return self.url_open(
            f"/checkout/{link.access_token}", data=data, allow_redirects=False
        )

    def test_anonymous_payer_sees_title_and_amount(self):
        page = self.url_open(f"/checkout/{self.create_link(110).access_token}")
        self.assertEqual(page.status_code, 200)
        self.assertIn("Summer course", page.text)
        self.assertIn("110.00", page.text)

    def test_two_hundred_visits_make_nothing(self):
        link = self.create_link()
        for _visit in range(200):
            page = self.url_open(f"/checkout/{link.access_token}")
            self.assertNotIn("Set-Cookie", page.headers)
        self.assertFalse(link.payment_ids)
        self.assertFalse(self.sandbox.requests())

    def test_form_leads_to_stripe(self):
        link = self.create_link(110)
        answer = self.send(link)
        self.assertEqual(answer.status_code, 303)
        self.assertTrue(answer.headers["Location"].startswith(self.sandbox.url))
        self.assertEqual(link.payment_ids.state, "open")
        [request] = self.sandbox.requests("POST /v1/checkout/sessions")
        item = request["params"]["line_items"]["0"]
        self.assertEqual(item["price_data"]["unit_amount"], 11000)
