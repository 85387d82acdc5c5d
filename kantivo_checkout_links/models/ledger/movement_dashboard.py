from odoo import api, fields, models

from ...kinds import KINDS
from ...utils import get_dashboard_url


class CheckoutMovement(models.Model):
    """Where a movement's list leads to at Stripe."""

    _inherit = "checkout.movement"

    stripe_url = fields.Char("Stripe URL", compute="_compute_stripe_url")

    @api.depends("kind", "stripe_source_id", "payment_id", "gateway_id.livemode")
    def _compute_stripe_url(self):
        for movement in self:
            movement.stripe_url = movement.payment_id.stripe_url or get_dashboard_url(
                movement._get_stripe_path(), movement.gateway_id.livemode
            )

    def _get_stripe_path(self):
        return KINDS[self.kind].dashboard.format(self.stripe_source_id)
