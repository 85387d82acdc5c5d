"""What must be true of the ledger once everything is known, in every history."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from ..money import from_minor
from .history_ledger import LedgerChecks
from .history_payments import OVER

FEE_KINDS = ("fee", "dispute_fee")


class HistoryChecks(LedgerChecks):
    """Compares the ledger with all that Stripe lists now."""

    def check(self):
        for gateway in self.gateways.values():
            self.check_balance(gateway)
        self.check_movements()
        for payment in self.history.payments:
            self.check_payment(payment)
        self.check_ledger()
        for payout in self.payouts.values():
            self.check_payout(payout)

    # === THE BALANCE === #

    def check_balance(self, gateway):
        """The journal holds what Stripe does, but for what is left out on purpose."""
        currency = gateway.currency_id
        skipped = self.search_movements(
            ("gateway_id", "=", gateway.id), ("state", "=", "skipped")
        )
        at_stripe = sum(
            bt.net
            for bt in self.transactions.values()
            if bt.currency == currency.name.lower()
        )
        self.test.assertAlmostEqual(
            self.test.get_journal_balance(gateway),
            from_minor(at_stripe, currency.name) - sum(skipped.mapped("amount")),
        )
        expected = "grey" if any(skipped.mapped("is_third_party")) else "green"
        self.test.assertEqual(gateway.agreement_state, expected)

    # === MOVEMENTS === #

    def check_movements(self):
        """Each balance transaction is posted once, wholly, on its day."""
        movements = self.search_movements()
        losses = movements.filtered(lambda m: m.kind == "dispute_loss")
        by_transaction = (movements - losses).grouped("balance_transaction_id")
        self.test.assertEqual(by_transaction.keys(), self.transactions.keys())
        for transaction_id, group in by_transaction.items():
            self.check_transaction(self.transactions[transaction_id], group)
        for movement in movements:
            self.check_entry(movement)

    def check_transaction(self, bt, movements):
        code = bt.currency.upper()
        kinds = movements.mapped("kind")
        self.test.assertEqual(len(kinds), len(set(kinds)), bt.id)
        self.test.assertEqual(movements.gateway_id, self.gateways[bt.currency])
        self.assert_sum(movements, "amount", from_minor(bt.net, code), bt.id)
        if len(movements) > 1:
            fees = movements.filtered(lambda m: m.kind in FEE_KINDS)
            self.assert_sum(fees, "amount", -from_minor(bt.fee, code), bt.id)
        for movement in movements:
            known_by = bt.source if movement.kind == "charge" else bt
            moment = datetime.fromtimestamp(known_by.created, timezone.utc)
            self.test.assertEqual(
                movement.occurred_at, moment.replace(tzinfo=None), movement.kind
            )
            if movement.kind in FEE_KINDS and movement.state == "posted":
                self.check_fee(bt, movement)

    def check_entry(self, movement):
        about = f"{movement.kind} {movement.stripe_source_id}: {movement.error}"
        self.test.assertEqual(movement.state, self.get_expected_state(movement), about)
        move = movement.move_id
        if not move:
            return
        moment = movement.occurred_at.replace(tzinfo=timezone.utc)
        day = moment.astimezone(ZoneInfo(self.history.tz)).date()
        self.test.assertEqual(move.date, day, about)
        liquidity = movement.gateway_id.journal_id.default_account_id
        lines = move.line_ids.filtered(lambda line: line.account_id == liquidity)
        self.assert_sum(lines, "amount_currency", movement.amount, about)
        self.test.assertEqual(move.checkout_movement_ids, movement)

    def get_expected_state(self, movement):
        if self.is_third_party(movement):
            skips = self.history.foreign_movements == "skip"
            return "skipped" if skips else "to_review"
        never = movement.payment_id.state == "failed"
        if never and movement.kind in ("charge", "charge_failure"):
            return "skipped"
        return "to_review" if movement.kind == "adjustment" else "posted"

    def is_third_party(self, movement):
        """Whether it goes back to a charge that no link of ours made."""
        source_id = movement.stripe_source_id
        source = self.refunds.get(source_id) or self.disputes.get(source_id)
        charge = self.charges.get(source.charge if source else source_id)
        return bool(charge) and not charge.payment_intent

    # === FEES === #

    def check_fee(self, bt, movement):
        """Cost and input tax make the fee; what Stripe states as tax is the tax."""
        code = bt.currency.upper()
        lines = movement.move_id.line_ids.filtered("tax_line_id")
        if not self.history.has_fee_tax:
            self.test.assertFalse(lines)
            return
        stated = sum(d.amount for d in bt.fee_details if d.type == "tax")
        if bt.reporting_category == "tax":
            stated = -bt.amount
        total = -movement.amount
        tax = from_minor(stated, code)
        if not tax and self.history.fee_tax_invoiced:
            tax = movement.currency_id.round(total * 19 / 119)
        self.assert_sum(lines, "amount_currency", tax, bt.id)
        value = -self.get_company_value(movement.amount, movement) * tax / total
        # The tax is rounded in either currency by itself.
        unit = abs(value / tax) * movement.currency_id.rounding if tax else 0
        rounding = 1.01 * self.company_currency.rounding
        self.assert_sum(lines, "balance", value, bt.id, delta=rounding + unit / 2)

    # === PAYOUTS === #

    def check_payout(self, at_stripe):
        """It shows what it is made of to the cent, and only what arrives is posted."""
        code = at_stripe.currency.upper()
        payout = self.env["checkout.payout"].search([("stripe_id", "=", at_stripe.id)])
        self.test.assertEqual(payout.gateway_id, self.gateways[at_stripe.currency])
        self.test.assertEqual(payout.state, at_stripe.status)
        self.test.assertEqual(payout.amount, from_minor(at_stripe.amount, code))
        self.check_transfer(payout)
        if not at_stripe.automatic:
            self.test.assertFalse(payout.movement_ids)
            return
        self.check_items(payout)

    def check_items(self, payout):
        listed = self.history.stripe.balance_transactions.list(
            params={"payout": payout.stripe_id, "limit": 100}
        )
        ids = {bt.id for bt in listed.auto_paging_iter()}
        own = self.payouts[payout.stripe_id].balance_transaction
        self.test.assertEqual(
            set(payout.movement_ids.mapped("balance_transaction_id")), ids - {own}
        )
        self.assert_sum(payout.movement_ids, "amount", payout.amount, payout.stripe_id)
        self.test.assertTrue(payout.is_complete)

    def check_transfer(self, payout):
        account = payout.gateway_id.transfer_account_id
        lines = payout.move_ids.line_ids.filtered(
            lambda line: line.account_id == account
        )
        came_back = payout.state in OVER
        arrives = 0 if came_back else payout.amount
        self.assert_sum(lines, "amount_currency", arrives, payout.stripe_id)
        if came_back:
            self.test.assertTrue(all(lines.mapped("reconciled")))
