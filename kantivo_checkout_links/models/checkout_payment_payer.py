from odoo import models
from odoo.exceptions import UserError

from .checkout_entry import FEE_KINDS


class CheckoutPayment(models.Model):
    """Who paid, found later than the money."""

    _inherit = "checkout.payment"

    # === ACTION METHODS === #

    def action_view_contact_wizard(self):
        """Ask which contact the payer is."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Contact of the Payer"),
            "res_model": "checkout.contact.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_payment_id": self.id, "dialog_size": "medium"},
        }

    def action_set_contact(self, partner):
        """Say who paid, here and on the journal items; book what waited for it.

        :param res.partner partner: A contact that this payment's company may use.
        :raise UserError: if it is another company's, or the items are locked.
        """
        self.ensure_one()
        self.check_access("read")
        self.env["checkout.link"].check_access("write")  # merchants, not who only reads
        partner.check_access("read")
        if partner.company_id and partner.company_id not in self.company_id.parent_ids:
            raise UserError(
                self.env._("%s is a contact of another company.", partner.display_name)
            )
        self.gateway_id.sudo()._work_exclusively(  # posting needs it
            lambda gateway: self.with_env(gateway.env)._set_contact(
                partner.with_env(gateway.env)
            )
        )
        self.invalidate_recordset()

    # === BUSINESS METHODS === #

    def _set_contact(self, partner):
        self.partner_id = partner
        movements = self.movement_ids.filtered(lambda m: m.kind not in FEE_KINDS)
        lines = movements.move_id.line_ids | movements.rebooked_line_ids
        owed = lines.filtered(lambda line: line.account_type == "asset_receivable")
        owed.write({"partner_id": partner.commercial_partner_id.id})
        (lines - owed).write({"partner_id": partner.id})
        # The entry itself has the item it needs: nothing is to be made of this.
        movements.statement_line_id.with_context(
            skip_account_move_synchronization=True
        ).write({"partner_id": partner.id})
        self.env["checkout.poster"]._post_waiting(self.gateway_id)
