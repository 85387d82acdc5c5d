from odoo import api, fields, models
from odoo.tools.i18n import format_list

MOST_NAMES = 3


class CheckoutLinkConfirm(models.TransientModel):
    """What to know before links are deactivated or deleted.

    Two dialogs show it, one for each; the numbers are those of the moment.
    """

    _name = "checkout.link.confirm"
    _description = "Deactivate or Delete Checkout Links"

    link_ids = fields.Many2many("checkout.link", required=True)
    title = fields.Char(compute="_compute_numbers")
    payer_count = fields.Integer(
        compute="_compute_numbers", help="Customers on Stripe's page right now."
    )
    payment_count = fields.Integer(compute="_compute_numbers")
    can_deactivate = fields.Boolean(compute="_compute_numbers")

    @api.depends("link_ids")
    def _compute_numbers(self):
        for dialog in self:
            links = dialog.link_ids
            dialog.title = dialog._get_title()
            dialog.payer_count = links._count_payers()
            dialog.payment_count = sum(links.mapped("payment_count"))
            dialog.can_deactivate = "active" in links.mapped("state")

    def _get_title(self):
        names = self.link_ids.mapped("name")
        if len(names) <= MOST_NAMES:
            return format_list(self.env, names)
        return self.env._("%s links", len(names))

    def action_deactivate(self):
        """Deactivate the links and go back to where the dialog was opened."""
        self.link_ids.action_deactivate()
        return {"type": "ir.actions.act_window_close"}

    def action_delete(self):
        """Delete the links and show those that are left."""
        self.link_ids.unlink()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "kantivo_checkout_links.checkout_link_action"
        )
        return {**action, "target": "main"}
