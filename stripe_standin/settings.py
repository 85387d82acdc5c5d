"""What can be set about the simulated account and about Stripe's habits."""

import dataclasses
from dataclasses import dataclass, field

from .errors import NotPossible


@dataclass
class Settings:
    """One merchant's account. All can be set by the control API's `settings`."""

    merchant_name: str = "Standin Merchant"
    country: str = "US"
    statement_prefix: str | None = None
    """What card statements start with."""
    currencies: list = field(default_factory=lambda: ["usd"])
    """Settlement currencies; the first one takes what has no balance of its own."""
    rates: dict = field(default_factory=dict)
    """What one unit of a currency is worth in US dollars, as text."""
    fee_rate: str = "0.029"
    fee_fixed: dict = field(default_factory=dict)
    """Fixed part of the fee by settlement currency, minor units; overrides."""
    fee_tax_rate: str = "0"
    """Tax on Stripe's fee, e.g. `0.19`; a `fee_details` line of its own."""
    dispute_fee: int = 1500
    """Minor units of the settlement currency."""
    balance_transactions: str = "auto"
    """`auto`: after a delay; `held`: only when released."""
    balance_transaction_delay: float = 2.0
    """Seconds at Stripe's own speed."""
    available_after_days: int = 2
    debit_balance_transaction: str = "on_success"
    """`on_success`, or `at_once`: while the bank debit is still pending."""
    refund_outcome: str = "succeeded"
    """What a new refund is; one of `resources.refunds.OUTCOMES`."""

    def change(self, values):
        """Set some of them.

        :raises NotPossible: a name that does not exist
        """
        for name, value in values.items():
            if name not in NAMES:
                raise NotPossible(f"no such setting: {name}")
            setattr(self, name, value)


NAMES = frozenset(f.name for f in dataclasses.fields(Settings))
