import base64
import re
from io import BytesIO

from lxml import html
from PIL import Image

from ..colors import get_palette
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
