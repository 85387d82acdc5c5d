"""Random histories of an account, told badly: in the end the books agree with Stripe.

`CHECKOUT_HISTORIES` says how many (30), `CHECKOUT_HISTORY` is one seed to replay. Who
sets one of them reads the result; among all tests nothing may be printed.
"""

import os

from freezegun import freeze_time

from .common import CheckoutCommon
from .history import START, TURN, History

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
        rates = {"EUR": (1 / 1.1, 1 / 1.2), "JPY": (150.0, 160.0)}
        cls.gateways = {"USD": cls.gateway}
        for code, (before, after) in rates.items():
            currency = cls.setup_other_currency(
                code, rates=[("2016-01-01", before), (str(TURN.date()), after)]
            )
            cls.gateways[code] = cls.create_gateway_in(currency)
        shares = cls.tax.invoice_repartition_line_ids
        shares |= cls.tax.refund_repartition_line_ids
        cls.sale_tags = shares.tag_ids
        cls.sale_tag_by_name = {tag.name: tag for tag in cls.sale_tags}
        cls.fee_tax = cls.create_tax(19)
        cls.fee_tax.type_tax_use = "purchase"

    @classmethod
    def create_gateway_in(cls, currency):
        journal = cls.env["account.journal"].create(
            {
                "name": f"Stripe {currency.name}",
                "type": "bank",
                "code": f"ST{currency.name}",
                "currency_id": currency.id,
            }
        )
        return cls.create_gateway(journal_id=journal.id)

    def test_after_the_sync_the_books_agree_whatever_was_told(self):
        agreeing = []
        with freeze_time(START) as clock:
            for seed in SEEDS:
                with self.subTest(seed=seed), self.env.cr.savepoint() as savepoint:
                    History(self, clock, seed).run()
                    savepoint.rollback()
                    agreeing.append(seed)
                self.env.invalidate_all()
        if IS_ASKED_FOR:
            self.print_result(len(SEEDS) - len(agreeing))

    def print_result(self, different):
        print(f"{len(SEEDS)} histories, {different} differences")  # pylint: disable=print-used
