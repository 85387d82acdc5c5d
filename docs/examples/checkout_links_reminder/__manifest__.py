{
    "name": "Checkout Links: Reminder to Send",
    "version": "19.0.1.0.0",
    "author": "Your Company",
    "license": "LGPL-3",
    "depends": ["kantivo_checkout_links"],
}
