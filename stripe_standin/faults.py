"""Troubles of the API that a test can order for its next calls.

A fault is a dict:

* `kind`: `status` (answer `status` without executing), `slow` (wait `seconds`, then
  execute), `hang` (wait `seconds`, then close the connection without executing),
  `half_body` (execute, close half-way through the answer), `lost_answer` (execute,
  then answer `status` 500, or with `seconds` close the connection after that time)
* `match`: text that `METHOD /path` must contain, default any
* `times`: how many calls it meets, default 1
* `status`, `seconds`, `should_retry` (the `Stripe-Should-Retry` header), `saved` (a
  `status` of 500 and more is kept under the idempotency key, as Stripe does when it
  failed while executing)
"""

from .errors import NotPossible

KINDS = ("status", "slow", "hang", "half_body", "lost_answer")


class ApiFaults:
    """The faults that are still to come, met in the order they were ordered."""

    def __init__(self):
        self.waiting = []

    def order(self, fault):
        """Order a fault.

        :raises NotPossible: an unknown kind
        """
        if fault.get("kind") not in KINDS:
            raise NotPossible(f"fault kind must be one of {KINDS}")
        self.waiting.append({"times": 1, "match": "", "seconds": 0, **fault})

    def meet(self, method, path):
        """The fault this call runs into, or None."""
        for fault in self.waiting:
            if fault["match"] in f"{method} {path}":
                return self._used(fault)
        return None

    def _used(self, fault):
        fault["times"] -= 1
        if fault["times"] <= 0:
            self.waiting.remove(fault)
        return fault

    def clear(self):
        """No more trouble."""
        self.waiting.clear()
