{
    "name": "Checkout Links: routes to compare with",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "author": "Kantivo",
    "depends": ["kantivo_checkout_links"],
}
