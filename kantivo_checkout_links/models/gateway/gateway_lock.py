import logging
from contextlib import closing, contextmanager

from psycopg2.errors import LockNotAvailable, SerializationFailure

from odoo import SUPERUSER_ID, api, models, modules
from odoo.exceptions import UserError

from ...const import ADVISORY_LOCK, LOCK_TIMEOUT, READING_LOCK, WORK_ATTEMPTS
from ...quiet import quiet_queries
from .audit_trail import REQUESTER_KEY, Requester

_logger = logging.getLogger(__name__)


class CheckoutGateway(models.Model):
    """Who may write to a gateway's ledger: one at a time, as superuser, in company."""

    _inherit = "checkout.gateway"

    # === BUSINESS METHODS - ONE WRITER AT A TIME === #

    @contextmanager
    def _exclusive(self):
        """This gateway as superuser in a transaction that starts once no one else
        writes.

        The lock is taken in a cursor of its own, *before* the working cursor's
        snapshot: a lock inside the same transaction would let it work on what was true
        before the lock. Everything is committed at the end, and by :meth:`_commit` on
        the way. A test has a single transaction, so there it is the caller's own.

        :raise UserError: if the lock isn't free in time.
        """
        self.ensure_one()
        if modules.module.current_test:
            yield self._as_superuser(self.env)
            return
        with quiet_queries(), self.env.registry.cursor() as lock_cr:
            self._take_lock(lock_cr)
            with self.env.registry.cursor() as cr:
                yield self._as_superuser(self.env(cr=cr))

    @contextmanager
    def _holding(self, lock, wait=True):
        """Hold one of this gateway's locks in a cursor that does nothing else, so that
        it is free again at the end, also if this process dies. In a test it is free.

        Who holds several took the one to read before the one to write.

        :param bool wait: Whether to wait for it.
        :return: Whether it is held now.
        :raise UserError: if it isn't free in time.
        """
        self.ensure_one()
        if modules.module.current_test:
            yield True
            return
        with self.env.registry.cursor() as lock_cr:
            if wait:
                self._take_lock(lock_cr, lock)
                yield True
            else:
                yield self._try_lock(lock_cr, lock)

    @contextmanager
    def _reading(self):
        """Be the only one who reads this gateway's objects from Stripe and applies
        them: what is read first is applied first. Others wait for the ledger only while
        something is applied, never while Stripe is asked.

        :raise UserError: if others go on doing it.
        """
        try:
            with self._holding(READING_LOCK):
                yield
        finally:
            self.env["checkout.event"]._wake_processor(self)

    @contextmanager
    def _in_new_transaction(self):
        """This gateway as superuser in a transaction of its own, without the lock.

        For what must be kept even if the caller's transaction fails. A test has
        a single one.
        """
        self.ensure_one()
        if modules.module.current_test:
            yield self._as_superuser(self.env)
            return
        with quiet_queries(), self.env.registry.cursor() as cr:
            yield self._as_superuser(self.env(cr=cr))

    def _work_exclusively(self, work):
        """Do something while no one else writes; see :meth:`_exclusive`.

        Where a payer's request changed one of its rows meanwhile, it is done again.

        :param callable work: Takes this gateway as superuser.
        :return: What `work` returned. It should say all that the caller wants to know,
            since the caller's transaction goes on seeing what was true before.
        :raise UserError: if others go on writing.
        """
        for _attempt in range(WORK_ATTEMPTS):
            try:
                with self._exclusive() as gateway_sudo:
                    return work(gateway_sudo)
            except SerializationFailure:
                _logger.info("Gateway %s is worked on once more", self.id)
        raise UserError(self._describe_busy())

    def _rehearse(self, work):
        """Do something as :meth:`_work_exclusively` does, and take all of it back: also
        what would be done after a commit, such as sending mails.

        :param callable work: Takes this gateway as superuser.
        :return: What `work` returned, without any record that it made.
        :raise UserError: if others go on writing.
        """
        return self._work_exclusively(lambda gateway: gateway._undo_after(work))

    def _undo_after(self, work):
        with closing(self.env.cr.savepoint()):
            result = work(self)
        self.env.cr.postcommit.clear()
        return result

    def _describe_busy(self):
        return self.env._("This gateway is busy. Try again in a minute.")

    def _take_lock(self, lock_cr, lock=ADVISORY_LOCK):
        try:
            lock_cr.execute(
                "SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT]
            )
            lock_cr.execute("SELECT pg_advisory_xact_lock(%s, %s)", [lock, self.id])
        except LockNotAvailable as error:
            raise UserError(self._describe_busy()) from error

    def _try_lock(self, lock_cr, lock):
        lock_cr.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [lock, self.id])
        return lock_cr.fetchone()[0]

    def _as_superuser(self, env):
        """The gateway in a context of our own. Nothing of the caller's goes on: a
        request may have any context, and Odoo has keys in it that leave out checks.
        """
        gateway_sudo = self.sudo()  # the caller may be a payer
        company_sudo = gateway_sudo.company_id
        context = {
            "allowed_company_ids": company_sudo.ids,
            "tz": gateway_sudo.tz,
            "lang": company_sudo.partner_id.lang or "en_US",
            "tracking_disable": True,
            REQUESTER_KEY: Requester(self.env.user.sudo().partner_id.id),
        }
        return self.with_env(env(user=SUPERUSER_ID, context=context, su=True))

    @api.model
    def _commit(self):
        """Keep what is done so far. In a test the transaction goes on."""
        if modules.module.current_test:
            self.env.flush_all()
        else:
            self.env.cr.commit()  # pylint: disable=invalid-commit
