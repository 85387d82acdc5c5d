"""``make wheel``: the addon as a Python package, and whether Odoo installs it.

Beside it is a list of all that it is made of and needs (CycloneDX).

whool packs what git knows of the addon. In the trial Odoo cannot see the repository,
so what works there works for whoever installs the wheel, tests included.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

from tools import (
    cache,
    database,
    odoo_log,
    odoo_source,
    postgres,
    project,
    sbom,
    server,
    venv,
)
from tools.command import run as run_program
from tools.console import say, step
from tools.ground import Odoo

_FOLDER = project.ROOT / "dist"
_NAME = f"odoo_addon_{project.ADDON}-*.whl"
_INSIDE = f"odoo/addons/{project.ADDON}"
_REQUIREMENTS = Path(__file__).parent / "requirements.in"
# Odoo imports the tests of all installed modules, whichever are to run.
_ANOTHER_MODULE = "web_tour"
_NOT_PACKED = {"pyproject.toml"}


def run(odoo: Odoo) -> bool:
    """Build the wheel, look into it, and install it.

    :return: Whether all went well.
    """
    with step("Wheel: building it"):
        wheel = _build()
        sbom.write(wheel, _read_metadata(wheel))
    problems = [
        *find_file_problems(wheel),
        *find_requirement_problems(wheel),
        *_try(odoo, wheel),
    ]
    print("\n".join(problems), end="\n" if problems else "")
    name = wheel.relative_to(project.ROOT)
    say(
        f"Wheel: {name} {'FAILED' if problems else 'is complete, and Odoo installs it'}"
    )
    return not problems


def _build() -> Path:
    for older in _FOLDER.glob(_NAME):
        older.unlink()
    run_program(
        *(venv.wheel_python(), "-m", "pip", "wheel", "--quiet", "--no-deps"),
        *("--disable-pip-version-check", "--no-build-isolation"),
        *("--wheel-dir", _FOLDER, project.ADDON_FOLDER),
        failure="The wheel cannot be built.",
    )
    (wheel,) = _FOLDER.glob(_NAME)
    return wheel


def find_file_problems(wheel: Path) -> list[str]:
    """Files of the addon that aren't in the wheel, and others that are."""
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {f"{_INSIDE}/{name}" for name in _files_to_pack()}
    missing, strange = expected - packed, packed - expected
    return [
        *(f"The wheel lacks {name}: is it in git?" for name in sorted(missing)),
        *(f"The wheel should not have {name}" for name in sorted(strange)),
    ]


def _files_to_pack() -> Iterator[str]:
    for path in project.files():
        if project.ADDON_FOLDER in path.parents and path.name not in _NOT_PACKED:
            yield path.relative_to(project.ADDON_FOLDER).as_posix()


def find_requirement_problems(wheel: Path) -> list[str]:
    """Whether it requires this series of Odoo, and the same Stripe as this project."""
    expected = {f"odoo=={odoo_source.SERIES}.*", _stripe()}
    found = set(_read_metadata(wheel).get_all("Requires-Dist", []))
    if found == expected:
        return []
    words = [", ".join(sorted(names)) or "nothing" for names in (expected, found)]
    return ["The wheel should require {}, but it requires {}".format(*words)]


def _stripe() -> str:
    return re.search(r"^stripe\b.*$", _REQUIREMENTS.read_text(), re.MULTILINE).group()


def _read_metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def _try(odoo: Odoo, wheel: Path) -> list[str]:
    """Problems of installing it into a folder, and from there into a database."""
    target = cache.folder() / project.database_name("wheel")
    try:
        _unpack(odoo, wheel, target)
        alone = replace(odoo, addons=(target / "odoo/addons",))
        with database.passing_without_addon(odoo, "wheel") as name:
            return [*_install(alone, name), *_test(alone, name)]
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _unpack(odoo: Odoo, wheel: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    # No package index has Odoo itself.
    run_program(
        *(odoo.python, "-m", "pip", "install", "--quiet", "--no-deps"),
        *("--disable-pip-version-check", "--target", target, wheel),
        failure="The wheel cannot be installed.",
    )


def _install(odoo: Odoo, name: str) -> list[str]:
    log = cache.log_file(name)
    with step("Wheel: Odoo installs the addon from it"):
        status = odoo_log.watch(
            odoo,
            log,
            f"--database={name}",
            f"--init={project.ADDON}",
            *("--skip-auto-install", "--stop-after-init", "--no-http"),
            env=_environment(odoo),
        )
    state = postgres.query(
        f"SELECT state FROM ir_module_module WHERE name = '{project.ADDON}'", name
    ).strip()
    problems = odoo_log.complaints(log)
    if status or state != "installed":
        problems.append(f"Odoo left the addon {state or 'unknown'}; log: {log}")
    return problems


def _test(odoo: Odoo, name: str) -> list[str]:
    """Problems of running tests there: of another module, then of the addon."""
    return [
        problem
        for module in (_ANOTHER_MODULE, project.ADDON)
        for problem in _test_module(odoo, name, module)
    ]


def _test_module(odoo: Odoo, name: str, module: str) -> list[str]:
    log = cache.log_file(f"{name}_{module}")
    with step(f"Wheel: tests of {module} by Odoo's own runner"):
        status = odoo_log.watch(
            odoo,
            log,
            f"--database={name}",
            f"--db-filter=^{name}$",
            f"--test-tags=/{module}",
            f"--http-port={server.free_port()}",
            "--stop-after-init",
            env=_environment(odoo),
        )
    problems = odoo_log.complaints(log)
    if status:
        problems.append(f"Tests of {module} ended with status {status}; log: {log}")
    return problems


def _environment(odoo: Odoo) -> dict[str, str]:
    """Without the repository, which holds the stand-in for Stripe."""
    return {**odoo.environment(), "PYTHONPATH": str(odoo.source)}
