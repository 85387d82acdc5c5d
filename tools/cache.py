"""The cache folder: everything that set-up fetches or builds, outside the clone."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.console import Problem, say

NEEDED_MB = 3000


def folder() -> Path:
    """The cache folder, made if it is missing.

    :raise Problem: if it cannot be made or written.
    """
    path = _location()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(
            f"The cache folder {path} cannot be made ({error.strerror}). Set"
            " CHECKOUT_LINKS_CACHE to a folder that you can write to."
        ) from error
    return path


def _location() -> Path:
    chosen = os.environ.get("CHECKOUT_LINKS_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser().resolve() / "kantivo-checkout-links"


def check_space() -> None:
    """Refuse to start a set-up that the disk cannot hold.

    :raise Problem: if less than ``NEEDED_MB`` are free where the cache is.
    """
    free = shutil.disk_usage(folder()).free // 2**20
    if free < NEEDED_MB:
        raise Problem(
            f"Only {free} MB are free at {folder()}, and the set-up needs"
            f" {NEEDED_MB} MB. Make room, or set CHECKOUT_LINKS_CACHE to a folder on"
            " a larger disk."
        )


@contextmanager
def lock(name: str, shared: bool = False) -> Iterator[None]:
    """Hold a lock of that name against all processes that use this cache."""
    with open(folder() / f"{name}.lock", "w") as file:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another process of this project ({name})")
            fcntl.flock(file, kind)
        yield


def build(path: Path, make: Callable[[Path], None]) -> Path:
    """Make a folder once: what was left unfinished is made anew.

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
