from odoo import api, fields, models

from ...utils import get_dashboard_url
from ..checkout_base import WITH_ARCHIVED
from ..ledger.entry import filter_base


class CheckoutPayment(models.Model):
    """What a payment's screens show besides: its place at Stripe and in the ledger."""

    _inherit = "checkout.payment"

    stripe_url = fields.Char("Stripe URL", compute="_compute_stripe_url")
    move_count = fields.Integer(compute="_compute_moves")
    move_line_ids = fields.Many2many(
        "account.move.line",
        string="Journal Items",
        compute="_compute_moves",
        help="Also visible to users who can't see the items of journal entries.",
    )
    posted_account_id = fields.Many2one("account.account", compute="_compute_posted")
    posted_tax_ids = fields.Many2many(
        "account.tax",
        string="Posted Taxes",
        context=WITH_ARCHIVED,
        compute="_compute_posted",
        help="As mapped by the fiscal position, or as reclassified later.",
    )

    @api.depends("stripe_payment_intent_id", "stripe_charge_id", "livemode")
    def _compute_stripe_url(self):
        for payment in self:
            stripe_id = payment.stripe_payment_intent_id or payment.stripe_charge_id
            payment.stripe_url = bool(stripe_id) and get_dashboard_url(
                f"payments/{stripe_id}", payment.livemode
            )

    @api.depends("movement_ids.move_id", "movement_ids.reclassified_line_ids")
    def _compute_posted(self):
        for payment in self:
            base = filter_base(payment._get_sale_lines())
            payment.posted_account_id = base.account_id
            payment.posted_tax_ids = base.tax_ids

    @api.depends("move_ids")
    def _compute_moves(self):
        for payment in self:
            payment.move_count = len(payment.move_ids)
            payment.move_line_ids = payment.move_ids.line_ids
