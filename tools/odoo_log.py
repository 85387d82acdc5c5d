"""What Odoo says while it runs, and what of it is a complaint."""

import re
import subprocess
from pathlib import Path

from tools.ground import Odoo, call

_WORSE_THAN_INFO = re.compile(r"^[\d-]+ [\d:,]+ \d+ (?:WARNING|ERROR|CRITICAL) ")

# What belongs in no log: keys, queries with their values, Stripe's objects, and what
# customers type in tests.
_PRIVATE = re.compile(
    r"[sr]k_(?:test|live)_\w|whsec_\w|DETAIL: |INSERT INTO|DELETE FROM|SELECT .* FROM "
    r"|UPDATE \S+ SET|customer_details|payment_intent_data|\b4242"
    r"|@example\.com|(?:Ada|Kim|Rosa) [A-Z]\w+"
)

# What may be printed beside the log, each with the reason why.
_ALLOWED = {
    "Odoo describes its own module mail in reStructuredText that isn't quite right": (
        "<string>:38: (ERROR/3) Unexpected indentation.",
        "<string>:43: (WARNING/2) Block quote ends without a blank line; unexpected"
        " unindent.",
    ),
    "A container's only user is often root": (
        "Running as user 'root' is a security risk.",
    ),
}


def watch(odoo: Odoo, log: Path, *arguments: str, env: dict[str, str]) -> int:
    """Run Odoo to its end, with its log in a file and what it prints in another.

    :return: Its exit status; ``complaints`` reads both files.
    """
    command = odoo.command(*arguments, f"--logfile={log}")
    with open(_printed(log), "w") as output:
        return call(command, env=env, stdout=output, stderr=subprocess.STDOUT)


def complaints(log: Path) -> list[str]:
    """Lines that are worse than information, or were printed beside the log."""
    return [*warnings(log), *_strays(_printed(log))]


def warnings(log: Path) -> list[str]:
    """Lines of a log that are worse than information."""
    return [line for line in _lines(log) if _WORSE_THAN_INFO.match(line)]


def leaks(log: Path) -> list[str]:
    """Lines of a log that hold what belongs in none."""
    return [line for line in _lines(log) if _PRIVATE.search(line)]


def _strays(printed: Path) -> list[str]:
    """Docutils, the interpreter and libraries print to no log."""
    allowed = {line for lines in _ALLOWED.values() for line in lines}
    return [line for line in _lines(printed) if line.strip() and line not in allowed]


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def _printed(log: Path) -> Path:
    return log.with_suffix(".printed")
