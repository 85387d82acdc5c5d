from odoo import SUPERUSER_ID, api

# Records that an update doesn't touch: their name (or another field) before and now.
WORDS = {
    "ir_cron_agreement": {
        "name": (
            "Checkout Links: compare the books with Stripe",
            "Checkout Links: check the balance",
        ),
    },
    "mail_activity_health": {
        "name": ("Stripe needs you", "Stripe needs attention"),
        "summary": (
            "News from Stripe don't get through",
            "The Stripe gateway needs attention",
        ),
    },
    "mail_activity_agreement": {
        "name": ("Stripe's balance differs", "Stripe balance does not match"),
        "summary": (
            "The books differ from Stripe",
            "The ledger does not match Stripe",
        ),
    },
    "checkout_movement_company_rule": {
        "name": ("Movements: own companies", "Transactions: own companies"),
    },
}


def migrate(cr, version):
    """Give records that only an installation writes their new names, unless the user
    has changed them.
    """
    env = api.Environment(cr, SUPERUSER_ID, {})
    for xmlid, changes in WORDS.items():
        record = env.ref(f"kantivo_checkout_links.{xmlid}", raise_if_not_found=False)
        for field, (before, now) in changes.items():
            if record and record[field] == before:
                record[field] = now
