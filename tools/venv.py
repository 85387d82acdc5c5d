"""Virtual environments in the cache, one for each set of pinned packages.

Packages come from wherever the user's own pip or uv settings say. uv is ten times
faster, so it is used if it is installed or can be; plain pip is the fallback.
"""

import os
import subprocess
import sys
from pathlib import Path

from tools import cache, project
from tools.command import find, run
from tools.console import Problem, say, step

OLDEST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 13)
_HERE = Path(__file__).parent
_UV = "uv==0.13.9"
_UV_NAMES = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}


def check_python() -> None:
    """Refuse a Python that Odoo 19 does not support.

    :raise Problem: saying which one to use.
    """
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        return
    running = ".".join(map(str, sys.version_info[:2]))
    raise Problem(
        f"This is Python {running}, and Odoo 19 needs 3.10 to 3.13. Run the command"
        " with another one, for example: make demo PYTHON=python3.12"
    )


def odoo_python() -> Path:
    """Python that has what Odoo, the addon and the tests need, but not Odoo itself."""
    return _python("odoo", _HERE / "requirements.txt")


def lint_python() -> Path:
    """Python that has the linters."""
    return _python("lint", _HERE / "requirements-lint.txt")


def wheel_python() -> Path:
    """Python that has what builds the addon's wheel."""
    return _python("wheel", _HERE / "requirements-wheel.txt")


def _python(name: str, pinned: Path) -> Path:
    # The real path is the same inside of the environment that it leads to.
    key = project.digest([os.path.realpath(sys.executable), pinned.read_text()])
    path = cache.folder() / f"venv-{name}-{key}"
    if not cache.is_complete(path):
        with step(f"Python packages ({name})"):
            cache.build(path, lambda target: _install(target, pinned))
    return path / "bin/python"


def _install(target: Path, pinned: Path) -> None:
    run(
        sys.executable,
        "-m",
        "venv",
        target,
        failure=(
            "A virtual environment cannot be made. On Debian or Ubuntu:"
            " sudo apt-get install python3-venv."
        ),
    )
    python = target / "bin/python"
    try:
        _install_with_uv(python, pinned)
    except Problem as problem:
        say(f"uv cannot be used ({str(problem)[:200]}), taking pip, which is slower")
        _install_with_pip(python, "-r", pinned)


def _install_with_uv(python: Path, pinned: Path) -> None:
    uv = find("uv")
    if not uv:
        _install_with_pip(python, _UV)
        uv = python.with_name("uv")
    run(
        uv,
        "pip",
        "install",
        "--quiet",
        f"--python={python}",
        "-r",
        pinned,
        failure="Packages cannot be installed with uv.",
        env={**_settings_of_pip(python), **os.environ},
    )


def _settings_of_pip(python: Path) -> dict[str, str]:
    """The package index and certificates of the user's pip settings, in uv's words."""
    listing = subprocess.run(
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True
    ).stdout
    settings = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        name = _UV_NAMES.get(key.rpartition(".")[2])
        if name:
            settings[name] = value.strip("'\"")
    return settings


def _install_with_pip(python: Path, *what: str | Path) -> None:
    run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-warn-script-location",
        *what,
        failure="Python packages cannot be installed: is there a network?",
    )
