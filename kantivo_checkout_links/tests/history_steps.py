"""What can happen to a Stripe account: to its payers, its balance and its disputes."""

from odoo.exceptions import UserError

from .common import DECLINED_CARD
from .history_merchants import EMAILS

# What a bank may do to a dispute, by the state that it is in.
DECISIONS = {
    "warning_needs_response": ["respond", "close_inquiry", "escalate", "prevent"],
    "warning_under_review": ["close_inquiry", "escalate"],
    "needs_response": ["respond", "win", "lose", "reinstate", "prevent"],
    "under_review": ["win", "lose", "lose", "reinstate"],
    "lost": ["win", "reinstate"],
    "won": ["withdraw_again", "reinstate"],
}


class NotNow(Exception):
    """There is nothing yet that a step could be done with."""


class Happenings:
    """One method for each thing that may happen; it raises `NotNow` if it can't.

    Needs of the history: `random`, `standin`, `stripe`, `test`, `links`, `balances` and
    the lists of what happened before.
    """

    # === PAYERS === #

    def start_payment(self):
        link = self.random.choice(self.links)
        self.drift()
        late = self.random.random() < 0.3
        self.standin.settings(balance_transactions="held" if late else "auto")
        payment = self.test.start_payment(link, self.draw_amount(link.currency_id))
        self.payments |= payment
        self.open_sessions.append(payment.stripe_checkout_session_id)

    def draw_amount(self, currency):
        if currency.name == "JPY":
            return self.random.randint(300, 30000)
        if currency == self.coarse:
            return self.random.randint(60, 6000) / 20
        return self.random.randint(300, 30000) / 100

    def pay(self):
        self.start_payment()
        self.standin.pay(self.open_sessions.pop(), **self.draw_customer())

    def draw_customer(self):
        """Somebody of the merchant's own country."""
        country = self.merchant.company.country_id.code
        return {"email": self.random.choice(EMAILS), "country": country}

    def pay_at_last(self):
        self.standin.pay(self.take(self.open_sessions), **self.draw_customer())

    def decline(self):
        self.standin.pay(self.pick(self.open_sessions), number=DECLINED_CARD)

    def expire(self):
        self.standin.expire(self.take(self.open_sessions))

    def debit(self):
        self.start_payment()
        session_id = self.open_sessions.pop()
        self.standin.pay(session_id, number="debit", **self.draw_customer())
        self.debits.append(session_id)

    def end_debit(self):
        self.end_debit_of(self.take(self.debits))

    def end_debit_of(self, session_id):
        end = self.random.choice([self.standin.settle_debit, self.standin.fail_debit])
        end(session_id)

    # === REFUNDS === #

    def refund(self):
        charge = self.pick_charge()
        self.drift()
        left = self.get_left(charge)
        refund = self.standin.refund(
            charge.id,
            self.draw_part(left),
            outcome=self.random.choice(
                ["succeeded"] * 3 + ["pending", "insufficient_funds", "requires_action"]
            ),
        )
        self.refunds.append(refund["id"])

    def refund_in_odoo(self):
        payment = self.pick(self.payments.filtered("paid_at"))
        left = payment._get_amount_left()
        part = payment.currency_id.round(left * self.random.choice([1, 0.37]))
        try:
            refund = payment.action_refund(part)
        except UserError as error:
            raise NotNow from error
        self.refunds.append(refund.stripe_id)

    def end_refund(self):
        action = self.random.choice(["succeed", "fail", "cancel"])
        self.standin.change_refund(self.pick(self.refunds), action)

    # === DISPUTES === #

    def dispute(self):
        charge = self.pick_charge()
        self.drift()
        self.standin.release(charge.id)
        earlier = self.stripe.disputes.list(params={"charge": charge.id}).data
        left = self.get_left(charge) - sum(dispute.amount for dispute in earlier)
        if left <= 0:
            raise NotNow
        parts = [self.draw_part(left)]
        if not earlier and charge.currency in self.balances:
            parts.append(charge.amount)  # banks overlook refunds
        dispute = self.standin.dispute(
            charge.id,
            amount=self.random.choice(parts),
            inquiry=self.random.random() < 0.25,
        )
        self.disputes.append(dispute["id"])

    def decide_dispute(self):
        dispute = self.stripe.disputes.retrieve(self.pick(self.disputes))
        self.drift()
        action = self.pick(DECISIONS.get(dispute.status, []))
        if action in ("escalate", "lose", "prevent", "win"):
            self.spare_refunded(dispute)
            dispute = self.stripe.disputes.retrieve(dispute.id)
        how = self.draw_return(dispute, action)
        self.standin.change_dispute(dispute.id, action, **how)

    def spare_refunded(self, dispute):
        """A bank never takes permanently what the customer has back already.

        https://support.stripe.com/questions/dispute-for-full-charge-amount-after-a-partial-refund-was-issued
        """
        charge = self.stripe.charges.retrieve(dispute.charge)
        disputes = self.stripe.disputes.list(params={"charge": charge.id}).data
        taken = sum(map(self.get_taken, disputes))
        to_take = 0 if dispute.balance_transactions else dispute.amount
        too_much = taken + to_take - self.get_left(charge)
        if too_much <= 0 or self.is_cross_currency(dispute):
            return
        if self.get_taken(dispute) < too_much:
            raise NotNow
        self.standin.change_dispute(dispute.id, "reinstate", amount=too_much)

    def get_taken(self, dispute):
        return -sum(bt.amount for bt in dispute.balance_transactions)

    def draw_return(self, dispute, action):
        """What comes back: in another currency at another rate, else all or a part."""
        if action not in ("win", "reinstate"):
            return {}
        taken = self.get_taken(dispute)
        is_cross_currency = self.is_cross_currency(dispute)
        if taken <= 0:
            raise NotNow
        if is_cross_currency and dispute.balance_transactions[-1].amount > 0:
            raise NotNow
        how = self.random.choice([{}, {"returned_fee": 1500}])
        if is_cross_currency:
            back = round(taken * self.random.uniform(0.97, 1.03))
            return {**how, "amount": max(back, 1)}
        return {**how, "amount": self.draw_part(taken)}

    def is_cross_currency(self, dispute):
        return any(
            bt.currency != dispute.currency for bt in dispute.balance_transactions
        )

    def charge_counter_fee(self):
        dispute = self.stripe.disputes.retrieve(self.pick(self.disputes))
        for bt in dispute.balance_transactions[:1]:
            self.standin.create_balance_transaction(
                -1500, source=dispute.id, currency=bt.currency
            )

    # === THE BALANCE === #

    def pay_out(self):
        currency = self.random.choice(self.balances)
        if self.standin.balance().get(currency, 0) <= 0:
            raise NotNow
        if self.pays_out_by_hand:
            self.pay_out_by_hand(currency)
        else:
            self.payouts.append(self.standin.payout(currency)["id"])

    def pay_out_by_hand(self, currency):
        rows = self.stripe.balance.retrieve().available
        available = sum(row.amount for row in rows if row.currency == currency)
        if available <= 0:
            raise NotNow
        payout = self.stripe.payouts.create(
            params={
                "amount": self.draw_part(available),
                "currency": currency,
                "method": self.random.choice(["standard", "instant"]),
            }
        )
        self.payouts.append(payout.id)

    def end_payout(self):
        action = self.random.choice(["send", "pay", "pay", "fail", "cancel"])
        self.standin.change_payout(self.pick(self.payouts), action)

    def charge_fee(self):
        self.standin.create_balance_transaction(
            -self.random.randint(1, 500),
            category=self.random.choice(["fee", "network_cost", "tax"]),
            currency=self.random.choice(self.balances),
        )

    def adjust(self):
        self.standin.create_balance_transaction(
            self.random.randint(-500, 500),
            type="adjustment",
            category="other_adjustment",
            currency=self.random.choice(self.balances),
        )

    def charge_elsewhere(self):
        """Other software on the same account."""
        currency = self.random.choice(self.balances)
        self.standin.create_charge(self.random.randint(100, 9000), currency=currency)

    def drift(self):
        """Stripe's rates are others each time."""
        self.standin.settings(
            rates={
                "eur": f"{self.random.uniform(1.0, 1.2):.4f}",
                "gbp": f"{self.random.uniform(1.2, 1.4):.4f}",
                "jpy": f"{self.random.uniform(0.006, 0.007):.6f}",
            }
        )

    # === CHANCE === #

    def draw_part(self, amount):
        return self.random.choice([amount, self.random.randint(1, amount)])

    def pick(self, known):
        if not known:
            raise NotNow
        return self.random.choice(known)

    def take(self, known):
        chosen = self.pick(known)
        known.remove(chosen)
        return chosen

    def get_left(self, charge):
        return charge.amount - charge.amount_refunded

    def pick_charge(self):
        """A charge of which something is left, ours or not."""
        charges = self.stripe.charges.list(params={"limit": 100}).data
        return self.pick(
            [charge for charge in charges if charge.paid and self.get_left(charge)]
        )
