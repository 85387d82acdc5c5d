"""``make lint``: style, Odoo's conventions, plain words, and what must not be named."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools import project, venv, words
from tools.console import say

_RUFF = ("--quiet", "--no-cache", "--output-format=concise", ".")
# What newer Pythons alone have; the linters themselves may run on one of those.
_OLDEST = ".".join(map(str, venv.OLDEST_PYTHON))
_VERMIN = (f"--target={_OLDEST}-", "--violations", "--quiet")
_FORBIDDEN = {
    "a package registry's host": re.compile(
        r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|debian|npmjs)\.(?:org|com|net)\b"
    ),
    "a path of one machine": re.compile(
        r"(?<![\w./-])/(?:home|root|Users|work)/[\w.-]+"
    ),
}


def run() -> bool:
    """Run all checks, print what they find, and say whether all passed."""
    programs = venv.lint_python().parent
    addon = project.ADDON
    checks = {
        "ruff": [programs / "ruff", "check", *_RUFF],
        "ruff format": [programs / "ruff", "format", "--check", *_RUFF],
        "pylint-odoo": [programs / "pylint", addon],
        "odoo-pre-commit-hooks": [programs / "oca-checks-odoo-module", addon],
        "oldest Python": [programs / "vermin", *_VERMIN, "."],
        "translations": [programs / "oca-checks-po", *_translations()],
    }
    results = [_passes(name, command) for name, command in checks.items()]
    return all([*results, _names_nothing_forbidden(), words.run()])


def _passes(name: str, command: list) -> bool:
    status = subprocess.run(command, cwd=project.ROOT).returncode
    say(f"Lint: {name} {'passed' if status == 0 else 'FAILED'}")
    return status == 0


def _translations() -> list[Path]:
    return sorted((project.ADDON_FOLDER / "i18n").glob("*.po*"))


def _names_nothing_forbidden() -> bool:
    found = [line for path in project.files() for line in forbidden_in(path)]
    print("\n".join(found), end="\n" if found else "")
    say(f"Lint: forbidden names {'FAILED' if found else 'passed'}")
    return not found


def forbidden_in(path: Path) -> Iterator[str]:
    """Lines of a text file that name what no file of the project may name."""
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(lines, 1):
        for what, pattern in _FORBIDDEN.items():
            match = pattern.search(line)
            if match:
                yield f"{path}:{number}: names {what}: {match.group()}"
