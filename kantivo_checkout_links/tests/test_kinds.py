from odoo.tests import TransactionCase, tagged

from ..kinds import KIND_BY_CATEGORY, KINDS

# https://docs.stripe.com/reports/reporting-categories
CATEGORIES = {
    "charge": "charge",
    "charge_failure": "charge_failure",
    "dispute": "dispute",
    "dispute_reversal": "dispute_reversal",
    "fee": "fee",
    "network_cost": "fee",
    "payout": "payout",
    "payout_reversal": "payout_failure",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "tax": "fee",
}


@tagged("post_install", "-at_install")
class TestKinds(TransactionCase):
    """The table of kinds and what it promises of the rest of the ledger."""

    def test_each_kind_has_its_entry_builder(self):
        entry = self.env["checkout.entry"]
        for name, kind in KINDS.items():
            with self.subTest(kind=name):
                has_builder = hasattr(entry, f"_prepare_{name}_items")
                self.assertEqual(has_builder, not kind.for_review)

    def test_each_category_of_stripe_has_its_kind(self):
        self.assertEqual(KIND_BY_CATEGORY, CATEGORIES)

    def test_no_category_is_of_two_kinds(self):
        listed = [name for kind in KINDS.values() for name in kind.categories]
        self.assertCountEqual(listed, set(listed))

    def test_each_kind_can_be_selected_by_its_title(self):
        field = self.env["checkout.movement"]._fields["kind"]
        titles = [(name, kind.title) for name, kind in KINDS.items()]
        self.assertEqual(field._description_selection(self.env), titles)

    def test_fees_are_of_kinds_that_are_fees(self):
        for kind in KINDS.values():
            self.assertTrue(KINDS[kind.fee_kind].is_fee)
