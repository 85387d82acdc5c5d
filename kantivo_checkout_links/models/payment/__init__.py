"""Links, and what became of the payments that were made with them."""

from . import (
    checkout_announcement,
    checkout_dispute,
    checkout_link,
    checkout_payment,
    checkout_refund,
    dispute_tax,
    link_minimum,
    link_paying,
    link_places,
    link_posting,
    link_totals,
    livemode,
    payment_contact,
    payment_dashboard,
    payment_origin,
    payment_preview,
    payment_refunding,
    payment_session,
    payment_totals,
    res_partner,
)
