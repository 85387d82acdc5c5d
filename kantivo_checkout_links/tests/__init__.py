from . import (
    test_charge_entry,
    test_inbox,
    test_money,
    test_pay_page,
    test_webhook,
)
