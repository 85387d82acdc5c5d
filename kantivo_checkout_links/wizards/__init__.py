from . import (
    checkout_contact_wizard,
    checkout_link_confirm,
    checkout_rebook_wizard,
    checkout_refund_wizard,
)
