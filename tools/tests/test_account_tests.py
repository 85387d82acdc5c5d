"""What a log of Odoo's runner says."""

from tools.account_tests import read

_LINE = "2026-01-01 10:00:00,000 7 {} db odoo.addons.account.tests.{}: {} \n"


def _log(*lines):
    return "".join(_LINE.format(*line) for line in lines)


def test_what_starts_and_does_not_fail_has_passed():
    log = _log(
        ("INFO", "test_move", "Starting TestMove.test_good ... "),
        ("INFO", "test_move", "Starting TestMove.test_bad ... "),
        ("ERROR", "test_move", "FAIL: TestMove.test_bad"),
        ("INFO", "test_tax", "Starting TestTax.test_broken ... "),
        ("ERROR", "test_tax", "ERROR: TestTax.test_broken"),
    )
    assert read(log) == {("odoo.addons.account.tests.test_move", "TestMove.test_good")}


def test_a_test_fails_with_one_of_its_subtests():
    log = _log(
        ("INFO", "test_move", "Starting TestMove.test_many ... "),
        ("ERROR", "test_move", "FAIL: Subtest TestMove.test_many (case=2)"),
    )
    assert read(log) == set()


def test_a_class_that_cannot_be_set_up_has_passed_nothing():
    log = _log(("ERROR", "test_move", "ERROR: setUpClass (TestMove)"))
    assert read(log) == set()
