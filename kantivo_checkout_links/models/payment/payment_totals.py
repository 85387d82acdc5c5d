from odoo import api, models

from ...kinds import FEE_KINDS
from ...monetary import StripeMonetary


class CheckoutPayment(models.Model):
    """What is left of a payment: every total of ours is made of these.

    In the payment's currency: paid = left + refunded + lost, and left = untaxed + tax.
    In the currency that Stripe settled in: settled = net + fees + returned.
    """

    _inherit = "checkout.payment"

    amount_lost = StripeMonetary(
        "Lost",
        compute="_compute_amounts_left",
        store=True,
        help="The amount lost in disputes.",
    )
    amount_left = StripeMonetary(
        "Remaining",
        compute="_compute_amounts_left",
        store=True,
        help="The amount paid, less refunds and lost disputes.",
    )
    tax_amount = StripeMonetary(
        "Tax",
        compute="_compute_taxes",
        store=True,
        help=(
            "The posted taxes, less those reversed by refunds and lost disputes. Zero "
            "if the taxes are on an invoice."
        ),
    )
    untaxed_amount = StripeMonetary(
        compute="_compute_taxes", store=True, help="The remaining amount before taxes."
    )
    fee_amount = StripeMonetary(
        "Fees",
        currency_field="settlement_currency_id",
        compute="_compute_net_amount",
        store=True,
        help="All fees that Stripe charged for this payment, including dispute fees.",
    )
    returned_amount = StripeMonetary(
        "Returned",
        currency_field="settlement_currency_id",
        compute="_compute_net_amount",
        store=True,
        help="Refunds and lost disputes, as settled by Stripe.",
    )
    net_amount = StripeMonetary(
        "Net",
        currency_field="settlement_currency_id",
        compute="_compute_net_amount",
        store=True,
        help="The amount that Stripe credited, less fees, refunds and lost disputes.",
    )

    # === COMPUTE METHODS === #

    @api.depends(
        "amount",
        "amount_refunded",
        "paid_at",
        "dispute_ids.lost_amount",
    )
    def _compute_amounts_left(self):
        for payment in self:
            paid = payment.amount if payment.paid_at else 0
            payment.amount_lost = sum(payment.dispute_ids.mapped("lost_amount"))
            payment.amount_left = paid - payment.amount_refunded - payment.amount_lost

    @api.depends(
        "settlement_amount",
        "settlement_currency_id",
        "movement_ids.amount",
        "dispute_ids.state",
    )
    def _compute_net_amount(self):
        for payment in self:
            fees, returned = payment._sum_settled()
            payment.fee_amount = fees
            payment.returned_amount = returned
            payment.net_amount = payment.settlement_amount - fees - returned

    @api.depends(
        "amount_left", "movement_ids.move_id", "movement_ids.reclassified_line_ids"
    )
    def _compute_taxes(self):
        for payment in self:
            movements = payment.movement_ids.filtered("move_id")
            charge = movements.filtered(lambda m: m.kind == "charge")
            sold = movements.filtered(lambda m: m.kind not in FEE_KINDS)
            lines = sold._get_posted_lines().filtered("tax_repartition_line_id")
            tax = -sum(payment._get_amount_of(line, charge) for line in lines)
            payment.tax_amount = tax
            payment.untaxed_amount = payment.amount_left - tax if charge else 0

    # === HELPERS === #

    def _sum_settled(self) -> tuple[float, float]:
        """What Stripe kept as fees, and what went back: positive, as it settled them.
        What an open dispute withholds isn't lost yet.
        """
        undecided = self.dispute_ids.filtered(lambda d: not d._is_settled())
        movements = self.movement_ids.filtered(
            lambda m: m.currency_id == self.settlement_currency_id
        )
        fees = movements.filtered(lambda m: m.kind in FEE_KINDS)
        returned = movements.filtered(
            lambda m: (
                m.kind != "charge"
                and m.stripe_source_id not in undecided.mapped("stripe_id")
            )
        )
        return -sum(fees.mapped("amount")), -sum((returned - fees).mapped("amount"))

    def _get_amount_of(self, line, charge) -> float:
        """A journal item's amount in the payment's currency, at the charge's rate."""
        if line.currency_id == self.currency_id:
            return line.amount_currency
        posted = sum(charge.move_id.line_ids.mapped("credit"))
        return self.currency_id.round(line.balance * charge.source_amount / posted)
