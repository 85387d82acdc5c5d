from odoo import api, fields, models

from ...monetary import StripeMonetary


class CheckoutMoneyBack(models.AbstractModel):
    """What refunds and disputes have in common: money of a payment that goes back."""

    _name = "checkout.money.back"
    _inherit = "checkout.stripe.object"
    _description = "Money of a Payment That Goes Back"

    payment_id = fields.Many2one(
        "checkout.payment",
        required=True,
        index=True,
        ondelete="restrict",
        readonly=True,
    )
    gateway_id = fields.Many2one(
        related="payment_id.gateway_id", store=True, index=True
    )
    company_id = fields.Many2one(
        related="payment_id.company_id", store=True, index=True
    )
    link_name = fields.Char("Link", related="payment_id.link_name")
    customer_name = fields.Char(related="payment_id.customer_name")
    currency_id = fields.Many2one("res.currency")
    amount = StripeMonetary(readonly=True)
    stripe_url = fields.Char(related="payment_id.stripe_url")

    # === COMPUTE METHODS === #

    @api.depends("payment_id", "amount")
    def _compute_display_name(self):
        for record in self:
            amount = record.currency_id.format(record.amount)
            record.display_name = f"{record.payment_id.name} · {amount}"
