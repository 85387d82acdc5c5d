"""PostgreSQL: the server that ``PGHOST``/``PGPORT`` name, or a private one.

The private server lives in the cache folder and listens on a Unix socket only, so
no port can be taken and no one else can reach it. It runs while at least one
command of this project uses it. Its files are not synced to disk: a power cut costs
a rebuild of test databases, nothing else.
"""

import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import cache, debian, project
from tools.command import find, run
from tools.console import Problem, say, step, tail

USER = "odoo"
_LONGEST_SOCKET_FOLDER = 85  # the kernel's limit is 107, with the socket's name
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "2GB",
    "autovacuum_naptime": "5min",
    "log_min_messages": "fatal",
}


@contextmanager
def running() -> Iterator[None]:
    """Have a PostgreSQL server, and its address in this process's environment.

    :raise Problem: if there is none and none can be started.
    """
    if _is_named():
        yield
        return
    cluster = Cluster()
    with cluster.used():
        os.environ.update(cluster.environment())
        try:
            yield
        finally:
            for name in cluster.environment():
                os.environ.pop(name, None)


def _is_named() -> bool:
    """Whether the user has said which server to use."""
    return bool(os.environ.get("PGHOST") or os.environ.get("PGPORT"))


def clean() -> None:
    """Remove the private server, and this project's databases from a named one.

    :raise Problem: if the private server is in use.
    """
    Cluster().remove()
    if _is_named():
        for name in filter(project.is_database_name, databases()):
            drop_database(name)


class Cluster:
    """The private server of this cache folder."""

    def __init__(self):
        self._home = _cluster_home()
        self._data = self._home / "data"
        self._log = self._home / "log"
        self._users = cache.lock_file("postgres-users")
        self._sockets = _socket_folder(self._home)

    def environment(self) -> dict[str, str]:
        """libpq's variables that lead to this server."""
        return {"PGHOST": str(self._sockets), "PGPORT": "5432", "PGUSER": USER}

    @contextmanager
    def used(self) -> Iterator[None]:
        """Have the server run; the last user stops it."""
        with open(self._users, "w") as users:
            with cache.lock("postgres"):
                self._start_if_down()
                fcntl.flock(users, fcntl.LOCK_SH)
            try:
                yield
            finally:
                self._stop_if_last(users)

    def _stop_if_last(self, users) -> None:
        with cache.lock("postgres"):
            if _is_alone(users):
                self.stop()

    def stop(self) -> None:
        """Stop the server if it runs."""
        if self._answers():
            self._pg_ctl("stop", "--mode=fast")

    def remove(self) -> None:
        """Stop the server and delete all that it has on the disk.

        :raise Problem: if a command of this project uses it.
        """
        with open(self._users, "w") as users, cache.lock("postgres"):
            if not _is_alone(users):
                raise Problem(
                    "Another command of this project uses the PostgreSQL server, such"
                    " as a demo that stays up. End it first."
                )
            self.stop()
            for folder in (self._home, self._sockets):
                shutil.rmtree(folder, ignore_errors=True)
            # Root's servers have a folder of their own; other caches may be in it.
            with contextlib.suppress(OSError):
                self._home.parent.rmdir()

    def _start_if_down(self) -> None:
        if not self._data.exists():
            with step("PostgreSQL: making a private server"):
                self._initialize()
        if not self._answers():
            self._pg_ctl("start", f"--log={self._log}")

    def _answers(self) -> bool:
        program = _program("pg_ctl", install=False)
        if not program or not self._data.exists():
            return False
        status = [*_as_server_user(), program, "status", f"--pgdata={self._data}"]
        return subprocess.run(status, capture_output=True).returncode == 0

    def _initialize(self) -> None:
        for folder in (self._home, self._sockets):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            _give_to_server_user(folder)
        partial = self._home / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        self._initdb(partial)
        self._configure(partial)
        partial.rename(self._data)

    def _initdb(self, data: Path) -> None:
        run(
            *_as_server_user(),
            _program("initdb"),
            f"--pgdata={data}",
            f"--username={USER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            cwd=self._home,
            failure="PostgreSQL cannot make its data folder.",
        )

    def _configure(self, data: Path) -> None:
        settings = {**_SETTINGS, "unix_socket_directories": str(self._sockets)}
        with open(data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _pg_ctl(self, action: str, *options: str) -> None:
        command = [
            *_as_server_user(),
            _program("pg_ctl"),
            action,
            f"--pgdata={self._data}",
            "--wait",
            "--silent",
            *options,
        ]
        # The server inherits its parent's standard output: never a pipe of ours,
        # whose reader would then wait for the server's end.
        done = subprocess.run(
            command,
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if done.returncode:
            raise Problem(
                f"PostgreSQL cannot {action}. Its log ({self._log}) ends with:"
                f" {tail(self._log, 5)}"
            )


def _is_alone(users) -> bool:
    """Whether no other process uses the server; none comes while its lock is held."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cluster_home() -> Path:
    """Inside the cache, or for root where the server's own user can enter."""
    inside = cache.folder() / "postgres"
    if os.geteuid() != 0 or _open_to_all(inside.parent):
        return inside
    return Path("/var/lib/kantivo-checkout-links") / project.digest([str(inside)])


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def _socket_folder(home: Path) -> Path:
    inside = home / "run"
    if len(str(inside)) <= _LONGEST_SOCKET_FOLDER:
        return inside
    return Path(tempfile.gettempdir()) / f"ckl-{project.digest([str(home)])}"


def _server_user() -> pwd.struct_passwd | None:
    """Who runs the server in root's place: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _as_server_user() -> list[str]:
    user = _server_user()
    if not user:
        return []
    identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return ["setpriv", *identity, "--"]


def _give_to_server_user(folder: Path) -> None:
    user = _server_user()
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)


def _program(name: str, install: bool = True) -> str | None:
    found = _installed(name)
    if found or not install:
        return found
    with step("PostgreSQL: installing Debian's postgresql"):
        debian.install("postgresql")
    return _installed(name)


def _installed(name: str) -> str | None:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return find(name) or (str(versions[-1]) if versions else None)


def create_database(name: str, template: str = "template0") -> None:
    """Make a database, as a copy of another one if a template is named."""
    run(
        *("createdb", "-T", template, name),
        failure=f"The database {name} cannot be made.",
    )


def drop_database(name: str) -> None:
    """Remove a database, and whoever is still connected to it."""
    run(
        *("dropdb", "--if-exists", "--force", name),
        failure=f"The database {name} cannot be removed.",
    )


def rename_database(name: str, to: str) -> None:
    """Give a database without connections another name."""
    query(f'ALTER DATABASE "{name}" RENAME TO "{to}"')


def databases() -> list[str]:
    """Names of all databases on the server."""
    return query("SELECT datname FROM pg_database ORDER BY 1").split()


def query(statement: str, database: str = "postgres") -> str:
    """Run one SQL statement and return its rows as plain text."""
    return run(
        *("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement),
        failure="PostgreSQL does not answer as expected.",
    )


def report() -> None:
    """Say which server is in use."""
    say(f"PostgreSQL: {os.environ.get('PGHOST')} as {os.environ.get('PGUSER')}")
