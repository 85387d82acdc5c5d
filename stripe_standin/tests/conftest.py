"""One stand-in process for all tests, emptied before each; a receiver for webhooks."""

import http.server
import threading
import time

import pytest
import stripe

from stripe_standin.control_client import Standin

SECRET = "whsec_of_the_tests"
SPEED = 50


class Receiver:
    """A webhook endpoint that keeps what it gets and answers as it is set.

    `answers` are the next HTTP statuses; after them 200. `delay` seconds each.
    """

    def __init__(self):
        self.reset()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(body, self.headers["Stripe-Signature"])
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self):
        self.got, self.answers, self.delay = [], [], 0

    def take(self, body, header):
        time.sleep(self.delay)
        self.got.append((body, header))
        return self.answers.pop(0) if self.answers else 200

    def events(self, secret=SECRET):
        """The events received so far, signatures verified."""
        return [stripe.Webhook.construct_event(*got, secret) for got in self.got]

    def types(self):
        return [event.type for event in self.events()]


@pytest.fixture(scope="session")
def receiver_process():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture(scope="session")
def standin_process(receiver_process):
    with Standin.start(receiver_process.url, SECRET, speed=SPEED) as standin:
        yield standin


@pytest.fixture
def receiver(receiver_process):
    receiver_process.reset()
    return receiver_process


@pytest.fixture
def standin(standin_process, receiver):
    standin_process.reset(
        speed=SPEED,
        webhook_url=receiver.url,
        webhook_secret=SECRET,
        webhook_events=["*"],
    )
    receiver.reset()
    return standin_process


@pytest.fixture
def frozen(standin):
    """The stand-in with its clock stopped: waits take no time."""
    standin.set_clock(frozen=True)
    return standin


@pytest.fixture
def client(standin):
    return client_of(standin)


def client_of(standin, key="sk_test_of_the_tests"):
    return stripe.StripeClient(key, base_addresses={"api": standin.url})


def session_params(amount=11000, currency="usd", **params):
    product = {"name": "Annual membership"}
    price = {"currency": currency, "unit_amount": amount, "product_data": product}
    return {
        "mode": "payment",
        "success_url": "https://example.com/back?session_id={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://example.com/pay",
        "line_items": [{"quantity": 1, "price_data": price}],
        **params,
    }


def new_session(client, amount=11000, currency="usd", **params):
    return client.v1.checkout.sessions.create(
        params=session_params(amount, currency, **params)
    )


def new_charge(standin, client, amount=11000, currency="usd", number=None, **params):
    """A paid session's charge, as the API answers it."""
    session = new_session(client, amount, currency, **params)
    paid = standin.pay(session.id, **({"number": number} if number else {}))
    return client.v1.charges.retrieve(paid["charge"]["id"])


def eventually(check, seconds=5):
    """Wait until check() is true; its value."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = check()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not true within {seconds} s: {check}")
