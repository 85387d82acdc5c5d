"""A stand-in for Stripe: API, hosted payment page and webhooks on one local port."""
