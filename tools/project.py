"""The repository itself: where it is, what is in it, how its databases are named."""

import ast
import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tools.console import Problem

ROOT = Path(__file__).resolve().parent.parent
ADDON = "kantivo_checkout_links"
ADDON_FOLDER = ROOT / ADDON
_DATABASES = "ckl_"
_NOT_INSTALLED = {"tests", "readme", "__pycache__"}


def files() -> list[Path]:
    """Every file that git tracks, or would if it were added."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listing.split("\0") if name]
    return [path for path in paths if path.is_file()]


def commit() -> str:
    """The commit that is checked out, with a plus if files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+"]
    described = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return described.stdout.strip() or "unknown"


def manifest() -> dict:
    """The addon's manifest."""
    return ast.literal_eval((ADDON_FOLDER / "__manifest__.py").read_text())


def addon_dependencies() -> list[str]:
    """Names of the Odoo modules that the addon's manifest depends on."""
    return sorted(manifest()["depends"])


def addon_files() -> list[Path]:
    """Every file of the addon that an installed database depends on, sorted."""
    return sorted(
        path
        for path in ADDON_FOLDER.rglob("*")
        if path.is_file() and _NOT_INSTALLED.isdisjoint(path.parts)
    )


def addon_test_files(names: Iterable[str]) -> list[Path]:
    """The addon's test modules of those names, without ``test_``.

    :raise Problem: if one of them does not exist.
    """
    paths = [ADDON_FOLDER / f"tests/test_{name}.py" for name in names]
    missing = [str(path.relative_to(ROOT)) for path in paths if not path.exists()]
    if missing:
        raise Problem(f"There are no tests {', '.join(missing)}: were they renamed?")
    return paths


def digest(parts: Iterable[str | bytes]) -> str:
    """Twelve hexadecimal digits that change with any of the parts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(b"%d:" % len(data) + data)
    return total.hexdigest()[:12]


def addon_digest() -> str:
    """Digest over the names and contents of ``addon_files()``."""
    return digest(
        part
        for path in addon_files()
        for part in (str(path.relative_to(ROOT)), path.read_bytes())
    )


def database_name(purpose: str) -> str:
    """Name of this clone's database for a purpose; other clones never use it."""
    return f"{_DATABASES}{digest([str(ROOT)])[:6]}_{purpose}"


def is_database_name(name: str) -> bool:
    """Whether a database is this project's, of whichever clone."""
    return name.startswith(_DATABASES)


def passing_database_name(purpose: str) -> str:
    """Like ``database_name``, for this process only: it is dropped afterwards."""
    return f"{database_name(purpose)}_p{os.getpid()}"


def is_abandoned(database: str) -> bool:
    """Whether it is a ``passing_database_name`` of a process that is gone."""
    # The copies that pytest makes for processes of its own have a suffix.
    name, _, process = database.partition("-gw")[0].rpartition("_p")
    if not name.startswith(database_name("")) or not process.isdigit():
        return False
    return not Path(f"/proc/{process}").exists()
