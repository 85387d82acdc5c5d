from datetime import timedelta
from io import BytesIO

from freezegun import freeze_time

from odoo import fields
from odoo.tools import file_path
from odoo.tools.translate import TranslationImporter

from .test_pay_page import PayPageCase
from .test_translations import LANGUAGES, read

KOREAN = {"Accept-Language": "ko-KR,ko;q=0.9"}
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
ARABIC = {"Accept-Language": "ar"}
ENGLISH = {"Accept-Language": "en-US"}
GERMAN_WORDS = b"""
#. module: kantivo_checkout_links
#: model_terms:ir.ui.view,arch_db:kantivo_checkout_links.pay_page
msgid "Pay"
msgstr "Bezahlen"
"""


class TestPayLanguage(PayPageCase):
    """A payer reads what there are words for; a merchant reads their own language."""

    def setUp(self):
        super().setUp()
        # By name, each of these comes before English.
        self.install("ar_001", "ca_ES", "de_DE")

    def install(self, *codes):
        for code in codes:
            self.env["res.lang"]._activate_lang(code)

    def translate(self, code):
        """Have words for the pay page in a language."""
        view = self.env.ref("kantivo_checkout_links.pay_page")
        words = {"Pay": f"Pay in {code}"}
        view.update_field_translations("arch_db", {code: words})

    def speak(self, code):
        """The company's own language."""
        self.gateway.company_id.partner_id.lang = code

    def get_tag(self, headers, link=None):
        page = self.get_page(link or self.create_open_link(), headers=headers)
        return page.text.partition("<html ")[2].partition(">")[0]

    def get_locale(self, headers):
        self.assert_to_stripe(self.send(self.create_link(), headers=headers))
        return self.get_session_requests()[-1]["params"]["locale"]

    # === THE PAGE === #

    def test_language_without_words_is_not_claimed(self):
        for headers in (ARABIC, GERMAN):
            tag = self.get_tag(headers)
            self.assertEqual(tag, 'lang="en-US" dir="ltr"')

    def test_language_with_words_is_that_of_the_page(self):
        self.translate("ar_001")
        link = self.create_open_link()
        self.assertEqual(self.get_tag(ARABIC, link), 'lang="ar-001" dir="rtl"')
        self.assertIn("Pay in ar_001", self.get_page(link, headers=ARABIC).text)

    def test_words_that_are_imported_are_used_at_once(self):
        link = self.create_open_link()
        self.assertEqual(self.get_tag(GERMAN, link), 'lang="en-US" dir="ltr"')
        importer = TranslationImporter(self.env.cr)
        words = BytesIO(GERMAN_WORDS)
        words.name = "kantivo_checkout_links/i18n/de.po"  # Odoo asks whose it is
        importer.load(words, "po", "de_DE")
        importer.save(overwrite=True)
        self.assertEqual(self.get_tag(GERMAN, link), 'lang="de-DE" dir="ltr"')

    def test_words_of_nine_languages_come_with_the_addon(self):
        link = self.create_open_link()
        importer = TranslationImporter(self.env.cr)
        for language, code in LANGUAGES.items():
            self.install(code)
            path = f"kantivo_checkout_links/i18n/{language}.po"
            importer.load_file(file_path(path), code)
        importer.save(overwrite=True)
        for language, code in LANGUAGES.items():
            with self.subTest(language=language):
                tag = code.replace("_", "-")
                page = self.get_page(link, headers={"Accept-Language": tag}).text
                self.assertIn(f'lang="{tag}"', page)
                self.assertIn(read(language)["Opening Stripe…"].msgstr, page)

    def test_language_of_the_address_is_used_on_all_pages(self):
        self.translate("de_DE")
        link = self.create_open_link()
        for asked in ("de", "de-AT", "de_DE", "DE"):
            page = self.get_page(link, params={"lang": asked}, headers=KOREAN).text
            self.assertIn('<html lang="de-DE"', page)
            self.assertIn(f'name="lang" value="{asked}"', page)
        answer = self.send(link, amount="12,50", lang="de", headers=ENGLISH)
        self.assert_to_stripe(answer)
        payment = link.payment_ids
        self.assertEqual((payment.amount, payment.lang), (12.5, "de_DE"))
        session_id = payment.stripe_checkout_session_id
        path = f"/checkout/{link.access_token}/return?session_id={session_id}"
        self.assertIn('<html lang="de-DE"', self.url_open(path, headers=KOREAN).text)

    def test_language_of_the_address_that_is_unknown_is_ignored(self):
        self.translate("de_DE")
        link = self.create_open_link()
        for asked in ("", "xx", "-", "de" * 50, "'\"><script>", "\0"):
            page = self.get_page(link, params={"lang": asked}, headers=GERMAN).text
            self.assertIn('<html lang="de-DE"', page)
            self.assertNotIn("<script>", page)

    def test_fallback_is_the_companys_language_and_never_the_first_by_name(self):
        for code in ("ar_001", "de_DE"):
            self.translate(code)
        for headers in (KOREAN, {"Accept-Language": "*"}, {"Accept-Language": ""}):
            with self.subTest(headers=headers):
                self.speak("en_US")
                self.assertEqual(self.get_tag(headers), 'lang="en-US" dir="ltr"')
                self.speak("de_DE")
                self.assertEqual(self.get_tag(headers), 'lang="de-DE" dir="ltr"')

    def test_company_whose_language_has_no_words_answers_in_english(self):
        self.speak("de_DE")
        self.assertEqual(self.get_tag(KOREAN), 'lang="en-US" dir="ltr"')

    def test_amounts_are_written_as_the_words_are(self):
        link = self.create_link(1250)
        page = self.get_page(link, headers=GERMAN)
        self.assertIn("1,250.00", page.text)
        self.translate("de_DE")
        self.assertIn("1.250,00", self.get_page(link, headers=GERMAN).text)

    def test_return_page_writes_amounts_as_the_pay_page_does(self):
        self.translate("de_DE")
        link = self.create_link(1250)
        self.send(link, headers=GERMAN)
        payment = link.payment_ids
        session_id = payment.stripe_checkout_session_id
        self.standin.pay(session_id)
        self.deliver()
        payment.action_refund(1000)
        path = f"/checkout/{link.access_token}/return?session_id={session_id}"
        page = self.url_open(path, headers=GERMAN).text
        for amount in ("1.250,00", "1.000,00"):
            self.assertIn(amount, page)

    def test_amount_among_words_from_right_to_left_keeps_its_direction(self):
        self.translate("ar_001")
        link = self.create_link(1250)
        amount = "$1,250.00"
        isolated = f"\N{FIRST STRONG ISOLATE}{amount}\N{POP DIRECTIONAL ISOLATE}"
        self.assertIn(isolated, self.get_page(link, headers=ARABIC).text)
        page = self.get_page(link, headers=ENGLISH).text
        self.assertIn(amount, page)
        self.assertNotIn("\N{FIRST STRONG ISOLATE}", page)

    def test_every_page_says_the_language_of_its_words(self):
        link = self.create_link()
        payment = self.pay(link)
        token = link.access_token
        for path in (
            f"/checkout/{token}/return?session_id={payment.stripe_checkout_session_id}",
            "/checkout/kcl_nothing",
            f"/checkout/{token}/return?session_id=cs_nothing",
        ):
            page = self.url_open(path, headers=ARABIC)
            self.assertIn('<html lang="en-US" dir="ltr">', page.text)

    def test_page_not_found_speaks_no_language_that_reveals_a_link(self):
        self.translate("de_DE")
        other = self.setup_other_company()["company"]
        gateway = self.create_gateway(
            other, secret_key="sk_test_at_other", income_account_id=False, tax_ids=[]
        )
        link = self.create_link(gateway_id=gateway.id, company_id=other.id, tax_ids=[])
        other.partner_id.lang = "de_DE"
        self.assertIn("de-DE", self.get_tag(KOREAN, link))
        for token in (link.access_token, "kcl_nothing"):
            page = self.url_open(
                f"/checkout/{token}/return?session_id=cs_nothing", headers=KOREAN
            )
            self.assertEqual(page.status_code, 404)
            self.assertIn('<html lang="en-US"', page.text)

    # === STRIPE === #

    def test_stripe_chooses_unless_the_payers_own_language_was_matched(self):
        self.speak("de_DE")
        for headers, locale in (
            (KOREAN, "auto"),
            ({"Accept-Language": "*"}, "auto"),
            ({"Accept-Language": ""}, "auto"),
            (GERMAN, "de"),
            (ENGLISH, "en"),
            (ARABIC, "auto"),  # Stripe has none
        ):
            with self.subTest(headers=headers):
                self.assertEqual(self.get_locale(headers), locale)

    def test_payers_first_choice_wins_over_an_exact_second(self):
        self.assertEqual(self.get_locale({"Accept-Language": "de-AT,ca;q=0.5"}), "de")

    # === THE MERCHANT === #

    def test_chatter_is_in_the_merchants_language(self):
        self.install("fr_FR")
        french = {"Accept-Language": "fr-FR"}
        for code, words in (("en_US", "created"), ("fr_FR", "créé")):
            self.speak(code)
            link = self.create_link()
            self.assert_to_stripe(self.send(link, headers=french))
            self.env.flush_all()
            bodies = " ".join(link.payment_ids.message_ids.mapped("body"))
            self.assertIn(words, bodies)

    def test_tracked_change_is_in_the_merchants_language(self):
        self.install("fr_FR")
        link = self.create_open_link(max_payments=1)
        french = {"Accept-Language": "fr-FR"}
        self.assert_to_stripe(self.send(link, headers=french, amount="10"))
        state = self.env.ref(
            "kantivo_checkout_links.selection__checkout_payment__state__expired"
        )
        state.update_field_translations("name", {"fr_FR": "Périmé"})
        self.standin.advance(36 * 60)
        later = fields.Datetime.now() + timedelta(minutes=36)
        with freeze_time(later, tick=True):
            self.send(link, headers=french, amount="10")
        self.env.flush_all()
        expired = link.payment_ids.filtered(lambda p: p.state == "expired")
        tracked = expired.message_ids.tracking_value_ids.mapped("new_value_char")
        self.assertEqual(tracked, ["Expired"])
