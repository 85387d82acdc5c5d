"""Payments in a database, as many as wanted; inside Odoo."""

import json

from benchmarks.specimen import Cloner

LINK = "Benchmark"
PARAMETER = "benchmarks.specimens"


def read_specimens(env) -> dict:
    """What the template keeps of the specimens."""
    return json.loads(env["ir.config_parameter"].get_param(PARAMETER))


def get_cloner(env, name: str) -> Cloner:
    """Copies the specimens of that name: "posted" or "waiting"."""
    specimens = read_specimens(env)
    return Cloner(env.cr, specimens["tokens"], **specimens[name])


def get_link(env):
    """The specimens' link."""
    return env["checkout.link"].search([("name", "=", LINK)])


def add_open(env, first: int, count: int, changes: dict | None = None) -> None:
    """Payments of payers who are on Stripe's page."""
    cloner = get_cloner(env, "waiting")
    del cloner.tables["checkout_event"]
    cloner.clone(first, count, changes=changes)
    env.cr.commit()
    env.invalidate_all()


_NOW = "now() at time zone 'utc'"
JUST_RECEIVED = {
    "state": "'pending'",
    "attempts": "0",
    "error": "NULL",
    "received_at": _NOW,
    "next_attempt_at": _NOW,
}


def add_waiting(env, first: int, count: int, changes: dict | None = None) -> None:
    """Payments that Stripe has said were paid, and nothing was done about it yet."""
    get_cloner(env, "waiting").clone(
        first,
        count,
        changes={"checkout_event": JUST_RECEIVED, **(changes or {})},
    )
    env.cr.commit()
    env.invalidate_all()
