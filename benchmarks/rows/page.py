"""The page that a payer opens: eight connections, two worker processes; a browser."""

from contextlib import contextmanager
from functools import partial
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

from benchmarks import core, fill, load
from benchmarks.kit import Bench, in_turns, median
from benchmarks.results import Section, milliseconds, ratio, verdict
from tools import browser

CONNECTIONS = 8
GOALS = {"core": 2.2, "public": 0.75}
QUERIES_GOAL, BYTES_GOAL, REQUESTS_GOAL = 6, 100, 4


def measure(bench: Bench) -> Section:
    """All pages in turns, on one server; then each once in a new browser profile."""
    seconds, rounds = (3, 1) if bench.quick else (6, 3)
    with (
        bench.database("page") as name,
        bench.stripe() as stripe,
        bench.server(name, stripe) as server,
    ):
        paths = bench.inside(name, prepare)
        urls = {page: server.url + path for page, path in paths.items()}
        for url in urls.values():
            load.put(url, 2, CONNECTIONS)  # templates and bundles are made
        works = {p: partial(load.put, urls[p], seconds, CONNECTIONS) for p in urls}
        loads = in_turns(rounds, **works)
        queries = {p: load.queries(server.log, paths[p].split("?")[0]) for p in paths}
        visits = {page: visit(urls[page], expected) for page, expected in TEXTS.items()}
    return _describe(loads, queries, visits)


# What must be on the page, so that no error page is measured.
TEXTS = {"core": "110.00", "ours": "110.00", "public": "Nothing but a page."}


def visit(url: str, expected: str) -> tuple[int, int]:
    """Bytes (not compressed) and requests of a page in a new browser profile."""
    bodies = []
    with _page() as page:
        page.on("response", lambda answer: bodies.append(answer))
        page.goto(url, wait_until="networkidle")
        assert expected in page.content(), f"{url} doesn't show {expected}"
        sizes = [_size(answer) for answer in bodies]
    assert all(answer.status < 400 for answer in bodies)
    return sum(sizes), len(sizes)


def _size(answer) -> int:
    return 0 if 300 <= answer.status < 400 else len(answer.body())


@contextmanager
def _page():
    with sync_playwright() as playwright:
        options = {"executable_path": browser.executable(), "args": ["--no-sandbox"]}
        chromium = playwright.chromium.launch(**options)
        yield chromium.new_page()
        chromium.close()


def _describe(loads: dict, queries: dict, visits: dict) -> Section:
    section = Section(
        "the pay page (8 connections, 2 workers)",
        (
            *("page", "answers/s", "ours is", "goal", "reached"),
            *("p50", "p99", "queries", "bytes", "requests"),
        ),
        notes=(
            "core: `/payment/pay` with the demo and the Stripe provider. public: an"
            " `auth='public'` route that does nothing.",
            "Bytes (not compressed) and requests of a first visit, by a browser.",
            "wrk runs on the same cores as Odoo and PostgreSQL.",
        ),
    )
    rates = {page: median(each.rate for each in loads[page]) for page in loads}
    for page, found in loads.items():
        assert not sum(each.bad for each in found), page
        p50, p99 = (median(getattr(each, p) for each in found) for p in ("p50", "p99"))
        goal = GOALS.get(page)
        section.add(
            page,
            f"{rates[page]:.0f}",
            ratio(rates["ours"], rates[page]),
            f">= {goal}x" if goal else "-",
            verdict(rates["ours"] / rates[page] >= goal) if goal else "-",
            milliseconds(p50),
            milliseconds(p99),
            f"{queries[page]:g}",
            f"{visits[page][0]:,}",
            visits[page][1],
        )
    section.notes += (_judge(queries, visits),)
    return section


def _judge(queries: dict, visits: dict) -> str:
    fraction = visits["core"][0] / visits["ours"][0]
    return (
        f"Queries <= {QUERIES_GOAL}: {verdict(queries['ours'] <= QUERIES_GOAL)}. Bytes"
        f" 1/{fraction:.0f} of core's (goal 1/{BYTES_GOAL}):"
        f" {verdict(fraction >= BYTES_GOAL)}. Requests <= {REQUESTS_GOAL}:"
        f" {verdict(visits['ours'][1] <= REQUESTS_GOAL)}."
    )


# -- inside Odoo ----------------------------------------------------------------------


def prepare(env) -> dict[str, str]:
    """Paths of the pages, by name."""
    link = fill.get_link(env)
    return {
        "core": _get_core_path(env),
        "ours": f"/checkout/{link.access_token}",
        "public": "/bench/public",
    }


def _get_core_path(env) -> str:
    from odoo.addons.payment import utils

    (transaction,) = core.start_transactions(env, 1)
    partner, currency = transaction.partner_id, transaction.currency_id
    values = (partner.id, core.AMOUNT, currency.id)
    params = {
        "amount": core.AMOUNT,
        "currency_id": currency.id,
        "partner_id": partner.id,
        "reference": "A sale",
        "access_token": utils.generate_access_token(*values, env=env),
    }
    return f"/payment/pay?{urlencode(params)}"
