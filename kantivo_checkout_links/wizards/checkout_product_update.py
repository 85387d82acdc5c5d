from odoo import fields, models
from odoo.exceptions import UserError

from ..models.payment.link_product import COPIED


class CheckoutProductUpdate(models.TransientModel):
    """What would change on a link if its product were copied once more."""

    _name = "checkout.product.update"
    _description = "Update a Link from Its Product"

    link_id = fields.Many2one("checkout.link", required=True, readonly=True)
    line_ids = fields.One2many("checkout.product.update.line", "wizard_id")

    # === ACTION METHODS === #

    def action_update(self):
        """Copy what is checked.

        :raise UserError: if the product isn't as it was shown.
        """
        self.ensure_one()
        changes = self.link_id._get_product_changes()
        for line in self.line_ids:
            if changes.get(line.name) != (line.before or "", line.after or ""):
                raise UserError(
                    self.env._(
                        "The product or the link has changed meanwhile. Close this "
                        "dialog and click Update from Product again."
                    )
                )
        chosen = self.line_ids.filtered("is_chosen")
        self.link_id._update_from_product(chosen.mapped("name"))


class CheckoutProductUpdateLine(models.TransientModel):
    """A field of a link that a product has another value for."""

    _name = "checkout.product.update.line"
    _description = "Value That a Product Has for Its Link"

    wizard_id = fields.Many2one(
        "checkout.product.update", required=True, readonly=True, ondelete="cascade"
    )
    name = fields.Selection(
        selection="_select_name", string="Field", required=True, readonly=True
    )
    before = fields.Text("Now", readonly=True)
    after = fields.Text("From Product", readonly=True)
    is_chosen = fields.Boolean("Update", default=True)

    def _select_name(self):
        link_fields = self.env["checkout.link"]._fields
        return [
            (name, link_fields[name]._description_string(self.env)) for name in COPIED
        ]
