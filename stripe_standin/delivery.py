"""Webhooks: signed deliveries of events, retried until they are taken.

A delivery is one event for one destination. Its states: `queued` (will be sent),
`held` (waits for the control API), `sending`, `delivered` (2xx), `failed` (all tries
used up), `lost` (a fault: never sent).
"""

import hashlib
import hmac
import random
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from .rendering import json_text
from .thin import thin_event

WORKERS = 4
TIMEOUT = 20
# Seconds at Stripe's speed; doubled each time.
FIRST_RETRY = 10.0
MAX_TRIES = 16
# How long Stripe's page waits for `checkout.session.completed` to be taken.
REDIRECT_WAIT = 10.0
OPEN_STATES = ("queued", "sending")


@dataclass
class Destination:
    """Where events go: the address given at start, or an endpoint made by the API."""

    id: str
    url: str
    secrets: list
    enabled_events: list = field(default_factory=lambda: ["*"])
    thin: bool = False
    enabled: bool = True
    api_version: str = None
    """The version the events say they are rendered at; None: the account's."""

    def wants(self, event_type):
        """Whether it listens to this type."""
        return self.enabled and (
            "*" in self.enabled_events or event_type in self.enabled_events
        )


@dataclass
class Delivery:
    """One event for one destination, with the tries so far."""

    id: str
    event_id: str
    event_type: str
    destination: str
    state: str
    attempts: list = field(default_factory=list)
    due: float = 0.0
    repeat: int = 1
    event: dict = field(default=None, repr=False)
    target: Destination = field(default=None, repr=False)

    def shown(self):
        """As the control API lists it."""
        hidden = ("event", "target", "due", "repeat")
        return {k: v for k, v in asdict(self).items() if k not in hidden}


@dataclass
class Network:
    """What happens to new deliveries on their way; all of it can be combined.

    `hold` keeps them for the control API; `lose` the next n are never sent (-1: all);
    `delay` seconds more each; `duplicate` sends each n times; `shuffle` spreads them
    over so many seconds in an order that `seed` decides; `only` limits all of this to
    some event types.
    """

    hold: bool = False
    lose: int = 0
    delay: float = 0.0
    duplicate: int = 1
    shuffle: float = 0.0
    seed: int = 0
    only: list = field(default_factory=list)

    def __post_init__(self):
        self.random = random.Random(self.seed)

    def touches(self, event_type):
        """Whether a delivery of this type meets the trouble."""
        return not self.only or event_type in self.only

    def impair(self, delivery):
        """Give a new delivery its fate."""
        if self.lose:
            self.lose -= 1
            delivery.state = "lost"
        elif self.hold:
            delivery.state = "held"
        delivery.repeat = max(1, self.duplicate)
        delivery.due += self.delay + self.random.uniform(0, self.shuffle)


class Deliveries:
    """All deliveries, and the workers that send them."""

    def __init__(self, world):
        self.world = world
        self.changed = threading.Condition(world.lock)
        self.in_flight = 0
        self.clear()

    def clear(self):
        """Forget deliveries and destinations; what is on its way gets lost."""
        self.all = {}
        self.queued = {}
        self.main = None
        self.thin = None
        self.network = Network()

    def start(self):
        """Start the workers."""
        for _ in range(WORKERS):
            threading.Thread(target=self._work, daemon=True).start()

    def plan(self, merchant, event):
        """Make the deliveries of a new event; returns how many."""
        targets = [
            target
            for target in self._destinations(merchant)
            if target.wants(event["type"])
        ]
        for target in targets:
            self._add(event, target)
        return len(targets)

    def _destinations(self, merchant):
        fixed = [d for d in (self.main, self.thin) if d]
        endpoints = merchant.all("webhook_endpoint")
        return fixed + [endpoint["_destination"] for endpoint in endpoints]

    def _add(self, event, target):
        delivery = Delivery(
            self.world.new_id("dlv_"),
            event["id"],
            event["type"],
            target.id,
            "queued",
            due=time.monotonic(),
            event=event,
            target=target,
        )
        if self.network.touches(event["type"]):
            self.network.impair(delivery)
        self.all[delivery.id] = delivery
        if delivery.state == "queued":
            self._queue(delivery)

    def _queue(self, delivery):
        delivery.state = "queued"
        self.queued[delivery.id] = delivery
        self.changed.notify_all()

    # -- sending ----------------------------------------------------------------------

    def _work(self):
        while True:
            with self.changed:
                delivery = self._next_due()
            self._send_all(delivery)

    def _next_due(self):
        while True:
            first = min(self.queued.values(), key=lambda d: d.due, default=None)
            pause = first.due - time.monotonic() if first else None
            if first and pause <= 0:
                return self._taken(first)
            self.changed.wait(pause)

    def _taken(self, delivery):
        del self.queued[delivery.id]
        delivery.state = "sending"
        return delivery

    def _send_all(self, delivery):
        status = 0
        if delivery.target.enabled:
            status = [self.attempt(delivery) for _ in range(delivery.repeat)][-1]
        with self.changed:
            self._settle(delivery, status)
            self.changed.notify_all()

    def attempt(self, delivery):
        """Send once, now; returns the HTTP status, 0 where there was no answer."""
        with self.changed:
            self.in_flight += 1
            body = self._body(delivery)
        started = time.time()
        status, answer = post(delivery.target, body)
        with self.changed:
            self.in_flight -= 1
            self.changed.notify_all()
            delivery.attempts.append(
                {
                    "at": started,
                    "seconds": round(time.time() - started, 3),
                    "status": status,
                    "answer": answer,
                }
            )
        return status

    def _body(self, delivery):
        event, target = delivery.event, delivery.target
        shown = thin_event(event) if target.thin else public_event(event)
        if target.api_version and not target.thin:
            shown["api_version"] = target.api_version
        return json_text(shown).encode()

    def _settle(self, delivery, status):
        if 200 <= status < 300:
            self._delivered(delivery)
        elif len(delivery.attempts) >= MAX_TRIES or not delivery.target.enabled:
            delivery.state = "failed"
        elif delivery.id in self.all:
            delivery.due = time.monotonic() + self._back_off(len(delivery.attempts))
            self._queue(delivery)

    def _delivered(self, delivery):
        if delivery.state != "delivered":
            delivery.event["pending_webhooks"] -= 1
        delivery.state = "delivered"

    def _back_off(self, tries):
        return FIRST_RETRY * 2 ** (tries - 1) / self.world.clock.speed

    # -- for the hosted page and the control API --------------------------------------

    def wait_for_first_try(self, event):
        """Wait until each delivery of the event was tried, as Stripe's page does."""
        patience = REDIRECT_WAIT / self.world.clock.speed
        with self.changed:
            self.changed.wait_for(lambda: self._tried(event), patience)

    def _tried(self, event):
        return not any(
            d.state in OPEN_STATES and not d.attempts
            for d in self.all.values()
            if d.event_id == event["id"]
        )

    def idle(self, timeout):
        """Wait until nothing is on its way; False when the time is up."""
        with self.changed:
            return self.changed.wait_for(self._all_done, timeout)

    def landed(self, timeout):
        """Wait until what was being sent when it was forgotten has arrived."""
        with self.changed:
            return self.changed.wait_for(lambda: not self.in_flight, timeout)

    def _all_done(self):
        return not any(d.state in OPEN_STATES for d in self.all.values())

    def send_now(self, deliveries):
        """Send these one after the other; returns their HTTP statuses."""
        return [self._send_one(delivery) for delivery in deliveries]

    def send_together(self, deliveries):
        """Send these all at the same moment; returns their HTTP statuses."""
        with ThreadPoolExecutor(max(1, len(deliveries))) as pool:
            return list(pool.map(self._send_one, deliveries))

    def _send_one(self, delivery):
        status = self.attempt(delivery)
        with self.changed:
            if 200 <= status < 300:
                self.queued.pop(delivery.id, None)
                self._delivered(delivery)
            self.changed.notify_all()
        return status

    def retry_now(self):
        """Make what waits for a later try due at once."""
        with self.changed:
            for delivery in self.queued.values():
                delivery.due = min(delivery.due, time.monotonic())
            self.changed.notify_all()


def public_event(event):
    """The event as its receivers see it."""
    return {name: value for name, value in event.items() if not name.startswith("_")}


def signature(body, secrets, timestamp):
    """The `Stripe-Signature` header; one `v1` for each secret that is valid."""
    signed = b"%d." % timestamp + body
    marks = [hmac.new(s.encode(), signed, hashlib.sha256).hexdigest() for s in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={mark}" for mark in marks)])


def post(target, body):
    """POST a signed body; returns (status, first part of the answer).

    Redirects are not followed: to Stripe they are failures.
    """
    request = urllib.request.Request(target.url, data=body, method="POST")
    request.add_header("Content-Type", "application/json; charset=utf-8")
    request.add_header("User-Agent", "Stripe/1.0 (+https://docs.stripe.com/webhooks)")
    request.add_header(
        "Stripe-Signature", signature(body, target.secrets, int(time.time()))
    )
    try:
        with OPENER.open(request, timeout=TIMEOUT) as answer:
            return answer.status, answer.read(300).decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(300).decode(errors="replace")
    except (OSError, ValueError) as error:
        return 0, repr(error)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
