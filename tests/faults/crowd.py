"""Payers who keep paying while the shop fails, and what became of the money."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from stripe_standin.control_client import StandinError
from tests.kit import Shop, session_id, wait_for
from tools import payer
from tools.demo_shop import Link

PAYERS = 3
# A server that is being restarted, and a connection that ends halfway.
_NO_ANSWER = (OSError, http.client.HTTPException)
_PAUSE = 0.3  # seconds until a payer who met a fault tries again
_RECOVERY = 300  # seconds that the shop may take to post all that was paid


class Crowd:
    """Some payers, each of whom pays a link again and again.

    :ivar paid: The sessions that they paid at Stripe.
    :ivar answers: How often each HTTP status came instead of Stripe's page.
    """

    def __init__(self, shop: Shop, link: Link):
        self._shop = shop
        self._link = link
        self._over = threading.Event()
        self.paid: list[str] = []
        self.answers: Counter = Counter()

    @contextmanager
    def paying(self) -> Iterator[None]:
        """Pay until the block ends.

        :raise AssertionError: if no one could pay, since that would prove nothing.
        """
        with ThreadPoolExecutor(PAYERS) as pool:
            payers = [pool.submit(self._keep_paying) for _ in range(PAYERS)]
            try:
                yield
            finally:
                self._over.set()
        for each in payers:
            each.result()
        assert self.paid, f"no one could pay: {self.answers}"

    def _keep_paying(self) -> None:
        while not self._over.is_set():
            if not self._pay():
                time.sleep(_PAUSE)

    def _pay(self) -> bool:
        """Whether a payer came to Stripe's page, and paid there."""
        try:
            page = payer.open_page(self._link.url)
            if page.status == 200:
                page = payer.submit_once(page)
        except _NO_ANSWER as error:
            self.answers[type(error).__name__] += 1
            return False
        if "/c/pay/" not in page.url:
            self.answers[page.status] += 1
            return False
        try:
            self._shop.standin.pay(session_id(page))
        except StandinError:  # the session has expired
            return False
        self.paid.append(session_id(page))
        return True


@dataclass(frozen=True)
class Figures:
    """What a fault came to.

    :param paid: Payments that Stripe took money for during the fault.
    :param lost: Balance transactions of Stripe's that the journal lacks.
    :param double: Those that it has with another amount, and payments beyond one per
        session.
    :param explained: Share of the money moved at Stripe that is in the journal, in
        percent.
    :param oldest: Age in seconds of the oldest unexplained item.
    :param seconds: From the end of the fault until all was posted.
    :param answers: What payers got instead of Stripe's page, by how often.
    """

    fault: str
    paid: int
    lost: int
    double: int
    explained: float
    oldest: float
    seconds: float
    answers: dict

    @property
    def good(self) -> bool:
        return not self.lost and not self.double and self.explained == 100


def recover(shop: Shop) -> float:
    """End the troubles, and wait until the journal agrees; the seconds it took."""
    start = time.monotonic()
    shop.end_troubles()
    shop.standin.retry()
    assert shop.standin.idle(60)
    shop.run_cron("ir_cron_sync")
    wait_for(lambda: shop.posted() == shop.moved(), "agreement", _RECOVERY)
    return time.monotonic() - start


def count(shop: Shop, fault: str, crowd: Crowd, seconds: float) -> Figures:
    """Compare the whole journal with Stripe's balance transactions, one by one."""
    moved, posted = shop.moved(), shop.posted()
    missing = {name: moved[name] for name in moved.keys() - posted.keys()}
    wrong = [name for name in posted if posted[name] != moved.get(name)]
    total = sum(map(abs, moved.values()))
    return Figures(
        fault=fault,
        paid=len(crowd.paid),
        lost=len(missing) + _count_unknown(shop, crowd),
        double=len(wrong) + _count_doubled(shop),
        explained=100 * (1 - sum(map(abs, missing.values())) / total),
        oldest=_get_age(shop, missing),
        seconds=seconds,
        answers=dict(crowd.answers),
    )


def _count_unknown(shop: Shop, crowd: Crowd) -> int:
    """Paid sessions that are no paid payment here."""
    return len(set(crowd.paid) - set(_paid_sessions(shop)))


def _count_doubled(shop: Shop) -> int:
    sessions = _paid_sessions(shop)
    return len(sessions) - len(set(sessions))


def _paid_sessions(shop: Shop) -> list[str]:
    domain = [("gateway_id", "=", shop.gateway_id), ("state", "=", "paid")]
    rows = shop.admin.rows("checkout.payment", domain, ["stripe_checkout_session_id"])
    return [row["stripe_checkout_session_id"] for row in rows]


def _get_age(shop: Shop, missing: dict[str, float]) -> float:
    rows = shop.stripe.v1.balance_transactions.list({"limit": 100}).auto_paging_iter()
    created = [row.created for row in rows if row.id in missing]
    return shop.standin.clock()["now"] - min(created) if created else 0
