"""What all rows stand on: databases, Odoo's processes and servers, medians."""

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import canned
from tools import cache, database, project, server
from tools.console import Problem, tail
from tools.ground import Odoo

median = statistics.median


@dataclass(frozen=True)
class Bench:
    """Odoo with a furnished template to measure in. Made by ``shop.prepare``.

    :param template: A database with a shop, its specimens and Odoo's own payments.
    :param quick: Whether to prove the benchmark with small sizes.
    :param million: Whether to fill databases with a million payments.
    """

    odoo: Odoo
    template: str
    specimens: dict
    quick: bool
    million: bool

    @contextmanager
    def database(self, purpose: str) -> Iterator[str]:
        """A copy of the template, dropped at the end."""
        name = project.passing_database_name(f"bench_{purpose}")
        database.copy(self.odoo, self.template, name)
        try:
            yield name
        finally:
            database.drop(self.odoo, name)

    @contextmanager
    def stripe(self, **settings) -> Iterator[canned.Stripe]:
        """Stripe with canned answers, which cost next to no processor time."""
        with canned.start(self.odoo.python, self.specimens) as stripe:
            stripe.configure(**settings)
            yield stripe

    @contextmanager
    def server(self, name: str, stripe: canned.Stripe, *options: str):
        """An Odoo server on a database, with worker processes and no scheduler."""
        quiet = ("--max-cron-threads=0", "--limit-time-real=600")
        env = {"STRIPE_API_BASE": stripe.url, "ODOO_NOTIFY_CRON_CHANGES": "1"}
        options = (*server.multi_process(2), *quiet, *options)
        with server.odoo_server(self.odoo, name, env=env, options=options) as running:
            yield running

    def inside(self, name: str, function: Callable, stripe=None, **arguments):
        """Call a function with an environment of a database, in a process of Odoo's.

        :param function: A module's; it takes ``env`` and the arguments, answers JSON.
        :raise Problem: if it fails, with the end of its log.
        """
        log = cache.log_file(f"{name}-{function.__name__}")
        command = [self.odoo.python, "-m", "benchmarks.inside", name]
        with open(log, "w") as output:
            done = subprocess.run(
                [*map(str, command), function.__module__, function.__name__],
                input=json.dumps(arguments),
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                cwd=project.ROOT,
                env={
                    **self.odoo.environment(),
                    **({"STRIPE_API_BASE": stripe.url} if stripe else {}),
                },
            )
        if done.returncode:
            raise Problem(f"{function.__name__} failed; {log} ends with:\n{tail(log)}")
        return json.loads(done.stdout.splitlines()[-1])


def timed(work: Callable) -> float:
    """Seconds that something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turns(rounds: int, **works: Callable) -> dict[str, list]:
    """Do several things in turns: what each returned in each round."""
    found = {name: [] for name in works}
    for _round in range(rounds):
        for name, work in works.items():
            found[name].append(work())
    return found


def medians(rounds: list[dict]) -> dict:
    """The median of each figure over some rounds."""
    return {name: median(each[name] for each in rounds) for name in rounds[0]}
