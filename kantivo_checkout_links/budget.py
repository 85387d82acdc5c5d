"""How long a run may go on. Odoo kills a process that takes too long, and what it had
not committed is lost.
"""

import math
import time

from odoo import modules
from odoo.tools import config

# Of Odoo's limit for a process, what a run takes at most; the rest is for its last step
# and for others' scheduled actions in the same process.
SHARE = 0.25
# Seconds; what there is no time for then is done in the background.
REQUEST_SECONDS = 10


class Budget:
    """The seconds that a run has left, looked at between its steps."""

    def __init__(self, seconds=math.inf):
        self._end = time.monotonic() + seconds

    @classmethod
    def of_cron(cls, env):
        """What Odoo's scheduler gives to a run of a scheduled action; outside of one
        there is no limit.
        """
        end = env.context.get("cron_end_time")
        if end is None:
            return cls()
        return cls(min(end - time.monotonic(), _get_limit("limit_time_real_cron")))

    @classmethod
    def of_request(cls):
        """What a user's request may take, which keeps others from Stripe meanwhile. A
        test takes as long as it takes.
        """
        if modules.module.current_test:
            return cls()
        return cls(min(REQUEST_SECONDS, _get_limit("limit_time_real")))

    @property
    def is_spent(self):
        """Whether to stop now, and go on in another run."""
        return time.monotonic() >= self._end


def _get_limit(option):
    """Odoo's options: 0 is no limit, and -1 that of requests."""
    limit = config[option] if config[option] >= 0 else config["limit_time_real"]
    return limit * SHARE or math.inf
