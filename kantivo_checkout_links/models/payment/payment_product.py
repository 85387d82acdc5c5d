from odoo import fields, models


class CheckoutPayment(models.Model):
    """What was paid for, as it was when the payment was made."""

    _inherit = "checkout.payment"

    product_id = fields.Many2one(
        "product.product", readonly=True, index="btree_not_null", ondelete="restrict"
    )
