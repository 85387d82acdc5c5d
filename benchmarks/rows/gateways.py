"""Several gateways with payments waiting, and one or two processes of the scheduler."""

import time
from contextlib import ExitStack

from benchmarks import fill
from benchmarks.kit import Bench
from benchmarks.results import Section, ratio, verdict
from tools import postgres, project

GOAL = 1.8  # with two gateways and two processes, of one after the other
PATIENCE = 300  # seconds
_POSTED = "SELECT count(*) FROM checkout_movement WHERE state = 'posted'"
# Gateways, servers, scheduler processes of each.
CASES = ((1, 1, 1), (2, 1, 1), (2, 1, 2), (4, 1, 2), (1, 2, 1), (4, 2, 1))
QUICK = ((2, 1, 1), (2, 1, 2))


def measure(bench: Bench) -> Section:
    """Each case in a database of its own; real servers, woken as by a delivery."""
    payments = 40 if bench.quick else 240
    section = Section(
        "gateways in parallel",
        ("gateways", "servers", "scheduler processes each", "payments/s", "faster"),
        notes=(
            f"{payments} payments wait, in equal shares. Each payment has two entries;"
            " all are counted at the end. Stripe at 0 ms.",
        ),
    )
    rates = {}
    for case in QUICK if bench.quick else CASES:
        rates[case] = _get_rate(bench, payments, *case)
        alone = rates.get((case[0], 1, 1)) or rates.get((2, 1, 1)) or rates[case]
        section.add(*case, f"{rates[case]:.1f}", ratio(rates[case], alone))
    times = rates[2, 1, 2] / rates[2, 1, 1]
    section.notes += (f"Two processes >= {GOAL}x: {verdict(times >= GOAL)}.",)
    return section


def _get_rate(bench, payments: int, gateways: int, servers: int, crons: int) -> float:
    """Payments a second, from the wake-up to the last entry."""
    with (
        bench.database("gateways") as name,
        bench.stripe(first=1, count=payments) as stripe,
        ExitStack() as running,
    ):
        for _server in range(servers):
            options = (f"--max-cron-threads={crons}",)
            running.enter_context(bench.server(name, stripe, *options))
        before = int(postgres.query(_POSTED, name))
        bench.inside(name, fill_gateways, payments=payments, gateways=gateways)
        started = time.monotonic()
        while (posted := int(postgres.query(_POSTED, name)) - before) < 2 * payments:
            assert time.monotonic() < started + PATIENCE, f"{posted} entries only"
            time.sleep(0.1)
        seconds = time.monotonic() - started
        assert posted == 2 * payments, posted
    return payments / seconds


# -- inside Odoo ----------------------------------------------------------------------


def fill_gateways(env, payments: int, gateways: int) -> None:
    """Payments of several gateways wait, and the scheduler is woken."""
    first = fill.get_link(env).gateway_id
    all_ = first + env["checkout.gateway"].search([("id", "!=", first.id)], order="id")
    ids = all_[:gateways].ids
    chosen = f"(ARRAY{ids})[k % {gateways} + 1]"
    link = f"(SELECT min(id) FROM checkout_link WHERE gateway_id = {chosen})"
    fill.add_waiting(
        env,
        1,
        payments,
        {
            "checkout_payment": {"gateway_id": chosen, "link_id": link},
            "checkout_event": {**fill.JUST_RECEIVED, "gateway_id": chosen},
        },
    )
    env.ref(f"{project.ADDON}.ir_cron_process_events")._trigger()
    env.cr.commit()
