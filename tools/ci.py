"""``.ci/run``: everything a change must pass, in two lanes of one core each.

The system tests wait for servers and browsers much of their time, and what else is
checked here works in a single process. So they run side by side. The other suites
follow, of which the largest uses both cores by itself.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tools import (
    cache,
    compat,
    database,
    fresh_install,
    lint,
    project,
    suites,
    translations,
    wheel,
)
from tools.console import say
from tools.ground import Odoo

_BESIDE = ("tests",)


def run(odoo: Odoo) -> bool:
    """Run all checks and all tests, and say what failed; whether nothing did."""
    database.template(odoo)
    others = [suite.folder for suite in suites.SUITES if suite.folder not in _BESIDE]
    with _lane("checks") as has_passed:
        total = suites.run_all(odoo, list(_BESIDE))
    total += suites.run_all(odoo, others)
    passes = has_passed() and total.good
    say(f"CI: {'passed' if passes else 'FAILED'}")
    suites.print_verdict(total)
    return passes


def run_checks(odoo: Odoo) -> bool:
    """Run each check, also after one that failed; whether all passed."""
    checks = {
        "lint": lint.run,
        "translations": lambda: translations.is_current(odoo),
        "wheel": lambda: wheel.run(odoo),
        "fresh installation": lambda: fresh_install.run(odoo),
        "compat": lambda: compat.run(odoo, []),
    }
    passed = {name: _timed(name, check) for name, check in checks.items()}
    failed = [name for name, passes in passed.items() if not passes]
    say(f"Checks: {'FAILED: ' + ', '.join(failed) if failed else 'all passed'}")
    return not failed


def _timed(name: str, check: Callable[[], bool]) -> bool:
    start = time.monotonic()
    passes = check()
    word = "passed" if passes else "FAILED"
    say(f"Check {name}: {word} in {time.monotonic() - start:.0f} s")
    return passes


@contextmanager
def _lane(command: str) -> Iterator[Callable[[], bool]]:
    """Run one of our commands meanwhile; what it printed follows at the end.

    :return: Whether it passed, to be asked after the end.
    """
    log = cache.log_file(project.passing_database_name(command))
    with open(log, "w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools", command],
            cwd=project.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield lambda: process.returncode == 0
    except BaseException:
        process.terminate()
        raise
    finally:
        process.wait()
        print(log.read_text(errors="replace"), flush=True)
