"""Keys, the account, the balance, webhook endpoints."""

from uuid import uuid4

import pytest

from .client import StripeError, const


def test_the_account_has_its_id_name_and_whether_it_may_charge(client):
    account = client.retrieve_account()
    assert account["id"].startswith("acct_")
    assert "name" in account["business_profile"]
    assert account["charges_enabled"] in (True, False)


def test_an_unknown_key_differs_from_all_other_failures(side):
    with pytest.raises(StripeError) as caught:
        side.stranger().retrieve_account()
    assert caught.value.reason == "auth"


def test_the_balance_has_whole_amounts_by_currency(client):
    balance = client.retrieve_balance()
    for rows in (balance["available"], balance["pending"]):
        assert all(type(row["amount"]) is int for row in rows)
        assert all(len(row["currency"]) == 3 for row in rows)


@pytest.mark.parametrize("permission", const.PERMISSIONS, ids=lambda p: p.title)
class TestPermissions:
    def test_a_secret_key_may_do_it(self, client, permission):
        assert client.ask_permission(permission.resource, permission.operation)

    def test_a_restricted_key_is_refused_even_what_makes_no_sense(
        self, restricted, permission
    ):
        allowed = restricted.ask_permission(permission.resource, permission.operation)
        assert allowed is False


def test_asking_for_permission_makes_nothing(client):
    before = [endpoint["id"] for endpoint in client.iter_webhook_endpoints()]
    client.ask_permission("webhook_endpoints", "create")
    after = [endpoint["id"] for endpoint in client.iter_webhook_endpoints()]
    assert after == before


def test_the_account_of_a_restricted_key_is_named_in_the_refusal(client, restricted):
    assert restricted.retrieve_account() == {"id": client.retrieve_account()["id"]}


def test_what_a_restricted_key_may_not_read_is_a_permission_error(restricted):
    with pytest.raises(StripeError) as caught:
        restricted.retrieve_balance()
    assert caught.value.reason == "permission"


class TestWebhookEndpoint:
    @pytest.fixture
    def endpoint(self, client):
        """One that lives as long as the test."""
        url = f"https://example.com/checkout/webhook/{uuid4()}"
        made = client.create_webhook_endpoint(
            {
                "url": url,
                "enabled_events": list(const.HANDLED_EVENTS),
                "description": "Checkout Links: contract suite",
            }
        )
        yield made
        if _find(client, made):
            client.delete_webhook_endpoint(made["id"])

    def test_it_speaks_our_version_and_sends_all_that_we_handle(self, endpoint):
        assert endpoint["api_version"] == const.API_VERSION
        assert set(endpoint["enabled_events"]) == set(const.HANDLED_EVENTS)
        assert endpoint["status"] == "enabled"
        assert endpoint["livemode"] is False

    def test_its_secret_is_shown_once(self, client, endpoint):
        assert endpoint["secret"].startswith("whsec_")
        assert "secret" not in _find(client, endpoint)

    def test_it_is_found_by_its_url(self, client, endpoint):
        assert _find(client, endpoint)["url"] == endpoint["url"]

    def test_deleted_it_is_gone(self, client, endpoint):
        client.delete_webhook_endpoint(endpoint["id"])
        assert not _find(client, endpoint)
        with pytest.raises(StripeError) as caught:
            client.delete_webhook_endpoint(endpoint["id"])
        assert caught.value.reason == "missing"


def _find(client, endpoint):
    found = client.iter_webhook_endpoints()
    return next((each for each in found if each["id"] == endpoint["id"]), None)
