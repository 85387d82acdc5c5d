import re
from pathlib import Path

import polib
from lxml import etree

from odoo.modules import get_module_path
from odoo.tests import TransactionCase, tagged
from odoo.tools import file_path

ADDON = "kantivo_checkout_links"
# What payers read is complete in these; Odoo's codes of them.
LANGUAGES = {
    "ar": "ar_001",
    "de": "de_DE",
    "es": "es_ES",
    "fr": "fr_FR",
    "it": "it_IT",
    "ja": "ja_JP",
    "nl": "nl_NL",
    "pl": "pl_PL",
    "pt_BR": "pt_BR",
}
# Of these files, payers read all words.
READ_BY_PAYERS = re.compile(
    r"/(controllers/pay\w*|models/payment/link_(?:paying|wording))\.py$"
)
# And of the models of links and of their dialogs, these.
ALSO_READ_BY_PAYERS = {
    "Pay now",
    "Amounts in %(currency)s must be multiples of %(step)s.",
    "The maximum for one payment is %s.",
    "This amount is no longer offered. Please choose another.",
    "This amount is too small. Please enter a higher amount.",
}
# The same in the other language, so that there is nothing to translate.
SAME_WORDS = {"de": {"Name"}, "nl": {"incl. GST"}}
# Odoo's word is about something else.
OTHER_THAN_ODOO = {
    ("es", "Continue"),
    ("fr", "Email"),  # the two addons differ
    ("ja", "Email"),
    ("it", "Pay"),  # theirs records a payment
    ("ja", "Name"),  # ours is a person's
    ("ja", "Terms"),  # theirs is a period
    ("pl", "Name"),
}
# The name of the email's template, for who edits it, and a subject without words.
INSIDE = {
    "Checkout Links: Send Link",
    "Used to send a checkout link by email",
    "{{ object.company_id.name }}: {{ object.name }}",
}
# What is sent and printed.
PAPERS = {f"{ADDON}.{name}" for name in ("mail_template_share", "report_poster")}
PLACEHOLDER = re.compile(r"%\(\w+\)s|%s|\{\{\d\}\}|<[^>]+>")


def read(language, addon=ADDON):
    """What an addon's words are in a language; nothing if it has no such file."""
    path = Path(get_module_path(addon)) / f"i18n/{language}.po"
    entries = polib.pofile(str(path)) if path.exists() else []
    return {entry.msgid: entry for entry in entries if entry.msgstr}


def read_template():
    path = file_path(f"{ADDON}/i18n/{ADDON}.pot")
    return {entry.msgid: entry for entry in polib.pofile(path)}


def read_page_templates():
    """How the translations name the templates of the public pages."""
    root = etree.parse(file_path(f"{ADDON}/views/pay_templates.xml")).getroot()
    return {f"{ADDON}.{part.get('id')}" for part in root.iter("template")}


@tagged("post_install", "-at_install")
class TestTranslations(TransactionCase):
    """Payers read the pages in ten languages, English among them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.template = read_template()
        cls.page_templates = read_page_templates()

    def is_read_by_payers(self, entry):
        return entry.msgid in ALSO_READ_BY_PAYERS or any(
            READ_BY_PAYERS.search(place)
            or place.rpartition(":")[2] in self.page_templates | PAPERS
            for place, _line in entry.occurrences
        )

    def get_payer_words(self):
        words = {
            msgid
            for msgid, entry in self.template.items()
            if self.is_read_by_payers(entry) and msgid not in INSIDE
        }
        self.assertGreater(len(words), 50)
        return words

    def test_all_that_payers_read_is_translated(self):
        words = self.get_payer_words()
        for language in LANGUAGES:
            with self.subTest(language=language):
                missing = words - read(language).keys()
                self.assertEqual(missing, SAME_WORDS.get(language, set()))

    def test_places_of_words_are_those_of_the_template(self):
        for language in LANGUAGES:
            with self.subTest(language=language):
                places = {
                    msgid: entry.occurrences for msgid, entry in read(language).items()
                }
                known = {
                    msgid: entry.occurrences
                    for msgid, entry in self.template.items()
                    if msgid in places
                }
                self.assertEqual(places, known, "run make pot")

    def test_placeholders_and_tags_are_kept(self):
        for language in LANGUAGES:
            for msgid, entry in read(language).items():
                with self.subTest(language=language, msgid=msgid):
                    found = sorted(PLACEHOLDER.findall(entry.msgstr))
                    self.assertEqual(found, sorted(PLACEHOLDER.findall(msgid)))

    def test_no_words_are_copied(self):
        for language in LANGUAGES:
            with self.subTest(language=language):
                words = read(language).items()
                copied = [msgid for msgid, entry in words if entry.msgstr == msgid]
                self.assertFalse(copied)

    def test_terms_are_those_of_odoo(self):
        others = set()
        for language in LANGUAGES:
            ours = read(language)
            for addon in ("account", "payment"):
                theirs = read(language, addon)
                others |= {
                    (language, msgid)
                    for msgid in ours.keys() & theirs.keys()
                    if ours[msgid].msgstr != theirs[msgid].msgstr.strip()
                }
        self.assertEqual(others, OTHER_THAN_ODOO)
