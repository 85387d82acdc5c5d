"""Has Odoo work in processes of its own, which die at a commit that a test names."""

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools import cache, project
from tools.console import tail
from tools.ground import Odoo


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    :param killed: Whether its process was killed on the way.
    :param answer: What its task answered, if it came to its end.
    :param commits: By how many commits it kept something, if it came to its end.
    """

    killed: bool
    answer: object = None
    commits: int = 0


class Workers:
    """What ``tests.worker`` can do in a database. Made by ``hired``."""

    def __init__(self, process: subprocess.Popen, log: Path):
        self._process = process
        self._log = log

    def do(self, task: str, *, death: tuple | None = None, **arguments) -> Outcome:
        """Have a task done by a process.

        :param death: The commit at which it is killed: "before" or "after" it, and its
            number, counted from 1.
        """
        (outcome,) = self.do_at_once(task, [arguments], death)
        return outcome

    def do_at_once(
        self, task: str, arguments: list[dict], death: tuple | None = None
    ) -> list[Outcome]:
        """Have a task done with each of the arguments, by as many processes."""
        jobs = [{"task": task, "arguments": each, "death": death} for each in arguments]
        self._process.stdin.write(json.dumps(jobs) + "\n")
        self._process.stdin.flush()
        answers = json.loads(self._process.stdout.readline() or "[]")
        assert len(answers) == len(jobs), f"{task}: {tail(self._log, 20)}"
        return [self._read(answer) for answer in answers]

    def _read(self, answer: dict) -> Outcome:
        status = answer.pop("status")
        killed = status == -signal.SIGKILL
        assert killed or status == 0, tail(self._log, 20)
        return Outcome(killed, **answer)


@contextmanager
def hired(odoo: Odoo, database: str, env: Mapping[str, str]) -> Iterator[Workers]:
    """Workers for a database, with Odoo loaded once for all of them.

    :param env: Environment variables to add.
    """
    log = cache.log_file(f"{database}-worker")
    with (
        open(log, "w") as output,
        subprocess.Popen(
            [odoo.python, "-m", "tests.worker", database],
            cwd=project.ROOT,
            env={**odoo.environment(), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        ) as process,
    ):
        try:
            yield Workers(process, log)
        finally:
            process.kill()  # it may wait for a job that never ends
