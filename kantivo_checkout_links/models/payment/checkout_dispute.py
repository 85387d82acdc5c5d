from odoo import api, fields, models
from odoo.tools.misc import format_date

from ...const import (
    CLOSED_STATES,
    CONTESTED_STATES,
    DISPUTE_STATES,
    RESPONSE_STATES,
    UNKNOWN,
    UNKNOWN_STATE,
)
from ...monetary import StripeMonetary
from ...money import differs, from_minor, round_exact
from ...texts import to_line
from ...utils import to_datetime

OPEN_STATES = (
    (CONTESTED_STATES - {"lost"}) | RESPONSE_STATES | {"warning_under_review", UNKNOWN}
)


class CheckoutDispute(models.Model):
    """A customer's bank takes money back, or asks about it.

    The state is Stripe's word; what is posted follows the balance transactions, since
    money may be given back before a dispute is won. Its tax is in `dispute_tax`.
    """

    _name = "checkout.dispute"
    _inherit = "checkout.money.back"
    _description = "Stripe Dispute"
    _order = "opened_at desc, id desc"
    _rec_name = "stripe_id"
    _check_company_auto = True

    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    state = fields.Selection(
        [*DISPUTE_STATES, UNKNOWN_STATE], required=True, readonly=True
    )
    lost_amount = StripeMonetary(
        "Lost", readonly=True, help="The amount that the customer's bank keeps."
    )
    reason = fields.Char(readonly=True)
    stripe_id = fields.Char("Stripe Dispute", required=True, readonly=True)
    opened_at = fields.Datetime("Opened", readonly=True)
    evidence_due_at = fields.Datetime("Evidence Due", readonly=True)

    _stripe_uniq = models.Constraint(
        "UNIQUE (gateway_id, stripe_id)", "This dispute already exists."
    )

    # === BUSINESS METHODS === #

    @api.model
    def _apply_dispute(self, payment, dispute: dict):
        """Bring a dispute to what it is at Stripe now.

        :param checkout.payment payment: Whose charge is disputed.
        :param dict dispute: Stripe's dispute; one that may be lost with `closed_at`.
        """
        vals = self._prepare_dispute_vals(payment, dispute)
        row = payment.dispute_ids.filtered(lambda d: d.stripe_id == dispute["id"])
        needed_response = row.state in RESPONSE_STATES
        if not row:
            row = self.create({**vals, "payment_id": payment.id})
            row._announce()
        row._write_changes(vals)
        row._ensure_movements(dispute)
        payment._set_money_back()
        if needed_response != (row.state in RESPONSE_STATES):
            row.gateway_id._do_aside(lambda dispute: dispute._update_activity(), row)

    def _announce(self):
        self.env["checkout.announcement"]._add(
            self.payment_id, "disputed", self, self.opened_at
        )

    @api.model
    def _prepare_dispute_vals(self, payment, dispute: dict):
        """A dispute's fields, by Stripe's `dispute` object."""
        due_by = (dispute["evidence_details"] or {}).get("due_by")
        currency = payment._get_currency(dispute["currency"])
        return {
            "stripe_id": dispute["id"],
            **self._prepare_state_vals(dispute["status"], DISPUTE_STATES),
            "reason": to_line((dispute["reason"] or "").replace("_", " ")),
            "currency_id": currency.id,
            "amount": from_minor(dispute["amount"], currency.name),
            "opened_at": to_datetime(dispute["created"]),
            "evidence_due_at": due_by and to_datetime(due_by),
        }

    def _ensure_movements(self, dispute: dict):
        movements = self.env["checkout.movement"]
        for transaction in dispute["balance_transactions"]:
            movements._ensure_transaction(
                self.gateway_id, transaction, dispute, self.payment_id
            )
        movements._set_loss(self, self._get_lost_amount(), dispute.get("closed_at"))
        self._set_lost_amount()

    def _set_lost_amount(self):
        """Keep what is lost; of a dispute that was won, say it in the chatter."""
        lost = self._get_lost_in_source_currency()
        is_new = lost and differs(lost, self.lost_amount)
        if self.state == "won" and is_new:
            self.gateway_id._do_aside(lambda d: d._note_part(lost), self)
        self._write_changes({"lost_amount": lost})

    def _note_part(self, lost):
        body = self.env._(
            "Dispute partially won: %(lost)s of %(amount)s was not returned.",
            lost=self.currency_id.format(lost),
            amount=self.currency_id.format(self.amount),
        )
        self.payment_id.message_post(body=body)

    def _is_contested(self):
        """Whether the customer's money isn't the merchant's, or no longer."""
        if self.state == UNKNOWN:
            return bool(self._get_withheld_amount())
        return self.state in CONTESTED_STATES or bool(self._get_lost_amount())

    def _get_lost_amount(self) -> float:
        """What was withheld finally, in the balance's currency."""
        return max(self._get_withheld_amount(), 0) if self._is_settled() else 0

    def _is_settled(self):
        """Whether what is withheld now stays so. What was won may take a moment to come
        back: a part that did says what didn't.
        """
        if self.state == "won":
            return self._is_given_back()
        return self.state in CLOSED_STATES

    def _is_given_back(self):
        """Whether some of the money came back since it was last withheld."""
        last = self._find_movements().filtered("amount")[-1:]
        return last.kind == "dispute_reversal"

    def _get_withheld_amount(self) -> float:
        """What was withheld and hasn't come back, in the balance's currency."""
        withheld = 0
        for movement in self._find_movements():
            returned = movement._returns_all_withheld()
            withheld = 0 if returned else withheld - movement.amount
        return round_exact(withheld)

    def _get_lost_in_source_currency(self) -> float:
        """In another currency than the balance's, all or nothing is lost."""
        lost = self._get_lost_amount()
        is_cross_currency = self._find_movements().currency_id - self.currency_id
        return self.amount if lost and is_cross_currency else lost

    def _find_movements(self):
        return self.env["checkout.movement"]._find_of_dispute(self)

    def _update_activity(self):
        """Remind the responsible user of evidence, or end the reminder."""
        summary = self.env._("Dispute %s: respond in Stripe", self.stripe_id)
        if self.state in RESPONSE_STATES:
            self.payment_id.activity_schedule(
                "mail.mail_activity_data_todo",
                date_deadline=(self.evidence_due_at or fields.Datetime.now()).date(),
                summary=summary,
                note=self._describe_deadline(),
                user_id=self.gateway_id._get_responsible().id,
            )
            return
        self.payment_id.activity_ids.filtered(
            lambda activity: activity.summary == summary
        ).action_feedback(feedback=self._describe_state())

    def _describe_deadline(self):
        return self.env._(
            "The customer's bank disputes %(amount)s (%(reason)s). Submit evidence in "
            "the Stripe Dashboard by %(date)s.",
            amount=self.currency_id.format(self.amount),
            reason=self.reason or self.env._("no reason given"),
            date=format_date(self.env, self.evidence_due_at),
        )

    def _describe_state(self):
        return dict(self._fields["state"]._description_selection(self.env))[self.state]

    def _get_unfinished(self, gateway):
        """The disputes of a gateway that aren't decided."""
        return self.search(
            [("gateway_id", "=", gateway.id), ("state", "in", tuple(OPEN_STATES))]
        )
