"""What Odoo's own accounting models guard and show of our entries."""

from . import (
    account_bank_statement_line,
    account_journal,
    account_move,
    account_move_line,
    account_tax,
)
