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


# -- a database of some months --------------------------------------------------------

DAYS = 300  # over which payments are spread
_OTHER_LINKS = 20


def add_posted(env, count: int) -> None:
    """Payments that are paid and posted: 95 % on one link, the rest on twenty. For ten
    of them one checkout was given up. A full balance check sets the totals right.
    """
    others = [link.id for link in _make_links(env)]
    link = f"CASE WHEN k % 20 = 0 THEN (ARRAY{others})[k / 20 % {_OTHER_LINKS} + 1]"
    changes = {"checkout_payment": {"link_id": f"{link} ELSE t.link_id END"}}
    get_cloner(env, "posted").clone(1, count, DAYS, changes)
    given_up = get_cloner(env, "waiting")
    del given_up.tables["checkout_event"]
    expired = {"state": "'expired'", **changes["checkout_payment"]}
    changes = {"checkout_payment": expired}
    given_up.clone(count + 1, max(count // 10, 1), DAYS, changes)
    env.cr.commit()
    env.invalidate_all()
    env.cr.execute("ANALYZE")
    env.cr.commit()


def _make_links(env):
    values = {"amount": 110, "gateway_id": get_link(env).gateway_id.id}
    names = [f"Other {number}" for number in range(_OTHER_LINKS)]
    return env["checkout.link"].create([{"name": name, **values} for name in names])
