"""Tests by Odoo's own runner; pytest finds them by itself.

Odoo imports this package whenever it runs tests of any module. So where the stand-in
for Stripe is missing, the tests that need it are left out, and nothing fails.
"""

import logging
import sys
from importlib.util import find_spec
from pathlib import Path

from . import test_brand, test_kinds, test_money

_STANDIN = "stripe_standin"
_REPOSITORY = Path(__file__).resolve().parents[2]

if (_REPOSITORY / _STANDIN).is_dir():
    sys.path.append(str(_REPOSITORY))

if find_spec(_STANDIN):
    from . import (
        test_access,
        test_agreement,
        test_announcement,
        test_audit_trail,
        test_bounds,
        test_brake,
        test_charge_entry,
        test_clock,
        test_companies,
        test_cost,
        test_currency,
        test_dates,
        test_decimals,
        test_dispute,
        test_dispute_outcome,
        test_dispute_tax,
        test_entry_texts,
        test_fees,
        test_fiscal_position,
        test_gateway,
        test_gateway_accounting,
        test_gateway_keys,
        test_gateway_webhook,
        test_guarded,
        test_health,
        test_histories,
        test_inbox,
        test_life,
        test_link,
        test_link_accounts,
        test_link_posting,
        test_lookups,
        test_obstacles,
        test_on_paid,
        test_origin,
        test_other_account,
        test_outsiders,
        test_partner,
        test_pay_entries,
        test_pay_language,
        test_pay_look,
        test_pay_page,
        test_payout,
        test_permutations,
        test_places,
        test_posting_preview,
        test_prefill,
        test_product,
        test_protection,
        test_queries,
        test_rates,
        test_reclassification,
        test_refund,
        test_revaluation,
        test_rights,
        test_set_contact,
        test_share,
        test_side_work,
        test_statements,
        test_stripe_limits,
        test_stripe_text,
        test_sync,
        test_taxes,
        test_test_mode,
        test_thin_events,
        test_totals,
        test_translations,
        test_unknown_words,
        test_views,
        test_webhook,
    )
else:
    logging.getLogger(__name__).info(
        "Most tests of Checkout Links need the stand-in for Stripe: install the"
        " package stripe-standin, which is in the addon's repository."
    )
