"""Trouble in the middle of a random history: a crash, or a Stripe that fails."""

from contextlib import contextmanager
from unittest.mock import patch

# What Stripe may do to a call: refuse it, fail after or before it was done.
API_FAULTS = (
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 500, "saved": True},
    {"kind": "lost_answer"},
    {"kind": "half_body"},
)


class Crash(BaseException):
    """The process is gone; no `except Exception` of the addon sees it."""


@contextmanager
def crash_at(env, number):
    """End some work at its commit of that number: what came before is kept, what would
    come after never happens. Work with fewer commits comes to its end.
    """
    gateways = type(env["checkout.gateway"])
    commits = CommitPoints(env, gateways._commit, number)
    try:
        with patch.object(gateways, "_commit", commits.pass_one):
            yield
    except Crash:
        commits.savepoint.close(rollback=True)
        env.invalidate_all()
    else:
        env.flush_all()
        commits.savepoint.close(rollback=False)


class CommitPoints:
    """The commits of some work; what follows one can be undone up to it."""

    def __init__(self, env, commit, number):
        self.env, self.commit, self.left = env, commit, number
        self.savepoint = env.cr.savepoint(flush=True)

    def pass_one(self, gateway):
        """Commit as the addon does, then crash if it is time."""
        self.commit(gateway)
        self.savepoint.close(rollback=False)
        self.savepoint = self.env.cr.savepoint(flush=True)
        self.left -= 1
        if not self.left:
            raise Crash
