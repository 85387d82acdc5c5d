from datetime import timedelta

from odoo import api, fields, models

from ...const import CHECKOUT_DAYS, EVENT_DAYS, PURGE_BATCH


class CheckoutGateway(models.Model):
    """How long checkouts are kept that no one paid."""

    _inherit = "checkout.gateway"

    checkout_days = fields.Integer(
        "Expired Checkout Retention (Days)",
        default=CHECKOUT_DAYS,
        help=(
            "Checkouts that expired without a payment are deleted after this time. "
            "Stripe's events are older then: 31 days at least. 0 = keep forever"
        ),
    )

    def _get_checkout_deadline(self):
        """Before which expired checkouts are deleted. Within Stripe's memory a sync
        would bring them back.
        """
        days = max(self.checkout_days, EVENT_DAYS + 1)
        return fields.Datetime.now() - timedelta(days=days)


class CheckoutPayment(models.Model):
    """Deletes checkouts that expired long ago without any money."""

    _inherit = "checkout.payment"

    _expired_idx = models.Index(
        "(gateway_id, create_date) WHERE state = 'expired' AND paid_at IS NULL"
    )

    # === BUSINESS METHODS - PRUNING === #

    @api.autovacuum
    def _gc_expired(self):
        kept = [("checkout_days", ">", 0)]
        for gateway in self.env["checkout.gateway"]._search_served(kept):
            expired = self.search(
                [
                    ("gateway_id", "=", gateway.id),
                    ("state", "=", "expired"),
                    ("paid_at", "=", False),
                    ("stripe_charge_id", "=", False),
                    ("create_date", "<", gateway._get_checkout_deadline()),
                ],
                limit=PURGE_BATCH,
            )
            expired.filtered(lambda payment: not payment.movement_ids).unlink()
