from odoo import api, fields, models

from ..gateway.audit_trail import is_logged, with_audit_trail

# What an item posts, and what Odoo computes it from again. Reconciling, analytics and
# texts stay free.
PROTECTED_FIELDS = frozenset(
    "account_id amount_currency balance company_id credit currency_id date debit "
    "display_type is_storno journal_id move_id parent_state product_id tax_base_amount "
    "tax_ids tax_line_id tax_repartition_line_id tax_tag_ids".split()
)


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    stripe_charge_id = fields.Char(related="move_id.stripe_charge_id")
    stripe_balance_transaction_id = fields.Char(
        related="move_id.stripe_balance_transaction_id"
    )
    stripe_payout_id = fields.Char(related="move_id.stripe_payout_id")
    stripe_trace_id = fields.Char(related="move_id.stripe_trace_id")

    @api.model_create_multi
    def create(self, vals_list):
        """Override of `account`: nothing is added to the entry of a Stripe movement."""
        move_ids = {vals["move_id"] for vals in vals_list if vals.get("move_id")}
        self.env["account.move"].browse(move_ids)._check_no_checkout_movement()
        lines = super(AccountMoveLine, with_audit_trail(self)).create(vals_list)
        return lines.with_env(self.env)

    def write(self, vals):
        """Override of `account`: items of a Stripe transaction keep what they post."""
        if vals.keys() & PROTECTED_FIELDS:
            self.move_id._check_no_checkout_movement()
        return super(AccountMoveLine, with_audit_trail(self)).write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_checkout(self):
        self.move_id._check_no_checkout_movement()

    # === BUSINESS METHODS === #

    def reconcile(self):
        """Override of `account`: an audit trail says what our code matched."""
        res = super(AccountMoveLine, with_audit_trail(self)).reconcile()
        if is_logged(self.env):
            self.move_id._log_matching()
        return res
