"""Rooms, one above the other: each calls only those that are imported before it."""
# ruff: noqa: I001

from . import checkout_base
from . import gateway
from . import ledger
from . import payment
from . import account
from . import processing
