"""Odoo's own Stripe provider on the account of a gateway: nothing is posted twice."""

import pytest

from tools import demo_shop
from tools.rpc import OdooError

PUBLISHABLE_KEY = "pk_test_of_the_provider"


@pytest.fixture
def provider(place):
    """Id of the shop's own Stripe provider, in use with the key of its gateway."""
    gateway_id = place.shop.gateway_id
    company_id = place.admin.read("checkout.gateway", gateway_id, "company_id")
    (provider_id,) = place.admin.search(
        "payment.provider", [("code", "=", "stripe"), ("company_id", "=", company_id)]
    )
    place.admin.write(
        "payment.provider",
        provider_id,
        stripe_publishable_key=PUBLISHABLE_KEY,
        stripe_secret_key=demo_shop.SECRET_KEY,
        state="test",
    )
    yield provider_id
    place.admin.write("payment.provider", provider_id, state="disabled")
    _test_connection(place)
    place.admin.write("checkout.gateway", gateway_id, foreign_movements="book")


def _test_connection(place):
    """Press *Test Connection*, and read what it found."""
    gateway_id = place.shop.gateway_id
    place.admin.call("checkout.gateway", "action_test_connection", [gateway_id])
    return place.admin.read("checkout.gateway", gateway_id, "connection_message")


@pytest.mark.usefixtures("provider")
def test_same_account_is_reported_and_the_sync_waits_for_a_choice(place):
    gateway = [place.shop.gateway_id]
    assert "would be posted twice" in _test_connection(place)
    with pytest.raises(OdooError, match="Choose on the gateway"):
        place.admin.call("checkout.gateway", "action_sync", gateway)

    place.admin.call("checkout.gateway", "action_ignore_third_party", gateway)
    message = _test_connection(place)
    assert "posted twice" not in message
    assert "as you chose" in message
    place.admin.call("checkout.gateway", "action_sync", gateway)


@pytest.mark.parametrize(
    "change",
    [
        {"stripe_secret_key": f"{demo_shop.SECRET_KEY}_at_elsewhere"},
        {"state": "disabled"},
    ],
)
def test_provider_of_another_account_or_out_of_use_is_none_of_ours(
    place, provider, change
):
    place.admin.write("payment.provider", provider, **change)
    assert "payment provider" not in _test_connection(place)


@pytest.mark.usefixtures("provider")
def test_new_gateway_copies_the_providers_key_with_a_button(place):
    gateway_id = place.admin.create("checkout.gateway", name="Second")
    assert place.admin.read("checkout.gateway", gateway_id, "can_copy_key")
    place.admin.call("checkout.gateway", "action_copy_provider_key", [gateway_id])
    shown = place.admin.read("checkout.gateway", gateway_id, "secret_key")
    assert shown.startswith("sk_test_") and "…" in shown
    assert not place.admin.read("checkout.gateway", gateway_id, "can_copy_key")
    place.admin.call("checkout.gateway", "unlink", [gateway_id])
