"""A fresh installation by Odoo's own test runner: every test, and a clean log.

pytest runs the tests on a database that is ready; Odoo's runner also runs them while
modules are being installed, and with all modules that Odoo installs by itself. Its
log must hold nothing worse than information.
"""

import re

from tools import cache, postgres, project, server
from tools.console import Problem, say, step, tail
from tools.database import drop
from tools.ground import Odoo, call

_WORSE_THAN_INFO = re.compile(r"^[\d-]+ [\d:,]+ \d+ (?:WARNING|ERROR|CRITICAL) ")
_TESTS_RUN = re.compile(r"odoo\.tests\.result: (\d+) failed, (\d+) error\(s\) of (\d+)")

# What is said about others than this addon, each with the reason why it may stay.
_ALLOWED: dict[str, re.Pattern] = {}


def run(odoo: Odoo) -> bool:
    """Install the addon into an empty database, test it, and judge the log."""
    name = project.passing_database_name("fresh")
    log = cache.log_file(name)
    try:
        with step("Fresh installation with Odoo's own test runner"):
            status = _install(odoo, name, log)
        return _judge(log, status)
    finally:
        drop(odoo, name)


def _install(odoo: Odoo, name: str, log) -> int:
    postgres.create_database(name)
    command = odoo.command(
        f"--database={name}",
        f"--db-filter=^{name}$",
        f"--init={project.ADDON}",
        f"--test-tags=/{project.ADDON}",
        f"--http-port={server.free_port()}",
        f"--logfile={log}",
        "--stop-after-init",
    )
    return call(command, env=odoo.environment())


def _judge(log, status: int) -> bool:
    text = log.read_text(errors="replace")
    counts = _TESTS_RUN.search(text)
    if not counts:
        raise Problem(f"Odoo ran no test. Its log ends with:\n{tail(log, 15)}")
    failed, errors, total = map(int, counts.groups())
    bad = [line for line in text.splitlines() if _is_bad(line)]
    print("\n".join(bad), end="\n" if bad else "")
    say(
        f"Fresh installation: {total} tests, {failed} failed, {errors} errors,"
        f" {len(bad)} warnings or worse; log: {log}"
    )
    return status == 0 and not bad and bool(total)


def _is_bad(line: str) -> bool:
    if not _WORSE_THAN_INFO.match(line):
        return False
    return not any(allowed.search(line) for allowed in _ALLOWED.values())
