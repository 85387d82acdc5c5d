"""What every command stands on: Odoo's source, its Python, a PostgreSQL server.

``with ground.ready() as odoo:`` sets up what is missing and gives an ``Odoo``, the
object that knows how Odoo is run here. A process started by another one of ours
(the whole-system tests, for example) finds everything ready and starts at once.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools import browser, cache, odoo_source, postgres, project, venv
from tools.command import Terminated
from tools.console import Problem, say, tail

_LAUNCHER = Path(__file__).parent / "bin/odoo"


@dataclass(frozen=True)
class Odoo:
    """Odoo 19 as it is installed here.

    :param source: Folder that holds the ``odoo`` package.
    :param python: Python that has all the packages it needs.
    :param addons: Addons folders beside Odoo's own.
    """

    source: Path
    python: Path
    addons: tuple[Path, ...] = (project.ROOT,)

    @property
    def data_folder(self) -> Path:
        """Odoo's own data folder, with the filestores in it."""
        return cache.folder() / "odoo-data"

    def filestore(self, database: str) -> Path:
        """Folder with that database's attachments."""
        return self.data_folder / "filestore" / database

    def command(self, *arguments: str | Path) -> list[str]:
        """Command line of Odoo: a server, or with a first word a subcommand.

        It finds its configuration by ``environment()``.
        """
        is_subcommand = arguments and not str(arguments[0]).startswith("-")
        words = arguments if is_subcommand else ("server", *arguments)
        return [str(part) for part in (self.python, _LAUNCHER, *words)]

    def config(self) -> Path:
        """Odoo's configuration file for this clone, written if it changed."""
        own = odoo_source.addons_paths(self.source)
        addons = ",".join(map(str, [*own, *self.addons]))
        lines = {
            "addons_path": addons,
            "data_dir": self.data_folder,
            "http_interface": "127.0.0.1",
            "list_db": False,
            "admin_passwd": "unused, since the database manager is off",
            "screenshots": cache.folder() / "screenshots",
        }
        text = "[options]\n" + "".join(f"{key} = {lines[key]}\n" for key in lines)
        name = project.database_name(f"odoo_{project.digest([addons])[:6]}")
        path = cache.folder() / f"{name}.conf"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path

    def environment(self) -> dict[str, str]:
        """Environment for programs of this Odoo: its Python and a browser first."""
        path = [str(self.python.parent), *browser.folders(), os.environ["PATH"]]
        return {
            **os.environ,
            "ODOO_RC": str(self.config()),
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join([str(project.ROOT), str(self.source)]),
            "PYTHONPYCACHEPREFIX": str(cache.folder() / "pycache"),
        }

    def run(self, *arguments: str, log: Path) -> None:
        """Run Odoo to its end, with its output in a log file.

        :raise Problem: if it fails, with the end of the log.
        """
        self._run(arguments, subprocess.DEVNULL, log)

    def run_script(self, database: str, script: Path, log: Path) -> None:
        """Run a script in Odoo's shell on a database, with its output in a log file.

        :raise Problem: if it fails, with the end of the log.
        """
        options = (f"--database={database}", "--no-http", "--log-level=warn")
        with open(script) as source:
            self._run(("shell", *options), source, log)

    def _run(self, arguments, source, log: Path) -> None:
        with open(log, "w") as output:
            status = talk(
                self.command(*arguments),
                stdin=source,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if status:
            raise Problem(f"Odoo failed. Its log, {log}, ends with:\n{tail(log, 15)}")


@contextmanager
def ready() -> Iterator[Odoo]:
    """Set up what is missing, have PostgreSQL running, and give Odoo.

    :raise Problem: if something is not available.
    """
    venv.check_python()
    cache.check_space()
    announce_first_run()
    with ThreadPoolExecutor() as pool:
        parts = [
            pool.submit(get)
            for get in (odoo_source.locate, venv.odoo_python, browser.ensure)
        ]
    source, python, _ = (part.result() for part in parts)
    with postgres.running():
        yield Odoo(source, python)


def announce_first_run() -> None:
    """Say where everything is kept, if nothing is there yet."""
    if not cache.is_set_up():
        say(f"First run: 2 GB are fetched and built in {cache.folder()}")


def call(command: list[str], **options) -> int:
    """Run a program without standard input and return its exit status."""
    return talk(command, stdin=subprocess.DEVNULL, **options)


def talk(command: list[str], **options) -> int:
    """Run a program in this terminal and return its exit status.

    Ctrl-C reaches the program by itself, and SIGTERM is passed on as one. Either way
    we wait until it has ended in its own way.

    :raise Problem: if it cannot be started.
    """
    try:
        process = subprocess.Popen(command, **options)
    except OSError as error:
        raise Problem(f"{command[0]} cannot be run: {error.strerror}.") from error
    try:
        return process.wait()
    except KeyboardInterrupt as interrupt:
        if isinstance(interrupt, Terminated):
            process.send_signal(signal.SIGINT)
        process.wait()
        raise


def clean() -> None:
    """Delete the databases with their private server, and the cache folder.

    :raise Problem: if the server is in use.
    """
    folder = cache.folder()
    postgres.clean()
    cache.delete()
    say(f"Deleted: {folder} and the databases of this project")
