"""The brake on starting checkouts, behind a proxy that says who comes, in a server with
several processes.
"""

import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kit import open_shop
from tools import payer, server


@pytest.fixture(scope="module")
def proxied_shop(odoo):
    """A shop that trusts its proxy."""
    options = (*server.multi_process(2), "--proxy-mode")
    with open_shop(odoo, "proxied", options) as shop:
        yield shop


def start(link, nonce, address):
    """Send a form as that proxy does; the status, without going on to Stripe."""
    request = urllib.request.Request(
        link.url,
        urllib.parse.urlencode({"nonce": nonce}).encode(),
        {
            "X-Forwarded-For": address,
            "X-Forwarded-Host": urllib.parse.urlsplit(link.url).netloc,
        },
    )
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            retry = int(error.headers.get("Retry-After", 0))
            return "braked" if error.code == 503 and retry >= 20 else error.code


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def start_until_answered(link, address):
    """As a payer does who follows Retry-After while others are paying, too."""
    nonce = payer.open_page(link.url).fields["nonce"]
    for _attempt in range(50):
        status = start(link, nonce, address)
        if status != 503:
            return status
    return "never"


def start_all(link, addresses):
    with ThreadPoolExecutor(4) as pool:
        return Counter(pool.map(lambda it: start_until_answered(link, it), addresses))


def test_one_address_starts_no_more_than_sixty_and_stops_no_other(proxied_shop):
    link = proxied_shop.make_link("Braked")
    answers = start_all(link, ["203.0.113.7"] * 90)
    assert set(answers) == {303, "braked"}
    assert 50 <= answers[303] <= 60
    assert len(proxied_shop.sessions_made(link)) == answers[303]
    others = start_all(link, [f"198.51.100.{number}" for number in range(20)])
    assert others == {303: 20}


def test_forged_address_of_a_payer_is_not_taken(proxied_shop):
    link = proxied_shop.make_link("Forged address")
    answers = start_all(link, [f"10.9.8.{n}, 203.0.113.99" for n in range(70)])
    assert 50 <= answers[303] <= 60
