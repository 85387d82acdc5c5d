"""Saved answers: one idempotency key, one execution.

Source: https://docs.stripe.com/api/idempotent_requests
"""

from . import errors

LIFETIME = 24 * 3600
MAX_KEY = 255


class SavedAnswers:
    """The answers given to keys, by account and mode, for 24 hours."""

    def __init__(self):
        self.saved = {}

    def begin(self, scope, key, request, now):
        """Claim a key.

        :param scope: (account, livemode); keys of two accounts do not meet
        :param request: what must be the same for the same key
        :returns: the answer saved for it, or None: the caller must now execute the
            request and end with `finish` or `abandon`
        :raises StripeError: other parameters (400), or still being executed (409)
        """
        if len(key) > MAX_KEY:
            raise errors.invalid("Idempotency key is too long.", status=400)
        known = self.saved.get((scope, key))
        if known and now - known["at"] < LIFETIME:
            return self._known_answer(known, key, request)
        self.saved[scope, key] = {"at": now, "request": request, "answer": None}
        return None

    def _known_answer(self, known, key, request):
        if known["request"] != request:
            raise errors.idempotency_mismatch(key)
        if known["answer"] is None:
            raise errors.idempotency_in_use(key)
        return known["answer"]

    def finish(self, scope, key, answer):
        """Keep the answer for repetitions."""
        if (scope, key) in self.saved:
            self.saved[scope, key]["answer"] = answer

    def abandon(self, scope, key):
        """Nothing was executed: the key stays free."""
        self.saved.pop((scope, key), None)
