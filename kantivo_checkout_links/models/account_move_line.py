from odoo import api, models

# What an item books. Reconciling, analytics and texts stay free.
PROTECTED_FIELDS = frozenset(
    "account_id amount_currency balance company_id credit currency_id date debit "
    "move_id tax_ids tax_line_id tax_repartition_line_id tax_tag_ids".split()
)


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    def write(self, vals):
        """Override of `account`: items of a Stripe movement keep what they book."""
        if vals.keys() & PROTECTED_FIELDS:
            self.move_id._check_no_checkout_movement()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_checkout(self):
        self.move_id._check_no_checkout_movement()
