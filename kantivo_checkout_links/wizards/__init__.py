from . import (
    checkout_link_confirm,
)
