"""A fresh installation by Odoo's own test runner, and a clean log.

pytest runs all tests, on a database that is ready, and judges their log too. Here are
the few that may end otherwise where Odoo's runner runs them, in a database that
holds all modules that Odoo installs by itself: tests that run while modules are being
installed (colors, money), what users may read and do (access, rights), screens with the
views of those modules (views), requests (webhook; compat tests pages beside website),
and entries of a company whose chart of accounts is loaded for the test (charge_entry).
The log must hold nothing worse than information, and nothing may be printed beside it.
"""

import re
from pathlib import Path

from tools import cache, odoo_log, postgres, project, server
from tools.console import Problem, say, step, tail
from tools.database import drop
from tools.ground import Odoo

_TESTS = "access brand charge_entry money rights views webhook".split()
_TESTS_RUN = re.compile(r"odoo\.tests\.result: (\d+) failed, (\d+) error\(s\) of (\d+)")


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


def _install(odoo: Odoo, name: str, log: Path) -> int:
    postgres.create_database(name)
    return odoo_log.watch(
        odoo,
        log,
        f"--database={name}",
        f"--db-filter=^{name}$",
        f"--init={project.ADDON}",
        f"--test-tags={','.join(_tags())}",
        f"--http-port={server.free_port()}",
        "--stop-after-init",
        env=odoo.environment(),
    )


def _tags() -> list[str]:
    files = project.addon_test_files(_TESTS)
    return [f"/{path.relative_to(project.ROOT)}" for path in files]


def _judge(log: Path, status: int) -> bool:
    counts = _TESTS_RUN.search(log.read_text(errors="replace"))
    if not counts:
        raise Problem(f"Odoo ran no test. Its log ends with:\n{tail(log, 15)}")
    failed, errors, total = map(int, counts.groups())
    bad = odoo_log.complaints(log)
    print("\n".join(bad), end="\n" if bad else "")
    say(
        f"Fresh installation: {total} tests, {failed} failed, {errors} errors,"
        f" {len(bad)} warnings or worse; log: {log}"
    )
    return status == 0 and not bad and bool(total)
