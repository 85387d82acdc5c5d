from . import (
    test_charge_entry,
    test_inbox,
    test_life,
    test_link,
    test_money,
    test_pay_page,
    test_protection,
    test_views,
    test_webhook,
)
