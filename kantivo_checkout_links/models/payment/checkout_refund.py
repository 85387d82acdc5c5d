from uuid import uuid4

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ...const import (
    MAX_ID_LENGTH,
    MAX_TEXT_LENGTH,
    REFUND_REASONS,
    REFUND_STATES,
    UNKNOWN,
    UNKNOWN_STATE,
)
from ...monetary import StripeMonetary
from ...money import InvalidAmount, differs, from_minor, round_exact, to_minor
from ...stripe_client import StripeError
from ...texts import to_line
from ...utils import as_text, to_datetime

VOID_STATES = ("failed", "canceled")
# Beyond this, floats have no cents.
LARGEST_AMOUNT = 1e13


class CheckoutRefund(models.Model):
    """Money given back: asked for here, or in the Stripe Dashboard.

    One asked for here is committed before Stripe hears of it, and its own number is
    Stripe's idempotency key: if anything fails, the money goes back once.
    """

    _name = "checkout.refund"
    _inherit = "checkout.money.back"
    _description = "Stripe Refund"
    _order = "id desc"
    _rec_name = "stripe_id"
    _check_company_auto = True

    currency_id = fields.Many2one(related="payment_id.currency_id")
    amount = StripeMonetary(required=True, readonly=True)
    state = fields.Selection(
        [("requested", "Requested"), *REFUND_STATES, UNKNOWN_STATE],
        required=True,
        default="requested",
        readonly=True,
    )
    reason = fields.Selection(REFUND_REASONS, readonly=True)
    note = fields.Char(readonly=True)
    error = fields.Char(readonly=True)
    stripe_id = fields.Char("Stripe Refund", readonly=True)
    refunded_at = fields.Datetime("Date", readonly=True)
    settled = fields.Boolean(
        readonly=True, help="No more money will move for this refund."
    )
    uuid = fields.Char(readonly=True, groups=fields.NO_ACCESS)
    idempotency_key = fields.Char(readonly=True)
    user_id = fields.Many2one("res.users", "Requested By", readonly=True)

    _stripe_uniq = models.UniqueIndex(
        "(gateway_id, stripe_id) WHERE stripe_id IS NOT NULL",
        "This refund already exists.",
    )
    _key_uniq = models.UniqueIndex(
        "(payment_id, idempotency_key) WHERE idempotency_key IS NOT NULL",
        "This refund was already requested.",
    )

    # === BUSINESS METHODS - ASKING === #

    @api.model
    def _check_may_refund(self):
        """About the user alone, for refunds and for accepting a flagged payment.

        :raise AccessError: if the user isn't one who handles invoices.
        """
        if not self.env.su and not self.env.user.has_group(
            "account.group_account_invoice"
        ):
            raise AccessError(self.env._("You are not allowed to refund payments."))

    @api.model
    def _check_types(self, amount, idempotency_key, reason, note):
        """For programs, which may pass anything.

        :raise UserError: if the amount is no plain number, key or note no text or too
            long, or the reason none of Stripe's.
        """
        is_number = type(amount) in (int, float) and abs(amount) < LARGEST_AMOUNT
        if amount is not None and not is_number:
            raise UserError(self.env._("The amount must be a number."))
        for text, length in ((idempotency_key, MAX_ID_LENGTH), (note, MAX_TEXT_LENGTH)):
            if text and as_text(text, length) != text:
                raise UserError(
                    self.env._("This must be text of at most %s characters.", length)
                )
        if reason and reason not in [name for name, _label in REFUND_REASONS]:
            raise UserError(self.env._("This is not a reason for a refund."))

    @api.model
    def _request(self, payment, amount: float | None, options):
        """The row of a refund that Stripe hasn't heard of yet.

        :param checkout.payment payment: The payment, as superuser.
        :param float amount: In the payment's currency; all that is left if None.
        :param dict options: `idempotency_key`, `reason`, `note`, `user_id`.
        :return: The refund of this key, if it was asked for before.
        :raise UserError: if there is nothing to refund, or less, or the key's refund
            was refused or is of another amount.
        """
        key = options["idempotency_key"]
        known = payment.refund_ids.filtered(lambda r: r.idempotency_key == key)
        if known:
            known._check_repeatable(amount)
            return known
        return self.create(
            {
                **options,
                "payment_id": payment.id,
                "amount": self._check_amount(payment, amount),
                "uuid": str(uuid4()),
            }
        )

    def _check_repeatable(self, amount: float):
        """A repeated key gets the same answer as before, and nothing changes."""
        if amount and differs(amount, self.amount):
            raise UserError(
                self.env._(
                    "This idempotency key was already used for a refund of %s. Use "
                    "another one.",
                    self.currency_id.format(self.amount),
                )
            )
        if self._was_refused():
            raise UserError(self._describe_failure(self.error))

    def _was_refused(self):
        """Whether Stripe never made it: nothing went back, or will."""
        return self.state == "failed" and not self.stripe_id

    @api.model
    def _check_amount(self, payment, amount: float | None) -> float:
        """What to refund, in the payment's currency: all that is left by default. Asked
        for a new refund only, since a repeated one may have been made already.

        :raise UserError: if more is asked for than is left, or it can't be refunded.
        """
        left = payment._get_amount_left()
        if not payment.stripe_charge_id or left <= 0:
            raise UserError(self.env._("There is nothing left to refund."))
        amount = left if amount is None else amount
        if round_exact(amount - left) > 0:
            raise UserError(
                self.env._(
                    "Only %s can still be refunded.", payment.currency_id.format(left)
                )
            )
        if differs(amount, left) and payment.currency_id._rounds_away(amount):
            raise UserError(payment.currency_id._describe_coarse())
        return self._check_minor(payment.currency_id, amount)

    @api.model
    def _check_minor(self, currency, amount: float):
        if amount <= 0:
            raise UserError(self.env._("Enter an amount greater than zero."))
        try:
            return from_minor(to_minor(amount, currency.name), currency.name)
        except InvalidAmount as error:
            raise UserError(
                self.env._("Stripe can't refund this amount in %s.", currency.name)
            ) from error

    def _ask_and_receive(self):
        """Ask Stripe, and have its answer processed like any event.

        :raise UserError: in the merchant's words, if there is no refund, or not yet.
        """
        try:
            refund = self._ask_stripe()
        except StripeError as error:
            self.gateway_id._commit()
            raise UserError(self._describe_failure(error)) from error
        self.gateway_id._do_aside(lambda row: row._note_in_chatter(), self)
        self.env["checkout.event"]._receive_object(self.gateway_id, refund)

    def _describe_failure(self, error):
        if self.state == "failed":
            return self.env._("Stripe refused the refund: %s", error)
        return self.env._(
            "Stripe didn't respond. The refund is saved and will be retried "
            "automatically. The customer is refunded only once. (%s)",
            error,
        )

    def _note_in_chatter(self):
        """Write on the payment who refunded how much, and why."""
        amount = self.currency_id.format(self.amount)
        reason = dict(self._fields["reason"]._description_selection(self.env)).get(
            self.reason
        )
        parts = filter(None, (reason, self.note))
        self.payment_id.message_post(
            body=self.env._(
                "%(user)s refunded %(amount)s. %(why)s",
                user=self.user_id.name,
                amount=amount,
                why=" · ".join(parts),
            ).strip(),
            author_id=self.user_id.partner_id.id,
        )

    def _ask_stripe(self):
        """Have Stripe give the money back, unless it has done so already.

        :return: Stripe's refund.
        :raise StripeError: if Stripe refused or didn't answer; the row then says so.
        """
        client = self.gateway_id._get_client()
        try:
            return self._find_at_stripe(client) or client.create_refund(
                self._prepare_params(), self.uuid
            )
        except StripeError as error:
            self.write(
                {
                    "error": str(error),
                    "state": "requested" if self._may_exist(error) else "failed",
                    "settled": not self._may_exist(error),
                }
            )
            raise

    def _may_exist(self, error):
        """Whether the refund may have been made, or may be yet: also where an earlier
        try had no answer, and now the key is no good.
        """
        unanswered = self.state == "requested" and bool(self.error)
        return error.is_passing or (unanswered and error.reason != "refused")

    def _find_at_stripe(self, client):
        """The refund, if an earlier try has made it; keys are only kept for a day."""
        refunds = client.list_refunds(self.payment_id.stripe_charge_id)
        return next(
            (r for r in refunds if self._get_uuid(r) == self.uuid),
            None,
        )

    def _prepare_params(self):
        """The request for Stripe. From the row only: a repetition must be the same.

        https://docs.stripe.com/api/refunds/create
        """
        params = {
            "charge": self.payment_id.stripe_charge_id,
            "amount": to_minor(self.amount, self.currency_id.name),
            "metadata": {"checkout_refund": self.uuid},
        }
        return {**params, "reason": self.reason} if self.reason else params

    # === BUSINESS METHODS - STRIPE'S ANSWER === #

    @api.model
    def _apply_refund(self, payment, refund: dict):
        """Bring a refund to what it is at Stripe now, wherever it was requested.

        :param checkout.payment payment: Whose charge it is of.
        :param dict refund: A refund with expanded balance transactions.
        """
        vals = self._prepare_refund_vals(refund)
        known = self._find_refund(payment, refund)
        is_new = not known.stripe_id
        row = known or self.create({**vals, "payment_id": payment.id})
        row._write_changes(vals)
        if is_new and row.state not in VOID_STATES:
            row._announce()
        self.env["checkout.movement"]._ensure_transactions(
            payment.gateway_id, refund, payment
        )
        payment._set_money_back()

    def _announce(self):
        self.env["checkout.announcement"]._add(
            self.payment_id, "refunded", self, self.refunded_at
        )

    @api.model
    def _find_refund(self, payment, refund: dict):
        """By Stripe's id; by ours only where Stripe's isn't known: a copy of the
        metadata on a second refund is another refund.
        """
        known = payment.refund_ids.filtered(lambda r: r.stripe_id == refund["id"])
        return known or payment.refund_ids.filtered(
            lambda r: not r.stripe_id and r.uuid == self._get_uuid(refund)
        )

    @api.model
    def _get_uuid(self, refund: dict):
        """The number of ours that a refund of Stripe's was asked for with, if any."""
        return (refund["metadata"] or {}).get("checkout_refund")

    @api.model
    def _prepare_refund_vals(self, refund: dict):
        """A refund's fields, by Stripe's `refund` object."""
        reasons = dict(REFUND_REASONS)
        return {
            "stripe_id": refund["id"],
            **self._prepare_state_vals(refund["status"], REFUND_STATES),
            "amount": from_minor(refund["amount"], refund["currency"].upper()),
            "reason": refund["reason"] if refund["reason"] in reasons else False,
            "error": to_line(refund.get("failure_reason")),
            "refunded_at": to_datetime(refund["created"]),
            "settled": self._is_settled(refund),
        }

    def _gives_back(self):
        """Whether the customer has the money, or will. Of a status that isn't known,
        the balance decides.
        """
        if self.state != UNKNOWN:
            return self.state not in (*VOID_STATES, "requested")
        moved = self.env["checkout.movement"]._find_of_refund(self)
        return sum(moved.mapped("amount")) < 0

    @api.model
    def _is_settled(self, refund: dict):
        """Whether nothing more is expected from Stripe."""
        if refund["status"] == "succeeded":
            return bool(refund["balance_transaction"])
        return refund["status"] in VOID_STATES

    def _get_unfinished(self, gateway):
        """The refunds of a gateway that Stripe should be asked about again."""
        return self.search([("gateway_id", "=", gateway.id), ("settled", "=", False)])
