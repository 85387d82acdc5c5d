"""The list of events, and thin events."""

import json

import pytest
import stripe

from .conftest import SECRET, eventually, new_charge, new_session

ONE_PAYMENT = [
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
    "charge.updated",
]


class TestList:
    def test_one_payment(self, client, frozen):
        new_charge(frozen, client)
        listed = client.v1.events.list().data
        assert [event.type for event in reversed(listed)] == ONE_PAYMENT
        first = listed[-1]
        assert first.api_version == stripe.api_version
        assert first.data.object["object"] == "payment_intent"
        assert client.v1.events.retrieve(first.id).id == first.id

    def test_filters(self, client, frozen):
        start = int(frozen.clock()["now"])
        new_charge(frozen, client)
        frozen.advance(100)
        new_charge(frozen, client)

        def types(**params):
            return [e.type for e in client.v1.events.list(params=params)]

        assert types(type="charge.updated") == ["charge.updated"] * 2
        assert types(type="charge.*") == ["charge.updated", "charge.succeeded"] * 2
        assert (
            types(types=["charge.succeeded", "charge.updated"])
            == [
                "charge.updated",
                "charge.succeeded",
            ]
            * 2
        )
        assert len(types(created={"gte": start + 100})) == 5
        assert len(types(created={"lt": start + 100})) == 5
        assert len(types(created={"gt": start + 100})) == 0
        with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
            types(type="charge.updated", types=["charge.updated"])

    def test_kept_for_thirty_days(self, client, frozen):
        new_charge(frozen, client)
        frozen.advance(30 * 86400 + 1)
        kept = {event.type for event in client.v1.events.list()}
        assert kept == {"balance.available"}

    def test_delivery_success(self, client, frozen):
        frozen.hold()
        new_charge(frozen, client)
        find = client.v1.events.list
        assert len(find(params={"delivery_success": False}).data) == 5
        assert {event.pending_webhooks for event in find()} == {1}
        frozen.deliver()
        assert find(params={"delivery_success": False}).data == []
        assert len(find(params={"delivery_success": True}).data) == 5

    def test_request_behind_an_event(self, client, standin):
        session = new_session(client)
        client.v1.checkout.sessions.expire(
            session.id, options={"idempotency_key": "close-1"}
        )
        (event,) = client.v1.events.list().data
        assert event.request.id.startswith("req_")
        assert event.request.idempotency_key == "close-1"

    def test_snapshots_do_not_change(self, client, frozen):
        frozen.settings(balance_transactions="held")
        new_charge(frozen, client)
        frozen.release()
        (event,) = client.v1.events.list(params={"type": "charge.succeeded"}).data
        assert event.data.object["balance_transaction"] is None


class TestThin:
    @pytest.fixture
    def thin(self, standin, receiver):
        standin.configure(
            webhook_url=None,
            thin_url=receiver.url,
            thin_secret="whsec_thin",
            thin_events=["checkout.session.completed"],
        )
        yield standin
        standin.configure(thin_url=None)

    def test_notification_and_what_it_leads_to(self, thin, client, receiver):
        session = new_session(client)
        thin.pay(session.id)
        body, header = eventually(lambda: receiver.got)[0]
        note = client.parse_event_notification(body, header, "whsec_thin")
        assert note.type == "v1.checkout.session.completed"
        assert note.fetch_related_object().id == session.id
        event = note.fetch_event()
        assert event.snapshot_event == thin.events(note.type[3:])[0]["id"]
        assert "data" not in json.loads(body)
        assert len(receiver.got) == 1

    def test_every_kind_can_be_read_and_fetched(self, thin, client, receiver):
        thin.configure(thin_events=["*"])
        thin.set_clock(frozen=True)
        charge = new_charge(thin, client)
        thin.refund(charge.id, 100)
        thin.dispute(charge.id)
        thin.payout()
        thin.advance(5 * 86400)
        thin.idle()
        notes = [
            client.parse_event_notification(body, header, "whsec_thin")
            for body, header in receiver.got
        ]
        fetched = {note.type.removeprefix("v1."): note.fetch_event() for note in notes}
        assert len(fetched) == 14
        assert {event["type"] for event in thin.events()} == set(fetched)
        for note in notes:
            related = note.fetch_related_object()
            assert related.object == note.related_object.type

    def test_signed_with_its_own_secret(self, thin, client, receiver):
        thin.pay(new_session(client).id)
        body, header = eventually(lambda: receiver.got)[0]
        with pytest.raises(stripe.SignatureVerificationError):
            client.parse_event_notification(body, header, SECRET)
