from datetime import timedelta

from markupsafe import Markup

from odoo import api, fields, models
from odoo.tools.misc import format_date

from ...aside import do_aside
from ...const import ANNOUNCEMENT_HOURS, EVENT_DAYS, PRUNE_BATCH

SUBTYPES = {
    "paid": "kantivo_checkout_links.mt_link_paid",
    "failed": "kantivo_checkout_links.mt_link_failed",
    "refunded": "kantivo_checkout_links.mt_link_refunded",
    "disputed": "kantivo_checkout_links.mt_link_disputed",
}


class CheckoutAnnouncement(models.Model):
    """What a link's followers are still to be notified of.

    The row comes with the money, in the same transaction. The message follows in a
    later one, which also deletes the row: so there is one message, and one that fails
    undoes nothing.
    """

    _name = "checkout.announcement"
    _description = "Announcement to the Followers of a Link"
    _order = "id"

    payment_id = fields.Many2one(
        "checkout.payment", required=True, readonly=True, index=True, ondelete="cascade"
    )
    gateway_id = fields.Many2one(
        related="payment_id.gateway_id", store=True, index=True
    )
    company_id = fields.Many2one(
        related="payment_id.company_id", store=True, index=True
    )
    topic = fields.Selection(
        [
            ("paid", "Paid"),
            ("failed", "Failed"),
            ("refunded", "Refunded"),
            ("disputed", "Disputed"),
        ],
        required=True,
        readonly=True,
    )
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    amount = fields.Monetary(readonly=True)
    occurred_at = fields.Datetime(required=True, readonly=True)
    error = fields.Char(readonly=True)

    # === BUSINESS METHODS === #

    @api.model
    def _add(self, payment, topic, money, occurred_at):
        """Have the followers of a payment's link notified, once this is committed.

        :param str topic: One of `SUBTYPES`.
        :param money: The record with `amount` and `currency_id`: the payment itself, a
            refund or a dispute.
        """
        if not payment.link_id:
            return
        self.create(
            {
                "payment_id": payment.id,
                "topic": topic,
                "amount": money.amount,
                "currency_id": money.currency_id.id,
                "occurred_at": occurred_at,
            }
        )

    @api.model
    def _announce_waiting(self, gateway):
        """Write the messages of a gateway's links, once the money is committed. Under
        its lock, as superuser.

        One message for all that a link has to say on a topic: a busy link's followers
        get no mail for each payment of a batch.
        """
        gateway._commit()
        waiting = self.search([("gateway_id", "=", gateway.id)])
        orphans = waiting.filtered(lambda row: not row.payment_id.link_id)
        orphans.unlink()  # their link was deleted meanwhile
        groups = (waiting - orphans).grouped(
            lambda row: (row.payment_id.link_id, row.topic)
        )
        for (link, _topic), rows in groups.items():
            rows._announce_aside(gateway, link)
            gateway._commit()

    def _announce_aside(self, gateway, link):
        """Write a message; if that fails, the rows stay and are tried again later."""
        had_problem = any(self.mapped("error"))
        _done, problem = do_aside(link, self._announce_on)
        if problem or had_problem:
            self.exists().error = gateway.notice_problem = problem

    def _announce_on(self, link):
        """Write to the followers who want to know of this topic. What is older than a
        day, as when a sync catches up, is just written down.
        """
        fresh = self.filtered(lambda row: row._is_fresh())
        old = self - fresh
        if old:
            link._message_log(body=old._describe_all())
        if fresh:
            link.message_post(
                body=fresh._describe_all(), subtype_xmlid=SUBTYPES[fresh[0].topic]
            )
            self.env.ref("mail.ir_cron_mail_scheduler_action")._trigger()
        self.unlink()

    def _is_fresh(self):
        age = self.gateway_id._get_stripe_now() - self.occurred_at
        return age <= timedelta(hours=ANNOUNCEMENT_HOURS)

    # === HELPERS === #

    def _describe_all(self):
        return Markup("<br/>").join(row._describe() for row in self)

    def _describe(self):
        """Such as “Kim Lee paid $25.00”; with the day, if that isn't now."""
        payment = self.payment_id
        sentence = self._get_sentences()[self.topic] % {
            "customer": payment.customer_name
            or payment.customer_email
            or self.env._("A customer"),
            "amount": self.currency_id.format(self.amount),
        }
        notes = [] if self._is_fresh() else [format_date(self.env, self._get_day())]
        notes += [] if payment.livemode else [self.env._("test mode")]
        return f"{sentence} ({', '.join(notes)})" if notes else sentence

    def _get_sentences(self):
        return {
            "paid": self.env._("%(customer)s paid %(amount)s"),
            "failed": self.env._("%(customer)s's payment of %(amount)s failed"),
            "refunded": self.env._("%(customer)s was refunded %(amount)s"),
            "disputed": self.env._("%(customer)s disputed %(amount)s"),
        }

    def _get_day(self):
        """Its day where the merchant is: the environment has the gateway's zone."""
        return fields.Datetime.context_timestamp(self, self.occurred_at).date()

    # === BUSINESS METHODS - PRUNING === #

    @api.autovacuum
    def _gc_undelivered(self):
        """What could not be announced in a month isn't tried any more."""
        since = fields.Datetime.now() - timedelta(days=EVENT_DAYS)
        self.search([("create_date", "<", since)], limit=PRUNE_BATCH).unlink()
