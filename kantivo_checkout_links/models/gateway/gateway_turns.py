import time
from contextlib import contextmanager

from psycopg2.errors import LockNotAvailable

from odoo import models, modules
from odoo.tools import config

from ...const import (
    THREADED_TURNS,
    TURN_INTERVAL,
    TURN_LOCK,
    TURN_PATIENCE,
    TURN_REST,
)
from ...stripe_client import SILENCE, PayerClient, StripeError

TAKE_TURN = """
    SELECT number FROM generate_series(1, %s) number
     WHERE pg_try_advisory_lock(%s, number) LIMIT 1
"""
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
    """

    rests_until = 0.0

    def __init__(self, gateway, cr=None):
        """:param cr: The cursor of the locks; none in a test, which has only one."""
        self._gateway = gateway
        self._cr = cr

    def take(self, patience):
        """Wait for the turn.

        :param float patience: For how many seconds at most.
        :raise StripeError: `crowded` if there is none by then.
        """
        started = time.monotonic()
        patience = patience if self._may_wait() else 0
        try:
            while not self._has_taken():
                if time.monotonic() >= started + patience:
                    raise self._gateway._refuse_turn()
                time.sleep(TURN_INTERVAL)
        finally:
            now = time.monotonic()
            rests_until = now + TURN_REST * (now - started)
            Turn.rests_until = max(Turn.rests_until, rests_until)

    @classmethod
    def _may_wait(cls):
        """Threads are many, worker processes are few."""
        return not config["workers"] or time.monotonic() >= cls.rests_until

    def _has_taken(self):
        workers = config["workers"]
        turns = max(workers - 1, 1) if workers else THREADED_TURNS
        return bool(self._execute(TAKE_TURN, [turns, TURN_LOCK]))

    def give_back(self):
        """Free all that is locked."""
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
        self._lock(lock, record_id)
        self._gateway._commit()
        try:
            yield
        finally:
            self._execute("SELECT pg_advisory_unlock(%s, %s)", [lock, record_id])

    def _lock(self, lock, record_id):
        try:
            self._execute(TAKE_LOCK, [f"{TURN_PATIENCE}s", lock, record_id])
        except LockNotAvailable as error:
            raise self._gateway._refuse_turn() from error

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
        client = gateway._get_client(PayerClient)
        gateway._commit()
        return call(client)


class CheckoutGateway(models.Model):
    """How many payers have Stripe asked at once: fewer than there are workers, so that
    a slow Stripe keeps no one else waiting.
    """

    _inherit = "checkout.gateway"

    # === BUSINESS METHODS - PAYERS' TURNS === #

    @contextmanager
    def _take_turn(self, patience=TURN_PATIENCE):
        """A payer's turn to have Stripe asked, of so many over all workers.

        The caller's transaction is committed before. To be called as superuser.

        :param float patience: For how many seconds to wait for it at most.
        :return: A :class:`Turn`.
        :raise StripeError: `crowded` if there is none by then; `silent` if Stripe has
            not answered for some time.
        """
        self.ensure_one()
        if SILENCE.is_lasting(self.secret_key_value):
            raise StripeError(self.env._("Stripe didn't respond."), "silent")
        if modules.module.current_test:
            yield Turn(self)
            return
        self._commit()
        with self.env.registry.cursor() as cr:
            turn = Turn(self, cr)
            try:
                turn.take(patience)
                yield turn
            finally:
                turn.give_back()

    def _refuse_turn(self):
        message = self.env._("Too many customers are paying at the same moment.")
        return StripeError(message, "crowded")
