"""What holds for every API call: keys, idempotency, lists, expansion, faults."""

import threading
import time

import pytest
import requests
import stripe

from .conftest import client_of, eventually, new_charge, new_session, session_params


def create(client, key=None, **params):
    return client.v1.checkout.sessions.create(
        params=session_params(**params),
        options={"idempotency_key": key} if key else {},
    )


class TestKeys:
    @pytest.mark.parametrize("key", ["sk_test_x_invalid", "pk_test_1", "nonsense"])
    def test_unknown(self, standin, key):
        with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
            client_of(standin, key).v1.balance.retrieve()

    def test_expired(self, standin):
        with pytest.raises(stripe.AuthenticationError) as caught:
            client_of(standin, "sk_test_1_expired").v1.balance.retrieve()
        assert caught.value.json_body["error"]["code"] == "api_key_expired"

    def test_none(self, standin):
        answer = requests.get(f"{standin.url}/v1/balance", timeout=20)
        assert answer.status_code == 401
        assert "did not provide an API key" in answer.json()["error"]["message"]

    def test_basic_authentication(self, standin):
        answer = requests.get(
            f"{standin.url}/v1/balance", auth=("sk_test_1", ""), timeout=20
        )
        assert answer.json()["object"] == "balance"

    def test_restricted(self, standin):
        standin.configure(keys={"rk_test_few": {"denied": ["rak_charge_read"]}})
        client = client_of(standin, "rk_test_few")
        client.v1.balance.retrieve()
        with pytest.raises(stripe.PermissionError) as caught:
            client.v1.charges.list(params={"limit": 1})
        assert "Having the 'rak_charge_read' permission" in caught.value.user_message
        assert caught.value.http_status == 403
        with pytest.raises(stripe.PermissionError):
            client.v1.charges.retrieve("ch_none")

    def test_accounts_do_not_see_each_other(self, standin, client):
        other = client_of(standin, "sk_test_1_at_second")
        assert other.v1.accounts.retrieve_current().id == "acct_second"
        session = new_session(client)
        with pytest.raises(stripe.InvalidRequestError) as caught:
            other.v1.checkout.sessions.retrieve(session.id)
        assert caught.value.code == "resource_missing"
        assert caught.value.http_status == 404

    def test_modes_do_not_see_each_other_but_say_so(self, standin, client):
        session = new_session(client)
        live = client_of(standin, "sk_live_1")
        with pytest.raises(stripe.InvalidRequestError, match="exists in test mode"):
            live.v1.checkout.sessions.retrieve(session.id)

    def test_another_api_version_is_refused(self, standin, client):
        with pytest.raises(stripe.InvalidRequestError, match="version"):
            client.v1.balance.retrieve(options={"stripe_version": "2020-08-27"})

    def test_another_account_is_refused(self, client):
        own = client.v1.accounts.retrieve_current().id
        client.v1.balance.retrieve(options={"stripe_account": own})
        with pytest.raises(stripe.PermissionError, match="does not have access"):
            client.v1.balance.retrieve(options={"stripe_account": "acct_other"})

    def test_unknown_path(self, client):
        with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request"):
            client.raw_request("get", "/v1/nothing")


class TestIdempotency:
    def test_repeated_call_is_answered_from_the_first(self, client, standin):
        first = create(client, "key-1")
        second = create(client, "key-1")
        assert second.id == first.id
        assert second.last_response.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.last_response.headers
        assert standin.counts()["checkout.session"] == 1
        assert [entry["replayed"] for entry in standin.requests()] == [False, True]

    def test_other_parameters(self, client):
        create(client, "key-1")
        with pytest.raises(stripe.IdempotencyError) as caught:
            create(client, "key-1", amount=500)
        assert caught.value.http_status == 400

    def test_other_account(self, client, standin):
        create(client, "key-1")
        other = client_of(standin, "sk_test_1_at_second")
        assert create(other, "key-1", amount=500).amount_total == 500

    def test_after_a_day(self, client, frozen):
        first = create(client, "key-1")
        frozen.advance(86400)
        assert create(client, "key-1").id != first.id

    def test_while_the_first_is_still_running(self, client, standin):
        standin.api_fault("slow", "POST /v1/checkout/sessions", seconds=1)
        slow = threading.Thread(target=create, args=(client, "key-1"))
        slow.start()
        eventually(lambda: [e for e in standin.requests() if e["fault"] == "slow"])
        time.sleep(0.1)
        with pytest.raises(stripe.StripeError) as caught:
            create(client, "key-1")
        slow.join()
        error = caught.value.json_body["error"]
        assert (caught.value.http_status, error["code"]) == (
            409,
            "idempotency_key_in_use",
        )
        create(client, "key-1")
        assert standin.counts()["checkout.session"] == 1

    def test_invalid_parameters_leave_the_key_free(self, client):
        with pytest.raises(stripe.InvalidRequestError):
            create(client, "key-1", bogus=1)
        assert create(client, "key-1")

    def test_too_long(self, client):
        with pytest.raises(stripe.InvalidRequestError):
            create(client, "k" * 256)


class TestLists:
    @pytest.fixture
    def ids(self, standin, client):
        return [new_session(client).id for _ in range(12)][::-1]

    def page(self, client, **params):
        found = client.v1.checkout.sessions.list(params=params)
        return [session.id for session in found.data], found.has_more

    def test_ten_by_default_newest_first(self, client, ids):
        assert self.page(client) == (ids[:10], True)

    def test_forwards(self, client, ids):
        assert self.page(client, limit=5, starting_after=ids[4]) == (ids[5:10], True)
        assert self.page(client, limit=5, starting_after=ids[6]) == (ids[7:], False)

    def test_backwards(self, client, ids):
        assert self.page(client, limit=3, ending_before=ids[5]) == (ids[2:5], True)
        assert self.page(client, limit=3, ending_before=ids[3]) == (ids[:3], False)

    def test_all_pages(self, client, ids):
        pages = client.v1.checkout.sessions.list(params={"limit": 5})
        assert [session.id for session in pages.auto_paging_iter()] == ids

    @pytest.mark.parametrize(
        "params", [{"limit": 0}, {"limit": 101}, {"starting_after": "cs_test_none"}]
    )
    def test_refusals(self, client, ids, params):
        with pytest.raises(stripe.InvalidRequestError):
            self.page(client, **params)


class TestExpansion:
    def test_four_levels(self, client, frozen):
        charge = new_charge(frozen, client)
        path = "data.payment_intent.latest_charge.balance_transaction"
        found = client.v1.checkout.sessions.list(params={"expand": [path]})
        (session,) = found.data
        latest = session.payment_intent.latest_charge
        assert latest.id == charge.id
        assert latest.balance_transaction.fee == 349

    def test_source_of_any_kind(self, client, frozen):
        charge = new_charge(frozen, client)
        client.v1.refunds.create(params={"charge": charge.id})
        found = client.v1.balance_transactions.list(params={"expand": ["data.source"]})
        assert [bt.source.object for bt in found] == ["refund", "charge"]

    @pytest.mark.parametrize(
        ("path", "complaint"),
        [
            ("amount_total", "cannot be expanded"),
            ("nothing", "cannot be expanded"),
            ("a.b.c.d.e", "more than 4 levels"),
        ],
    )
    def test_refusals(self, client, standin, path, complaint):
        session = new_session(client)
        with pytest.raises(stripe.InvalidRequestError, match=complaint):
            client.v1.checkout.sessions.retrieve(session.id, params={"expand": [path]})


class TestFaults:
    @pytest.mark.parametrize(
        ("status", "error"),
        [(429, stripe.RateLimitError), (500, stripe.APIError), (503, stripe.APIError)],
    )
    def test_status_without_execution(self, client, standin, status, error):
        standin.api_fault("status", "POST /v1/checkout", status=status)
        with pytest.raises(error):
            create(client)
        assert standin.counts().get("checkout.session") is None
        assert create(client)

    def test_only_what_matches_and_only_so_often(self, client, standin):
        standin.api_fault("status", "/v1/charges", status=500, times=2)
        create(client)
        for _ in range(2):
            with pytest.raises(stripe.APIError):
                client.v1.charges.list()
        client.v1.charges.list()
        faults = [entry["fault"] for entry in standin.requests()]
        assert faults == [None, "status", "status", None]

    def test_the_package_retries_unless_switched_off(self, standin):
        client = stripe.StripeClient(
            "sk_test_1", base_addresses={"api": standin.url}, max_network_retries=2
        )
        standin.api_fault("status", status=500)
        client.v1.balance.retrieve()
        standin.api_fault("status", status=500, should_retry=False)
        with pytest.raises(stripe.APIError):
            client.v1.balance.retrieve()
        assert [e["status"] for e in standin.requests()] == [500, 200, 500]

    def test_failure_saved_under_the_key(self, client, standin):
        standin.api_fault("status", status=500, saved=True)
        for _ in range(2):
            with pytest.raises(stripe.APIError):
                create(client, "key-1")
        assert create(client, "key-2")

    def test_executed_but_the_answer_is_lost(self, client, standin):
        standin.api_fault("lost_answer")
        with pytest.raises(stripe.APIError):
            create(client, "key-1")
        assert standin.counts()["checkout.session"] == 1
        create(client, "key-1")
        assert standin.counts()["checkout.session"] == 1

    @pytest.mark.parametrize(
        ("kind", "is_executed"), [("hang", 0), ("half_body", 1), ("lost_answer", 1)]
    )
    def test_broken_connections(self, client, standin, kind, is_executed):
        standin.api_fault(kind, seconds=0.1)
        with pytest.raises(stripe.APIConnectionError):
            create(client, "key-1")
        assert standin.counts().get("checkout.session", 0) == is_executed
        create(client, "key-1")
        assert standin.counts()["checkout.session"] == 1

    def test_connection_is_kept_until_it_breaks(self, client, standin):
        create(client)
        client.v1.balance.retrieve()
        standin.api_fault("half_body")
        with pytest.raises(stripe.APIConnectionError):
            create(client)
        client.v1.balance.retrieve()
        first, second, third, last = [e["connection"] for e in standin.requests()]
        assert first == second == third != last

    def test_time_out(self, standin):
        http = stripe.RequestsClient(timeout=0.3)
        client = stripe.StripeClient(
            "sk_test_1", base_addresses={"api": standin.url}, http_client=http
        )
        standin.api_fault("slow", seconds=1)
        with pytest.raises(stripe.APIConnectionError):
            client.v1.balance.retrieve()

    def test_cleared(self, client, standin):
        standin.api_fault("status", status=500, times=100)
        standin.clear_faults()
        client.v1.balance.retrieve()


class TestLog:
    def test_shows_decoded_parameters(self, client, standin):
        create(client, "key-1", metadata={"a": "b"})
        client.v1.balance.retrieve()
        (entry,) = standin.requests("POST /v1/checkout/sessions")
        assert entry["params"]["metadata"] == {"a": "b"}
        assert entry["params"]["line_items"]["0"]["price_data"]["currency"] == "usd"
        assert entry["idempotency_key"] == "key-1"
        assert entry["status"] == 200
        standin.clear_requests()
        assert standin.requests() == []

    def test_keeps_no_key(self, client, standin):
        client.v1.balance.retrieve()
        assert "sk_test_of_the_tests" not in str(standin.requests())


def test_the_account_has_its_settlement_currencies(client, standin):
    standin.settings(currencies=["gbp", "eur"], country="GB", merchant_name="Café")
    account = client.v1.accounts.retrieve_current()
    assert account.default_currency == "gbp"
    assert account.country == "GB"
    assert account.business_profile.name == "Café"
    assert [bank.currency for bank in account.external_accounts] == ["gbp", "eur"]


def test_headers(client):
    response = new_session(client).last_response
    assert response.request_id.startswith("req_")
    assert response.headers["Stripe-Version"] == stripe.api_version
