"""What SECURITY.md says is shown by tests that exist."""

import re

import pytest

from tools import project

TEXT = (project.ROOT / "SECURITY.md").read_text()
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.+) \| (.*) \|$", TEXT, re.MULTILINE)
# Those that must be there.
ASKED_FOR = {"2.2.2", "2.3.1", "2.3.3", "2.3.4", "2.3.5", "2.4.1"}


def find_tests():
    """The names of all tests, as the table writes them."""
    return {
        f"{path.name}::{name}"
        for path in project.files()
        if path.name.startswith("test_") and path.suffix == ".py"
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }


def test_all_that_was_asked_for_is_in_the_table():
    numbers = [number for number, _control, _tests in ROWS]
    assert set(numbers) >= ASKED_FOR
    assert len(numbers) == len(set(numbers)), "a requirement has two rows"
    order = [[int(part) for part in number.split(".")] for number in numbers]
    assert order == sorted(order)


@pytest.mark.parametrize("number, control, tests", ROWS)
def test_control_has_tests_that_exist(number, control, tests):
    named = re.findall(r"`([^`]+)`", tests)
    assert named
    assert set(named) <= find_tests()


def test_limits_are_those_of_the_documentation():
    const = (project.ADDON_FOLDER / "const.py").read_text()
    hosting = (project.ROOT / "docs/hosting.rst").read_text()
    for name, sentence in (
        ("CLIENT_STARTS", "%s checkouts that are started and not paid"),
        ("LINK_STARTS", "**Per link**: %s checkouts"),
        ("BRAKE_MINUTES", "not paid within %s minutes"),
    ):
        value = re.search(rf"^{name} = (\d+)$", const, re.MULTILINE)[1]
        assert sentence % value in hosting
