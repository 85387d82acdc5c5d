"""The life of a Stripe account, drawn from a seed, and what Odoo hears of it."""

import random
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import stripe

from odoo import Command

from .common import StandinError
from .history_accountant import Accountant
from .history_checks import HistoryChecks
from .history_faults import API_FAULTS, crash_at
from .history_merchants import ACCOUNTS, CHARTS
from .history_steps import Happenings, NotNow

# Clocks change two days later in Europe, a month ends two days after that.
START = datetime(2026, 3, 27, 20)
# From then on a euro is worth more, and a yen less.
TURN = datetime(2026, 3, 30)
TIME_ZONES = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
PAUSES = [0, 0, 5, 50, 300, 900, 2000]  # minutes
# How far Odoo's clock may be ahead of Stripe's.
SKEWS = [timedelta(), timedelta(minutes=10), timedelta(hours=-3), timedelta(hours=5)]


class History(Accountant, Happenings):
    """One account's life. Odoo's clock and the stand-in's stop and jump together.

    :param test: The test case: its merchants and kit.
    :param clock: Odoo's frozen clock.
    """

    def __init__(self, test, clock, seed):
        self.test, self.clock, self.standin = test, clock, test.standin
        self.random = random.Random(seed)
        self.skew = timedelta()
        chart = self.random.choice(list(CHARTS))
        self.merchant = test.merchants.get(chart, test.merchants["generic_coa"])
        account = f"acct_{self.merchant.chart}"  # one account is one company's
        self.standin.reset(seed=seed, clock={"frozen": True}, account=account)
        test.env.user.company_id = self.merchant.company
        self.go_to(START)
        self.stripe = stripe.StripeClient(
            "sk_test_kit", base_addresses={"api": self.standin.url}
        ).v1
        test.taken_events = set()
        balances, currencies = self.random.choice(ACCOUNTS[self.merchant.code])
        self.set_up_stripe(balances)
        gateways = self.merchant.gateways
        self.gateways = [self.set_up(gateways[code]) for code in balances]
        self.set_up_accounting()
        self.links = [self.create_link(code) for code in currencies]
        self.payments = test.env["checkout.payment"]
        self.open_sessions, self.debits = [], []
        self.refunds, self.disputes, self.payouts = [], [], []
        self.taxes_taken_back = test.env["checkout.dispute"]

    # === THE MERCHANT === #

    def set_up_stripe(self, balances):
        self.balances = [code.lower() for code in balances]
        self.standin.settings(
            currencies=self.balances,
            fee_tax_rate=self.random.choice(["0", "0.19"]),
            debit_balance_transaction=self.random.choice(["at_once", "on_success"]),
        )
        self.pays_out_by_hand = self.random.random() < 0.3
        self.heard = self.random.choice([0, 0.3, 0.6, 1])
        self.credit_to = self.random.choice(["revenue", "revenue", "receivable"])
        self.foreign_movements = self.random.choice(["book", "skip"])
        self.tz = self.random.choice(TIME_ZONES)
        self.keeps_losses_apart = self.random.random() < 0.5
        self.dispute_tax = self.random.choice(["take_back", "keep"])
        self.has_fee_tax = self.random.random() < 0.5
        self.fee_tax_invoiced = self.random.random() < 0.5

    def set_up(self, gateway):
        vals = {
            "tz": self.tz,
            "sync_from": START - timedelta(days=1),
            "credit_to": self.credit_to,
            "dispute_tax": self.dispute_tax,
            "foreign_movements": self.foreign_movements,
            "fee_tax_ids": [Command.set(self.merchant.fee_tax.ids * self.has_fee_tax)],
            "fee_tax_invoiced": self.fee_tax_invoiced,
        }
        if not self.keeps_losses_apart:
            vals["dispute_loss_account_id"] = False
        gateway.write(vals)
        gateway.action_test_connection()
        return gateway

    def create_link(self, code):
        return self.test.create_open_link(
            currency_id=self.test.env["res.currency"].search([("name", "=", code)]).id,
            gateway_id=self.random.choice(self.gateways).id,
            product_id=self.merchant.product.id,
            income_account_id=False,  # the gateway's
        )

    # === THE COURSE OF IT === #

    def run(self):
        """:return: How much time of the merchant's has passed."""
        self.pay()
        for _step in range(self.random.randint(6, 16)):
            self.take_step()
            self.deliver_some()
        self.settle_everything()
        self.finish_accounting()
        for gateway in self.gateways * 2:
            self.test.sync(gateway)
        self.take_back_taxes()
        HistoryChecks(self).check()
        return self.moment - START

    def take_step(self):
        minutes = self.random.choice(PAUSES)
        self.go_to(self.moment + timedelta(minutes=minutes))
        for step in self.random.sample(STEPS, len(STEPS)):
            if self.can(step):
                return

    def can(self, step):
        """Take a step, unless it isn't possible at this moment."""
        try:
            step(self)
        except NotNow:
            return False
        except StandinError as error:
            if error.status != 400:
                raise
            return False
        return True

    def settle_everything(self):
        self.skew = timedelta()
        for session_id in self.debits:
            self.end_debit_of(session_id)
        self.standin.release()

    def take_back_taxes(self):
        """An accountant looks at the disputes that are lost."""
        disputes = self.payments.dispute_ids.filtered(lambda d: d.tax_state == "kept")
        for dispute in disputes:
            if self.random.random() < 0.5:
                dispute.action_take_back_tax()
                self.taxes_taken_back |= dispute

    def go_to(self, moment):
        self.moment = moment
        self.clock.move_to(moment + self.skew)
        self.standin.set_clock(now=int(moment.replace(tzinfo=timezone.utc).timestamp()))

    # === WHAT ODOO HEARS === #

    def deliver_some(self):
        """Some of the events, some of them twice, in any order; the rest is lost."""
        events = self.test.take_events()
        events = [event for event in events if self.random.random() < self.heard]
        events += [event for event in events if self.random.random() < 0.3]
        self.random.shuffle(events)
        for event in events:
            gateway_sudo = self.random.choice(self.gateways).sudo()
            self.test.env["checkout.event"].sudo()._receive(gateway_sudo, event)
        self.process()

    def process(self):
        """The processor at work; it may crash at one of its first commits, or meet a
        Stripe that doesn't answer.
        """
        crashes_at = self.random.choice([0, 0, 0, 1, 2, 3, 5])
        with self.trouble(), crash_at(self.test.env, crashes_at):
            self.test.process()

    @contextmanager
    def trouble(self):
        """Some of Stripe's answers meanwhile may be none."""
        for _fault in range(self.random.choice([0, 0, 0, 1, 2])):
            self.standin.api_fault(match="GET /v1/", **self.random.choice(API_FAULTS))
        yield
        self.standin.clear_faults()

    def jump(self):
        """Odoo's clock is wrong from now on, or right again."""
        self.skew = self.random.choice(SKEWS)

    def sync(self):
        gateway = self.random.choice(self.gateways)
        self.test.sync(gateway)
        self.assert_not_red(gateway)

    def assert_not_red(self, gateway):
        """What differs is named, at the latest by the next sync: another gateway of the
        account may still have to read what it is about.
        """
        if gateway.agreement_state == "red":
            self.test.process()
            self.test.sync(gateway)
        about = f"{gateway.agreement_difference} unexplained, clock off by {self.skew}"
        self.test.assertNotEqual(gateway.agreement_state, "red", about)

    def compare(self):
        """The daily check, which also closes months."""
        gateway = self.random.choice(self.gateways)
        self.test.sync(gateway)
        gateway.action_check_agreement()
        self.assert_not_red(gateway)


STEPS = [
    *[History.pay] * 3,
    History.start_payment,
    History.pay_at_last,
    History.decline,
    History.expire,
    History.debit,
    History.end_debit,
    *[History.refund] * 3,
    History.refund_in_odoo,
    *[History.end_refund] * 2,
    *[History.dispute] * 3,
    *[History.decide_dispute] * 5,
    History.charge_counter_fee,
    *[History.pay_out] * 2,
    *[History.end_payout] * 2,
    History.charge_fee,
    History.adjust,
    History.jump,
    History.charge_elsewhere,
    History.sync,
    History.compare,
    *[History.reclassify] * 2,
    History.enter_rates,
    History.add_decimals,
]
