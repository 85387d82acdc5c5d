"""When the translation template counts as changed."""

from tools.translations import without_dates

TEMPLATE = """
"POT-Creation-Date: 2026-01-02 03:04+0000\\n"
"PO-Revision-Date: 2026-01-02 03:04+0000\\n"
"Last-Translator: \\n"

msgid "Pay"
"""


def test_another_date_is_no_change():
    later = TEMPLATE.replace("2026", "2027")
    assert without_dates(later) == without_dates(TEMPLATE)


def test_another_word_is_a_change():
    other = TEMPLATE.replace("Pay", "Give")
    assert without_dates(other) != without_dates(TEMPLATE)
