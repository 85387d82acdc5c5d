from . import (
    account_bank_statement_line,
    account_move,
    checkout_event,
    checkout_gateway,
    checkout_link,
    checkout_movement,
    checkout_payment,
    checkout_poster,
    checkout_sync,
    res_company,
    res_partner,
)
