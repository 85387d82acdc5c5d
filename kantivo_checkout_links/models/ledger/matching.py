from odoo import api, models

from ...kinds import LOSS_KINDS


class CheckoutMatching(models.AbstractModel):
    """Which invoices a payment pays: none with money that is gone again."""

    _name = "checkout.matching"
    _description = "Stripe Transaction Reconciliation"

    @api.model
    def _reopen_invoices(self, movement):
        """Open again what a customer had paid with the money that a movement lost, the
        last matched first; open again what is paid by money that came back.

        :return: The items that the rest of the payment, or what came back, may close.
        """
        if movement.kind == "dispute_reversal":
            return movement._get_same_source().reopened_line_ids
        if movement.kind not in LOSS_KINDS:
            return self.env["account.move.line"]
        owed = self.env["checkout.poster"]._get_owed_lines(movement)
        lost = sum((movement._get_posted_lines() & owed).mapped("amount_currency"))
        partials = self._find_partials(owed, lost)
        reopened = partials.debit_move_id
        partials = partials.with_env(self.env)  # says who asked for it
        partials.with_context(checkout_undo_date=movement.move_id.date).unlink()
        movement.reopened_line_ids = reopened
        return reopened

    @api.model
    def _find_partials(self, owed, lost):
        """The matches with other items to undo, so that a loss finds its credit.

        :param account.move.line owed: The customer's items of a payment.
        :param float lost: In the currency of the items.
        """
        credits = owed.filtered(lambda line: line.balance < 0)
        free = -sum(credits.mapped("amount_residual_currency"))
        partials = credits.matched_debit_ids.filtered(
            lambda partial: partial.debit_move_id not in owed
        )
        found = partials.browse()
        for partial in partials.sorted("id", reverse=True):
            if owed.currency_id.compare_amounts(free, lost) >= 0:
                break
            free += partial.credit_amount_currency
            found |= partial
        return found

    @api.model
    def _match_rest(self, movement, reopened):
        """Let what is left of a payment, or came back, pay what it had paid before."""
        if not reopened:
            return
        owed = self.env["checkout.poster"]._get_owed_lines(movement)
        lines = (owed.filtered(lambda line: line.balance < 0) | reopened).filtered(
            lambda line: not line.reconciled
        )
        for items in lines.grouped("account_id").values():
            if items & reopened and items - reopened:
                items.with_env(self.env).reconcile()
