"""The verdict of ``make test`` on runs of pytest that went well or badly."""

import os
import subprocess
import sys

import pytest

from tools import suites

GOOD = "def test_good(): pass\n"
BAD = "def test_bad(): assert False\n"
SKIPPED = "import pytest\n@pytest.mark.skip\ndef test_skipped(): pass\n"
DYING = "import os\ndef test_dying(): os._exit(0)\n"
SUBTESTS = """
def test_parts(subtests):
    for part in range(3):
        with subtests.test(part=part):
            assert part != 1
"""


@pytest.fixture
def judge(tmp_path):
    """Runs pytest on a file of that text and gives what is read from its report."""

    def run(text, *options):
        (tmp_path / "test_it.py").write_text(text)
        report = tmp_path / "report.xml"
        status = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-c", os.devnull]
            + [f"--junitxml={report}", *options, "test_it.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=subprocess.DEVNULL,
        ).returncode
        return suites.read(report, status)

    return run


def test_all_passed(judge):
    result = judge(GOOD)
    assert (result.passed, result.failed, result.good) == (1, 0, True)


def test_one_failed(judge):
    result = judge(GOOD + BAD)
    assert (result.passed, result.failed, result.good) == (1, 1, False)


def test_skip_is_no_success(judge):
    result = judge(GOOD + SKIPPED)
    assert (result.passed, result.skipped, result.good) == (1, 1, False)


def test_subtests_count_as_one(judge):
    result = judge(SUBTESTS)
    assert (result.passed, result.failed) == (0, 1)


def test_syntax_error_is_a_failure(judge):
    assert not judge("def test_(: pass").good


def test_process_that_ends_early_is_a_failure(judge):
    result = judge(GOOD + DYING)
    assert result.broken and not result.good


def test_nothing_selected_is_neither(judge):
    result = judge(GOOD, "-k", "other")
    assert not result.broken and not result.good
    assert (suites.Result(passed=1) + result).good


def test_nothing_selected_at_all_is_reported(capsys):
    suites.print_verdict(suites.Result())
    assert "No test was chosen" in capsys.readouterr().out
