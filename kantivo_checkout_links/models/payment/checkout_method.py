from odoo import fields, models


class CheckoutMethod(models.Model):
    """A payment method of Stripe's, to be named by merchants."""

    _name = "checkout.method"
    _description = "Stripe Payment Method"
    _order = "name"

    name = fields.Char(required=True)
    code = fields.Char(required=True, help="Stripe's type.")

    _code_uniq = models.Constraint("UNIQUE (code)", "This method already exists.")
