"""What the person at the terminal sees: progress lines and plain-word failures."""

import sys
import textwrap
import time
from contextlib import contextmanager

_START = time.monotonic()
_LONG = 3  # seconds from which on it is worth a line how long a step took


class Problem(Exception):
    """A failure that the user can do something about.

    Its text is one paragraph in plain words: what went wrong and what to do. The
    command line prints it without a traceback and exits with status 2.
    """


def elapsed() -> float:
    """Seconds since the command started."""
    return time.monotonic() - _START


def say(text: str) -> None:
    """Print one progress line with the seconds since the command started."""
    print(f"[{elapsed():6.1f} s] {text}", flush=True)


@contextmanager
def step(text: str):
    """Announce a step, and if it was a long one, say how long it took."""
    begin = time.monotonic()
    say(f"{text} ...")
    yield
    seconds = time.monotonic() - begin
    if seconds >= _LONG:
        say(f"{text}: done in {seconds:.1f} s")


def print_problem(problem: Problem) -> None:
    """Print a failure on standard error: first words, then any lines of a log."""
    words, *log = str(problem).split("\n")
    paragraph = textwrap.fill(words, 88, break_long_words=False, break_on_hyphens=False)
    print("", paragraph, *log, sep="\n", file=sys.stderr, flush=True)


def tail(path, lines: int = 30) -> str:
    """The last lines of a log file, or an empty string if there is none."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
