"""What the arguments of a command mean, and which of them are refused."""

import pytest

from tools import commands, demo, histories, suites
from tools.console import Problem

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


def test_folder_runs_only_in_the_suite_that_it_holds():
    folder = "kantivo_checkout_links"
    assert suites.arguments_for(ADDON, ["-x", folder]) == ["-x", ADDON.folder]
    assert suites.arguments_for(TOOLS, ["-x", folder]) is None


def test_folder_of_all_suites_runs_them_all():
    assert suites.arguments_for(TOOLS, ["."]) == [TOOLS.folder]
    assert suites.arguments_for(ADDON, ["."]) == [ADDON.folder]


def test_folder_inside_a_suite_runs_alone():
    inside = "tests/releases"
    system = next(suite for suite in suites.SUITES if suite.name == "system")
    assert suites.arguments_for(system, [inside]) == [inside]
    assert suites.arguments_for(ADDON, [inside]) is None


def test_value_of_an_option_is_no_path():
    assert suites.arguments_for(ADDON, ["-k", "tools/tests"]) == [
        *("-k", "tools/tests"),
        ADDON.folder,
    ]


def test_file_of_tests_that_is_not_there_is_named():
    with pytest.raises(Problem, match="tests/test_nothing.py"):
        suites.check_files(["-x", "tests/test_nothing.py::test_it"])


def test_only_files_of_tests_must_be_there():
    suites.check_files(["-k", "nothing.py", "--maxfail=1", PATH])


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_port_that_cannot_be_is_refused(port, capsys):
    with pytest.raises(SystemExit):
        demo.run([f"--port={port}"])
    assert f"{port} is no port" in capsys.readouterr().err


def test_seed_that_is_no_number_is_refused():
    with pytest.raises(Problem, match="seven is no seed"):
        histories.run(None, ["seven"])


def test_run_asks_for_a_program():
    with pytest.raises(Problem, match="Say which program"):
        commands.run([])
