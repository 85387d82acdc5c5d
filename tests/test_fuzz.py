"""Anything that anyone may send: never a failure of the server, and never an effect.

`make test` sends a few hundred inputs, the same each time. `make fuzz` sends 100,000
others; a seed that it prints sends them again.
"""

import os
import statistics
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz import Fuzzer, Target, signed_deliveries, strangers
from tests.kit import open_shop, wait_for
from tools import payer, server

INPUTS = int(os.environ.get("FUZZ_INPUTS", "600"))
IS_LONG = INPUTS >= 10_000
SEED = int(os.environ.get("FUZZ_SEED", "1"))
# What must not come of anything, in a shop without other users.
COUNTED = (
    *("checkout.payment", "checkout.movement", "checkout.refund", "checkout.dispute"),
    *("checkout.payout", "checkout.link", "checkout.gateway", "account.move"),
    "res.partner",
)


@pytest.fixture(scope="module", params=["threads", "workers"])
def fuzzed_shop(odoo, request):
    """A shop of its own with one payment, in either kind of server."""
    options = server.multi_process(2) if request.param == "workers" else ()
    with open_shop(odoo, f"fuzz_{request.param}", options) as shop:
        link = shop.make_link("Fuzzed", amount=0, amount_type="open")
        page = payer.submit(payer.open_page(link.url), amount="110")
        payer.enter_card(page)
        shop.wait_until_posted(link)
        shop.fuzzed = Target(
            url=shop.url,
            link_path=urlsplit(link.url).path,
            webhook_path=urlsplit(shop.webhook_url).path,
            nonce=payer.open_page(link.url).fields["nonce"],
            events=tuple(shop.standin.events()),
        )
        yield shop


def send_all(shop, requests, inputs: int):
    """Send so many inputs; nothing may come of them, and nothing may be logged."""
    fuzzer, log = Fuzzer(shop.fuzzed), Path(shop.log)
    before, logged = count(shop), log.stat().st_size

    @seed(SEED)
    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(shop.fuzzed))
    def send(request):
        fuzzer.send(request)

    send()
    wait_for(lambda: not shop.admin.rows("checkout.event", DUE, ["id"]), "inbox")
    print(f"\n{requests.__name__}, seed {SEED}: {dict(fuzzer.statuses)}")
    assert count(shop) == before
    with log.open("rb") as file:
        file.seek(logged)
        text = file.read().decode(errors="replace")
    assert "Traceback" not in text, text[text.index("Traceback") - 500 :][:3000]
    assert " ERROR " not in text, text[text.index(" ERROR ") - 500 :][:3000]


DUE = [("state", "=", "pending"), ("attempts", "=", 0)]


def count(shop) -> dict[str, int]:
    """How many records there are of all that could come of an input."""
    return {
        model: shop.admin.call(model, "search_count", [("id", ">", 0)])
        for model in COUNTED
    }


@pytest.mark.timeout(0)
def test_nothing_comes_of_what_strangers_send(fuzzed_shop):
    send_all(fuzzed_shop, strangers, INPUTS // 3)


if IS_LONG:  # seconds are no matter of `make test`

    def test_unknown_and_deleted_links_take_as_long(fuzzed_shop):
        shop, seconds = fuzzed_shop, {}
        deleted = shop.make_link("Deleted")
        shop.admin.call("checkout.link", "unlink", [deleted.id])
        urls = {
            "deleted": deleted.url,
            "unknown": f"{shop.url}/checkout/kcl_{'x' * 22}",
            "foreign": shop.webhook_url.replace("/webhook", ""),
        }
        for _round in range(1000):
            for name, url in urls.items():
                started = time.perf_counter()
                assert payer.open_page(url).status == 404
                seconds.setdefault(name, []).append(time.perf_counter() - started)
        medians = {name: statistics.median(each) for name, each in seconds.items()}
        print({name: f"{median * 1000:.2f} ms" for name, median in medians.items()})
        assert max(medians.values()) <= 1.05 * min(medians.values())


@pytest.mark.timeout(0)
def test_nothing_comes_of_nonsense_that_is_signed(fuzzed_shop):
    send_all(fuzzed_shop, signed_deliveries, INPUTS // 6)
