from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import format_datetime, plaintext2html

from odoo.addons.base.models.ir_cron import _intervalTypes

from ...const import LATE_EVENT_SECONDS
from .checkout_gateway import GATEWAY_MANAGERS

# How long a transaction may wait to be posted, and how old a balance check may be.
LATE_POSTING = timedelta(hours=1)
LATE_CHECK = timedelta(days=1)
# How long a sync may continue that takes more than one run.
LONGEST_SYNC = timedelta(days=1)
# Who may change a gateway.
ACTING_GROUPS = (GATEWAY_MANAGERS, "base.group_system")


class CheckoutGateway(models.Model):
    """Whether what is scheduled runs. It is found out when someone looks, since what
    stands still says nothing.
    """

    _inherit = "checkout.gateway"

    # === BUSINESS METHODS - SILENCE === #

    def _get_problems(self):
        yield from super()._get_problems()
        if self._is_silence_strange():
            now = fields.Datetime.now()
            for sentence in (*self._find_stopped(now), *self._find_unreached(now)):
                yield "bad", sentence

    def _is_silence_strange(self):
        """Whether Stripe is to be heard of. What fails says so by itself."""
        is_served = bool(self._origin and self.secret_key)
        is_read = self.shared_account != "ask" and not self._is_replaced()
        return is_served and is_read and not self.sync_error

    def _find_stopped(self, now):
        """What scheduled actions should have done by now."""
        if since := self._find_late_event(now):
            yield self.env._(
                "Stripe events have been waiting since %(time)s. Check that the "
                "scheduled action “%(cron)s” runs.",
                **self._name_cron("process_events", since),
            )
        if (since := self._get_last_sync(now)) < self._get_sync_deadline(now):
            yield self.env._(
                "There has been no sync since %(time)s. Check that the scheduled "
                "action “%(cron)s” runs.",
                **self._name_cron("sync", since),
            )
        if self._is_check_late(now):
            yield self.env._(
                "The balance has not been checked since %(time)s. Check that the "
                "scheduled action “%(cron)s” runs.",
                **self._name_cron("agreement", self._get_last_check()),
            )

    def _find_unreached(self, now):
        """What waits for a person, or can't be reached by customers."""
        if since := self._find_late_transaction(now):
            yield self.env._(
                "Stripe transactions have been waiting to be posted since %s. Each "
                "shows the reason.",
                format_datetime(self.env, since),
            )
        if self.livemode and self._is_address_private():
            yield self.env._(
                "Your links start with %s, which customers can't open. Set the public "
                "URL of this Odoo server (System Parameters, web.base.url).",
                self.get_base_url(),
            )

    def _name_cron(self, name, since):
        return {
            "time": format_datetime(self.env, since),
            "cron": self._get_cron_sudo(name).cron_name,
        }

    def _find_late_event(self, now):
        """Since when the oldest event waits that is to be processed now; False if none
        waits for long.
        """
        due = now - timedelta(seconds=LATE_EVENT_SECONDS)
        domain = [("state", "=", "pending"), ("next_attempt_at", "<=", due)]
        return self._find_oldest("checkout.event", domain).next_attempt_at

    def _find_late_transaction(self, now):
        domain = [("state", "=", "to_post"), ("create_date", "<=", now - LATE_POSTING)]
        return self._find_oldest("checkout.movement", domain).create_date

    def _find_oldest(self, model, domain):
        records_sudo = self.env[model].sudo()  # since when, not what
        own = [("gateway_id", "=", self._origin.id), *domain]
        return records_sudo.search(own, order="id", limit=1)

    def _get_last_sync(self, now):
        """A new gateway has not been synced yet; a long sync goes on for a day."""
        if self.sync_started_at and self.sync_started_at > now - LONGEST_SYNC:
            return now
        return self.last_sync_at or self.create_date

    def _get_sync_deadline(self, now):
        """Before when a sync was two intervals ago."""
        cron_sudo = self._get_cron_sudo("sync")
        interval = _intervalTypes[cron_sudo.interval_type](cron_sudo.interval_number)
        return now - interval - interval

    def _get_last_check(self):
        return self.agreement_checked_at or self.create_date

    def _is_check_late(self, now):
        return self.post_entries and self._get_last_check() < now - LATE_CHECK

    def _is_address_private(self):
        """Whether customers can't open what links start with."""
        scheme, _separator, rest = self.get_base_url().partition("://")
        host = rest.partition("/")[0].partition(":")[0]
        return scheme != "https" or self._is_private(host)

    @api.model
    def _get_cron_sudo(self, name):
        return self.env.ref(f"kantivo_checkout_links.ir_cron_{name}").sudo()

    # === BUSINESS METHODS - WHO IS TO ACT === #

    def _get_responsible(self):
        """Whom to notify: the responsible user or, where that one has left or may not
        change the gateway, someone who may.
        """
        if self._may_act(self.user_id):
            return self.user_id
        return self._get_gateway_managers()[:1]

    def _may_act(self, user):
        in_company = user.active and self.company_id in user.company_ids
        return in_company and any(user.has_group(group) for group in ACTING_GROUPS)

    def _mail_problems(self):
        """Remind the responsible user, each day until nothing needs action."""
        if self.health_state == "bad":
            self._do_aside(lambda gateway: gateway._send_problems())

    def _send_problems(self):
        self.message_notify(
            partner_ids=self._get_responsible().partner_id.ids,
            subject=self.env._("Stripe gateway “%s”: action required", self.name),
            body=plaintext2html(self.health_message),
        )
