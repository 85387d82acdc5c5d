import math
import time
from contextlib import contextmanager

from psycopg2.errors import LockNotAvailable

from odoo import models, modules
from odoo.exceptions import UserError
from odoo.tools import config

from ...const import (
    MOST_RETRY_AFTER,
    THREADED_TURNS,
    TURN_INTERVAL,
    TURN_LOCK,
    TURN_PATIENCE,
    TURN_REST,
)
from ...stripe_client import SILENCE, StripeError

# One of some numbers that no one else has.
TAKE_NUMBER = """
    SELECT number FROM generate_series(%s, %s) number
     WHERE pg_try_advisory_lock(%s, number) LIMIT 1
"""
# The number of the only worker process that may wait; those of turns come after it.
WAITING = 0
TAKE_LOCK = """
    SELECT set_config('lock_timeout', %s, true);
    SELECT pg_advisory_lock(%s, %s)
"""


class Turn:
    """A payer's turn to have Stripe asked.

    It holds locks of a database session, no transaction. They are free again when the
    process dies.

    :cvar float rests_until: When this process may wait for a turn again. Most of its
        time is for those who don't pay.
    :cvar float seconds: How long its last turn took.
    :cvar float line_ends_at: When the last of those may try again whom it refused.
    """

    rests_until = 0.0
    seconds = 0.5
    line_ends_at = 0.0

    def __init__(self, gateway, cr=None):
        """:param cr: The cursor of the locks; none in a test, which has only one."""
        self._gateway = gateway
        self._cr = cr
        self._taken_at = None

    def take(self, patience):
        """Wait for the turn.

        :param float patience: For how many seconds at most.
        :raise StripeError: `crowded` if there is none by then.
        """
        if self._has_taken():
            return
        if not patience or not self._may_wait():
            raise self._refuse()
        self._gateway._commit()  # no snapshot waits
        started = time.monotonic()
        has_taken = False
        while not has_taken and time.monotonic() < started + patience:
            time.sleep(TURN_INTERVAL)
            has_taken = self._has_taken()
        now = time.monotonic()
        Turn.rests_until = now + TURN_REST * (now - started)
        if not has_taken:
            raise self._refuse()

    def _may_wait(self):
        """Threads are many. Worker processes are few: one of them may wait, and not all
        the time.
        """
        if not config["workers"]:
            return True
        if time.monotonic() < Turn.rests_until:
            return False
        return bool(self._execute(TAKE_NUMBER, [WAITING, WAITING, TURN_LOCK]))

    def _has_taken(self):
        numbers = [WAITING + 1, WAITING + self._count_turns(), TURN_LOCK]
        if not self._execute(TAKE_NUMBER, numbers):
            return False
        self._taken_at = time.monotonic()
        return True

    @staticmethod
    def _count_turns():
        workers = config["workers"]
        return max(workers // 2, 1) if workers else THREADED_TURNS

    def _refuse(self):
        """Send the payer to the end of a line, in which one comes after the other as
        fast as there are turns. Not all at the same time, that is.
        """
        now = time.monotonic()
        pause = Turn.seconds / self._count_turns()
        Turn.line_ends_at = max(now, Turn.line_ends_at) + pause
        seconds = min(math.ceil(Turn.line_ends_at - now), MOST_RETRY_AFTER)
        message = self._gateway.env._(
            "Too many customers are paying at the same time. Try again in a few "
            "seconds."
        )
        return StripeError(message, "crowded", retry_after=seconds)

    def give_back(self):
        """Free all that is locked."""
        if self._taken_at:
            Turn.seconds = time.monotonic() - self._taken_at
        self._cr.rollback()
        self._cr.execute("SELECT pg_advisory_unlock_all()")

    @contextmanager
    def alone(self, lock, record_id):
        """Do something while no other payer does it, in a transaction that starts once
        no one else does. It must be committed inside.

        :param int lock: The first key of the advisory lock.
        :param int record_id: Its second key.
        :raise StripeError: `crowded` if the lock isn't free in time.
        """
        if not self._cr:
            yield
            return
        self._gateway._commit()
        self._lock(lock, record_id)
        try:
            yield
        finally:
            self._execute("SELECT pg_advisory_unlock(%s, %s)", [lock, record_id])

    def _lock(self, lock, record_id):
        try:
            self._execute(TAKE_LOCK, [f"{TURN_PATIENCE}s", lock, record_id])
        except LockNotAvailable as error:
            raise self._refuse() from error

    def _execute(self, query, params):
        """Run a statement in a transaction that is over then: the number of its rows.

        What it locks stays locked, since that is the session's.
        """
        self._cr.execute(query, params, log_exceptions=False)
        count = self._cr.rowcount
        self._cr.commit()  # pylint: disable=invalid-commit
        return count

    def ask(self, gateway, call):
        """Have Stripe asked while the request has no transaction, thus no snapshot and
        no lock. What is unsaved is committed before; what follows sees what is true by
        then.

        :param callable call: Takes the gateway's client, and reads no record.
        :return: What `call` returned.
        :raise StripeError: if Stripe doesn't answer or refuses.
        """
        client = gateway._get_client()
        gateway._commit()
        return call(client)


class MerchantTurn(Turn):
    """A merchant's turn: the first of the payers' turns, so that of several merchants
    one has Stripe asked, and payers have the other turns.
    """

    @staticmethod
    def _count_turns():
        return 1


class CheckoutGateway(models.Model):
    """How many web requests have Stripe asked at once: one for every two workers, so
    that a slow Stripe keeps no one else waiting.
    """

    _inherit = "checkout.gateway"

    # === BUSINESS METHODS - PAYERS' TURNS === #

    @contextmanager
    def _take_turn(self, patience=TURN_PATIENCE, turn_class=Turn):
        """A turn to have Stripe asked, of so many over all workers.

        The caller's transaction is committed if it has to wait. To be called as
        superuser.

        :param float patience: For how many seconds to wait for it at most.
        :param type turn_class: Whose turn it is.
        :return: A :class:`Turn`.
        :raise StripeError: `crowded` if there is none by then; `silent` if Stripe has
            not answered for some time.
        """
        self.ensure_one()
        if SILENCE.is_lasting(self.secret_key_value):
            raise StripeError(self.env._("Stripe didn't respond."), "silent")
        if modules.module.current_test:
            yield turn_class(self)
            return
        with self.env.registry.cursor() as cr:
            turn = turn_class(self, cr)
            try:
                turn.take(patience)
                yield turn
            finally:
                turn.give_back()

    @contextmanager
    def _take_merchants_turn(self):
        """Have Stripe asked for a user who waits. As `_take_turn`, which commits what
        was done before if it has to wait; and what Stripe fails at, or refuses, is
        shown to the user.

        :raise UserError: if there is no turn in time, or a call brings no result.
        """
        try:
            with self.sudo()._take_turn(turn_class=MerchantTurn):  # reads the key
                yield
        except StripeError as error:
            raise UserError(self._describe_failure(error)) from error
