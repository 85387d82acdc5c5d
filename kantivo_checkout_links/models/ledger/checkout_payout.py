from datetime import timedelta

from odoo import api, fields, models
from odoo.tools.misc import format_date

from ...const import EVENT_DAYS, PAYOUT_STATES, UNKNOWN, UNKNOWN_STATE
from ...kinds import PAYOUT_KINDS
from ...monetary import StripeMonetary
from ...money import from_minor
from ...texts import to_line
from ...utils import get_dashboard_url, to_datetime

UNFINISHED_STATES = ("pending", "in_transit", UNKNOWN)


class CheckoutPayout(models.Model):
    """Money that Stripe sends to the merchant's bank, and what it is made of."""

    _name = "checkout.payout"
    _inherit = "checkout.stripe.object"
    _description = "Stripe Payout"
    _order = "arrival_date desc, id desc"
    _rec_name = "stripe_id"
    _check_company_auto = True

    gateway_id = fields.Many2one(
        "checkout.gateway",
        required=True,
        index=True,
        ondelete="restrict",
        readonly=True,
    )
    company_id = fields.Many2one(
        related="gateway_id.company_id", store=True, index=True
    )
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    amount = StripeMonetary(readonly=True, help="The amount that arrives at your bank.")
    state = fields.Selection(
        [*PAYOUT_STATES, UNKNOWN_STATE], required=True, readonly=True
    )
    stripe_id = fields.Char("Stripe Payout", required=True, readonly=True)
    created_at = fields.Datetime("Sent", readonly=True)
    arrival_date = fields.Date(readonly=True)
    trace_id = fields.Char(
        "Trace ID",
        readonly=True,
        help="The reference that your bank can use to trace the transfer.",
    )
    failure_message = fields.Char("Failure Reason", readonly=True)
    is_automatic = fields.Boolean("Automatic", readonly=True)
    is_reconciled = fields.Boolean(
        "Reconciled",
        readonly=True,
        help="Stripe has listed the transactions of the payout.",
    )
    is_complete = fields.Boolean(
        readonly=True, help="All transactions of the payout are listed here."
    )
    transaction_ids = fields.Json(readonly=True)
    movement_ids = fields.One2many("checkout.movement", "payout_id", "Transactions")
    third_party_amount = StripeMonetary("Third-Party Amount", compute="_compute_items")
    missing_amount = StripeMonetary(
        "Unlisted Amount",
        compute="_compute_items",
        help="Money from before the first sync or of a manual payout.",
    )
    move_ids = fields.Many2many(
        "account.move", string="Journal Entries", compute="_compute_move_ids"
    )
    stripe_url = fields.Char("Stripe URL", compute="_compute_stripe_url")

    _stripe_uniq = models.Constraint(
        "UNIQUE (gateway_id, stripe_id)", "This payout already exists."
    )
    _incomplete_idx = models.Index(
        "(gateway_id) WHERE is_reconciled AND is_complete IS NOT TRUE"
    )

    # === COMPUTE METHODS === #

    @api.depends("amount", "arrival_date")
    @api.depends_context("lang")
    def _compute_display_name(self):
        for payout in self:
            amount = payout.currency_id.format(payout.amount)
            day = format_date(self.env, payout.arrival_date)
            payout.display_name = f"{amount} · {day}"

    @api.depends("stripe_id", "gateway_id.livemode")
    def _compute_stripe_url(self):
        for payout in self:
            payout.stripe_url = get_dashboard_url(
                f"payouts/{payout.stripe_id}", payout.gateway_id.livemode
            )

    @api.depends("movement_ids.amount", "movement_ids.is_third_party", "amount")
    def _compute_items(self):
        """How much of a payout third-party transactions and none of those known here
        make up.
        """
        groups = self.env["checkout.movement"]._read_group(
            [("payout_id", "in", self.ids)],
            ["payout_id", "is_third_party"],
            ["amount:sum"],
        )
        sums = {
            (payout, is_third_party): total for payout, is_third_party, total in groups
        }
        for payout in self:
            third_party = sums.get((payout._origin, True), 0)
            payout.third_party_amount = third_party
            listed = third_party + sums.get((payout._origin, False), 0)
            payout.missing_amount = payout.amount - listed

    def _compute_move_ids(self):
        for payout in self:
            payout.move_ids = payout._get_own_movements().move_id

    # === ACTION METHODS === #

    def action_view_moves(self):
        """The entries of the payout itself."""
        return self.move_ids._get_records_action(name=self.env._("Journal Entries"))

    # === BUSINESS METHODS === #

    @api.model
    def _apply_payout(self, gateway, payout: dict):
        """Bring a payout to what it is at Stripe now.

        :param checkout.gateway gateway: The gateway of the payout's currency.
        :param dict payout: A payout with expanded balance transactions, and with
            `transaction_ids` once Stripe has itemized it.
        """
        vals = self._prepare_payout_vals(payout)
        row = self.search(
            [("gateway_id", "=", gateway.id), ("stripe_id", "=", payout["id"])]
        )
        row = row or self.create({**vals, "gateway_id": gateway.id})
        no_payment = self.env["checkout.payment"]
        row._write_changes(vals)
        self.env["checkout.movement"]._ensure_transactions(gateway, payout, no_payment)
        row._pass_on_trace()
        row._itemize()

    @api.model
    def _prepare_payout_vals(self, payout: dict):
        """A payout's fields, by Stripe's `payout` object."""
        payments = self.env["checkout.payment"]
        currency = payments._get_currency(payout["currency"])
        vals = {
            "stripe_id": payout["id"],
            **self._prepare_state_vals(payout["status"], PAYOUT_STATES),
            "currency_id": currency.id,
            "amount": from_minor(payout["amount"], currency.name),
            "created_at": to_datetime(payout["created"]),
            "arrival_date": to_datetime(payout["arrival_date"]).date(),
            "trace_id": self._get_trace_id(payout),
            "failure_message": to_line(payout["failure_message"]),
            "is_automatic": payout["automatic"],
            "is_reconciled": payout["reconciliation_status"] == "completed",
        }
        if "transaction_ids" in payout:
            vals["transaction_ids"] = payout["transaction_ids"]
        return vals

    @api.model
    def _get_trace_id(self, source: dict | None):
        """:param dict source: Any object of Stripe's, or nothing."""
        return to_line(((source or {}).get("trace_id") or {}).get("value"))

    def _pass_on_trace(self):
        """Stripe says it days later: it is of the entries that went before, too."""
        movements = self._get_own_movements()
        movements.filtered(
            lambda m: m.trace_id != self.trace_id
        ).trace_id = self.trace_id

    def _itemize(self):
        """Mark the movements that these payouts brought to the bank."""
        for payout in self.filtered("transaction_ids"):
            movements = self.env["checkout.movement"].search(
                [
                    ("balance_transaction_id", "in", payout.transaction_ids),
                    ("payout_id", "=", False),
                ]
            )
            (movements - payout._get_own_movements()).payout_id = payout
            lacks_some = payout.missing_amount or payout._get_missing_ids()
            payout.is_complete = not lacks_some

    def _get_missing_ids(self):
        """The balance transactions in the payout that aren't known here. Amounts don't
        decide: a refund and its failure add up to zero.
        """
        known = self.movement_ids.mapped("balance_transaction_id")
        return set(self.transaction_ids or []) - set(known)

    def _get_own_movements(self):
        """The movements that are the payout, or its coming back; not what is in it."""
        return self.env["checkout.movement"].search(
            [
                ("gateway_id", "in", self.gateway_id.ids),
                ("stripe_source_id", "in", self.mapped("stripe_id")),
                ("kind", "in", (*PAYOUT_KINDS, "fee")),
            ]
        )

    @api.model
    def _itemize_waiting(self, gateway):
        """Movements may become known after the payout that they are in, for as long as
        Stripe lists them.
        """
        since = fields.Datetime.now() - timedelta(days=EVENT_DAYS)
        self.search(
            [
                ("gateway_id", "=", gateway.id),
                ("is_reconciled", "=", True),
                ("is_complete", "!=", True),
                ("create_date", ">", since),
            ]
        )._itemize()

    @api.model
    def _get_unfinished(self, gateway):
        """The payouts of a gateway that Stripe should be asked about again."""
        domain = fields.Domain("state", "in", UNFINISHED_STATES) | (
            fields.Domain("is_automatic", "=", True)
            & fields.Domain("is_reconciled", "=", False)
        )
        return self.search(domain & fields.Domain("gateway_id", "=", gateway.id))
