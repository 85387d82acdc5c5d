"""The field for amounts that Stripe says."""

from odoo import fields
from odoo.tools import float_repr

from .money import FINEST_DECIMALS, round_exact


class StripeMonetary(fields.Monetary):
    """An amount as Stripe counts it, also where Odoo rounds its currency more coarsely.

    Odoo's own field rounds what is kept: the cents would be lost before anyone can have
    the currency rounded more finely.
    """

    def convert_to_column_insert(self, value, record, values=None, validate=True):
        """Override: not rounded as the currency is."""
        return float_repr(round_exact(value or 0.0), FINEST_DECIMALS)

    def convert_to_cache(self, value, record, validate=True):
        """Override: not rounded as the currency is."""
        return round_exact(value or 0.0)

    def _filter_not_equal(self, records, cache_value):
        """Override: what the currency would round to the same is another amount."""
        return super(fields.Monetary, self)._filter_not_equal(records, cache_value)
