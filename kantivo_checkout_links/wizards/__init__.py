from . import (
    checkout_contact_wizard,
    checkout_link_confirm,
    checkout_link_share,
    checkout_posting_preview,
    checkout_product_update,
    checkout_reclassify_wizard,
    checkout_refund_wizard,
)
