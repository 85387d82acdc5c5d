"""Several calls of Stripe at once. The threads only speak HTTP: no records, no cursor.

https://docs.stripe.com/rate-limits
"""

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from .const import CALLS_AT_ONCE, RATE_PAUSES
from .stripe_client import StripeError

_logger = logging.getLogger(__name__)

# Reasons for which the calls after it would fail alike, and how often is enough.
AWAY_REASONS = frozenset({"unreachable", "auth"})
AWAY_CALLS = 3


class Call(NamedTuple):
    """A question to Stripe: equal ones have the same answer."""

    function: Callable  # takes the client, then the arguments
    args: tuple


class Answer(NamedTuple):
    """What Stripe said, or the exception that came instead."""

    value: object = None
    error: Exception | None = None

    @property
    def is_limited(self):
        """Whether Stripe had too much to do, so that the call is worth repeating."""
        return isinstance(self.error, StripeError) and self.error.reason == "busy"


def call_together(client, calls: Iterable[Call]) -> dict[Call, Answer]:
    """Make calls, several at a time, and more slowly where Stripe asks for that.

    :param StripeClient client: The client that all of them are made with.
    :return: The answers. Calls are left out, and not made, once some have shown that
        Stripe is away or refuses the key.
    """
    waiting, answers, at_once = list(calls), {}, CALLS_AT_ONCE
    for pause in RATE_PAUSES:
        time.sleep(pause)
        answers.update(_call_all(client, waiting, at_once))
        waiting = [call for call in waiting if call in answers]
        waiting = [call for call in waiting if answers[call].is_limited]
        if not waiting:
            break
        at_once = _slow_down(at_once, [answers[call].error for call in waiting])
    return answers


def _call_all(client, calls, at_once) -> dict[Call, Answer]:
    away = []
    call = partial(_call_unless_away, client, away)
    if len(calls) == 1:  # no thread is needed
        answers = map(call, calls)
    else:
        with ThreadPoolExecutor(at_once) as pool:
            answers = list(pool.map(call, calls))
    made = zip(calls, answers, strict=True)
    return {call: answer for call, answer in made if answer}


def _call_unless_away(client, away, call: Call) -> Answer | None:
    if len(away) >= AWAY_CALLS:
        return None
    try:
        return Answer(call.function(client, *call.args))
    except Exception as error:  # whoever asked decides what it means
        if getattr(error, "reason", False) in AWAY_REASONS:
            away.append(error)
        return Answer(error=error)


def _slow_down(at_once, errors):
    """Fewer at a time, unless Stripe says that it only counts calls per second."""
    reasons = {error.limit for error in errors}
    _logger.info("Stripe limits calls: %s", ", ".join(sorted(reasons)) or "no reason")
    is_of_rate = all(reason.endswith("-rate") for reason in reasons)
    return at_once if is_of_rate else max(1, at_once // 2)
