"""Payers who go on to a slow Stripe, and everybody else meanwhile."""

import http.client
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event
from urllib.parse import urlencode, urlsplit

from benchmarks import fill
from benchmarks.kit import Bench, median
from benchmarks.results import Section, milliseconds, ratio, verdict
from tools import postgres
from tools.payer import FormReader

PAYERS = 4
OTHERS = 8
READING = 1  # seconds until a payer sends the form
LINKS = 20  # so that no brake on a single link is measured
DELAY = 0.3
GOAL = 1.5  # times the others' median when no one pays
OTHERS_PATH = "/bench/public"
TIMEOUT = 60


def measure(bench: Bench) -> Section:
    """The others alone, and with payers, in turns."""
    seconds, rounds = (5, 1) if bench.quick else (10, 3)
    with (
        bench.database("checkout") as name,
        bench.stripe(delay=DELAY) as stripe,
        bench.server(name, stripe, "--proxy-mode") as server,
    ):
        crowd = Crowd(server.url, bench.inside(name, make_links, count=LINKS))
        crowd.ask(3, PAYERS)  # the workers load what they need
        sent = crowd.statuses[303]
        stripe.configure()
        idle, busy = [], []
        for _round in range(rounds):
            idle += crowd.ask(seconds, 0)
            busy += crowd.ask(seconds, PAYERS)
        asked = stripe.counts()
        made = int(postgres.query(_MADE, name))
    assert made >= crowd.statuses[303] > sent, (made, crowd.statuses)
    assert not set(crowd.statuses) - {303, 429, 503}, crowd.statuses
    return _describe(
        crowd, idle, busy, asked["connections"], crowd.statuses[303] - sent
    )


_MADE = "SELECT count(*) FROM checkout_payment WHERE session_url LIKE '%bench1%'"


class Crowd:
    """Payers and others at a server, one connection each time, as through a proxy.

    :ivar statuses: What payers' forms were answered.
    :ivar times: Seconds that these answers took.
    """

    def __init__(self, url: str, tokens: list[str]):
        self._host = urlsplit(url).netloc
        self._tokens = tokens
        self._numbers = count()
        self.statuses = Counter()
        self.times = []

    def ask(self, seconds: float, payers: int) -> list[float]:
        """Seconds that each answer to the others took, while so many pay."""
        over = Event()
        with ThreadPoolExecutor(payers + OTHERS) as pool:
            paying = [pool.submit(self._pay, over) for _ in range(payers)]
            asking = [pool.submit(self._look, over) for _ in range(OTHERS)]
            time.sleep(seconds)
            over.set()
            for done in paying:
                done.result()
            return [each for times in asking for each in times.result()]

    def _look(self, over: Event) -> list[float]:
        times = []
        while not over.is_set():
            started = time.perf_counter()
            status, _text = self._request("GET", OTHERS_PATH)
            assert status == 200, status
            times.append(time.perf_counter() - started)
        return times

    def _pay(self, over: Event) -> None:
        """One payer after the other opens a page and sends its form."""
        while not over.is_set():
            number = next(self._numbers)
            path = f"/checkout/{self._tokens[number % len(self._tokens)]}"
            client = f"203.0.{113 + number // 250 % 100}.{number % 250 + 1}"
            status, text = self._request("GET", path, client)
            assert status == 200, (status, text[:500])
            form = FormReader()
            form.feed(text)
            started = time.perf_counter()
            status, _text = self._request("POST", path, client, urlencode(form.fields))
            self.times.append(time.perf_counter() - started)
            self.statuses[status] += 1

    def _request(self, method, path, client="198.51.100.1", form=None):
        headers = {"X-Forwarded-Host": self._host, "X-Forwarded-For": client}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT)
        try:
            connection.request(method, path, form, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def _describe(crowd, idle, busy, connections: int, sent: int) -> Section:
    section = Section(
        f"payers at the form, Stripe at {milliseconds(DELAY)} a call, 2 workers",
        ("what", "measured", "goal", "reached"),
        notes=(
            f"{OTHERS} others ask for a page that does nothing (`auth='public'`), one"
            f" request after the other. {PAYERS} payers meanwhile open the page of one"
            f" of {LINKS} links, each from an address of their own, read it for"
            f" {READING} s, and send its form; then the next {PAYERS} come.",
            f"Forms were answered: {dict(sorted(crowd.statuses.items()))}.",
        ),
    )
    others = [median(idle), median(busy)]
    section.add("others' p50, no payers", milliseconds(others[0]), "-", "-")
    section.add(
        "others' p50, with payers",
        f"{milliseconds(others[1])} ({ratio(others[1], others[0])})",
        f"<= {GOAL}x",
        verdict(others[1] <= GOAL * others[0]),
    )
    section.add("payers' p50", milliseconds(median(crowd.times)), "-", "-")
    section.add(
        "new connections to Stripe when warm",
        f"{connections} for {sent} sessions",
        "0",
        verdict(not connections),
    )
    return section


# -- inside Odoo ----------------------------------------------------------------------


def make_links(env, count: int) -> list[str]:
    """Tokens of new links."""
    gateway = fill.get_link(env).gateway_id
    values = {"amount": 110, "gateway_id": gateway.id}
    links = env["checkout.link"].create(
        [{"name": f"Rush {number}", **values} for number in range(count)]
    )
    tokens = links.mapped("access_token")
    env.cr.commit()
    return tokens
