"""Load on a server by wrk, and what the server's own log says of it."""

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kit import median
from tools import debian
from tools.command import find, run
from tools.console import step

_SCRIPT = Path(__file__).with_name("load.lua")
_THREADS = 2
# The end of a line in Odoo's log: status, size, queries, seconds in them, the rest.
_LOGGED = r'"[A-Z]+ {path}[^"]*" \d+ \S+ (\d+) [\d.]+ [\d.]+'


@dataclass(frozen=True)
class Load:
    """What wrk saw.

    :param bad: Answers that were none, or had a status of 400 and more.
    :param p50: Seconds, as `p99`.
    """

    requests: int
    seconds: float
    bad: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def put(url: str, seconds: int, connections: int, deliveries=()) -> Load:
    """Ask for an address again and again, by several connections at once.

    :param deliveries: Path, signature and body of each; then each is sent once.
    """
    options = (f"-t{_THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout=60s")
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.writelines("\t".join(delivery) + "\n" for delivery in deliveries)
        file.flush()
        script = [file.name, str(_THREADS)] if deliveries else []
        said = run(
            *(_wrk(), *options, "-s", _SCRIPT, url, "--", *script),
            failure="wrk cannot put load on the server.",
        )
    return Load(**json.loads(said.splitlines()[-1]))


def _wrk() -> str:
    if not find("wrk"):
        with step("Installing Debian's wrk"):
            debian.install("wrk")
    return find("wrk")


def queries(log: Path, path: str) -> float:
    """How many queries an answer takes, by the server's log."""
    pattern = re.compile(_LOGGED.replace("{path}", re.escape(path)))
    return median(int(found) for found in pattern.findall(log.read_text()))
