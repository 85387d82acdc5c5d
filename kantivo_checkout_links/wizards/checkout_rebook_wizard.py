from odoo import api, fields, models


class CheckoutRebookWizard(models.TransientModel):
    """Which account and taxes a movement should have been booked with.

    Nothing is read as superuser here: a program may name a movement of any company.
    """

    _name = "checkout.rebook.wizard"
    _description = "Re-Book a Stripe Movement"
    _check_company_auto = True

    movement_id = fields.Many2one("checkout.movement", required=True, readonly=True)
    company_id = fields.Many2one(related="movement_id.company_id", related_sudo=False)
    currency_id = fields.Many2one(related="movement_id.currency_id", related_sudo=False)
    amount = fields.Monetary(related="movement_id.amount", related_sudo=False)
    kind = fields.Selection(related="movement_id.kind", related_sudo=False)
    booked_on = fields.Char(compute="_compute_booked_on")
    account_id = fields.Many2one(
        "account.account", "New Account", required=True, check_company=True
    )
    tax_ids = fields.Many2many("account.tax", string="Taxes in It", check_company=True)

    @api.depends("movement_id")
    def _compute_booked_on(self):
        for wizard in self:
            accounts = wizard.movement_id._get_booked_lines().account_id
            wizard.booked_on = ", ".join(accounts.mapped("display_name"))

    def action_rebook(self):
        """Make the general entry that books the movement as chosen, and show it."""
        self.ensure_one()
        move = self.movement_id.action_rebook(self.account_id, self.tax_ids)
        return move._get_records_action(name=self.env._("Journal Entry"))
