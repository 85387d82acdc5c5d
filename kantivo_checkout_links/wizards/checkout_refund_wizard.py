from uuid import uuid4

from odoo import api, fields, models

from ..const import REFUND_REASONS
from ..monetary import StripeMonetary


class CheckoutRefundWizard(models.TransientModel):
    """How much of a payment goes back, and why.

    Nothing is read as superuser here: a program may name a payment of any company.
    """

    _name = "checkout.refund.wizard"
    _description = "Refund a Checkout Payment"

    payment_id = fields.Many2one("checkout.payment", required=True, readonly=True)
    currency_id = fields.Many2one(related="payment_id.currency_id", related_sudo=False)
    settlement_currency_id = fields.Many2one(
        related="payment_id.settlement_currency_id", related_sudo=False
    )
    amount = StripeMonetary(
        required=True,
        compute="_compute_amount",
        compute_sudo=False,
        store=True,
        readonly=False,
        precompute=True,
    )
    amount_left = StripeMonetary("Refundable Amount", compute="_compute_amount_left")
    fee_amount = StripeMonetary(
        related="payment_id.fee_amount",
        related_sudo=False,
        currency_field="settlement_currency_id",
    )
    reason = fields.Selection(REFUND_REASONS)
    note = fields.Char(help="For your own records. The customer doesn't see it.")
    idempotency_key = fields.Char(default=lambda self: str(uuid4()), readonly=True)

    @api.depends("payment_id")
    def _compute_amount_left(self):
        for wizard in self:
            wizard.amount_left = wizard.payment_id._get_amount_left()

    @api.depends("payment_id")
    def _compute_amount(self):
        for wizard in self:
            wizard.amount = wizard.payment_id._get_amount_left()

    def action_refund(self):
        """Give the money back; a second press of the button is the same refund."""
        self.ensure_one()
        self.payment_id.action_refund(
            amount=self.amount,
            idempotency_key=self._get_key(),
            reason=self.reason,
            note=self.note,
        )
        return {"type": "ir.actions.act_window_close"}

    def _get_key(self):
        """The dialog's own, another one after each refusal. It is counted and not kept,
        since a refusal also takes back what the dialog has written.
        """
        refused = self.payment_id.refund_ids.filtered(
            lambda refund: (
                refund._was_refused()
                and (refund.idempotency_key or "").startswith(self.idempotency_key)
            )
        )
        tries = len(refused)
        return f"{self.idempotency_key}/{tries}" if tries else self.idempotency_key
