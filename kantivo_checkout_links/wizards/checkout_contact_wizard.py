from odoo import api, fields, models


class CheckoutContactWizard(models.TransientModel):
    """Which contact the payer of a payment is.

    Nothing is read as superuser here: a program may name a payment of any company.
    """

    _name = "checkout.contact.wizard"
    _description = "Contact of a Checkout Payment"
    _check_company_auto = True

    payment_id = fields.Many2one("checkout.payment", required=True, readonly=True)
    company_id = fields.Many2one(related="payment_id.company_id", related_sudo=False)
    customer_name = fields.Char(related="payment_id.customer_name", related_sudo=False)
    customer_email = fields.Char(
        related="payment_id.customer_email", related_sudo=False
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Contact",
        required=True,
        check_company=True,
        compute="_compute_partner_id",
        store=True,
        readonly=False,
        precompute=True,
    )

    @api.depends("payment_id")
    def _compute_partner_id(self):
        for wizard in self:
            wizard.partner_id = wizard.payment_id._propose_contact()

    def action_set_contact(self):
        """Keep the contact with the payment and its journal items."""
        self.ensure_one()
        self.payment_id.action_set_contact(self.partner_id)
        return {"type": "ir.actions.act_window_close"}
