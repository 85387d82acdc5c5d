"""What ``make clean`` deletes, and what it must never delete."""

import fcntl
import os

import pytest

from tools import cache, ground, postgres
from tools.console import Problem

_NAMES = ("PGHOST", "PGPORT")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache folder with a private server that was never started."""
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHECKOUT_LINKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server_files():
    """The folders of the private server: its data, and its sockets if apart."""
    cluster = postgres.Cluster()
    folders = [cluster._home, cluster._sockets]
    for place in folders:
        place.mkdir(parents=True, exist_ok=True)
        (place / "file").touch()
    return folders


def test_nothing_is_left(folder, server_files):
    cache.log_file("demo").touch()
    ground.clean()
    assert not any(path.exists() for path in (folder, *server_files))


def test_sockets_of_a_folder_with_a_long_name_go_too(monkeypatch):
    monkeypatch.setattr(postgres, "_LONGEST_SOCKET_FOLDER", 0)
    sockets = postgres.Cluster()._sockets
    sockets.mkdir()
    ground.clean()
    assert not sockets.exists()


def test_server_in_use_is_left_alone(folder, server_files):
    with open(cache.lock_file("postgres-users"), "w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with pytest.raises(Problem, match="End it first"):
            ground.clean()
    assert all(path.exists() for path in (folder, *server_files))
    ground.clean()
    assert not folder.exists()


def test_cleaning_twice_is_allowed(folder):
    ground.clean()
    ground.clean()
    assert not folder.exists()


def test_what_was_interrupted_is_finished_the_next_time(folder, monkeypatch):
    cache.log_file("demo").touch()

    def interrupt(path, ignore_errors=False):
        for file in filter(os.path.isfile, path.iterdir() if path.exists() else ()):
            file.unlink()
        if not ignore_errors:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(cache.shutil, "rmtree", interrupt)
        ground.clean()
    ground.clean()
    assert not folder.exists()


def test_folder_with_other_things_is_refused_and_left_alone(folder):
    folder.mkdir()
    (folder / "letter").touch()
    for use in (cache.folder, ground.clean):
        with pytest.raises(Problem, match="has other things in it"):
            use()
    assert os.listdir(folder) == ["letter"]


def test_folder_that_was_empty_is_used_again_and_again(folder):
    folder.mkdir()
    (cache.folder() / "thing").touch()
    assert cache.folder() == folder
