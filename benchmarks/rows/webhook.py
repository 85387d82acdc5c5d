"""The answer to a delivery of Stripe's: sixteen connections, two worker processes."""

import hashlib
import hmac
import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import partial
from itertools import count, islice

from benchmarks import core, fill, load
from benchmarks.kit import Bench, in_turns, median
from benchmarks.results import Section, milliseconds, ratio, verdict
from tools import postgres
from tools.demo_shop import WEBHOOK_SECRET

CONNECTIONS = 16
MOST = 500  # answers a second that deliveries are prepared for
CORE_SECRET = "whsec_benchmark"
CORE_PATH = "/payment/stripe/webhook"
GOALS = {"core": 1.4, "insert": 0.9}
P99_GOAL = 3  # times the bare route's


@dataclass(frozen=True)
class Target:
    """A route that deliveries go to.

    :param path: Where.
    :param kept: A query that counts the deliveries which had their effect.
    """

    name: str
    path: str
    kept: str | None


def measure(bench: Bench) -> Section:
    """All routes in turns, on one server."""
    seconds, rounds = (3, 1) if bench.quick else (6, 3)
    with (
        bench.database("webhook") as name,
        bench.stripe() as stripe,
        bench.server(name, stripe) as server,
    ):
        most = MOST * (seconds * rounds + 1)
        token = bench.inside(name, prepare, count=most)
        targets = _get_targets(token)
        sender = Sender(server.url, bench.specimens["paid"])
        for target in targets:
            sender.put(target, 1)  # what a worker loads at first is loaded
        works = {t.name: partial(sender.put, t, seconds) for t in targets}
        loads = in_turns(rounds, **works)
        for target in targets:
            _check(name, target, sender.answered[target.name])
        queries = {t.name: load.queries(server.log, t.path) for t in targets}
    return _describe(loads, queries)


def _get_targets(token: str) -> list[Target]:
    events = "SELECT count(*) FROM checkout_event WHERE stripe_event_id LIKE 'evt_{}%'"
    done = "SELECT count(*) FROM payment_transaction WHERE state = 'done'"
    return [
        Target("core", CORE_PATH, done),
        Target("ours", f"/checkout/webhook/{token}", events.format("ours")),
        Target("insert", f"/bench/insert/{token}", events.format("insert")),
        Target("bare", "/bench/none", None),
    ]


class Sender:
    """Sends deliveries, no payment's twice to the same route."""

    def __init__(self, url: str, session: dict):
        self._url, self._session = url, session
        self._numbers = defaultdict(lambda: count(1))
        self.answered = Counter()

    def put(self, target: Target, seconds: int) -> load.Load:
        """Deliver as much as is taken in that time."""
        make = _make_core_event if target.name == "core" else _make_event
        secret = CORE_SECRET if target.name == "core" else WEBHOOK_SECRET
        numbers = islice(self._numbers[target.name], MOST * seconds)
        events = (make(self._session, target.name, number) for number in numbers)
        deliveries = [_sign(target.path, event, secret) for event in events]
        url = self._url + target.path
        result = load.put(url, seconds, CONNECTIONS, deliveries)
        assert not result.bad, f"{target.name}: {result.bad} bad answers"
        self.answered[target.name] += result.requests
        return result


def _make_event(session: dict, name: str, number: int) -> dict:
    """The event of a payment's session, as Stripe sends it: nothing is expanded."""
    changed = {
        "id": f"cs_test_bench{number:010d}",
        "payment_intent": f"pi_bench{number:010d}",
        "metadata": {
            **session["metadata"],
            "checkout_payment": f"00000000-0000-4000-8000-00{number:010d}",
        },
    }
    stripe_object = {**session, **changed}
    return _wrap("checkout.session.completed", f"evt_{name}{number}", stripe_object)


def _make_core_event(session: dict, name: str, number: int) -> dict:
    """The event of an intent, with the reference of a transaction of Odoo's."""
    intent = dict(session["payment_intent"])
    changed = {
        "latest_charge": intent["latest_charge"]["id"],
        "description": f"bench-stripe-{number:010d}",
    }
    event_id = f"evt_{name}{number}"
    return _wrap("payment_intent.succeeded", event_id, {**intent, **changed})


def _wrap(event_type: str, event_id: str, stripe_object: dict) -> dict:
    return {
        "id": event_id,
        "object": "event",
        "type": event_type,
        "livemode": False,
        "created": int(time.time()),
        "data": {"object": stripe_object},
    }


def _sign(path: str, event: dict, secret: str) -> tuple[str, str, str]:
    body, moment = json.dumps(event), int(time.time())
    text = f"{moment}.{body}".encode()
    signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return path, f"t={moment},v1={signature}", body


def _check(database: str, target: Target, answered: int) -> None:
    """Each answered delivery had its effect; those cut off at the end may have."""
    if target.kept:
        kept = int(postgres.query(target.kept, database))
        assert answered <= kept, (target.name, answered, kept)


def _describe(loads: dict, queries: dict) -> Section:
    section = Section(
        "the answer to a delivery (16 connections, 2 workers)",
        ("route", "answers/s", "ours is", "goal", "reached", "p50", "p99", "queries"),
        notes=(
            "core: `payment_stripe`'s webhook, which sets a transaction done. insert:"
            " an `auth='none'` route that verifies, parses and inserts, in two"
            " statements. bare: an `auth='none'` route that does nothing.",
            "wrk runs on the same cores as Odoo and PostgreSQL. The scheduler is off.",
            "Each answered delivery is counted in the database afterwards.",
        ),
    )
    rates = {name: median(load_.rate for load_ in loads[name]) for name in loads}
    for name, found in loads.items():
        p50, p99 = (median(getattr(each, p) for each in found) for p in ("p50", "p99"))
        times, goal = rates["ours"] / rates[name], GOALS.get(name)
        section.add(
            name,
            f"{rates[name]:.0f}",
            ratio(rates["ours"], rates[name]),
            f">= {goal}x" if goal else "-",
            verdict(times >= goal) if goal else "-",
            milliseconds(p50),
            milliseconds(p99),
            f"{queries[name]:g}",
        )
    slowest = [median(each.p99 for each in loads[name]) for name in ("ours", "bare")]
    reached = verdict(slowest[0] <= P99_GOAL * slowest[1])
    section.notes += (f"p99 <= {P99_GOAL}x the bare route's: {reached}.",)
    return section


# -- inside Odoo ----------------------------------------------------------------------


def prepare(env, count: int) -> str:
    """Open payments here and at core, so many; the token of the webhook's address."""
    fill.add_open(env, 1, count)
    core.clone_transactions(env, count)
    return fill.get_link(env).gateway_id.webhook_token
