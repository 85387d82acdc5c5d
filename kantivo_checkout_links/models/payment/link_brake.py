import hashlib
import hmac
import logging
import random
from datetime import timedelta

from odoo import api, fields, models, modules
from odoo.tools import hmac as sign

from ...aside import do_aside, log_error
from ...clients import Client
from ...const import (
    BRAKE_MEMORY_MINUTES,
    BRAKE_MINUTES,
    BRAKE_RETRY_AFTER,
    CLIENT_STARTS,
    CROWDED_PART,
    FLOOD_NOTICE_HOURS,
    LINK_STARTS,
    ROOM_PART,
    STARTS_PER_PAYMENT,
)
from ...stripe_client import StripeError

_logger = logging.getLogger(__name__)

CLIENT_SCOPE = "kantivo_checkout_links.client"
CRON = "kantivo_checkout_links.ir_cron_make_room"

# What counts at each start: one row, by indexes.
COUNTS = """
    SELECT (SELECT COUNT(*) FROM checkout_payment
             WHERE link_id = %(link)s AND state = 'open'
               AND expiry_requested IS NOT TRUE),
           (SELECT COUNT(*) FROM checkout_start
             WHERE link_id = %(link)s AND started_at > %(since)s),
           (SELECT COUNT(*) FROM checkout_start
             WHERE client = %(client)s AND started_at > %(since)s)
"""
OPEN_BY_CLIENT = """
    SELECT COUNT(*) FROM checkout_start
      JOIN checkout_payment payment ON payment.id = payment_id
     WHERE checkout_start.link_id = %s AND client = %s AND state = 'open'
"""
PAID_BY_CLIENT = """
    SELECT COUNT(*) FROM checkout_start
      JOIN checkout_payment payment ON payment.id = payment_id
     WHERE client = %s AND paid_at IS NOT NULL
"""
CROWDED_LINKS = """
    SELECT link_id FROM checkout_start GROUP BY link_id HAVING COUNT(*) >= %s
"""
# The oldest of those first who have the most; each is one where no one is known.
OLDEST_OPEN = """
    SELECT id FROM (
        SELECT payment.id, payment.create_date,
               CASE WHEN client IS NULL THEN 1
                    ELSE COUNT(*) OVER (PARTITION BY client) END AS same
          FROM checkout_payment payment
     LEFT JOIN checkout_start ON payment_id = payment.id
         WHERE payment.link_id = %s AND state = 'open'
           AND expiry_requested IS NOT TRUE
    ) checkout
     WHERE create_date <= %s
  ORDER BY same DESC, create_date
     LIMIT %s
"""


class CheckoutStart(models.Model):
    """Which checkouts were started lately, and from where, so that no one can start
    them without end.

    Rows are only added and, after an hour, deleted: payers never wait for each other
    here. Addresses are kept as a hash with a key that is another each day.
    """

    _name = "checkout.start"
    _description = "Started Checkout"
    _log_access = False

    link_id = fields.Many2one("checkout.link", required=True, ondelete="cascade")
    payment_id = fields.Many2one(
        "checkout.payment", required=True, index=True, ondelete="cascade"
    )
    client = fields.Char()
    started_at = fields.Datetime(required=True)

    _link_idx = models.Index("(link_id, started_at)")
    _client_idx = models.Index("(client, started_at) WHERE client IS NOT NULL")

    # === BUSINESS METHODS - CLIENTS === #

    @api.model
    def _add(self, payment, client: Client):
        """Remember that a client started a payment."""
        self.create(
            {
                "link_id": payment.link_id.id,
                "payment_id": payment.id,
                "client": self._get_key(client),
                "started_at": fields.Datetime.now(),
            }
        )

    @api.model
    def _get_key(self, client: Client):
        """What stands for a client today; nothing where it isn't known."""
        if not client.network:
            return None
        today = fields.Date.today().isoformat()
        key_of_day = sign(self.env(su=True), CLIENT_SCOPE, today)
        return hmac.digest(
            key_of_day.encode(), client.network.encode(), hashlib.sha256
        ).hex()

    @api.model
    def _get_trusted_key(self, client: Client):
        """As :meth:`_get_key`; nothing where the client may be a proxy: an address of a
        private network, and no other was seen.
        """
        key = self._get_key(client)
        if not client.is_private:
            return key
        others = [("client", "!=", False), ("client", "!=", key)]
        return key if self.search_count(others, limit=1) else None

    # === BUSINESS METHODS - LIMITS === #

    @api.model
    def _is_too_many(self, link, client: Client):
        """Whether one more checkout would be too many, for the link or the client."""
        key = self._get_key(client)
        open_count, of_link, of_client = self._count(link, key)
        if max(open_count, of_link) >= LINK_STARTS * CROWDED_PART:
            self._ask_for_room()
        if max(open_count, of_link) < LINK_STARTS and of_client < CLIENT_STARTS:
            return bool(link.max_payments) and self._has_half(link, client)
        key = self._get_trusted_key(client)
        return self._is_link_full(link, open_count, of_link, key) or (
            bool(key) and self._is_client_full(key, of_client)
        )

    @api.model
    def _count(self, link, key):
        """Checkouts of a link that are open, those started of late, and those by a
        client on any link.
        """
        since = fields.Datetime.now() - timedelta(minutes=BRAKE_MINUTES)
        self.env.flush_all()
        values = {"link": link.id, "client": key, "since": since}
        self.env.cr.execute(COUNTS, values)
        return self.env.cr.fetchone()

    @api.model
    def _is_link_full(self, link, open_count, of_link, key):
        """Who pays makes room for others: by what was started, and for some more."""
        paid = self._count_paid(link)
        growth = STARTS_PER_PAYMENT * paid
        may_be_open = LINK_STARTS + (growth if key else 0)
        return open_count >= may_be_open or of_link >= LINK_STARTS + growth + paid

    @api.model
    def _is_client_full(self, key, of_client):
        paid = self._count_by(PAID_BY_CLIENT, key)
        return of_client >= CLIENT_STARTS + (STARTS_PER_PAYMENT + 1) * paid

    @api.model
    def _has_half(self, link, client: Client):
        """Whether a client holds half of a limited link's places without paying."""
        key = self._get_trusted_key(client)
        if not key:
            return False
        held = self._count_by(OPEN_BY_CLIENT, link.id, key)
        return held >= max(1, link.max_payments // 2)

    @api.model
    def _count_by(self, query, *values):
        self.env.cr.execute(query, values)
        return self.env.cr.fetchone()[0]

    @api.model
    def _count_paid(self, link):
        """The payments of a link of as long as starts are remembered."""
        since = self._get_oldest()
        return self.env["checkout.payment"].search_count(
            [("link_id", "=", link.id), ("paid_at", ">", since)]
        )

    @api.model
    def _get_oldest(self):
        return fields.Datetime.now() - timedelta(minutes=BRAKE_MEMORY_MINUTES)

    @api.model
    def _ask_for_room(self):
        """Have the oldest checkouts ended soon, unless that was just asked for."""
        cron_sudo = self.env.ref(CRON).sudo()  # crons are the administrator's
        now = fields.Datetime.now()
        due = [("cron_id", "=", cron_sudo.id), ("call_at", "<=", now)]
        if not self.env["ir.cron.trigger"].sudo().search_count(due, limit=1):
            cron_sudo._trigger()

    # === BUSINESS METHODS - MAKING ROOM === #

    @api.model
    def _cron_make_room(self):
        """Forget who started what, and end the oldest checkouts of crowded links."""
        self.search([("started_at", "<=", self._get_oldest())]).unlink()
        self._commit()
        for link in self._find_crowded():
            link._make_room()
            self._commit()

    @api.model
    def _commit(self):
        """Keep what is done so far. In a test the transaction goes on."""
        if modules.module.current_test:
            self.env.flush_all()
        else:
            self.env.cr.commit()  # pylint: disable=invalid-commit

    @api.model
    def _find_crowded(self):
        self.env.flush_all()
        self.env.cr.execute(CROWDED_LINKS, [int(LINK_STARTS * CROWDED_PART)])
        ids = [link_id for [link_id] in self.env.cr.fetchall()]
        return self.env["checkout.link"].browse(ids).exists()


class CheckoutLink(models.Model):
    """A brake on starting checkouts without paying."""

    _inherit = "checkout.link"

    flooded_at = fields.Datetime(
        readonly=True,
        copy=False,
        groups=fields.NO_ACCESS,
        help="When the responsible user was last notified of many open checkouts.",
    )

    # === BUSINESS METHODS === #

    def _check_brake(self, client: Client):
        """:raise StripeError: if this link or this client has to wait. An error of the
        brake itself stops no payer.
        """
        try:
            with self.env.cr.savepoint():
                is_braked = self.env["checkout.start"]._is_too_many(self, client)
        except Exception as error:
            log_error(_logger, f"The brake of link {self.id} failed", error)
            is_braked = False
        if is_braked:
            seconds = random.randint(*BRAKE_RETRY_AFTER)  # noqa: S311
            message = "Too many checkouts were started."
            raise StripeError(message, "braked", retry_after=seconds)

    def _note_start(self, payment, client: Client):
        """Remember a start for the brake, beside the payment."""
        do_aside(payment, lambda it: it.env["checkout.start"]._add(it, client))

    def _make_room(self):
        """Have the oldest checkouts ended where very many are open, and notify the
        responsible user. Those who just came are left in peace.
        """
        starts = self.env["checkout.start"]
        may_be_open = LINK_STARTS + self._get_growth()
        open_count, of_link, _of_client = starts._count(self, None)
        if max(open_count, of_link) < may_be_open * CROWDED_PART:
            return
        until = fields.Datetime.now() - timedelta(minutes=BRAKE_MINUTES)
        surplus = max(0, open_count - int(may_be_open * ROOM_PART))
        self.env.cr.execute(OLDEST_OPEN, [self.id, until, surplus])
        ids = [payment_id for [payment_id] in self.env.cr.fetchall()]
        # A payer may have one just now; it is left to the next run.
        self.env["checkout.payment"].browse(ids).try_lock_for_update()._request_expiry()
        self._notify_of_flood(open_count)

    def _get_growth(self):
        """How many more may be open since others paid, where clients are known."""
        groups = self.env["checkout.start"]._read_group(
            [("link_id", "=", self.id)], [], ["client:count_distinct"]
        )
        if groups[0][0] < 2:
            return 0
        return STARTS_PER_PAYMENT * self.env["checkout.start"]._count_paid(self)

    def _notify_of_flood(self, open_count):
        """An activity for the responsible user, at most once a day."""
        now = fields.Datetime.now()
        pause = timedelta(hours=FLOOD_NOTICE_HOURS)
        if self.flooded_at and self.flooded_at + pause > now:
            return
        self.sudo().flooded_at = now
        link = self._in_merchants_lang()
        user = self.user_id if self.user_id.active else False
        note = link.env._(
            "%s checkouts of this link are open. Many were started and few were paid, "
            "so customers may have to wait before they can pay. If you don't expect so "
            "many, deactivate this link and share a new one.",
            open_count,
        )
        do_aside(
            link,
            lambda it: it.activity_schedule(
                "mail.mail_activity_data_warning",
                summary=it.env._("Many open checkouts"),
                note=note,
                user_id=(user or it.gateway_id._get_responsible()).id,
            ),
        )
