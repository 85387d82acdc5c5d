"""``make account-tests``: Odoo's own tests of accounting, without and with the addon.

Both runs have the same modules but for the addon, and Odoo's own test runner. What
passes without the addon must pass with it. It takes long, so it is no part
of ``make ci``.
"""

import re
from pathlib import Path

from tools import cache, database, server
from tools.console import say, step
from tools.ground import Odoo, call

_MODULE = r"^.* (odoo\.addons\.account\.tests\.\S+): "
_STARTED = re.compile(_MODULE + r"Starting (\S+) \.\.\.", re.MULTILINE)
# A subtest's parameters follow its test's name.
_FAILED = re.compile(_MODULE + r"(?:FAIL|ERROR): (?:Subtest )?(\S+)", re.MULTILINE)
_DATABASES = {
    "without": database.passing_without_addon,
    "with": database.passing,
}

Test = tuple[str, str]


def run(odoo: Odoo, arguments: list[str]) -> bool:
    """Run them twice and compare.

    :param arguments: Odoo's test tags instead of all of ``account``, to run fewer.
    :return: Whether all that passes without the addon passes with it.
    """
    tags = ",".join(arguments) or "/account"
    without, beside = (_passing(odoo, purpose, tags) for purpose in _DATABASES)
    broken = sorted(without - beside)
    print("\n".join(".".join(test) for test in broken), end="\n" if broken else "")
    say(
        f"Odoo's account tests: {len(without)} pass without the addon, {len(beside)}"
        f" with it, {len(broken)} are broken by it"
    )
    return bool(without) and not broken


def _passing(odoo: Odoo, purpose: str, tags: str) -> set[Test]:
    """The tests that pass in a database with or without the addon."""
    log = cache.log_file(f"account-tests-{purpose}")
    with (
        step(f"Odoo's account tests, {purpose} the addon; log: {log}"),
        _DATABASES[purpose](odoo, f"account_{purpose}") as name,
    ):
        call(_command(odoo, name, tags, log), env=odoo.environment())
    return read(log.read_text(errors="replace"))


def _command(odoo: Odoo, name: str, tags: str, log: Path) -> list[str]:
    return odoo.command(
        f"--database={name}",
        f"--db-filter=^{name}$",
        f"--test-tags={tags}",
        f"--http-port={server.free_port()}",
        f"--logfile={log}",
        "--max-cron-threads=0",
        "--stop-after-init",
    )


def read(log: str) -> set[Test]:
    """The tests that a log of Odoo's runner lists as passed, or as left out."""
    return set(_STARTED.findall(log)) - set(_FAILED.findall(log))
