"""The stand-in's clock and what is due on it."""

import heapq
import itertools
import logging
import threading
import time

from .errors import NotPossible

LOG = logging.getLogger(__name__)


class Clock:
    """Seconds since the epoch, which tests may set, freeze and advance.

    Frozen, it stands still and waits take no time: what is scheduled is due at once.
    """

    def __init__(self, speed):
        self.speed = speed
        self.offset = 0.0
        self.frozen_at = None

    def now(self):
        """The stand-in's time, in seconds with a fraction."""
        if self.frozen_at is not None:
            return self.frozen_at
        return time.time() + self.offset

    def seconds(self):
        """The stand-in's time as Stripe writes it: whole seconds."""
        return int(self.now())

    def wait(self, nominal):
        """How long a wait of `nominal` seconds at Stripe takes here."""
        return nominal / self.speed

    def set(self, now):
        """Make it `now`; a frozen clock stays frozen."""
        if self.frozen_at is not None:
            self.frozen_at = float(now)
        else:
            self.offset = now - time.time()

    def freeze(self):
        """Stop the clock where it stands."""
        self.frozen_at = self.now()

    def unfreeze(self):
        """Let it run on from where it stands."""
        now, self.frozen_at = self.now(), None
        self.set(now)


class Schedule:
    """Calls that are due at a time of the clock, in order of time.

    :param lock: held while a call runs; the whole world changes under it
    """

    def __init__(self, clock, lock):
        self.clock = clock
        self.wake = threading.Condition(lock)
        self.order = itertools.count()
        self.clear()

    def clear(self):
        """Forget all that is due."""
        self.heap = []

    def after(self, nominal, call):
        """Call it when a wait of `nominal` seconds at Stripe is over."""
        if self.clock.frozen_at is not None:
            self.at(self.clock.now(), call)
        else:
            self.at(self.clock.now() + self.clock.wait(nominal), call)

    def at(self, when, call):
        """Call it when the clock shows `when`."""
        heapq.heappush(self.heap, (when, next(self.order), call))
        self.wake.notify_all()

    def run_due(self):
        """Run what is due, with what becomes due meanwhile."""
        while self.heap and self.heap[0][0] <= self.clock.now():
            self._run(heapq.heappop(self.heap)[2])

    def _run(self, call):
        try:
            call()
        except NotPossible as reason:
            LOG.info("overtaken by events: %s", reason)

    def run_forever(self):
        """The thread that runs things in time."""
        with self.wake:
            while True:
                self.run_due()
                self.wake.wait(self._pause())

    def _pause(self):
        if not self.heap or self.clock.frozen_at is not None:
            return None
        return max(0.0, self.heap[0][0] - self.clock.now())
