"""From an event that is stored to a pair of entries that is posted (charge and fee)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread

import psycopg2

from benchmarks import canned, core, fill
from benchmarks.kit import Bench, medians
from benchmarks.results import Section, milliseconds, ratio, verdict

AMOUNT, FEE = 110.0, 3.49
CORE_WAITING = 20  # core takes one after the other, so that more take as long each


@dataclass(frozen=True)
class Case:
    """A line of the table.

    :param waiting: Payments that wait.
    :param delay: Seconds that Stripe takes for a call.
    :param goal: How many times as fast as core it is to be.
    :param rounds: How often both are measured, in turns.
    """

    waiting: int
    delay: float
    goal: float
    rounds: int


CASES = (
    Case(1, 0, 2.5, 9),
    Case(100, 0, 8, 3),
    Case(2000, 0, 8, 1),
    Case(1, 0.1, 2.5, 3),
    Case(100, 0.1, 5, 1),
    Case(1, 0.3, 0, 3),
    Case(100, 0.3, 3, 1),
)
QUICK = (Case(1, 0, 2.5, 2), Case(10, 0.1, 5, 1))
FIRST_ENTRY_WITHIN = 3  # seconds


def measure(bench: Bench) -> Section:
    """Both sides in one process, in turns, in one database."""
    section = Section(
        "event stored -> entry pair posted, beside Odoo's own payments",
        (
            *("waiting", "Stripe, a call", "ours, a payment", "core, a payment"),
            *("faster", "goal", "reached", "queries", "calls", "CPU", "first entry"),
        ),
        notes=(
            "Ours: an event in the inbox becomes a paid payment, a contact, the entry"
            " of the sale with its tax, and the entry of the fee. Core:"
            " `payment.transaction` of the demo provider set done, a receipt for the"
            " sale with its tax, post-processing; no fee, and Stripe isn't asked.",
            "Queries and calls to Stripe are for each payment: ours / core's. CPU is of"
            " the Odoo process. First entry: seconds from the start.",
            "Stripe answers from `canned.py`: recorded objects, after that delay.",
        ),
    )
    with bench.database("entries") as name, bench.stripe() as stripe:
        for case in QUICK if bench.quick else CASES:
            found = bench.inside(name, compare, stripe, url=stripe.url, **vars(case))
            section.add(*_describe(case, found["ours"], found["core"]))
    return section


def _describe(case: Case, ours: dict, core_: dict) -> tuple:
    faster = core_["wall"] / ours["wall"]
    in_time = ours["first"] <= FIRST_ENTRY_WITHIN
    return (
        f"{case.waiting:,}",
        milliseconds(case.delay) if case.delay else "0 ms",
        milliseconds(ours["wall"]),
        milliseconds(core_["wall"]),
        ratio(core_["wall"], ours["wall"]),
        f">= {case.goal:g}x" if case.goal else "-",
        verdict(faster >= case.goal and in_time),
        f"{ours['queries']:.1f} / {core_['queries']:.1f}",
        f"{ours['calls']:.2f}",
        f"{milliseconds(ours['cpu'])} / {milliseconds(core_['cpu'])}",
        f"{ours['first']:.2f} s",
    )


# -- inside Odoo ----------------------------------------------------------------------


def compare(env, url: str, waiting: int, delay: float, rounds: int, goal: float):
    """Both sides in turns: medians of the figures for each payment."""
    stripe = canned.Stripe(url)
    _post_ours(env, stripe, 1, 0)  # what Odoo loads at first is loaded
    _post_core(env, 1)
    ours, core_ = [], []
    for _round in range(rounds):
        core_.append(_post_core(env, min(waiting, CORE_WAITING)))
        ours.append(_post_ours(env, stripe, waiting, delay))
    core_.append(_post_core(env, min(waiting, CORE_WAITING)))
    return {"ours": medians(ours), "core": medians(core_)}


def _post_ours(env, stripe: canned.Stripe, waiting: int, delay: float) -> dict:
    first = env["checkout.payment"].search_count([]) + 1
    fill.add_waiting(env, first, waiting)
    stripe.configure(delay=delay, first=first, count=waiting)
    balance = _get_balance(env)
    watch = _Watch(env)
    figures = _measure(lambda: process(env), waiting)
    figures["first"] = watch.stop()
    figures["calls"] = sum(stripe.counts()["calls"].values()) / waiting
    env.cr.rollback()
    env.invalidate_all()
    check(env, first, waiting)
    moved = round(_get_balance(env) - balance, 2)
    assert moved == round(waiting * (AMOUNT - FEE), 2), moved
    return figures


def _post_core(env, waiting: int) -> dict:
    transactions = core.start_transactions(env, waiting)
    figures = _measure(lambda: core.finish(transactions), waiting)
    core.check(transactions)
    return figures


def _measure(work: Callable, payments: int) -> dict:
    """Seconds, processor seconds and queries for each payment."""
    from odoo import sql_db

    queries, cpu, wall = sql_db.sql_counter, time.process_time(), time.perf_counter()
    work()
    return {
        "wall": (time.perf_counter() - wall) / payments,
        "cpu": (time.process_time() - cpu) / payments,
        "queries": (sql_db.sql_counter - queries) / payments,
    }


def process(env, patience: int = 1200) -> None:
    """Run the processor as the scheduler does, until nothing waits."""
    deadline = time.monotonic() + patience
    while True:
        with env.registry.cursor() as cr:
            env(cr=cr)["checkout.event"]._cron_process()
        env.cr.rollback()
        env.cr.execute("SELECT 1 FROM checkout_event WHERE state = 'pending' LIMIT 1")
        if not env.cr.fetchone():
            return
        assert time.monotonic() < deadline, "events still wait"


def check(env, first: int, waiting: int) -> None:
    """Each payment is paid, and has a posted charge and a posted fee that balance."""
    sessions = [f"cs_test_bench{first + n:010d}" for n in range(waiting)]
    payments = env["checkout.payment"].search(
        [("stripe_checkout_session_id", "in", sessions)]
    )
    assert len(payments) == waiting, len(payments)
    assert set(payments.mapped("state")) == {"paid"}, set(payments.mapped("state"))
    movements = payments.movement_ids
    assert len(movements) == 2 * waiting, len(movements)
    assert set(movements.mapped("state")) == {"posted"}
    assert len(movements.move_id) == 2 * waiting
    assert set(movements.move_id.mapped("state")) == {"posted"}
    assert not round(sum(movements.move_id.line_ids.mapped("balance")), 2)


def _get_balance(env) -> float:
    account = fill.get_link(env).gateway_id.journal_id.default_account_id
    env.cr.execute(
        "SELECT COALESCE(SUM(balance), 0) FROM account_move_line"
        " WHERE account_id = %s AND parent_state = 'posted'",
        [account.id],
    )
    return float(env.cr.fetchone()[0])


class _Watch:
    """Looks until the first entry of this burst is committed."""

    def __init__(self, env):
        # Not Odoo's cursor, whose queries are counted.
        self._connection = psycopg2.connect(dbname=env.cr.dbname)
        self._connection.autocommit = True
        self._started = time.perf_counter()
        self._seen = self._count()
        self._first = None
        self._done = Event()
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def _count(self) -> int:
        with self._connection.cursor() as cr:
            cr.execute("SELECT max(id) FROM account_bank_statement_line")
            return cr.fetchone()[0]

    def _look(self) -> None:
        while not self._done.wait(0.1):
            if self._count() > self._seen:
                self._first = time.perf_counter() - self._started
                return

    def stop(self) -> float:
        """Seconds from the start to the first entry."""
        passed = time.perf_counter() - self._started
        self._done.set()
        self._thread.join()
        self._connection.close()
        return self._first or passed
