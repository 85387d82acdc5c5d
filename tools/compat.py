"""``make compat``: the addon beside the modules that its users have, in one database.

Odoo's own ``website``, ``payment_stripe``, ``sale``, some countries' accounting, OCA's
reconciliation widget, and all that Odoo installs by itself because of them. The addon
must install without a warning about it, its tests of pages and entries must pass
there, and the folder ``compat`` says what must hold between it and its neighbours.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tools import cache, database, odoo_log, postgres, project, suites
from tools.command import run as run_program
from tools.console import say, step
from tools.ground import Odoo
from tools.suites import Result

NEIGHBOURS = (
    "website",
    "payment_stripe",
    "sale",
    "l10n_de",
    "l10n_fr",
    *(f"l10n_{code}" for code in ("uk", "jp", "us_account", "be", "nl", "se")),
    "account_reconcile_oca",
)
DATABASE_VARIABLE = "COMPAT_DATABASE"
# Those of the addon's tests that meet pages, requests and entries of Odoo's own.
_ADDON_TESTS = "pay_page webhook charge_entry protection life".split()
_FOLDER = "compat"
_PINNED = Path(__file__).parent / "requirements-compat.txt"
_OURS = re.compile(r"kantivo_checkout_links|checkout[._]|/checkout")


def run(odoo: Odoo, arguments: list[str]) -> bool:
    """Install everything, judge the log, run the tests.

    :param arguments: For pytest.
    :return: Whether all went well.
    """
    together = with_neighbours(odoo)
    with _installed(together) as (name, log):
        is_clean = _judge(log)
        total = _test_addon(together, name, arguments)
        total += _test_neighbours(together, name, arguments)
    suites.print_verdict(total)
    return is_clean and total.good


def with_neighbours(odoo: Odoo) -> Odoo:
    """The same Odoo, with the addons of others that are on the package index."""
    key = project.digest([_PINNED.read_text()])
    folder = cache.folder() / f"neighbours-{key}"
    if not cache.is_complete(folder):
        with step("Addons of others"):
            cache.build(folder, lambda target: _fetch(odoo, target))
    return replace(odoo, addons=(*odoo.addons, folder / "odoo/addons"))


def _fetch(odoo: Odoo, target: Path) -> None:
    run_program(
        *(odoo.python, "-m", "pip", "install", "--quiet", "--no-deps"),
        *("--disable-pip-version-check", "--target", target, "-r", _PINNED),
        failure="OCA's addons cannot be fetched: is there a network?",
    )


@contextmanager
def _installed(odoo: Odoo) -> Iterator[tuple[str, Path]]:
    """A fresh database with everything in it, and the log of its installation."""
    name = project.passing_database_name(_FOLDER)
    log = cache.log_file(name)
    try:
        with step(f"Installing {project.ADDON} beside {', '.join(NEIGHBOURS)}"):
            postgres.create_database(name)
            odoo.run(
                f"--database={name}",
                f"--init={','.join((project.ADDON, *NEIGHBOURS))}",
                *("--stop-after-init", "--no-http"),
                log=log,
            )
        yield name, log
    finally:
        database.drop(odoo, name)


def _judge(log: Path) -> bool:
    """Print all warnings; those about this addon are failures."""
    bad = odoo_log.warnings(log)
    ours = [line for line in bad if _OURS.search(line)]
    print("\n".join(bad), end="\n" if bad else "")
    say(f"Installation: {len(bad)} warnings or worse, {len(ours)} about this addon")
    return not ours


def _test_addon(odoo: Odoo, name: str, arguments: list[str]) -> Result:
    title = "The addon's own tests beside its neighbours"
    with step(title), suites.inside_odoo(odoo, name) as options:
        tests = map(str, project.addon_test_files(_ADDON_TESTS))
        return suites.run_pytest(odoo, [*options, *arguments, *tests])


def _test_neighbours(odoo: Odoo, name: str, arguments: list[str]) -> Result:
    os.environ[DATABASE_VARIABLE] = name
    with step("What must hold between the addon and its neighbours"):
        return suites.run_pytest(odoo, ["-p", "no:odoo", *arguments, _FOLDER])
