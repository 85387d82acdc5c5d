"""Random histories of an account, told badly: in the end the books agree with Stripe.

`CHECKOUT_HISTORIES` says how many (30), `CHECKOUT_HISTORY` is one seed to replay. Who
sets one of them reads the result; among all tests nothing may be printed.
"""

import os
import random

from .common import CheckoutCommon

COUNT = int(os.environ.get("CHECKOUT_HISTORIES", 30))
ONE = os.environ.get("CHECKOUT_HISTORY")
SEEDS = [int(ONE)] if ONE else range(COUNT)
IS_ASKED_FOR = not os.environ.keys().isdisjoint(
    {"CHECKOUT_HISTORIES", "CHECKOUT_HISTORY"}
)


class TestHistories(CheckoutCommon):
    """Money comes and goes, and deliveries are lost, doubled and shuffled."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.eur = cls.setup_other_currency("EUR", rates=[("2016-01-01", 1 / 1.1)])
        cls.jpy = cls.setup_other_currency("JPY", rates=[("2016-01-01", 150.0)])
        journal = cls.env["account.journal"].create(
            {
                "name": "Stripe JPY",
                "type": "bank",
                "code": "STJPY",
                "currency_id": cls.jpy.id,
            }
        )
        cls.yen_gateway = cls.create_gateway(journal_id=journal.id)

    def test_after_the_sync_the_books_agree_whatever_was_told(self):
        agreeing = []
        for seed in SEEDS:
            with self.subTest(seed=seed), self.env.cr.savepoint() as savepoint:
                History(self, seed).run()
                savepoint.rollback()
                agreeing.append(seed)
            self.env.invalidate_all()
        if IS_ASKED_FOR:
            self.print_result(len(SEEDS) - len(agreeing))

    def print_result(self, different):
        print(f"{len(SEEDS)} histories, {different} differences")  # pylint: disable=print-used


class History:
    """One account's life, by its seed."""

    def __init__(self, test, seed):
        self.test = test
        self.random = random.Random(seed)
        self.sandbox = test.sandbox
        self.sandbox.reset(seed=seed)
        test.taken_events = set()
        self.gateway, currencies = self.random.choice(
            [
                (test.gateway, [test.env.company.currency_id, test.eur]),
                (test.yen_gateway, [test.jpy]),
            ]
        )
        code = self.gateway.currency_id.name.lower()
        self.sandbox.settings(currencies=[code], fee_tax_rate="0.19")
        if self.random.random() < 0.5:
            self.gateway.dispute_loss_account_id = False
        self.links = [self.create_link(currency) for currency in currencies]
        self.payments = test.env["checkout.payment"]
        self.refunds, self.disputes, self.payouts = [], [], []

    def create_link(self, currency):
        return self.test.create_open_link(
            currency_id=currency.id, gateway_id=self.gateway.id
        )

    def run(self):
        self.pay()
        for _step in range(self.random.randint(6, 14)):
            self.random.choice(STEPS)(self)
            self.tell()
        self.sandbox.release()
        self.test.sync(self.gateway)
        self.test.sync(self.gateway)
        self.check()

    # === WHAT HAPPENS AT STRIPE === #

    def pay(self):
        link = self.random.choice(self.links)
        amount = self.random.randint(100, 30000)
        if link.currency_id != self.test.jpy:
            amount /= 100
        late = self.random.random() < 0.3
        self.sandbox.settings(balance_transactions="held" if late else "auto")
        self.payments |= self.test.pay(link, amount)

    def refund(self):
        charge = self.pick_charge()
        if charge:
            left = charge["amount"] - charge["amount_refunded"]
            part = self.random.choice([left, self.random.randint(1, left)])
            self.refunds.append(self.sandbox.refund(charge["id"], part)["id"])

    def fail_refund(self):
        if self.refunds:
            self.sandbox.change_refund(self.take(self.refunds), "fail")

    def dispute(self):
        charge = self.pick_charge()
        if charge:
            self.sandbox.release(charge["id"])
            left = charge["amount"] - charge["amount_refunded"]
            self.disputes.append(self.sandbox.dispute(charge["id"], amount=left)["id"])

    def decide_dispute(self):
        if self.disputes:
            action = self.random.choice(["win", "lose"])
            self.sandbox.change_dispute(self.take(self.disputes), action)

    def pay_out(self):
        if self.sandbox.balance().get(self.gateway.currency_id.name.lower(), 0) > 0:
            payout = self.sandbox.payout()["id"]
            self.sandbox.change_payout(payout, "reconcile")
            self.payouts.append(payout)

    def fail_payout(self):
        if self.payouts:
            self.sandbox.change_payout(self.take(self.payouts), "fail")

    def charge_fee(self):
        self.sandbox.create_balance_transaction(-self.random.randint(1, 500))

    def pick_charge(self):
        """A charge that can be refunded or disputed, if there is one."""
        charges = [
            charge
            for charge in self.list_charges()
            if not charge["disputed"] and charge["amount"] > charge["amount_refunded"]
        ]
        return self.random.choice(charges) if charges else None

    def list_charges(self):
        """The charges as Stripe shows them now, oldest first."""
        client = self.gateway.sudo()._get_client()
        ids = [
            event["data"]["object"]["id"]
            for event in self.sandbox.events("charge.succeeded")
        ]
        return [client.retrieve_charge(charge_id) for charge_id in ids]

    def take(self, ids):
        return ids.pop(self.random.randrange(len(ids)))

    # === WHAT IS TOLD === #

    def tell(self):
        """Some of the news, some of it twice, in any order; the rest is lost."""
        events = [e for e in self.test.take_events() if self.random.random() < 0.6]
        events += [e for e in events if self.random.random() < 0.3]
        self.random.shuffle(events)
        self.test.receive(events, self.gateway)

    # === WHAT MUST BE TRUE === #

    def check(self):
        self.test.assert_agrees(self.gateway)
        self.check_movements()
        for charge in self.list_charges():
            payment = self.payments.filtered(
                lambda p, charge=charge: p.stripe_charge_id == charge["id"]
            )
            self.check_payment(payment, charge)
        self.test.assertEqual(self.gateway.agreement_state, "green")

    def check_movements(self):
        """Each balance transaction once, and all of them booked."""
        client = self.gateway.sudo()._get_client()
        movements = self.test.env["checkout.movement"].search(
            [("gateway_id", "=", self.gateway.id)]
        )
        waiting = movements.filtered(lambda m: m.state != "posted")
        self.test.assertEqual(waiting.mapped("error"), [])
        self.test.assertEqual(
            set(movements.mapped("balance_transaction_id")) - {False},
            {row["id"] for row in client.iter_balance_transactions()},
        )

    def check_payment(self, payment, charge):
        refunded = sum(payment.refund_ids.filtered(is_counted).mapped("amount"))
        minor = 0 if payment.currency_id == self.test.jpy else 2
        self.test.assertEqual(
            round(refunded * 10**minor), charge["amount_refunded"], payment.name
        )
        self.test.assertEqual(round(payment.amount_refunded, 2), round(refunded, 2))
        lost = payment.dispute_ids.filtered(lambda d: d.state == "lost")
        self.check_state(payment, charge)
        if self.gateway.dispute_loss_account_id:
            lost = lost.browse()
        self.check_tax(payment, refunded + sum(lost.mapped("amount")))

    def check_state(self, payment, charge):
        contested = payment.dispute_ids.filtered(
            lambda d: d.state in ("needs_response", "lost")
        )
        if contested:
            expected = "disputed"
        elif charge["refunded"]:
            expected = "refunded"
        else:
            expected = "partially_refunded" if charge["amount_refunded"] else "paid"
        self.test.assertEqual(payment.state, expected)

    def check_tax(self, payment, taken_back):
        """What is left of base and tax is the share that the customer still pays."""
        lines = payment.move_ids.line_ids
        charge = payment.movement_ids.filtered(lambda m: m.kind == "charge").move_id
        currency = payment.currency_id
        for taxed in (lines.filtered("tax_line_id"), lines.filtered("tax_ids")):
            taxed = taxed.filtered(lambda line: line.currency_id == currency)
            taxed -= taxed.filtered(self.is_fee)
            first = sum((taxed & charge.line_ids).mapped("amount_currency"))
            left = first * (1 - taken_back / payment.amount)
            self.test.assertAlmostEqual(
                sum(taxed.mapped("amount_currency")),
                left,
                delta=currency.rounding * 1.01,
            )

    def is_fee(self, line):
        return line.move_id.checkout_movement_ids.kind in ("fee", "dispute_fee")


def is_counted(refund):
    """Whether the customer has the money, or will."""
    return refund.state not in ("failed", "canceled")


STEPS = [
    History.pay,
    History.pay,
    History.refund,
    History.refund,
    History.fail_refund,
    History.dispute,
    History.decide_dispute,
    History.pay_out,
    History.fail_payout,
    History.charge_fee,
]
