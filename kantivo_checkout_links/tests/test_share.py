import base64
import io
from urllib.parse import parse_qs, urlsplit

from lxml import etree, html
from PIL import Image

from odoo.tests import Form

from ..qr_code import QUIET_ZONE, get_modules
from .common import CheckoutCommon

SVG = "{http://www.w3.org/2000/svg}"
INCH = 25.4  # millimeters


class TestShare(CheckoutCommon):
    """The dialog that brings a link to customers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.link = cls.create_link(description="Five evenings")

    def share(self, link=None, **vals):
        link = link or self.link
        action = link.action_share()
        shares = self.env[action["res_model"]].with_context(**action["context"])
        return shares.create(vals)

    def read_params(self, share):
        return {
            name: text for name, [text] in parse_qs(urlsplit(share.url).query).items()
        }

    def open_composer(self, action):
        composers = self.env[action["res_model"]].with_context(**action["context"])
        return Form(composers)

    def open_from_chatter(self, **context):
        """What the link's chatter opens for a message that needs more room."""
        return self.open_composer(
            {
                "res_model": "mail.compose.message",
                "context": {
                    "clicked_on_full_composer": True,
                    "default_body": "<div></div>",
                    "default_model": "checkout.link",
                    "default_res_ids": self.link.ids,
                    "default_subtype_xmlid": "mail.mt_comment",
                    **context,
                },
            }
        )

    # === ADDRESS === #

    def test_address_carries_what_the_dialog_says(self):
        self.assertEqual(self.share().url, self.link.url)
        tracking = {"reference": "SO-17", "utm_campaign": "Summer & sun"}
        share = self.share(**tracking, amount=5)
        self.assertEqual(self.read_params(share), tracking)
        share = self.share(self.create_open_link(), amount=12.5)
        self.assertEqual(self.read_params(share), {"amount": "12.50"})

    def test_address_for_a_customer_is_signed(self):
        kim, bo = self.env["res.partner"].create([{"name": "Kim"}, {"name": "Bo"}])
        params = self.read_params(self.share(partner_id=kim.id))
        self.assertEqual(self.link.sudo()._read_contact(params["contact"]), kim)
        own = self.create_link(partner_id=bo.id)
        self.assertEqual(self.share(own, partner_id=kim.id).url, own.url)

    def test_dialog_warns_of_what_customers_would_run_into(self):
        parameters = self.env["ir.config_parameter"].sudo()
        for address, is_public in (
            ("https://shop.example.com", True),
            ("http://shop.example.com", False),
            ("https://192.168.0.7", False),
        ):
            parameters.set_param("web.base.url", address)
            with self.subTest(address=address):
                problems = self.share().problems
                self.assertEqual("web.base.url" not in problems, is_public)
                self.assertIn("test cards", problems)
        self.link.action_deactivate()
        self.assertIn("Inactive", self.share().problems)

    # === QR CODE === #

    def test_qr_code_is_the_same_as_drawing_and_as_picture_of_its_size(self):
        share = self.share(qr_size="30")
        rows = get_modules(share.url)
        png = Image.open(io.BytesIO(base64.b64decode(share.qr_png)))
        scale, rest = divmod(png.width, len(rows))
        self.assertFalse(rest)
        self.assertAlmostEqual(png.width / png.info["dpi"][0] * INCH, 30, places=1)
        self.assertGreaterEqual(png.info["dpi"][0], 299)
        drawing = etree.fromstring(base64.b64decode(share.qr_svg))
        self.assertEqual(drawing.get("width"), "30mm")
        dark = drawing.findall(f"{SVG}path")[1].get("d").split("M")[1:]
        drawn = {tuple(map(int, step.partition("h")[0].split())) for step in dark}
        for y, row in enumerate(rows):
            for x, is_dark in enumerate(row):
                pixel = png.getpixel(((x + 0.5) * scale, (y + 0.5) * scale))
                self.assertEqual((pixel == 0, (x, y) in drawn), (is_dark, is_dark))
        edges = (*rows[:QUIET_ZONE], *rows[-QUIET_ZONE:])
        self.assertFalse(any(map(any, edges)))

    def test_qr_code_is_downloaded_under_the_title(self):
        self.link.name = "Été: 50 % / Kim's"
        for action, extension in (
            (self.share().action_download_svg(), "svg"),
            (self.share().action_download_png(), "png"),
        ):
            self.assertEqual(
                parse_qs(urlsplit(action["url"]).query)["filename"],
                [f"Été-50-Kim-s.{extension}"],
            )

    # === EMAIL === #

    def test_email_goes_to_several_and_is_kept_in_the_chatter(self):
        kim, bo = self.env["res.partner"].create(
            [
                {"name": "Kim", "email": "kim@example.com"},
                {"name": "Bo", "email": "bo@example.com"},
            ]
        )
        share = self.share(partner_id=kim.id, utm_campaign="summer")
        composer = self.open_composer(share.action_send())
        self.assertEqual(composer.partner_ids[:], kim)
        composer.partner_ids.add(bo)
        composer.save().action_send_mail()
        message = self.link.message_ids[0]
        self.assertEqual(message.partner_ids, kim | bo)
        self.assertEqual(message.subject, f"{self.env.company.name}: Summer course")
        self.assertIn("110.00", message.body)
        button, address = html.fromstring(message.body).findall(".//a")
        self.assertEqual((button.get("href"), address.text), (share.url, share.url))
        self.assertEqual(len(message.notification_ids), 2)

    def test_message_from_the_chatter_starts_with_the_template(self):
        composer = self.open_from_chatter()
        self.assertIn(self.link.url, composer.body)
        self.assertIn("Summer course", composer.subject)
        signed = "<div><br><div data-o-mail-quote='1'>-- <br>Mia</div></div>"
        composer = self.open_from_chatter(default_body=signed.replace("'", '"'))
        self.assertIn(self.link.url, composer.body)

    def test_message_that_is_typed_and_notes_are_left_alone(self):
        for context in (
            {"default_body": "<div><p>Hello Kim</p></div>"},
            {"default_subtype_xmlid": "mail.mt_note"},
        ):
            composer = self.open_from_chatter(**context)
            self.assertFalse(composer.template_id)
            self.assertNotIn(self.link.url, composer.body)

    def test_dialog_works_without_its_template(self):
        self.link._get_share_template().unlink()
        composer = self.open_composer(self.share().action_send())
        self.assertFalse(composer.template_id)
        self.assertFalse(self.open_from_chatter().template_id)

    # === POSTER AND BUTTON === #

    def test_poster_is_in_the_papers_and_the_language_of_the_dialog(self):
        company = self.env.company
        company.paperformat_id = self.env.ref("base.paperformat_us")
        share = self.share()
        self.assertEqual(share.paper_format, "letter")
        action = share.action_print_poster()
        report = self.env["ir.actions.report"]._get_report(action["report_name"])
        self.assertEqual(report.get_paperformat().format, "Letter")
        share.paper_format = "a4"
        name = share.action_print_poster()["report_name"]
        report = self.env["ir.actions.report"]._get_report(name)
        self.assertEqual(report.get_paperformat().format, "A4")
        page, _kind = report._render_qweb_html(name, share.ids)
        text = " ".join(html.fromstring(page).text_content().split())
        for part in (company.name, "Summer course", "110.00", "Five evenings"):
            self.assertIn(part, text)
        self.assertIn("Test mode", text)

    def test_email_poster_and_button_are_in_the_chosen_language(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        modules = self.env["ir.module.module"].sudo()
        own = modules.search([("name", "=", "kantivo_checkout_links")])
        own._update_translations("fr_FR")
        share = self.share(lang="fr_FR")
        self.assertEqual(share.button_label, "Payer maintenant")
        self.assertIn("Bonjour", self.open_composer(share.action_send()).body)
        name = share.action_print_poster()["report_name"]
        page, _kind = self.env["ir.actions.report"]._render_qweb_html(name, share.ids)
        self.assertIn("Scannez pour payer", page.decode())

    def test_long_description_leaves_room_for_the_code(self):
        self.link.description = "word " * 400
        description = self.share()._get_poster()["description"]
        self.assertTrue(description.endswith("word…"))
        self.assertLess(len(description), 300)

    def test_button_is_a_plain_link(self):
        share = self.share(button_label="<b>Pay</b> & go", utm_source="site")
        button = html.fragment_fromstring(share.button_html)
        self.assertEqual(button.tag, "a")
        self.assertEqual(button.text, "<b>Pay</b> & go")
        self.assertEqual(button.get("href"), share.url)
        self.assertFalse(list(button))
        self.assertEqual(set(button.attrib), {"href", "style"})
