import logging
from uuid import uuid4

from psycopg2.errors import SerializationFailure, UniqueViolation

from odoo import SUPERUSER_ID, fields, models
from odoo.exceptions import UserError

from ...aside import log_error
from ...budget import Budget
from ...const import WORK_ATTEMPTS
from ...money import round_exact
from .checkout_refund import VOID_STATES

_logger = logging.getLogger(__name__)


class CheckoutPayment(models.Model):
    """Money going back: refunds and disputes of a payment."""

    _inherit = "checkout.payment"

    refund_ids = fields.One2many(
        "checkout.refund", "payment_id", "Refunds", readonly=True
    )
    dispute_ids = fields.One2many(
        "checkout.dispute", "payment_id", "Disputes", readonly=True
    )
    dispute_reason = fields.Char(readonly=True)

    # === ACTION METHODS === #

    def action_refund(
        self, amount: float | None = None, idempotency_key=None, reason=None, note=None
    ):
        """Give the customer money back, as the Stripe Dashboard would.

        Safe to call again: with the same key it is the same refund, however often and
        wherever the calls break.

        :param float amount: In the payment's currency; all that is left by default.
        :param str idempotency_key: Any text that is this refund's own.
        :param str reason: `requested_by_customer`, `duplicate` or `fraudulent`.
        :param str note: For the chatter.
        :return: The refund.
        :raise UserError: if that much isn't left, an argument is of another type, or
            Stripe refuses or doesn't answer.
        """
        self.ensure_one()
        self.check_access("read")
        self.env["checkout.refund"]._check_may_refund()
        self.env["checkout.refund"]._check_types(amount, idempotency_key, reason, note)
        options = {
            "idempotency_key": idempotency_key or str(uuid4()),
            "reason": reason or False,
            "note": note or False,
            "user_id": self.env.uid,
        }
        with self.gateway_id._take_merchants_turn():
            refund = self._request_refund(amount, options)
            self._process_now()
        self.invalidate_recordset()
        return refund

    def action_accept_flag(self):
        """Keep money that came late or above a limit, and say so in the chatter."""
        self.check_access("read")
        self.env["checkout.refund"]._check_may_refund()
        for payment_sudo in self.sudo():  # payments are read-only for merchants
            payment_sudo.message_post(
                body=self.env._("%s accepted the payment.", self.env.user.name)
            )
            payment_sudo.flag = False

    def action_view_refund_wizard(self):
        """Ask how much is to be refunded, and why."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Refund"),
            "res_model": "checkout.refund.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_payment_id": self.id},
        }

    # === BUSINESS METHODS - REFUNDING === #

    def _request_refund(self, amount: float | None, options):
        """Commit the refund, ask Stripe for it, and put the answer into the inbox.

        Where one of its rows was changed meanwhile, go on with the row that
        is kept. Odoo would repeat the whole request instead, with a new key.
        """
        for _attempt in range(WORK_ATTEMPTS):
            try:
                return self._ask_for_refund(amount, options)
            except (SerializationFailure, UniqueViolation):
                _logger.info("A refund of %s is worked on once more", self.id)
        raise UserError(self._describe_clash())

    def _ask_for_refund(self, amount: float | None, options):
        gateway_sudo = self.gateway_id.sudo()  # the key is out of reach
        with gateway_sudo._in_new_transaction() as gateway_sudo:
            payment_sudo = self.with_env(gateway_sudo.env)
            refunds_sudo = gateway_sudo.env["checkout.refund"]
            refund_sudo = refunds_sudo._request(payment_sudo, amount, options)
            if refund_sudo.state == "requested":
                gateway_sudo._commit()
                refund_sudo._ask_and_receive()
        return self.env["checkout.refund"].browse(refund_sudo.id)

    def _describe_clash(self):
        return self.env._(
            "Someone else is working on this payment. Check its refunds before you try "
            "again. A refund that is saved there is requested automatically, and only "
            "once."
        )

    def _process_now(self):
        """Process the inbox at once; if that fails, the scheduled processor will.

        No error may leave this method: the money has gone back by now, and a caller
        that sees a failure, a program or Odoo itself, would ask for it once more.
        """
        gateway_sudo = self.gateway_id.with_user(SUPERUSER_ID)  # also others' events
        try:
            self.env["checkout.event"]._process_gateway(
                gateway_sudo, Budget.of_request()
            )
        except UserError:
            self.env["checkout.event"].sudo()._trigger_processing()
        except Exception as error:
            log_error(_logger, f"Events of gateway {gateway_sudo.id} wait", error)
            self.env["checkout.event"].sudo()._trigger_processing()

    def _get_amount_left(self) -> float:
        """What can still be refunded, counting refunds that are under way."""
        refunds = self.refund_ids.filtered(lambda r: r.state not in VOID_STATES)
        paid = self.amount if self.paid_at else 0
        return round_exact(paid - sum(refunds.mapped("amount")))

    # === BUSINESS METHODS - STATES === #

    def _set_money_back(self):
        """Bring amounts and state to what the refunds and disputes say now."""
        if not self.paid_at:
            return
        refunds = self.refund_ids.filtered(lambda refund: refund._gives_back())
        dispute = self.dispute_ids.sorted("opened_at")[-1:]
        self._write_changes(
            {
                "amount_refunded": sum(refunds.mapped("amount")),
                "state": self._get_received_state(sum(refunds.mapped("amount"))),
                "dispute_status": dispute.state,
                "dispute_reason": dispute.reason,
            }
        )

    def _get_received_state(self, refunded):
        if any(dispute._is_contested() for dispute in self.dispute_ids):
            return "disputed"
        if not refunded:
            return "paid"
        partly = round_exact(refunded - self.amount) < 0
        return "partially_refunded" if partly else "refunded"
