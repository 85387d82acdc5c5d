from . import (
    checkout_link_confirm,
    checkout_refund_wizard,
)
