"""Links, and what became of the payments that were made with them."""

from . import money_back

# isort: split
# These inherit from the one above.
from . import (
    checkout_announcement,
    checkout_dispute,
    checkout_link,
    checkout_method,
    checkout_payment,
    checkout_refund,
    dispute_tax,
    link_brake,
    link_button,
    link_minimum,
    link_page,
    link_paying,
    link_places,
    link_posting,
    link_prefill,
    link_preview,
    link_sharing,
    link_stripe_page,
    link_suggestions,
    link_totals,
    link_wording,
    livemode,
    mail_compose_message,
    payment_contact,
    payment_dashboard,
    payment_origin,
    payment_preview,
    payment_purge,
    payment_refunding,
    payment_session,
    payment_stripe_page,
    payment_totals,
    payment_tracking,
    res_config_settings,
    res_partner,
)
