"""What Odoo complains of is found, wherever it says so."""

import pytest

from tools import odoo_log

BEGIN = "2026-01-02 03:04:05,678 9"
INFO = f"{BEGIN} INFO db odoo.modules.loading: a WARNING is coming"
MARKUP = "<string>:38: (ERROR/3) Unexpected indentation."


@pytest.fixture
def said(tmp_path):
    """What is found in that log, and in that which was printed beside it."""

    def complaints(log, printed=""):
        (tmp_path / "odoo.log").write_text(log)
        (tmp_path / "odoo.printed").write_text(printed)
        return odoo_log.complaints(tmp_path / "odoo.log")

    return complaints


def test_information_is_no_complaint(said):
    assert said(f"{INFO}\n  and its second line\n") == []


@pytest.mark.parametrize("level", ["WARNING", "ERROR", "CRITICAL"])
def test_what_is_worse_than_information_is_a_complaint(said, level):
    line = f"{BEGIN} {level} db odoo.fields: something is odd"
    assert said(f"{INFO}\n{line}\n") == [line]


def test_what_is_printed_beside_the_log_is_a_complaint(said):
    line = "<string>:7: (ERROR/3) Unknown interpreted text role."
    assert said(INFO, f"{line}\n\n") == [line]


def test_what_odoo_always_prints_is_no_complaint(said):
    assert said(INFO, f"Running as user 'root' is a security risk.\n{MARKUP}\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "the key sk_live_abc was refused",
        "signed with whsec_abc",
        'bad query: INSERT INTO "checkout_payment" VALUES (1)',
        "DETAIL:  Key (email)=(ada@example.com) already exists.",
        "Ada Example paid",
        '{"customer_details": null}',
    ],
)
def test_what_belongs_in_no_log_is_found(tmp_path, text):
    log = tmp_path / "odoo.log"
    line = f"{BEGIN} INFO db odoo.addons: {text}"
    log.write_text(f"{INFO}\n{line}\n")
    assert odoo_log.leaks(log) == [line]


def test_other_places_of_the_same_mistake_are_complaints(said):
    line = MARKUP.replace("38", "39")
    assert said(INFO, f"{line}\n") == [line]
