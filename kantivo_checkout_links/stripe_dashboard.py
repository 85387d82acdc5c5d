"""Addresses in Stripe's dashboard, for people to click."""

# https://docs.stripe.com/dashboard/basics: what is in test mode lies below /test.
DASHBOARD = "https://dashboard.stripe.com"


def get_dashboard_url(path, livemode):
    """The address of something in Stripe's dashboard, by its path there."""
    return "/".join((DASHBOARD, path) if livemode else (DASHBOARD, "test", path))
