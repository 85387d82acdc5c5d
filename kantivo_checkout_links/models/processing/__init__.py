"""What reads Stripe and brings everything below up to date."""

from . import (
    balance_check,
    processor,
    stripe_reader,
    sync,
)
