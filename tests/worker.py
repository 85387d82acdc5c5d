"""Odoo at work in processes that can be killed at any commit.

``python -m tests.worker DATABASE`` reads a line of jobs from standard input, does them
at the same time in a process each, as Odoo's server with worker processes does, and
answers what became of each in a line. ``worker_client.Workers`` talks to it.
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from uuid import uuid4

from odoo import SUPERUSER_ID, api, sql_db
from odoo.modules.registry import Registry
from odoo.tools import config

COMMIT = sql_db.PsycoConnection.commit
FORK = multiprocessing.get_context("fork")
TASKS: dict[str, Callable] = {}


def main(database: str) -> None:
    """Do jobs until there are no more lines."""
    config.parse_config(["--log-level=warn"], setup_logging=True)
    registry = Registry(database)
    rehearse(registry)
    for line in sys.stdin:
        workers = [start(registry, job) for job in json.loads(line)]
        print(json.dumps([join(*worker) for worker in workers]), flush=True)


def rehearse(registry: Registry) -> None:
    """Sync in this process: what Odoo prepares on the way is there for all workers."""
    with registry.cursor() as cr:
        sync(api.Environment(cr, SUPERUSER_ID, {}))
    sql_db.close_all()  # no process may use another one's connections


def start(registry: Registry, job: dict):
    """Begin a job: its process, and the pipe that its answer comes through."""
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=work, args=(registry, job, sender))
    process.start()
    sender.close()
    return process, receiver


def join(process, receiver) -> dict:
    """Wait until a job has ended, in one way or the other."""
    try:
        answer = receiver.recv()
    except EOFError:
        answer = {}
    process.join()
    return {"status": process.exitcode, **answer}


def work(registry: Registry, job: dict, sender) -> None:
    """Do a job in this process, which dies on the way if the job says so."""
    points = CommitPoints(job["death"])
    sql_db.PsycoConnection.commit = lambda connection: points.commit(connection)
    registry.check_signaling()
    with registry.cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        answer = TASKS[job["task"]](env, **job["arguments"])
    sender.send({"answer": answer, "commits": points.passed})


class CommitPoints:
    """The commits of this process by which something is kept.

    :param death: The one at which it dies, as "before" or "after" and its number.
    """

    def __init__(self, death: tuple[str, int] | None):
        self._death = tuple(death or ())
        self.passed = 0

    def commit(self, connection: sql_db.PsycoConnection) -> None:
        """Commit for real, unless the process dies before."""
        if not _has_written(connection):
            COMMIT(connection)
            return
        self._die_at("before", self.passed + 1)
        COMMIT(connection)
        self.passed += 1
        self._die_at("after", self.passed)

    def _die_at(self, *point) -> None:
        if point == self._death:
            os.kill(os.getpid(), signal.SIGKILL)


def _has_written(connection: sql_db.PsycoConnection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
        return cursor.fetchone()[0]


def task(function: Callable) -> Callable:
    """Something that can be asked for by its name; it answers JSON."""
    TASKS[function.__name__] = function
    return function


# -- what the scheduler does ----------------------------------------------------------


@task
def process(env: api.Environment) -> None:
    """Work off the inbox, and post what waits."""
    env["checkout.event"]._cron_process()


@task
def sync(env: api.Environment) -> None:
    """Bring everything up to date with Stripe."""
    env["checkout.sync"]._cron_sync()


@task
def check_agreement(env: api.Environment) -> None:
    """Compare the ledger with Stripe."""
    env["checkout.agreement"]._cron_check()


# -- what people do -------------------------------------------------------------------


@task
def start_payments(env: api.Environment, link_id: int, count: int) -> list[str]:
    """So many payers go on from a pay page to Stripe's: the ids of their sessions."""
    link = env["checkout.link"].browse(link_id)
    payments = [
        link._start_payment(str(uuid4()), link.amount, "en_US") for _ in range(count)
    ]
    env.cr.commit()
    for payment in payments:
        with payment.gateway_id._take_turn() as turn:
            payment._open_session(turn)
    return [payment.stripe_checkout_session_id for payment in payments]


@task
def refund(env: api.Environment, payment_id: int, amount: float, key: str) -> int:
    """A merchant gives money back: the refund's id."""
    payment = _as_merchant(env)["checkout.payment"].browse(payment_id)
    return payment.action_refund(amount, idempotency_key=key).id


@task
def post(env: api.Environment, batches: list[list[int]]) -> None:
    """A merchant posts movements, some at a time."""
    for movement_ids in batches:
        movements = _as_merchant(env)["checkout.movement"].browse(movement_ids)
        movements.action_post()


@task
def verify_hashes(env: api.Environment, journal: str) -> list[str]:
    """An accountant prints the integrity report: its verdicts on a journal."""
    results = _as_merchant(env).company._check_hash_integrity()["results"]
    mine = [row for row in results if row["journal_name"].startswith(journal)]
    return [row["status"] for row in mine]


def _as_merchant(env: api.Environment) -> api.Environment:
    return env(user=env.ref("base.user_admin"), su=False)


if __name__ == "__main__":
    main(sys.argv[1])
