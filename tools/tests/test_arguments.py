"""Which suite gets which arguments of ``make test``."""

from tools import suites

TOOLS = next(suite for suite in suites.SUITES if suite.name == "tools")
ADDON = next(suite for suite in suites.SUITES if suite.name == "addon")
PATH = "tools/tests/test_arguments.py::test_path_names_its_suite"


def test_options_go_to_every_suite():
    assert suites.arguments_for(TOOLS, ["-k", "refund"]) == [
        *("-k", "refund"),
        "tools/tests",
    ]
    assert suites.arguments_for(ADDON, ["-x"]) == ["-x", ADDON.folder]


def test_path_names_its_suite():
    assert suites.arguments_for(TOOLS, ["-x", PATH]) == ["-x", PATH]
    assert suites.arguments_for(ADDON, ["-x", PATH]) is None


def test_value_of_an_option_is_no_path():
    assert suites.arguments_for(ADDON, ["-k", "tools/tests"]) == [
        *("-k", "tools/tests"),
        ADDON.folder,
    ]
