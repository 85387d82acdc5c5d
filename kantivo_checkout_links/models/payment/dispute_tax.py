from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from .checkout_dispute import OPEN_STATES


class CheckoutDispute(models.Model):
    """The tax in what a dispute lost: kept, or taken back."""

    _inherit = "checkout.dispute"

    tax_state = fields.Selection(
        [
            ("to_take_back", "Reclaim if lost"),
            ("to_keep", "Keep if lost"),
            ("taken_back", "Reclaimed"),
            ("kept", "Kept"),
        ],
        "Tax",
        compute="_compute_tax_state",
    )

    # === COMPUTE METHODS === #

    @api.depends("state", "lost_amount", "gateway_id.dispute_tax")
    def _compute_tax_state(self):
        for dispute in self:
            dispute.tax_state = dispute.sudo()._get_tax_state()  # of any ledger

    def _get_tax_state(self):
        if self.state in OPEN_STATES:
            return self._get_proposed_tax_state()
        loss = self._find_loss()
        if not loss or not self.lost_amount:
            return False
        entry = self.env["checkout.entry.dispute"]
        if entry._may_take_back_tax(loss):
            return "kept"
        return entry._has_taken_back_tax(loss) and "taken_back"

    def _get_proposed_tax_state(self):
        payment, gateway = self.payment_id, self.gateway_id
        if payment.credit_to == "receivable" or not payment.tax_ids:
            return False
        keeps = gateway.dispute_loss_account_id and gateway.dispute_tax == "keep"
        return "to_keep" if keeps else "to_take_back"

    # === ACTION METHODS === #

    def action_take_back_tax(self):
        """Take back the tax in what was lost, in an entry of today; only once.

        :return: The action that opens the entry.
        :raise AccessError: if the user isn't an accountant.
        :raise UserError: if there is no tax to take back.
        """
        self.ensure_one()
        self.check_access("read")
        self._check_may_take_back()
        user = self.env.user
        gateway_sudo = self._find_loss().gateway_id.sudo()  # its poster's lock
        move_id = gateway_sudo and gateway_sudo._work_exclusively(
            lambda gateway: self.with_env(gateway.env)._take_back_tax(
                user.with_env(gateway.env)
            )
        )
        if not move_id:
            raise UserError(self.env._("There is no tax to reclaim."))
        self.invalidate_recordset()
        move = self.env["account.move"].browse(move_id)
        return move._get_records_action(name=self.env._("Tax Reclaimed"))

    def _check_may_take_back(self):
        if not self._is_accountant():
            raise AccessError(self.env._("Only accountants can reclaim tax."))

    # === BUSINESS METHODS === #

    def _take_back_tax(self, user):
        """Post the entry if it isn't there. As superuser, under the gateway's lock.

        :return: The id of the entry, since the caller's transaction is another; False
            if there is nothing to take back.
        """
        loss = self._find_loss()
        if not self.env["checkout.entry.dispute"]._may_take_back_tax(loss):
            return loss.reclassification_move_ids[-1:].id
        move = self.env["checkout.poster"]._post_general_entry(
            loss,
            self.env["checkout.entry.dispute"]._prepare_tax_return_items(loss),
            loss.gateway_id._get_local_date(fields.Datetime.now()),
        )
        loss._set_reclassified(move, loss._get_posted_lines() | move.line_ids)
        body = self.env._(
            "%(user)s reclaimed the tax of a lost dispute: %(entry)s.",
            user=user.name,
            entry=move._get_html_link(),
        )
        self.payment_id._message_log(body=body, author_id=user.partner_id.id)
        return move.id

    def _find_loss(self):
        """The last loss of a dispute that is posted."""
        losses = self._find_movements().filtered(
            lambda m: m.kind == "dispute_loss" and m.move_id
        )
        return losses.sorted("id")[-1:]
