"""The simulated Stripe: all state, behind one lock."""

import random
import string
import threading
from collections import deque
from dataclasses import dataclass

import stripe

from .clock import Clock, Schedule
from .delivery import Deliveries
from .faults import ApiFaults
from .idempotency import SavedAnswers
from .keys import Keyring
from .merchant import Merchant

ALPHABET = string.ascii_letters + string.digits
DEFAULT_ACCOUNT = "acct_1StandinDefault00"


@dataclass(frozen=True)
class Origin:
    """The API request behind an event; both None where no API request caused it."""

    request_id: str = None
    idempotency_key: str = None


class World:
    """Everything the stand-in knows. Whoever reads or changes it holds `lock`."""

    def __init__(self, speed=10.0):
        self.lock = threading.RLock()
        self.base_url = ""
        self.api_version = stripe.api_version
        self.ids = random.Random()
        self.clock = Clock(speed)
        self.schedule = Schedule(self.clock, self.lock)
        self.deliveries = Deliveries(self)
        self.clear()

    def clear(self, account=DEFAULT_ACCOUNT):
        """Forget all objects, requests, faults and settings; the clock runs true."""
        self.keys = Keyring(account)
        self.merchants = {}
        self.answers = SavedAnswers()
        self.faults = ApiFaults()
        self.said = {}
        self.requests = deque(maxlen=20_000)
        self.origin = Origin()
        self.clock.__init__(self.clock.speed)
        self.schedule.clear()
        self.deliveries.clear()

    def start(self):
        """Start the threads that make things happen by themselves."""
        threading.Thread(target=self.schedule.run_forever, daemon=True).start()
        self.deliveries.start()

    def say(self, object_id, members):
        """From now on, show an object with other members than the contract knows."""
        self.said.setdefault(object_id, {}).update(members)

    def merchant(self, account=None, livemode=False):
        """The objects of an account in one mode, made when first asked for."""
        key = (account or self.keys.default_account, bool(livemode))
        if key not in self.merchants:
            self.merchants[key] = Merchant(self, *key)
        return self.merchants[key]

    def new_id(self, prefix, length=24):
        """A new id in Stripe's style; the same ones after `seed`."""
        return prefix + "".join(self.ids.choices(ALPHABET, k=length))

    def seed(self, seed):
        """Make ids repeatable from here on."""
        self.ids.seed(seed)

    def owner(self, object_id):
        """The merchant that has the object, or None; for the control API."""
        for merchant in self.merchants.values():
            if merchant.find(object_id):
                return merchant
        return None
