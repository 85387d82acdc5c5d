"""The cache folder: everything that set-up fetches or builds, outside the clone."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.console import Problem, say

_NEEDED_MB = 3000
_NEEDED_MB_LATER = 500
_KEPT_LOGS = 60
_VARIABLE = "CHECKOUT_LINKS_CACHE"
# By the Cache Directory Tagging Specification, which backup programs know.
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by Checkout Links.\n"


def folder() -> Path:
    """The cache folder, made if it is missing.

    :raise Problem: if it cannot be made or written, or holds other things.
    """
    path = _location()
    try:
        path.mkdir(parents=True, exist_ok=True)
        _claim(path)
    except OSError as error:
        raise Problem(
            f"The cache folder {path} cannot be made ({error.strerror}). Set"
            f" {_VARIABLE} to a folder that you can write to."
        ) from error
    return path


def _location() -> Path:
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser().resolve() / "kantivo-checkout-links"


def _claim(path: Path) -> None:
    """Keep to folders of our own: one day all that is in it will be deleted."""
    names = {entry.name for entry in path.iterdir()}
    if not names:
        (path / _TAG).write_text(_TAG_TEXT)
    elif _TAG not in names and os.environ.get(_VARIABLE):
        raise Problem(
            f"The folder {path} has other things in it, and make clean would delete"
            f" them. Set {_VARIABLE} to a new or an empty folder."
        )


def delete() -> None:
    """Delete the folder, and last what makes it ours, in case this is interrupted."""
    path = folder()
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != _TAG:
            entry.unlink()
    shutil.rmtree(path)


def check_space() -> None:
    """Refuse to start what the disk cannot hold.

    :raise Problem: if too little is free where the cache is.
    """
    needed = _NEEDED_MB_LATER if is_set_up() else _NEEDED_MB
    free = shutil.disk_usage(folder()).free // 2**20
    if free < needed:
        raise Problem(
            f"Only {free} MB are free at {folder()}, and this needs {needed} MB. Make"
            " room, or set CHECKOUT_LINKS_CACHE to a folder on a larger disk."
        )


def is_set_up() -> bool:
    """Whether a command of this project has already fetched something."""
    return any(folder().glob("*/.complete"))


def logs_of_servers(prefix: str, since: float) -> list[Path]:
    """Logs of servers on databases of that prefix, written to after that moment."""
    logs = (folder() / "logs").glob(f"{prefix}*-[0-9]*.log")
    return sorted(log for log in logs if _written_at(log) >= since)


def log_file(name: str) -> Path:
    """Path for a new log file of that name; the oldest logs are deleted."""
    logs = folder() / "logs"
    logs.mkdir(exist_ok=True)
    oldest_first = sorted(logs.iterdir(), key=_written_at)
    for log in oldest_first[:-_KEPT_LOGS]:
        log.unlink(missing_ok=True)
    path = logs / f"{name}.log"
    path.unlink(missing_ok=True)
    return path


def _written_at(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0


def lock_file(name: str) -> Path:
    """Path of the file that carries the lock of that name."""
    locks = folder() / "locks"
    locks.mkdir(exist_ok=True)
    return locks / name


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the lock of that name against all processes that use this cache."""
    with open(lock_file(name), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another process of this project ({name})")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def lock_or_refuse(name: str, refusal: str) -> Iterator[None]:
    """Like ``lock``, for what another process may hold as long as it likes.

    :raise Problem: with the refusal, if another process holds it.
    """
    with open(lock_file(name), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Problem(refusal) from error
        yield


def build(path: Path, make: Callable[[Path], None]) -> Path:
    """Make a folder once: what was left unfinished is made again.

    :param path: The folder; returned at once if it is complete.
    :param make: Fills the empty folder.
    """
    if is_complete(path):
        return path
    with lock(path.name):
        if not is_complete(path):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
            make(path)
            _mark(path).touch()
    return path


def is_complete(path: Path) -> bool:
    """Whether ``build`` has finished that folder."""
    return _mark(path).exists()


def _mark(path: Path) -> Path:
    return path / ".complete"
