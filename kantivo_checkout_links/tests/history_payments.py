"""What must be true of each payment, in every history."""

from ..const import CLOSED_STATES
from ..money import from_minor
from .history_records import StripeRecords

WITHHELD_STATES = ("needs_response", "under_review")
DECIDED_STATES = ("won", "lost", "prevented", "warning_closed")
WITHHOLDING = ("dispute", "dispute_reversal")
OVER = ("failed", "canceled")
CENT = 0.0101


class PaymentChecks(StripeRecords):
    """Compares payments, and what was posted for them, with Stripe's charges."""

    # === PAYMENTS === #

    def check_payment(self, payment):
        charge = self.charges.get(payment.stripe_charge_id)
        if not charge or not charge.paid:
            self.check_unpaid(payment)
            return
        self.check_states(payment.refund_ids, self.refunds, charge)
        self.check_states(payment.dispute_ids, self.disputes, charge)
        for dispute in payment.dispute_ids:
            self.check_dispute(dispute)
        self.check_received_state(payment, charge)
        self.check_sale(payment, charge)
        self.check_totals(payment, charge)

    def check_states(self, rows, at_stripe, charge):
        """All refunds or disputes of a charge are here, and as Stripe shows them."""
        known = {row.stripe_id: row.state for row in rows if row.stripe_id}
        wanted = {o.id: o.status for o in at_stripe.values() if o.charge == charge.id}
        self.test.assertEqual(known, wanted)

    def check_unpaid(self, payment):
        session = self.history.stripe.checkout.sessions.retrieve(
            payment.stripe_checkout_session_id
        )
        expected = "failed" if session.status == "complete" else session.status
        self.test.assertEqual(payment.state, expected)
        self.test.assertFalse(
            payment.movement_ids.filtered(lambda m: m.kind != "fee").move_id
        )

    def check_received_state(self, payment, charge):
        code = payment.currency_id.name
        self.test.assertAlmostEqual(
            payment.amount_refunded, from_minor(charge.amount_refunded, code)
        )
        contested = [
            dispute
            for dispute in payment.dispute_ids
            if dispute.state in (*WITHHELD_STATES, "lost") or self.get_lost(dispute)
        ]
        expected = "partially_refunded" if charge.amount_refunded else "paid"
        expected = "refunded" if charge.refunded else expected
        expected = "disputed" if contested else expected
        about = f"{payment.name}: {self.describe_disputes(payment)}"
        self.test.assertEqual(payment.state, expected, about)

    def describe_disputes(self, payment):
        return [
            (
                dispute.state,
                dispute.lost_amount,
                [
                    (bt.amount, bt.currency)
                    for bt in self.disputes[dispute.stripe_id].balance_transactions
                ],
            )
            for dispute in payment.dispute_ids
        ]

    # === TOTALS === #

    def check_totals(self, payment, charge):
        """*Net* is what Stripe moved for a payment, once that is decided."""
        moved = sum(
            self.get_net(transaction)
            for transaction in self.transactions.values()
            if self.is_of_charge(transaction.source, charge)
        )
        if charge.balance_transaction:
            net = from_minor(moved, payment.settlement_currency_id.name)
            self.test.assertAlmostEqual(payment.net_amount, net, msg=payment.name)
        parts = payment.amount_refunded + payment.amount_lost + payment.amount_left
        self.test.assertAlmostEqual(parts, payment.amount, msg=payment.name)

    def is_of_charge(self, source, charge):
        if not source:
            return False
        return charge.id in (source.id, getattr(source, "charge", None))

    def get_net(self, transaction):
        """What is withheld isn't lost yet; the fee for it is."""
        source = transaction.source
        is_withheld = transaction.reporting_category in WITHHOLDING
        if is_withheld and source.status not in DECIDED_STATES:
            return -transaction.fee
        return transaction.net

    # === SALES AND TAXES === #

    def check_sale(self, payment, charge):
        """What is left of the sale is the share that the customer doesn't get back."""
        movement = self.test.get_movement(payment, "charge")
        value = payment.amount
        if payment.currency_id != self.company_currency:
            settled = charge.balance_transaction.amount
            code = movement.currency_id.name
            value = self.get_company_value(from_minor(settled, code), movement)
        share = 1 - self.get_back(payment, charge) / charge.amount
        lines = self.get_moves(payment.movement_ids).line_ids
        if payment.credit_to == "receivable":
            self.check_receivable(payment, lines, value, share)

    def get_moves(self, movements):
        return movements.move_id | movements.reclassification_move_ids

    def get_back(self, payment, charge):
        """What of a sale is taken back permanently, in minor units of what was paid."""
        refunds = [r for r in self.refunds.values() if r.charge == charge.id]
        back = sum(
            refund.amount
            for refund in refunds
            if refund.balance_transaction and refund.status not in OVER
        )
        disputes = payment.dispute_ids.filtered(self.takes_back_sale)
        return back + sum(map(self.get_lost_of_sale, disputes))

    def takes_back_sale(self, dispute):
        """Whether tax, or what a customer has paid, goes back with a loss."""
        return (
            not self.is_lost_apart(dispute)
            or self.history.dispute_tax == "take_back"
            or dispute in self.history.taxes_taken_back
        )

    def is_lost_apart(self, dispute):
        """Whether a loss is on an account of its own."""
        is_owed = dispute.payment_id.credit_to == "receivable"
        return self.history.keeps_losses_apart and not is_owed

    def get_lost_of_sale(self, dispute):
        """In another currency than the balance's, it is all that was disputed."""
        at_stripe, lost = self.disputes[dispute.stripe_id], self.get_lost(dispute)
        is_cross_currency = self.history.is_cross_currency(at_stripe)
        return at_stripe.amount if lost and is_cross_currency else lost

    def check_receivable(self, payment, lines, value, share):
        """What wasn't given back is to the customer's credit, and no tax is due."""
        self.test.assertFalse(lines.tax_ids & self.merchant.tax)
        owed = lines.filtered(lambda line: line.account_type == "asset_receivable")
        left = payment.amount * share
        for name in ("amount_currency", "amount_residual_currency"):
            self.assert_sum(owed, name, -left, payment.name, delta=CENT)
        self.assert_left(sum(owed.mapped("balance")), value, share)
        debits = owed.filtered(lambda line: line.balance > 0)
        self.test.assertTrue(all(debits.mapped("reconciled")))
        if not share:
            self.test.assertTrue(all(owed.mapped("reconciled")))

    def assert_left(self, balance, value, share):
        """In company currency a credit of a share is left: just that if all or
        nothing is, else a cent off at most.
        """
        unit = self.company_currency.rounding
        delta = unit * 1.01 if 0 < share < 1 else 0.0001
        self.test.assertAlmostEqual(balance, -value * share, delta=delta)

    # === DISPUTES === #

    def check_dispute(self, dispute):
        """What isn't decided is withheld; what is lost, lost; and no more."""
        movements = self.search_movements(("stripe_source_id", "=", dispute.stripe_id))
        gateway, lines = movements.gateway_id, self.get_moves(movements).line_ids
        withheld = lines.filtered(
            lambda line: line.account_id == gateway.dispute_account_id
        )
        is_open = dispute.state in WITHHELD_STATES
        taken = self.get_taken(dispute)
        code = movements.currency_id.name or "USD"
        self.assert_sum(
            withheld, "amount_currency", from_minor(taken * is_open, code), code
        )
        if not is_open:
            self.test.assertTrue(all(withheld.mapped("reconciled")))
        lost = lines.filtered(
            lambda line: line.account_id == gateway.dispute_loss_account_id
        )
        self.check_loss(dispute, lost, code)

    def check_loss(self, dispute, lines, code):
        """With its tax, in the balance's currency; without, in what was paid in."""
        amount, delta = from_minor(self.get_lost(dispute), code), 0.0001
        tax = self.merchant.get_tax(dispute.payment_id.customer_email)
        if tax and self.takes_back_sale(dispute):
            paid_in = dispute.currency_id
            gross = from_minor(self.get_lost_of_sale(dispute), paid_in.name)
            amount = gross / (1 + float(tax.rate) / 100)
            delta = paid_in.rounding * 3
        if not self.is_lost_apart(dispute):
            amount = 0
        self.assert_sum(lines, "amount_currency", amount, dispute.stripe_id, delta)

    def get_lost(self, dispute):
        """What isn't back of a closed dispute; of one that was won, once a part is."""
        at_stripe = self.disputes[dispute.stripe_id]
        last = at_stripe.balance_transactions[-1:]
        if dispute.state == "won" and (not last or last[0].amount < 0):
            return 0
        return self.get_taken(dispute) if dispute.state in CLOSED_STATES else 0

    def get_taken(self, dispute):
        """What the bank has taken and not given back, in the balance's minor units.

        In another currency than the customer's what comes back is all, at any
        rate.
        """
        at_stripe, taken = self.disputes[dispute.stripe_id], 0
        for bt in at_stripe.balance_transactions:
            comes_back = bt.amount > 0 and bt.currency != at_stripe.currency
            taken = 0 if comes_back else taken - bt.amount
        return taken
