import logging
from datetime import timedelta

from odoo import api, fields, models

from ...aside import describe_error, do_aside, log_error
from ...const import LATE_EVENT_SECONDS, PAYLOAD_DAYS
from ...stripe_client import StripeError

_logger = logging.getLogger(__name__)

# What has a status of Stripe's.
STATUS_MODELS = (
    "checkout.payment",
    "checkout.refund",
    "checkout.dispute",
    "checkout.payout",
)
# A payment that is paid isn't read again, so an unknown status on it stays.
UNKNOWN_DAYS = 90


class CheckoutGateway(models.Model):
    """Whether events from Stripe arrive and are processed, and what to do if not."""

    _inherit = "checkout.gateway"

    events_waiting = fields.Integer("Waiting Events", compute="_compute_events")
    events_failed = fields.Integer("Failed Events", compute="_compute_events")
    last_event_at = fields.Datetime("Last Event", compute="_compute_last_event")
    event_lag = fields.Integer(
        "Delivery Delay (s)",
        compute="_compute_last_event",
        help="The time between the event at Stripe and its delivery to Odoo.",
    )
    endpoint_problem = fields.Char(
        "Webhook Error",
        readonly=True,
        copy=False,
        help="The problem that the last sync found with the webhook.",
    )
    recovered_last = fields.Integer(
        "Recovered by the Last Sync",
        readonly=True,
        copy=False,
        help=(
            "Payments that the last sync found paid, but for which no event was "
            "received."
        ),
    )
    recovered_total = fields.Integer("Recovered by Syncs", readonly=True, copy=False)
    notice_problem = fields.Char(
        "Follow-Up Error",
        readonly=True,
        copy=False,
        help="Why the last activity, message or action of another addon failed.",
    )
    payload_days = fields.Integer(
        "Payload Retention (Days)",
        default=PAYLOAD_DAYS,
        help=(
            "How long the payload of processed events is kept. The events themselves "
            "are never deleted. 0 = keep forever."
        ),
    )
    coarse_currency_ids = fields.Many2many(
        "res.currency",
        compute="_compute_coarse_currency_ids",
        help=(
            "Currencies of the gateway and its links that Odoo rounds more coarsely "
            "than Stripe."
        ),
    )
    health_state = fields.Selection(
        [("good", "OK"), ("warning", "Warning"), ("bad", "Action Required")],
        "Health",
        compute="_compute_health",
    )
    health_message = fields.Text("What to Do", compute="_compute_health")

    # === COMPUTE METHODS === #

    def _compute_events(self):
        """How many events wait and have failed."""
        rows = (
            self.env["checkout.event"]
            .sudo()  # merchants see how many, not what
            ._read_group(
                [
                    ("gateway_id", "in", self.ids),
                    ("state", "in", ("pending", "failed")),
                ],
                ["gateway_id", "state"],
                ["__count"],
            )
        )
        counts = {(gateway.id, state): count for gateway, state, count in rows}
        for gateway in self:
            gateway.events_waiting = counts.get((gateway._origin.id, "pending"), 0)
            gateway.events_failed = counts.get((gateway._origin.id, "failed"), 0)

    def _compute_last_event(self):
        for gateway in self:
            event_sudo = gateway._get_last_event_sudo()
            gateway.last_event_at = event_sudo.received_at
            gateway.event_lag = event_sudo._get_lag() if event_sudo else 0

    @api.depends("currency_id.rounding", "link_ids.currency_id.rounding")
    def _compute_coarse_currency_ids(self):
        for gateway in self:
            links_sudo = gateway.sudo().link_ids  # not all who set it up see links
            currencies = gateway.currency_id | links_sudo.currency_id
            gateway.coarse_currency_ids = currencies.filtered(
                lambda currency: currency._is_coarser_than_stripe()
            )

    @api.depends_context("lang")
    @api.depends(
        "clock_offset",
        "coarse_currency_ids",
        "company_id",
        "currency_id",
        "endpoint_problem",
        "notice_problem",
        "post_entries",
        "sync_error",
    )
    def _compute_health(self):
        for gateway in self:
            problems = list(gateway._get_problems())
            is_bad = any(state == "bad" for state, _sentence in problems)
            gateway.health_state = (
                "bad" if is_bad else "warning" if problems else "good"
            )
            gateway.health_message = "\n".join(
                sentence for _state, sentence in problems
            )

    def _get_problems(self):
        """The problems: each a state, `bad` or `warning`, and what to do."""
        if self.sync_error:
            yield "bad", self.sync_error
        if self.endpoint_problem:
            yield "bad", self.endpoint_problem
        if problem := self._find_rate_problem():
            level, sentence = problem
            yield "bad" if level == "missing" else "warning", sentence
        for currency in self.coarse_currency_ids:
            yield "bad", currency._describe_coarse()
        if self.revaluation_error and self._is_revalued():
            yield "warning", self.revaluation_error
        if self.events_failed:
            yield (
                "bad",
                self.env._(
                    "Failed events: %s. Check the errors, fix the cause, then retry.",
                    self.events_failed,
                ),
            )
        yield from self._get_event_problems()
        yield from self._get_side_problems()
        yield from self._get_stripe_problems()

    def _get_event_problems(self):
        """What events say of the webhook."""
        if self.event_lag > LATE_EVENT_SECONDS:
            yield (
                "warning",
                self.env._(
                    "Stripe's last event arrived late. Was this server unreachable?"
                ),
            )
        if self.recovered_last:
            yield (
                "warning",
                self.env._(
                    "Payments that only the last sync found: %s. No event was received "
                    "for them. Check the webhook's deliveries in the Stripe Dashboard.",
                    self.recovered_last,
                ),
            )

    def _get_stripe_problems(self):
        """What is new or different at Stripe; nothing is lost by it."""
        if problem := self._describe_clock():
            yield "warning", problem
        if words := self._find_unknown_statuses():
            yield (
                "warning",
                self.env._(
                    "Stripe uses a status that this version doesn't support: %s. "
                    "Changes of the balance are still posted. Check for an update of "
                    "Checkout Links.",
                    ", ".join(words),
                ),
            )

    def _get_side_problems(self):
        """What failed beside the money, which is posted all the same."""
        if self.notice_problem:
            yield (
                "warning",
                self.env._(
                    "An activity, a message or an action of another addon failed. "
                    "Payments and entries are not affected. %s",
                    self.notice_problem,
                ),
            )
        domain = [
            ("gateway_id", "=", self._origin.id),
            ("contact_problem", "!=", False),
        ]
        payments_sudo = self.env["checkout.payment"].sudo()  # how many, not whose
        if lacking := payments_sudo.search_count(domain):
            yield (
                "warning",
                self.env._(
                    "Payments whose contact could not be set: %s. Each payment shows "
                    "the reason, and the next sync tries again.",
                    lacking,
                ),
            )

    # === ACTION METHODS === #

    def action_view_events(self):
        """The events that wait or have failed."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "kantivo_checkout_links.checkout_event_action"
        )
        return {
            **action,
            "domain": [("gateway_id", "=", self.id)],
            "context": {"search_default_pending": 1, "search_default_failed": 1},
        }

    def action_use_stripe_decimals(self):
        """Have this gateway's currencies rounded as Stripe counts them, and post what
        waits for that.

        :raise AccessError: if the user may not change currencies.
        """
        self.check_access("write")
        self.coarse_currency_ids.action_use_stripe_decimals()
        self.env["checkout.event"]._trigger_processing()
        return {"type": "ir.actions.client", "tag": "reload"}

    # === BUSINESS METHODS === #

    def _find_rate_problem(self):
        """What is wrong with the rate of what is posted today, if anything."""
        return self.post_entries and self.env["checkout.rate"]._find_problem(self)

    def _find_unknown_statuses(self):
        """Words of Stripe's that recent records have for a state."""
        since = fields.Datetime.now() - timedelta(days=UNKNOWN_DAYS)
        domain = [
            ("gateway_id", "=", self._origin.id),
            ("unknown_status", "!=", False),
            ("create_date", ">", since),
        ]
        words = set()
        for model in STATUS_MODELS:
            records_sudo = self.env[model].sudo()  # words only, not whose
            groups = records_sudo._read_group(domain, ["unknown_status"])
            words.update(word for (word,) in groups)
        return sorted(words)

    def _get_last_event_sudo(self):
        """The last event that Stripe itself delivered."""
        return (
            self.env["checkout.event"]
            .sudo()  # merchants see when, not what
            .search(
                [
                    ("gateway_id", "=", self._origin.id),
                    ("stripe_event_id", "not like", "sync:%"),
                ],
                order="received_at desc, id desc",
                limit=1,
            )
        )

    def _keep_health(self, endpoint_problem, found):
        """Keep what a sync found out about the webhook. As superuser.

        :param str endpoint_problem: As `_find_endpoint_problem` says it.
        :param int found: How many paid payments it found that no event had reported.
        """
        self.write(
            {
                "endpoint_problem": endpoint_problem,
                "recovered_last": found,
                "recovered_total": self.recovered_total + found,
            }
        )
        self._update_health_activity()

    @api.model
    def _for_each_with_key(self, work, what, gateways=None):
        """Do something for each gateway, or each of some, that can ask Stripe; one that
        fails says so on itself and stops no other.

        :param callable work: Takes the gateway.
        :param str what: For the log, what a gateway can't do if it fails.
        """
        for gateway in self._search_served([]) if gateways is None else gateways:
            if not gateway.secret_key or gateway._is_replaced():
                continue
            try:
                work(gateway)
            except Exception as error:
                reason = gateway._describe_any_failure(error)
                log_error(_logger, f"Gateway {gateway.id} can't {what}", error)
                _logger.warning("Gateway %s can't %s: %s", gateway.id, what, reason)
                gateway._note_sync_error(reason)
                if isinstance(error, StripeError) and error.reason == "auth":
                    gateway._note_refused_key(reason)

    def _describe_any_failure(self, error):
        if isinstance(error, StripeError):
            return self._describe_failure(error)
        return describe_error(self.env, error)

    def _note_sync_error(self, reason):
        """Show why Stripe couldn't be read, and notify the responsible user, in a
        transaction that sees what is now. Nothing may leave this method: other gateways
        come after this one.
        """
        self._note(lambda gateway: gateway._set_sync_error(reason))

    def _note_refused_key(self, reason):
        """Show that the connection is lost, likewise."""
        self._note(lambda gateway: gateway._set_key_refused(reason))

    def _note(self, work):
        try:
            self._work_exclusively(work)
        except Exception as error:
            _logger.warning("Gateway %s: %s", self.id, describe_error(self.env, error))

    def _set_sync_error(self, reason):
        self.sync_error = reason
        self._update_health_activity()

    def _do_aside(self, work, records=None):
        """Do what must never undo what was done for money: a reminder, a message. Why
        it failed stands in Health until something of the kind works again.

        Mails go out by Odoo's queue, soon.

        :param callable work: Takes the records; this gateway if there are none.
        """
        mail_queue_sudo = self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()
        mail_queue_sudo._trigger()  # crons are the administrator's
        _done, problem = do_aside(self if records is None else records, work)
        if (self.notice_problem or False) != problem:
            self.notice_problem = problem

    def _update_health_activity(self):
        """Notify the responsible user of a problem, once until it is fixed."""
        for gateway in self:
            activities = gateway._get_health_activities()
            if gateway.health_state != "bad" and activities:
                gateway._do_aside(
                    lambda activities: activities.action_feedback(
                        feedback=activities.env._("Resolved.")
                    ),
                    activities,
                )
            elif gateway.health_state == "bad" and not activities:
                gateway._do_aside(lambda gateway: gateway._schedule_health_activity())

    def _get_health_activities(self):
        activity_type = self.env.ref("kantivo_checkout_links.mail_activity_health")
        return self.activity_ids.filtered(lambda a: a.activity_type_id == activity_type)

    def _schedule_health_activity(self):
        self.activity_schedule(
            "kantivo_checkout_links.mail_activity_health",
            note=self.health_message,
            user_id=self._get_responsible().id,
        )

    def _get_payload_deadline(self):
        return fields.Datetime.now() - timedelta(days=self.payload_days)
