"""Databases with the addon installed, made from templates in seconds.

Templates are kept with the modules that the addon depends on, keyed by Odoo's version
and the pinned packages, and with the addon on top, keyed by the addon's files too. So a
changed test costs a copy (half a second), a changed addon one fresh installation of it.
The addon's own tests have templates of their own, with the charts of accounts of some
countries, and a company that has one: loading it takes seconds, and every test class
needs it.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import cache, odoo_source, postgres, project
from tools.console import step
from tools.ground import Odoo

_TEMPLATE = "ckl_template_"
_KEPT_TEMPLATES = 24
_REQUIREMENTS = Path(__file__).parent / "requirements.txt"
# Countries whose charts the addon's tests load.
_COUNTRIES = ["l10n_de", "l10n_fr_account", "l10n_jp", "l10n_uk"]
_TESTS_SCRIPT = Path(__file__).parent / "odoo_scripts/company_for_tests.py"


@contextmanager
def passing(odoo: Odoo, purpose: str) -> Iterator[str]:
    """A database with the addon for this process alone, dropped at the end."""
    with _passing_copy(odoo, template(odoo), purpose) as name:
        yield name


@contextmanager
def passing_for_tests(odoo: Odoo, purpose: str) -> Iterator[str]:
    """Like ``passing``, with a company whose chart of accounts is loaded."""
    template_name = _template_on(odoo, _base_template_for_tests(odoo))
    with _passing_copy(odoo, template_name, purpose) as name:
        yield name


@contextmanager
def passing_without_addon(odoo: Odoo, purpose: str) -> Iterator[str]:
    """Like ``passing``, with only the modules that the addon depends on."""
    with _passing_copy(odoo, base_template(odoo), purpose) as name:
        yield name


@contextmanager
def _passing_copy(odoo: Odoo, source: str, purpose: str) -> Iterator[str]:
    _drop_abandoned(odoo)
    name = project.passing_database_name(purpose)
    copy(odoo, source, name)
    try:
        yield name
    finally:
        drop(odoo, name)


def _drop_abandoned(odoo: Odoo) -> None:
    """Drop this clone's databases of processes that were killed."""
    for name in postgres.databases():
        if project.is_abandoned(name):
            drop(odoo, name)


def template(odoo: Odoo) -> str:
    """Name of the template with the addon as it is now, built if need be."""
    return _template_on(odoo, base_template(odoo))


def _template_on(odoo: Odoo, base: str) -> str:
    """Name of a template with the addon on top of another one, built if need be."""
    name = f"{_TEMPLATE}addon_{project.digest([base, project.addon_digest()])}"

    def fill(partial: str) -> None:
        copy(odoo, base, partial)
        # As Odoo does where it creates a database itself.
        postgres.query("CREATE EXTENSION IF NOT EXISTS pg_trgm", partial)
        install(odoo, partial, [project.ADDON])

    return _kept(odoo, name, fill, f"Database: installing {project.ADDON}")


def kept(odoo: Odoo, purpose: str, key: list, make: Callable, title: str) -> str:
    """Name of a template for a purpose, built by ``make(name)`` if need be.

    :param key: What it depends on, as ``project.digest`` takes it.
    """
    name = f"{_TEMPLATE}addon_{purpose}_{project.digest(key)}"
    return _kept(odoo, name, make, title)


def base_template(odoo: Odoo) -> str:
    """Name of the template with the addon's dependencies, built if need be."""
    modules = project.addon_dependencies()
    key = [odoo_source.version(odoo.source), _REQUIREMENTS.read_text(), *modules]
    name = f"{_TEMPLATE}base_{project.digest(key)}"

    def fill(partial: str) -> None:
        postgres.create_database(partial)
        install(odoo, partial, modules)

    return _kept(odoo, name, fill, "Database: installing Odoo's accounting")


def _base_template_for_tests(odoo: Odoo) -> str:
    """Name of the template that the addon's tests are installed on."""
    base = base_template(odoo)
    key = [base, *_COUNTRIES, _TESTS_SCRIPT.read_text()]
    name = f"{_TEMPLATE}base_{project.digest(key)}"

    def prepare(partial: str) -> None:
        copy(odoo, base, partial)
        install(odoo, partial, _COUNTRIES)
        odoo.run_script(partial, _TESTS_SCRIPT, cache.log_file(partial))

    return _kept(odoo, name, prepare, "Database: loading charts of accounts")


def _kept(odoo: Odoo, name: str, make: Callable[[str], None], title: str) -> str:
    if name in postgres.databases():
        return name  # it is there once it is complete
    with cache.lock("templates"):
        if name not in postgres.databases():
            with step(title):
                _build(odoo, name, make)
            _prune(odoo)
    return name


def _build(odoo: Odoo, name: str, make: Callable[[str], None]) -> None:
    partial = project.passing_database_name("template")
    drop(odoo, partial)
    try:
        make(partial)
        odoo.filestore(partial).mkdir(parents=True, exist_ok=True)
        shutil.rmtree(odoo.filestore(name), ignore_errors=True)
        odoo.filestore(partial).rename(odoo.filestore(name))
        postgres.rename_database(partial, name)
    finally:
        drop(odoo, partial)


def install(odoo: Odoo, database: str, modules: list[str]) -> None:
    """Install modules in a database, and only what they depend on."""
    odoo.run(
        f"--database={database}",
        f"--init={','.join(modules)}",
        "--skip-auto-install",
        "--stop-after-init",
        "--no-http",
        "--log-level=warn",
        log=cache.log_file(database),
    )


def _prune(odoo: Odoo) -> None:
    """Drop all addon templates but the newest."""
    newest_first = postgres.query(
        "SELECT datname FROM pg_database"
        f" WHERE starts_with(datname, '{_TEMPLATE}addon_') ORDER BY oid DESC"
    ).split()
    for name in newest_first[_KEPT_TEMPLATES:]:
        drop(odoo, name)


def copy(odoo: Odoo, source: str, name: str) -> None:
    """Make a database as a copy of another one, with its filestore."""
    drop(odoo, name)
    postgres.create_database(name, source)
    shutil.copytree(odoo.filestore(source), odoo.filestore(name))


def drop(odoo: Odoo, name: str) -> None:
    """Remove a database and its filestore, if they are there."""
    postgres.drop_database(name)
    shutil.rmtree(odoo.filestore(name), ignore_errors=True)
