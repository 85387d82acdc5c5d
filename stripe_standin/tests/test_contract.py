"""Requests and answers against the types of the installed `stripe` package."""

import copy
import time

import pytest
import stripe
from stripe.params import BalanceRetrieveParams
from stripe.params.checkout import SessionCreateParams

from stripe_standin import contract, forms, routing
from stripe_standin.errors import StripeError
from stripe_standin.gate import Gate, Incoming
from stripe_standin.world import World

from .conftest import client_of, new_charge, session_params


def refused(form):
    with pytest.raises(StripeError) as caught:
        contract.read_params(SessionCreateParams, forms.decode(form))
    return caught.value


class TestRequests:
    def test_values_get_their_types(self):
        form = (
            "mode=payment&expires_at=12&adaptive_pricing[enabled]=false&metadata[0]=a"
            "&line_items[0][quantity]=2&line_items[1][quantity]=3&expand[]=line_items"
            "&branding_settings[display_name]=Caf%C3%A9"
        )
        assert contract.read_params(SessionCreateParams, forms.decode(form)) == {
            "mode": "payment",
            "expires_at": 12,
            "adaptive_pricing": {"enabled": False},
            "metadata": {"0": "a"},
            "line_items": [{"quantity": 2}, {"quantity": 3}],
            "expand": ["line_items"],
            "branding_settings": {"display_name": "Café"},
        }

    @pytest.mark.parametrize(
        ("form", "param", "code"),
        [
            ("bogus=1", "bogus", "parameter_unknown"),
            ("payment_method_types[]=card", "payment_method_types", None),
            (
                "line_items[0][price_data][currency]=usd"
                "&line_items[0][price_data][custom_unit_amount][enabled]=true",
                "line_items[0][price_data][custom_unit_amount]",
                "parameter_unknown",
            ),
            (
                "line_items[0][price_data][unit_amount]=1",
                "line_items[0][price_data][currency]",
                "parameter_missing",
            ),
            ("expires_at=12.0", "expires_at", "parameter_invalid_integer"),
            ("expires_at=%D9%A1%D9%A2", "expires_at", "parameter_invalid_integer"),
            ("adaptive_pricing[enabled]=yes", "adaptive_pricing[enabled]", None),
            ("submit_type=tip", "submit_type", None),
            ("ui_mode=hosted", "ui_mode", None),
            ("customer_email=", "customer_email", "parameter_invalid_empty"),
            ("line_items=x", "line_items", None),
            ("mode[a]=x", "mode", None),
            ("line_items[x][quantity]=1", "line_items", None),
            ("api_key=sk_test_1", "api_key", "parameter_unknown"),
        ],
    )
    def test_what_the_pinned_version_does_not_know_is_refused(self, form, param, code):
        error = refused(form)
        assert error.status == 400
        assert error.param == param
        if code:
            assert error.code == code

    def test_badly_bracketed_names_are_refused(self):
        with pytest.raises(StripeError, match="Invalid parameter name"):
            forms.decode("a[b=1")
        with pytest.raises(StripeError, match="Invalid parameter"):
            forms.decode("a=1&a[b]=2")


@pytest.fixture
def charge(frozen, client):
    return new_charge(frozen, client).to_dict(for_json=True)


class TestAnswers:
    def test_an_answer_that_fits_passes(self, charge):
        contract.check_answer(charge)

    @pytest.mark.parametrize(
        ("path", "value", "complaint"),
        [
            (["amount"], "11000", "charge.amount: '11000' is no"),
            (["status"], "done", "charge.status: 'done' is not one of"),
            (["livemode"], 0, "charge.livemode"),
            (["bogus"], 1, "unknown members"),
            (["metadata"], {"a": 1}, "charge.metadata: not all text"),
            (["billing_details", "emails"], [], "charge.billing_details: unknown"),
            (["payment_method_details", "card", "exp_year"], None, "exp_year"),
            (["currency"], None, "charge.currency"),
        ],
    )
    def test_an_answer_that_does_not_fit_is_named(self, charge, path, value, complaint):
        broken = copy.deepcopy(charge)
        target = broken
        for name in path[:-1]:
            target = target[name]
        target[path[-1]] = value
        with pytest.raises(contract.ContractBroken, match=complaint):
            contract.check_answer(broken)

    def test_a_missing_member_is_named(self, charge):
        del charge["created"]
        with pytest.raises(contract.ContractBroken, match="lacks members"):
            contract.check_answer(charge)

    def test_expanded_objects_are_checked_too(self, charge):
        charge["balance_transaction"] = {"object": "balance_transaction", "id": "txn"}
        with pytest.raises(contract.ContractBroken, match="balance_transaction: lacks"):
            contract.check_answer(charge)

    def test_only_references_can_be_expanded(self):
        assert contract.expandable("charge", "balance_transaction")
        assert contract.expandable("checkout.session", "line_items")
        assert contract.expandable("dispute", "charge")
        assert not contract.expandable("charge", "billing_details")
        assert not contract.expandable("charge", "amount")


def test_every_object_fits_and_is_what_the_package_expects(standin, frozen):
    """Each kind of object is answered once, parsed by the package and checked."""
    client = client_of(standin)
    charge = new_charge(frozen, client)
    part = client.v1.refunds.create(params={"charge": charge.id, "amount": 100})
    dispute = standin.dispute(new_charge(frozen, client).id)
    payout = standin.payout()
    hook = client.v1.webhook_endpoints.create(
        params={"url": "https://example.com/hook", "enabled_events": ["*"]}
    )
    bt = client.v1.balance_transactions.list().data[0]
    event = client.v1.events.list().data[0]
    session = client.v1.checkout.sessions.list().data[0]
    answers = [
        client.v1.accounts.retrieve_current(),
        client.v1.balance.retrieve(),
        client.v1.balance_transactions.retrieve(bt.id),
        client.v1.charges.retrieve(charge.id),
        client.v1.checkout.sessions.retrieve(session.id),
        client.v1.checkout.sessions.line_items.list(session.id),
        client.v1.disputes.retrieve(dispute["id"]),
        client.v1.events.retrieve(event.id),
        client.v1.payment_intents.retrieve(charge.payment_intent),
        client.v1.payouts.retrieve(payout["id"]),
        client.v1.refunds.retrieve(part.id),
        client.v1.webhook_endpoints.retrieve(hook.id),
    ]
    for answer in answers:
        contract.check_answer(answer.to_dict(for_json=True))
        assert type(answer) is not stripe.StripeObject
    assert all(entry["status"] == 200 for entry in standin.requests())


def test_every_event_holds_an_object_that_fits(standin, frozen, client):
    new_charge(frozen, client)
    for event in standin.events():
        contract.check_answer(event)
        contract.check_answer(event["data"]["object"])


def test_reading_and_checking_is_fast(standin, client):
    client.v1.checkout.sessions.create(params=session_params())
    started = time.monotonic()
    for _ in range(50):
        client.v1.checkout.sessions.create(params=session_params())
    assert time.monotonic() - started < 5


@pytest.fixture
def broken_endpoint():
    @routing.endpoint("GET", "/v1/broken", BalanceRetrieveParams)
    def retrieve(merchant, params):
        return {"object": "balance", "livemode": False, "available": "much"}

    yield "/v1/broken"
    routing.ENDPOINTS.pop()


def test_an_answer_that_does_not_fit_is_a_loud_500(broken_endpoint, caplog):
    headers = {"Authorization": "Bearer sk_test_1"}
    answer = Gate(World()).handle(Incoming("GET", broken_endpoint, "", headers, 0))
    assert answer.status == 500
    assert "CONTRACT BROKEN by the answer to GET /v1/broken" in caplog.text
