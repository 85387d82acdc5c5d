"""Random histories, badly reported: in the end the ledger agrees with Stripe.

`CHECKOUT_HISTORIES` says how many (20), `CHECKOUT_HISTORY` is one seed to replay. Who
sets one of them reads the result; among all tests nothing may be printed.
"""

import os
from datetime import timedelta
from hashlib import sha256

from freezegun import freeze_time

from odoo.tools import mute_logger

from .common import CLIENT_LOGGER, SYNC_LOGGER, CheckoutCommon
from .history import START, TURN, History
from .history_corpus import CORPUS
from .history_merchants import CHARTS, Merchant

COUNT = int(os.environ.get("CHECKOUT_HISTORIES", 20))
ONE = os.environ.get("CHECKOUT_HISTORY")
SEEDS = [int(ONE)] if ONE else sorted({*range(COUNT), *CORPUS})
IS_ASKED_FOR = not os.environ.keys().isdisjoint(
    {"CHECKOUT_HISTORIES", "CHECKOUT_HISTORY"}
)
YEAR = timedelta(days=365)


class TestHistories(CheckoutCommon):
    """Money comes and goes, deliveries are lost, doubled and shuffled, Stripe fails to
    answer and Odoo's processes crash.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        known = cls.env["account.chart.template"]._get_chart_template_mapping()
        installed = cls.env["ir.module.module"].sudo()._installed()
        charts = [chart for chart in CHARTS if known[chart]["module"] in installed]
        cls.merchants = {chart: Merchant(cls, chart, TURN) for chart in charts}

    def test_after_the_sync_the_ledger_agrees_in_every_history(self):
        lived = timedelta()
        agreeing = set()
        balances = sha256()
        loggers = mute_logger(CLIENT_LOGGER, SYNC_LOGGER)  # troubles are part of it
        with freeze_time(START) as clock, loggers:
            for seed in SEEDS:
                with self.subTest(seed=seed), self.env.cr.savepoint() as savepoint:
                    lived += History(self, clock, seed).run()
                    balances.update(repr(self.get_balances()).encode())
                    savepoint.rollback()
                    agreeing.add(seed)
                self.env.invalidate_all()
        if IS_ASKED_FOR:
            self.print_result(set(SEEDS) - agreeing, lived, balances.hexdigest()[:12])

    def get_balances(self):
        """What the company's accounts come to: a change of code that should change no
        entry gives the same ones.
        """
        company = self.env.user.company_id
        groups = self.env["account.move.line"]._read_group(
            [("company_id", "=", company.id), ("parent_state", "=", "posted")],
            ["account_id"],
            ["balance:sum", "__count"],
        )
        codes = self.env["account.account"].with_company(company)
        return sorted(
            (codes.browse(account.id).code, company.currency_id.round(balance), count)
            for account, balance, count in groups
        )

    def print_result(self, different, lived, balances):
        lines = [
            f"{len(SEEDS)} histories, {lived / YEAR:.2f} merchant-years,"
            f" {len(different)} differences",
            f"Balances of all accounts: {balances}",
            *(f"Replay: make histories ARGS={seed}" for seed in sorted(different)),
        ]
        print("\n".join(lines))  # pylint: disable=print-used
