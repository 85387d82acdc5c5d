"""Odoo as a real server process, for the demo and the whole-system tests.

The stand-in for Stripe starts by itself: ``stripe_standin.control_client.Standin``.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools import cache
from tools.console import Problem, tail
from tools.ground import Odoo

_PATIENCE = 120  # seconds until a server must answer
_GRACE = 20  # seconds until a server that was asked to stop is killed


@dataclass(frozen=True)
class Server:
    """A running Odoo server.

    :param url: Its address, without a slash at the end.
    :param log: Its log file.
    :param process: Its (main) process, the leader of a process group of its own.
    """

    url: str
    log: Path
    process: subprocess.Popen

    def kill(self) -> None:
        """End the server and its workers at once, as a crash would (SIGKILL)."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def odoo_server(
    odoo: Odoo,
    database: str,
    *,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
) -> Iterator[Server]:
    """Start an Odoo server on 127.0.0.1, wait until it answers, stop it at the end.

    It has one thread for HTTP requests each and one for scheduled actions; pass
    ``options=multi_process(2)`` for worker processes instead.

    :param port: A free one if it is not given.
    :param env: Environment variables to add, like ``STRIPE_API_BASE``.
    :param options: More options for Odoo's command line.
    :raise Problem: if the port is taken or the server ends before it answers.
    """
    server = _start(odoo, database, port or free_port(), env or {}, options)
    try:
        _wait_until_it_answers(server)
        yield server
    finally:
        _stop(server)


def multi_process(workers: int) -> tuple[str, ...]:
    """Options for a server with that many worker processes."""
    return (f"--workers={workers}", f"--gevent-port={free_port()}")


def _start(odoo, database, port, env, options) -> Server:
    check_port(port)
    log = cache.log_file(f"{database}-{port}")
    command = odoo.command(
        f"--database={database}",
        f"--db-filter=^{database}$",
        f"--http-port={port}",
        "--max-cron-threads=1",
        *options,
    )
    with open(log, "w") as output:
        process = subprocess.Popen(
            command,
            env={**odoo.environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(f"http://127.0.0.1:{port}", log, process)


def _wait_until_it_answers(server: Server) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _answers(server.url):
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise Problem(
                f"Odoo did not start. Its log, {server.log}, ends with:"
                f"\n{tail(server.log, 20)}"
            )
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/web/health", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def _stop(server: Server) -> None:
    server.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.process.wait(_GRACE)
    server.kill()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that no program uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def check_port(port: int) -> None:
    """Refuse a port that is in use.

    :raise Problem: saying how to choose another one.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Problem(
                f"Port {port} of 127.0.0.1 cannot be used ({error.strerror}). Stop the"
                " program that has it, or choose another port:"
                ' make demo ARGS="--port 8070"'
            ) from error
