import base64
import re
from datetime import timedelta
from io import BytesIO
from urllib.parse import unquote

from lxml import etree, html
from PIL import Image

from odoo import fields
from odoo.exceptions import ValidationError

from ..colors import get_palette
from ..controllers.pay_page import STATIC
from .test_pay_page import PayPageCase

ACCENT = "#7a1fa2"


class TestPayLook(PayPageCase):
    """The pay page is the merchant's own, also where a messenger previews it."""

    def get_meta(self, page):
        """What programs read of a page: name or property of each tag, and content."""
        tags = html.fromstring(page.content).xpath("//meta[@content]")
        return {
            tag.get("property") or tag.get("name"): tag.get("content") for tag in tags
        }

    def get_picture(self, link):
        self.opener.cookies.clear()
        return self.url_open(f"/checkout/{link.access_token}/preview.png")

    def draw_logo(self, size=(600, 200)):
        picture = BytesIO()
        Image.new("RGB", size, ACCENT).save(picture, "PNG")
        return base64.b64encode(picture.getvalue())

    # === BRAND === #

    def test_name_of_the_company_is_shown(self):
        company = self.gateway.company_id
        [name] = html.fromstring(self.get_page(self.create_link()).content).xpath(
            "//*[hasclass('merchant-name')]/text()"
        )
        self.assertEqual(name, company.name)

    def test_logo_of_the_company_is_in_the_page_and_small(self):
        self.gateway.company_id.logo = self.draw_logo()
        page = html.fromstring(self.get_page(self.create_link()).content)
        [source] = page.xpath("//img/@src")
        kind, _, data = source.partition(";base64,")
        self.assertEqual(kind, "data:image/png")
        logo = Image.open(BytesIO(base64.b64decode(data)))
        self.assertLessEqual(logo.height, 88)
        self.assertEqual(logo.convert("RGB").getpixel((1, 1)), (0x7A, 0x1F, 0xA2))

    def test_company_without_a_logo_has_its_initial(self):
        self.gateway.company_id.logo = False
        page = html.fromstring(self.get_page(self.create_link()).content)
        self.assertFalse(page.xpath("//img"))
        [initial] = page.xpath("//*[hasclass('merchant-initial')]/text()")
        self.assertEqual(initial, self.gateway.company_id.name[0].upper())

    def test_color_of_the_company_is_that_of_the_page_in_light_and_dark(self):
        self.gateway.company_id.primary_color = ACCENT
        page = self.get_page(self.create_link())
        [style] = re.findall(r"<style[^>]*>(.*?)</style>", page.text, re.DOTALL)
        light, dark = style.split("prefers-color-scheme: dark")
        palette = get_palette(ACCENT)
        self.assertIn(f"--accent: {palette['accent']}", light)
        self.assertIn(f"--on-accent: {palette['accent_contrast']}", light)
        self.assertIn(f"--accent: {palette['accent_dark']}", dark)
        self.assertIn(f"--on-accent: {palette['accent_dark_contrast']}", dark)

    def test_style_of_the_page_is_let_in_by_its_policy(self):
        page = self.get_page(self.create_link())
        [nonce] = re.findall(r'<style nonce="([^"]+)"', page.text)
        self.assertIn(f"'nonce-{nonce}'", page.headers["Content-Security-Policy"])

    def test_unknown_address_shows_no_merchants_brand(self):
        company = self.gateway.company_id
        company.write({"primary_color": ACCENT, "logo": self.draw_logo()})
        self.opener.cookies.clear()
        page = self.url_open("/checkout/kcl_nothing")
        for secret in (company.name, get_palette(ACCENT)["accent"], "data:image/png"):
            self.assertNotIn(secret, page.text)
        self.assertNotIn("og:site_name", page.text)

    def test_page_of_no_merchant_has_the_standard_colors(self):
        style = (STATIC / "pay.css").read_text()
        light, dark = style.split("prefers-color-scheme: dark")[:2]
        palette = get_palette("")
        self.assertIn(f"--accent: {palette['accent']}", light)
        self.assertIn(f"--on-accent: {palette['accent_contrast']}", light)
        self.assertIn(f"--accent: {palette['accent_dark']}", dark)
        self.assertIn(f"--on-accent: {palette['accent_dark_contrast']}", dark)

    def test_unknown_deleted_and_foreign_addresses_give_the_same_page(self):
        deleted, link = self.create_link(), self.create_link()
        gone = deleted.access_token
        deleted.unlink()
        other = self.start_payment(self.create_link()).stripe_checkout_session_id
        pages = set()
        for path in (
            "/checkout/kcl_nothing",
            f"/checkout/{gone}",
            f"/checkout/{link.access_token}/return",
            f"/checkout/{link.access_token}/return?session_id={other}",
            f"/checkout/{gone}/return?session_id=cs_test_nothing",
        ):
            self.opener.cookies.clear()
            page = self.url_open(path)
            self.assertEqual(page.status_code, 404)
            del page.headers["Date"]
            pages.add((page.content, tuple(page.headers.items())))
        self.assertEqual(len(pages), 1)

    # === WHO IS PAID === #

    def describe_company(self, **vals):
        self.gateway.company_id.partner_id.write(
            {
                "street": "Main Street 1",
                "city": "Springfield",
                "email": "Help Desk <help@example.com>",
                "phone": "+1 555 0100",
                "website": "https://example.com/shop/",
                "vat": "12-3456789",
                **vals,
            }
        )

    def read_part(self, page, name):
        """The words of a part of the page: `card`, or `footer`, which is below it."""
        [part] = html.fromstring(page.content).xpath(f"//*[hasclass('{name}')]")
        return " ".join(part.text_content().split())

    def test_payer_reads_who_is_paid(self):
        self.describe_company()
        link = self.create_link()
        footer = self.read_part(self.get_page(link), "footer")
        for text in (
            self.gateway.company_id.name,
            "Main Street 1, Springfield",
            "Tax ID: 12-3456789",
            " help@example.com",
            "+1 555 0100",
            "example.com/shop ",
        ):
            self.assertIn(text, footer)
        self.assertNotIn("Help Desk", footer)
        self.gateway.write(
            {
                "show_address": False,
                "show_tax_id": False,
                "terms_url": "https://example.com/terms",
                "privacy_url": "https://example.com/privacy",
            }
        )
        page = self.get_page(link)
        footer = self.read_part(page, "footer")
        for hidden in ("Main Street", "12-3456789"):
            self.assertNotIn(hidden, footer)
        for path in ("terms", "privacy"):
            self.assertIn(f'href="https://example.com/{path}"', page.text)

    def test_company_that_moves_is_shown_where_it_is_now(self):
        link = self.create_link()
        for street in ("Main Street 1", "Side Street 2"):
            self.describe_company(street=street)
            self.assertIn(street, self.read_part(self.get_page(link), "footer"))

    def test_script_is_no_web_page(self):
        with self.assertRaises(ValidationError):
            self.gateway.terms_url = "javascript:alert(1)"
        self.describe_company(website="javascript:alert(1)")
        self.assertNotIn("javascript:", self.get_page(self.create_link()).text)

    def test_tax_in_the_amount_is_named_as_in_the_companys_country(self):
        taxed, link = self.create_link(), self.create_open_link()
        untaxed = self.create_link(tax_ids=[])
        for code, words in (
            ("US", "incl. tax"),
            ("DE", "incl. VAT"),
            ("AU", "incl. GST"),
        ):
            country = self.env["res.country"].search([("code", "=", code)])
            self.gateway.company_id.account_fiscal_country_id = country
            for shown in (taxed, link):
                self.assertIn(words, self.read_part(self.get_page(shown), "card"))
            self.assertNotIn("incl. ", self.get_page(untaxed).text)
        self.gateway.credit_to = "receivable"  # an invoice says which tax it has
        self.assertNotIn("incl. ", self.get_page(taxed).text)

    def test_closed_link_says_why_in_the_merchants_words_if_there_are_any(self):
        self.describe_company()
        yesterday = fields.Datetime.now() - timedelta(days=1)
        expired = self.create_link(expires_at=yesterday)
        once, twice = (self.create_link(max_payments=places) for places in (1, 2))
        for link in (once, twice, twice):
            self.pay(link)
        self.deliver()
        inactive = self.create_link(state="inactive")
        for link, reason, own in (
            (expired, "expired on", "expired_message"),
            (once, "has already been made", "full_message"),
            (twice, "maximum number of payments", "full_message"),
            (inactive, "no longer available", "inactive_message"),
        ):
            with self.subTest(reason=reason):
                page = self.get_page(link)
                self.assertEqual(page.status_code, 410)
                card = self.read_part(page, "card")
                self.assertIn(reason, card)
                self.assertIn("help@example.com +1 555 0100 example.com/shop", card)
                self.assertNotIn("help@", self.read_part(page, "footer"))
                for name in ("inactive_message", own):
                    link[name] = f"Words for {name}"
                    self.assertIn(link[name], self.get_page(link).text)

    def test_return_page_of_what_is_not_paid_names_the_merchants_contact(self):
        self.describe_company()
        paid, opened = (self.start_payment(self.create_link()) for _link in range(2))
        self.standin.pay(paid.stripe_checkout_session_id, name="Kim")
        for payment, is_unpaid in ((paid, False), (opened, True)):
            page = self.url_open(
                f"/checkout/{payment.link_id.access_token}/return"
                f"?session_id={payment.stripe_checkout_session_id}"
            )
            card = self.read_part(page, "card")
            self.assertEqual("help@example.com" in card, is_unpaid, card)

    def test_button_says_that_the_payer_pays_and_how_much(self):
        for link, label, typed in (
            (self.create_link(110), "Pay $110.00", []),
            (self.create_open_link(), "Pay", ["Pay $…"]),
            (self.create_link(25, submit_type="donate"), "Donate $25.00", []),
            (self.create_open_link(submit_type="donate"), "Donate", ["Donate $…"]),
        ):
            page = html.fromstring(self.get_page(link).content)
            [button] = page.xpath("//*[hasclass('label-ready')]")
            self.assertEqual(button.text_content().strip(), label)
            self.assertEqual(page.xpath("//@data-amount"), typed)

    # === PREVIEW === #

    def test_preview_of_a_fixed_link_says_what_and_how_much_and_to_whom(self):
        link = self.create_link(110)
        meta = self.get_meta(self.get_page(link))
        self.assertEqual(meta["og:title"], "Summer course")
        self.assertEqual(meta["og:url"], link.url)
        self.assertEqual(meta["og:site_name"], link.company_id.name)
        self.assertIn("110.00", meta["og:description"])
        self.assertIn(link.company_id.name, meta["og:description"])
        self.assertEqual(meta["description"], meta["og:description"])

    def test_preview_of_an_open_link_names_no_amount(self):
        meta = self.get_meta(self.get_page(self.create_open_link(minimum_amount=5)))
        self.assertIn("Choose the amount", meta["og:description"])
        self.assertNotIn("5", meta["og:description"])

    def test_preview_has_the_logo_as_a_picture_of_its_own(self):
        company, link = self.gateway.company_id, self.create_link()
        company.logo = self.draw_logo()
        meta = self.get_meta(self.get_page(link))
        self.assertTrue(meta["og:image"].startswith(f"{link.url}/preview.png?v="))
        answer = self.get_picture(link)
        self.assertEqual(answer.status_code, 200)
        self.assertIn("max-age", answer.headers["Cache-Control"])
        self.assertNotIn("Set-Cookie", answer.headers)
        picture = Image.open(BytesIO(answer.content))
        self.assertEqual((picture.format, picture.size), ("PNG", (1200, 630)))
        size = (meta["og:image:width"], meta["og:image:height"])
        self.assertEqual(size, ("1200", "630"))
        colors = [
            picture.convert("RGB").getpixel(point) for point in ((600, 315), (5, 5))
        ]
        self.assertEqual(colors, [(0x7A, 0x1F, 0xA2), (255, 255, 255)])

    def test_without_a_logo_there_is_no_picture(self):
        link = self.create_link()
        drawing = base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
        for logo in (False, drawing):
            self.gateway.company_id.logo = logo
            self.assertNotIn("og:image", self.get_meta(self.get_page(link)))
            self.assertEqual(self.get_picture(link).status_code, 404)
        self.opener.cookies.clear()
        unknown = self.url_open("/checkout/kcl_nothing/preview.png")
        self.assertEqual(unknown.status_code, 404)

    def test_preview_says_its_language_as_messengers_know_it(self):
        self.assertEqual(
            self.get_meta(self.get_page(self.create_link()))["og:locale"], "en_US"
        )

    def test_icon_of_the_tab_is_the_merchants_initial(self):
        self.gateway.company_id.write({"name": "& more", "primary_color": ACCENT})
        page = html.fromstring(self.get_page(self.create_link()).content)
        [icon] = page.xpath("//link[@rel='icon']/@href")
        drawing = etree.fromstring(unquote(icon.partition(",")[2]))
        self.assertEqual(drawing[1].text, "&")
        self.assertEqual(drawing[0].get("fill"), ACCENT)

    def test_preview_of_a_deactivated_link_promises_nothing(self):
        link = self.create_link(110)
        link.action_deactivate()
        page = self.get_page(link)
        self.assertNotIn("110.00", page.text)
        self.assertNotIn("og:description", page.text)

    # === TRUTH === #

    def test_test_mode_is_shown_and_live_mode_is_not(self):
        link = self.create_link()
        self.assertIn("No real money moves", self.get_page(link).text)
        self.gateway.secret_key = "sk_live_kit"
        self.assertNotIn("No real money moves", self.get_page(link).text)

    def test_payer_reads_where_the_card_goes(self):
        page = self.get_page(self.create_link())
        self.assertIn(
            "You pay on Stripe's secure page",
            html.fromstring(page.content).text_content(),
        )
        self.assertIn("Powered by", page.text)
