"""The Python environment of the tests."""

import sys
from pathlib import Path

from tools import venv


def test_tests_run_in_the_environment_that_they_would_ask_for():
    assert venv.odoo_python().parent == Path(sys.executable).parent
