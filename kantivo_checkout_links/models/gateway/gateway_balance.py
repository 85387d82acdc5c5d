import logging
from collections.abc import Iterator
from datetime import timezone
from zoneinfo import ZoneInfo

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools.misc import format_datetime

from ...const import PAYMENTS_BALANCE
from ...monetary import StripeMonetary
from ...stripe_client import StripeError
from ...utils import to_datetime
from ..checkout_base import WITH_ARCHIVED

_logger = logging.getLogger(__name__)

ALARM = "kantivo_checkout_links.mail_activity_agreement"
# What a gateway keeps of what it reads, as it is before anything was read.
SYNC_DEFAULTS = {
    "last_sync_at": False,
    "sync_error": False,
    "sync_note": False,
    "sync_started_at": False,
    "sync_progress": False,
    "opening_done": False,
    "transactions_read_to": False,
    "events_read_to": False,
    "settlement_codes": False,
    "closed_until": False,
    "closed_balance": 0,
    "revalued_until": False,
    "revaluation_error": False,
    "agreement_state": "grey",
    "agreement_checked_at": False,
    "agreement_stripe_balance": 0,
    "agreement_journal_balance": 0,
    "agreement_in_transit": 0,
    "agreement_waiting": 0,
    "agreement_left_out": 0,
    "agreement_difference": 0,
    "reread_difference": 0,
    "endpoint_problem": False,
    "recovered_last": 0,
    "recovered_total": 0,
}


class CheckoutGateway(models.Model):
    """What the ledger needs to know of a gateway."""

    _inherit = "checkout.gateway"

    opening_done = fields.Boolean(readonly=True, copy=False)
    transactions_read_to = fields.Datetime(
        "Transactions Synced Until",
        readonly=True,
        copy=False,
        help="Stripe transactions up to this time are synced.",
    )
    events_read_to = fields.Datetime(
        "Events Synced Until",
        readonly=True,
        copy=False,
        help="The time of the newest synced event.",
    )
    settlement_codes = fields.Char(
        "Stripe Settles In",
        readonly=True,
        copy=False,
        help="The currencies of the account's balances, as last reported by Stripe.",
    )
    sync_note = fields.Char("Last Sync Found", readonly=True, copy=False)
    sync_started_at = fields.Datetime("Syncing Since", readonly=True, copy=False)
    sync_progress = fields.Json(
        readonly=True,
        copy=False,
        groups=fields.NO_ACCESS,
        help="How far a sync has come that takes more than one run.",
    )
    sync_status = fields.Char(
        "Sync in Progress", compute="_compute_sync_status", compute_sudo=True
    )
    closed_until = fields.Date(
        readonly=True, copy=False, help="The end of the last monthly statement."
    )
    closed_balance = StripeMonetary(
        readonly=True,
        copy=False,
        help="The ledger balance on that day, as last calculated.",
    )

    account_gateway_ids = fields.Many2many(
        "checkout.gateway",
        compute="_compute_account_gateway_ids",
        compute_sudo=True,
        context=WITH_ARCHIVED,
        groups=fields.NO_ACCESS,
    )

    company_currency_id = fields.Many2one(related="company_id.currency_id")
    revalue_month_end = fields.Boolean(
        "Revalue at Month End",
        compute="_compute_revalue_month_end",
        store=True,
        readonly=False,
        copy=False,
        help=(
            "At the end of each month, one entry on the exchange accounts revalues the "
            "journal's account at the rate of the last day. Turn this off if you "
            "revalue it yourself."
        ),
    )
    revalued_until = fields.Date(
        compute="_compute_revalued_until",
        store=True,
        copy=False,
        help=(
            "Months up to this date have been revalued, or ended before revaluation "
            "was turned on."
        ),
    )
    revaluation_error = fields.Char(readonly=True, copy=False)

    agreement_state = fields.Selection(
        [
            ("green", "Matches Stripe"),
            ("amber", "Matches, with open items"),
            ("red", "Does not match Stripe"),
            ("grey", "Not compared"),
        ],
        "Balance Check",
        default="grey",
        readonly=True,
        copy=False,
    )
    agreement_checked_at = fields.Datetime("Last Checked", readonly=True, copy=False)
    agreement_stripe_balance = StripeMonetary(
        "Balance at Stripe", readonly=True, copy=False
    )
    agreement_journal_balance = StripeMonetary(
        "Balance of the Journal", readonly=True, copy=False
    )
    agreement_in_transit = StripeMonetary(
        "Posted, Not at Stripe Yet", readonly=True, copy=False
    )
    agreement_waiting = StripeMonetary(
        "At Stripe, Not Posted Yet", readonly=True, copy=False
    )
    agreement_left_out = StripeMonetary("Ignored", readonly=True, copy=False)
    agreement_difference = StripeMonetary("Unexplained", readonly=True, copy=False)
    reread_difference = StripeMonetary(
        readonly=True,
        copy=False,
        help="The difference that remained after a complete sync.",
    )

    # === COMPUTE METHODS === #

    @api.depends("stripe_account_id", "livemode", "company_id")
    def _compute_account_gateway_ids(self):
        """Looked up once in a transaction: each payment asks several times."""
        for gateway in self:
            gateway.account_gateway_ids = gateway._origin | gateway._find_siblings()

    def _find_siblings(self):
        if not self.stripe_account_id:
            return self.browse()
        return self._search_served(
            [
                ("stripe_account_id", "=", self.stripe_account_id),
                ("livemode", "=", self.livemode),
                ("company_id", "=", self.company_id.id),
            ]
        )

    # === CRUD METHODS === #

    @api.model_create_multi
    def create(self, vals_list):
        """One more for an account is a sibling of the others."""
        gateways = super().create(vals_list)
        self.invalidate_model(["account_gateway_ids"])
        return gateways

    def write(self, vals):
        """One that is now for another account, likewise."""
        res = super().write(vals)
        if vals.keys() & {"secret_key", "stripe_account_id", "company_id"}:
            self.invalidate_model(["account_gateway_ids"])
        return res

    @api.depends("currency_id", "company_id.currency_id")
    def _compute_revalue_month_end(self):
        for gateway in self:
            gateway.revalue_month_end = (
                gateway.currency_id != gateway.company_id.currency_id
            )

    @api.depends("revalue_month_end")
    def _compute_revalued_until(self):
        """Once switched on, it starts with the next statement."""
        for gateway in self:
            gateway.revalued_until = gateway.closed_until

    @api.depends("sync_started_at", "sync_progress")
    @api.depends_context("lang", "tz")
    def _compute_sync_status(self):
        for gateway in self:
            gateway.sync_status = (
                gateway._describe_progress() if gateway.sync_started_at else False
            )

    # === BUSINESS METHODS === #

    def _describe_progress(self):
        """What has been read of how much, and since when."""
        progress = self.sync_progress or {}
        return self.env._(
            "%(done)s of about %(total)s read since %(since)s.",
            done=progress.get("done", 0),
            total=progress.get("total", 0),
            since=format_datetime(self.env, self.sync_started_at),
        )

    def _prepare_card(self):
        """What the journal's card says of the balance, unless that is out of date, and
        whether the gateway needs someone.
        """
        state, text = self.agreement_state, self._describe_agreement()
        if self.sync_error:
            state, text = "amber", self.env._("Last sync failed")
        elif self._is_check_late(fields.Datetime.now()):
            state, text = "grey", self.env._("Not checked lately")
        return {
            "checkout_agreement": state,
            "checkout_agreement_text": text,
            "checkout_health": self.health_state == "bad",
        }

    def _describe_agreement(self):
        states = dict(self._fields["agreement_state"]._description_selection(self.env))
        return states[self.agreement_state]

    def _update_alarm(self):
        """Notify the responsible user of a difference, once until it is gone."""
        if self.agreement_state == "red":
            self.activity_schedule(
                ALARM,
                note=self._describe_difference(),
                user_id=self._get_responsible().id,
            )
        else:
            self.activity_feedback([ALARM], feedback=self._describe_agreement())

    def _describe_difference(self):
        return self.env._(
            "A difference of %s can't be explained. Open the gateway and click Show "
            "Difference.",
            self.currency_id._format_exact(self.agreement_difference),
        )

    def _get_local_date(self, moment):
        """The day of a moment, where the merchant is."""
        moment = moment.replace(tzinfo=timezone.utc)
        return moment.astimezone(ZoneInfo(self.tz)).date()

    def _start_over(self):
        """Forget what was read of one account, since another one's key comes. Nothing
        of it is paid or posted here. As superuser.

        What another account held until now is its opening balance.

        :raise UserError: if the old account is being read at this moment.
        """
        self._take_lock(self.env.cr)  # or a sync would go on with the old key
        for model in ("checkout.movement", "checkout.payout", "checkout.event"):
            self.env[model].search([("gateway_id", "=", self.id)]).unlink()
        has_read = self.transactions_read_to
        self.write({**SYNC_DEFAULTS, "signing_key": self._new_signing_key()})
        if has_read:
            self.sync_from = max(self.sync_from, fields.Datetime.now())
        self._update_alarm()
        if self._get_health_activities():  # none is made while it is created
            self._update_health_activity()

    def _get_account_gateways(self):
        """The company's gateways of the same account and mode, this one first, with
        archived ones: a currency's money goes to its gateway, whether in use or not.
        """
        self.ensure_one()
        return self | self.sudo().account_gateway_ids.with_env(self.env)

    def _is_replaced(self):
        """Whether this gateway is archived and another one posts the same balance now,
        as far as keys and accounts show.
        """
        self_sudo = self.sudo()  # the key is out of reach
        same = Domain("secret_key_value", "=", self_sudo.secret_key_value)
        if self.stripe_account_id:
            same |= Domain("stripe_account_id", "=", self.stripe_account_id)
        balance = [
            ("currency_id", "=", self.currency_id.id),
            ("livemode", "=", self.livemode),
        ]
        others = same & Domain(balance)
        return not self.active and bool(self_sudo.search_count(others, limit=1))

    def _get_gateway_for(self, currency):
        """The gateway whose journal takes what settles in a currency.

        This one if there is none: the movement then waits there, and says so.
        """
        if currency == self.currency_id:
            return self
        return (
            self._get_account_gateways()
            .filtered(lambda g: g.currency_id == currency)
            .sorted("active", reverse=True)[:1]
            or self
        )

    def _take_over_waiting(self):
        """Take over what waits at the account's other gateways for this one's journal,
        since this one was added later.
        """
        siblings = self._get_account_gateways() - self
        waiting = self.env["checkout.movement"].search(
            [
                ("gateway_id", "in", siblings.ids),
                ("currency_id", "=", self.currency_id.id),
                ("state", "=", "to_post"),
            ]
        )
        waiting.filtered(
            lambda movement: movement.gateway_id.currency_id != self.currency_id
        ).gateway_id = self

    def _is_revalued(self):
        """Whether the journal's account is revalued at each month's end."""
        is_cross_currency = self.currency_id != self.company_id.currency_id
        return is_cross_currency and self.revalue_month_end

    def _is_before(self, transaction: dict):
        """Whether a balance transaction is part of the opening balance."""
        return to_datetime(transaction["created"]) < self.sync_from

    def _read_balance(self, client) -> int:
        """Stripe's balance in the journal's currency, in minor units, all of it. What
        it says about settlement currencies is kept.
        """
        balance = client.retrieve_balance()
        self._set_settlement(balance)
        code = self.currency_id.name.lower()
        rows = [*balance["available"], *balance["pending"]]
        return sum(row["amount"] for row in rows if row["currency"] == code)

    def _set_read_to(self, moment, progress: dict):
        """Stripe's balance transactions until then are taken. As superuser."""
        self.transactions_read_to = moment
        self._keep_progress(progress)

    def _keep_progress(self, progress: dict):
        """Keep how far a sync has come; not of readings that are no sync."""
        if "stage" in progress:
            self._set_progress(progress)

    def _set_progress(self, progress: dict):
        """Keep how far a sync has come; nothing once it is over. As superuser."""
        self.sync_progress = progress or False
        if not progress:
            self.sync_started_at = False

    def _iter_transactions(self, client, created) -> Iterator[dict]:
        """The balance transactions in the journal's currency, newest first, page by
        page.

        Not those of other balances of the account, such as that of cards it issues; one
        of none is taken for this one's.

        :param dict created: Stripe's filter, such as ``{"gte": timestamp}``.
        """
        rows = client.iter_balance_transactions(
            currency=self.currency_id.name.lower(), created=created
        )
        return (row for row in rows if row["balance_type"] in (PAYMENTS_BALANCE, None))

    def _set_settlement(self, balance: dict):
        """Keep in which currencies the account settles, as its balance shows them.

        :param dict balance: Stripe's `balance` object.
        :return: Their codes, such as ``["EUR", "USD"]``.
        """
        rows = [*balance["available"], *balance["pending"]]
        codes = sorted({row["currency"].upper() for row in rows})
        if self.settlement_codes != " ".join(codes):
            self.settlement_codes = " ".join(codes)
        return codes

    def _ensure_settlement(self):
        """Have Stripe say what the account settles in, before anything is posted."""
        if self.settlement_codes:
            return
        try:
            self._set_settlement(self._get_client().retrieve_balance())
        except StripeError as error:
            _logger.info("Gateway %s: no balance yet: %s", self.id, error)

    def _settles(self, currency):
        """Whether a charge in a currency is worth its face in the journal.

        While that isn't known, no charge is: its balance transaction will say.
        """
        codes = (self.settlement_codes or "").split()
        return currency == self.currency_id and currency.name in codes
