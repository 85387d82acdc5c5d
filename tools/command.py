"""Running other programs, with failures in plain words."""

import errno
import os
import shutil
import signal
import subprocess
from pathlib import Path

from tools.console import Problem


class Terminated(KeyboardInterrupt):
    """This process was asked to end (SIGTERM): as Ctrl-C, but only it was asked."""


def end_cleanly_on_sigterm() -> None:
    """Make SIGTERM unwind the program, so that its servers and databases go too."""
    signal.signal(signal.SIGTERM, _terminate)
    # A shell starts what it puts in the background with Ctrl-C ignored, and so would
    # we start ours, which could then not be asked to end.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _terminate(number, frame) -> None:
    raise Terminated


def run(*arguments: str | Path, failure: str, cwd: Path | None = None, env=None) -> str:
    """Run a program to its end and return what it printed.

    :param failure: Sentence for the user, put before the program's last words.
    :raise Problem: if the program is missing or exits with another status than 0.
    """
    try:
        done = subprocess.run(
            [str(argument) for argument in arguments],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise Problem(f"{failure} The program {arguments[0]} is missing.") from error
    if done.returncode:
        raise Problem(f"{failure} {_reason(done)}")
    return done.stdout


def _reason(done: subprocess.CompletedProcess) -> str:
    output = f"{done.stdout}\n{done.stderr}"
    if os.strerror(errno.ENOSPC) in output:
        return "The disk is full: make room and try again."
    last_words = " / ".join(line for line in output.splitlines()[-6:] if line.strip())
    return f"{Path(done.args[0]).name} says: {last_words or done.returncode}"


def find(*names: str) -> str | None:
    """Path of the first program of these names that is installed, if any."""
    return next(filter(None, map(shutil.which, names)), None)
