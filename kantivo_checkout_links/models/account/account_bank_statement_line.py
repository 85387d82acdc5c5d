from odoo import models

# What says how much moved, where and for whom: the liquidity side of the entry.
PROTECTED_FIELDS = frozenset(
    "amount amount_currency currency_id date foreign_currency_id journal_id line_ids "
    "move_id payment_ref".split()
)


class AccountBankStatementLine(models.Model):
    _inherit = "account.bank.statement.line"

    def write(self, vals):
        """Override of `account`: the line of a Stripe transaction stays as it is."""
        if vals.keys() & PROTECTED_FIELDS:
            self.move_id._check_no_checkout_movement()
        return super().write(vals)

    def unlink(self):
        """Override of `account`, which would delete the posted entry in one go."""
        self.move_id._check_no_checkout_movement()
        return super().unlink()

    def action_undo_reconciliation(self):
        """Override of `account`, which would move revenue to the suspense account."""
        self.move_id._check_no_checkout_movement()
        return super().action_undo_reconciliation()
