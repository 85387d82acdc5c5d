"""``python3 -m tools.texts``: what no text of the project may say or name.

Of all files that git tracks or would, since a word may be in any of them.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import project, words

_FORBIDDEN = {
    "a package registry's host": re.compile(
        r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|debian|npmjs)\.(?:org|com|net)\b"
    ),
    "a path of one machine": re.compile(
        r"(?<![\w./-])/(?:home|root|Users|work)/[\w.-]+"
    ),
}


def run() -> bool:
    """Print the lines that say such things; whether there are none."""
    found = [line for path in project.files() for line in _find(path)]
    print("\n".join(found), end="\n" if found else "")
    return not found


def _find(path: Path) -> Iterator[str]:
    yield from forbidden_in(path)
    yield from words.find_unwanted(path)


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


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
