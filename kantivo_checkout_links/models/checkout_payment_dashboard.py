from odoo import api, fields, models

# https://docs.stripe.com/dashboard/basics: what is in test mode lies below /test.
DASHBOARD = "https://dashboard.stripe.com"


class CheckoutPayment(models.Model):
    """Where Stripe's own dashboard shows a payment."""

    _inherit = "checkout.payment"

    stripe_url = fields.Char("At Stripe", compute="_compute_stripe_url")

    @api.depends("stripe_payment_intent_id", "stripe_charge_id", "livemode")
    def _compute_stripe_url(self):
        for payment in self:
            stripe_id = payment.stripe_payment_intent_id or payment.stripe_charge_id
            mode = "" if payment.livemode else "/test"
            payment.stripe_url = (
                f"{DASHBOARD}{mode}/payments/{stripe_id}" if stripe_id else False
            )
