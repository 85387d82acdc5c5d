"""The pieces that set-up stands on."""

import multiprocessing
import socket

import pytest

from tools import cache, ground, project, server, texts
from tools.command import run
from tools.console import Problem


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CHECKOUT_LINKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_folder_is_built_once(empty_cache):
    target = empty_cache / "thing"
    made = []
    for _ in range(2):
        cache.build(target, made.append)
    assert made == [target]


def test_unfinished_folder_is_built_again():
    target = cache.folder() / "thing"

    def fail_half_way(path):
        (path / "half").touch()
        raise Problem("no network")

    with pytest.raises(Problem):
        cache.build(target, fail_half_way)
    cache.build(target, lambda path: (path / "whole").touch())
    assert (target / "whole").exists() and not (target / "half").exists()


def _append(path, log):
    def make(target):
        with open(log, "a") as file:
            file.write("made\n")

    cache.build(path, make)


def test_two_processes_build_once(tmp_path):
    target, log = cache.folder() / "thing", tmp_path / "log"
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=_append, args=(target, log)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert log.read_text() == "made\n"


def test_what_another_holds_is_refused_and_available_later():
    def hold():
        return cache.lock_or_refuse("thing", "It is taken.")

    with hold(), pytest.raises(Problem, match="It is taken"):
        hold().__enter__()
    with hold():
        pass


def test_first_run_says_where_it_keeps_things(capsys, empty_cache):
    ground.announce_first_run()
    assert str(empty_cache) in capsys.readouterr().out
    cache.build(cache.folder() / "thing", lambda path: None)
    ground.announce_first_run()
    assert not capsys.readouterr().out


def test_taken_port_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Problem, match=f"Port {port}"):
            server.check_port(port)


def test_full_disk_is_reported(monkeypatch):
    monkeypatch.setattr(cache, "_NEEDED_MB", 10**9)
    with pytest.raises(Problem, match="MB are free"):
        cache.check_space()


def test_failed_program_shows_its_output():
    with pytest.raises(Problem, match="It went wrong. sh says: because"):
        run("sh", "-c", "echo because >&2; exit 3", failure="It went wrong.")


def test_missing_program_is_named():
    with pytest.raises(Problem, match="no-such-program is missing"):
        run("no-such-program", failure="It went wrong.")


def test_program_that_cannot_be_started_is_named():
    with pytest.raises(Problem, match="no-such-program cannot be run"):
        ground.call(["no-such-program"])


def test_passing_database_is_not_abandoned_while_its_process_lives():
    name = project.passing_database_name("addon")
    assert not project.is_abandoned(name)
    assert project.is_abandoned(project.database_name("addon_p999999999"))
    assert not project.is_abandoned("another_p999999999")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("index = https://test.py" + "pi.org/simple", True),
        ("http://deb.deb" + "ian.org/pool", True),
        ("Debian's package of Odoo", False),
        ("see /ho" + "me/me/odoo", True),
        ("GET /web/home", False),
    ],
)
def test_forbidden_names(tmp_path, line, found):
    path = tmp_path / "text"
    path.write_text(f"first\n{line}\n")
    assert bool(list(texts.forbidden_in(path))) == found
