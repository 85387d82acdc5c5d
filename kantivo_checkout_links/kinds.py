"""The kinds of Stripe transactions: all that is known of each, in one table.

Plain Python without Odoo. A new kind is one row here and, unless it is for review, one
`_prepare_<kind>_items` in `checkout.entry`; `tests/test_kinds` lists its category too.
One that is posted to an account of its own also needs that account on the gateway: see
CONTRIBUTING.md.
"""

from typing import NamedTuple


class Kind(NamedTuple):
    """What the ledger has to know of a kind of transaction.

    Entries of kinds that hold money are reconciled with those of the same object.
    """

    title: str
    # The `reporting_category` of its balance transactions.
    # https://docs.stripe.com/reports/reporting-categories
    categories: tuple[str, ...] = ()
    # Its journal items are in the currency that the customer paid in.
    in_source_currency: bool = False
    # It changes the Stripe balance; else its entry has no liquidity item.
    moves_balance: bool = True
    # It may be posted before its balance transaction is known.
    may_run_ahead: bool = False
    # Its entry is made from entries that must be posted before.
    is_derived: bool = False
    # Its entry holds money on an account until it is decided where that goes, or lets
    # go of it: of a dispute or of a payout.
    holds_dispute: bool = False
    holds_payout: bool = False
    # It decides on what a dispute withheld.
    decides_dispute: bool = False
    # Money that the merchant had is gone without the merchant giving it back.
    is_loss: bool = False
    is_fee: bool = False
    # The kind of the fee that its balance transaction may include.
    fee_kind: str = "fee"
    # Only a person can say what it is about.
    for_review: bool = False
    # Its balance transaction may be missing in the lists of the object it is about.
    may_be_unlisted: bool = False
    can_reclassify: bool = False
    # Its path in the Stripe Dashboard; the id of its source goes in.
    dashboard: str = "search?query={}"


KINDS = {
    "charge": Kind(
        "Charge",
        ("charge",),
        in_source_currency=True,
        may_run_ahead=True,
        can_reclassify=True,
    ),
    "charge_failure": Kind(
        "Charge Failed",
        ("charge_failure",),
        in_source_currency=True,
        is_derived=True,
        is_loss=True,
    ),
    "fee": Kind(
        "Fee",
        ("fee", "network_cost", "tax"),
        is_fee=True,
        may_be_unlisted=True,
        can_reclassify=True,
    ),
    "refund": Kind(
        "Refund",
        ("refund",),
        in_source_currency=True,
        is_derived=True,
        can_reclassify=True,
    ),
    "refund_failure": Kind(
        "Refund Failed",
        ("refund_failure",),
        in_source_currency=True,
        is_derived=True,
    ),
    "dispute": Kind(
        "Dispute",
        ("dispute",),
        holds_dispute=True,
        fee_kind="dispute_fee",
    ),
    "dispute_fee": Kind("Dispute Fee", is_fee=True, can_reclassify=True),
    "dispute_reversal": Kind(
        "Dispute Reversal",
        ("dispute_reversal",),
        is_derived=True,
        holds_dispute=True,
        decides_dispute=True,
        fee_kind="dispute_fee",
    ),
    "dispute_loss": Kind(
        "Dispute Lost",
        moves_balance=False,
        is_derived=True,
        holds_dispute=True,
        decides_dispute=True,
        is_loss=True,
    ),
    "payout": Kind("Payout", ("payout",), holds_payout=True, dashboard="payouts/{}"),
    "payout_failure": Kind(
        "Payout Failed",
        ("payout_reversal",),
        holds_payout=True,
        dashboard="payouts/{}",
    ),
    "adjustment": Kind(
        "Adjustment", for_review=True, may_be_unlisted=True, can_reclassify=True
    ),
    "opening": Kind("Opening Balance", for_review=True, can_reclassify=True),
}

# Any other category is an adjustment, for a person to look at.
OTHER_KIND = "adjustment"
KIND_BY_CATEGORY = {
    category: name for name, kind in KINDS.items() for category in kind.categories
}
KIND_SELECTION = [(name, kind.title) for name, kind in KINDS.items()]


def _names_where(property_name: str) -> tuple[str, ...]:
    return tuple(name for name, kind in KINDS.items() if getattr(kind, property_name))


DERIVED_KINDS = _names_where("is_derived")
DISPUTE_KINDS = _names_where("holds_dispute")
PAYOUT_KINDS = _names_where("holds_payout")
HOLDING_KINDS = (*DISPUTE_KINDS, *PAYOUT_KINDS)
DECIDING_KINDS = _names_where("decides_dispute")
LOSS_KINDS = _names_where("is_loss")
FEE_KINDS = _names_where("is_fee")
# A sale, or what takes it back and restores it: with the sale's fiscal position.
SALE_KINDS = ("charge", *DERIVED_KINDS)
# What may be posted before Stripe's balance shows it.
EARLY_KINDS = _names_where("may_run_ahead")
