"""Deliveries: signed, retried, and impaired on order."""

import time

import pytest
import stripe

from .conftest import SECRET, eventually, new_charge, new_session
from .test_events import ONE_PAYMENT


def pay(standin, client):
    return standin.pay(new_session(client).id)


class TestDelivery:
    def test_everything_arrives_signed(self, standin, client, receiver):
        pay(standin, client)
        eventually(lambda: len(receiver.got) == 5)
        assert sorted(receiver.types()) == sorted(ONE_PAYMENT)
        assert standin.idle()
        assert {d["state"] for d in standin.deliveries()} == {"delivered"}

    def test_wrong_secret_is_noticed(self, standin, client, receiver):
        pay(standin, client)
        eventually(lambda: receiver.got)
        with pytest.raises(stripe.SignatureVerificationError):
            receiver.events("whsec_other")

    def test_retried_until_taken(self, standin, client, receiver):
        receiver.answers = [500, 302, 404]
        standin.expire(new_session(client).id)
        eventually(lambda: len(receiver.got) == 4)
        assert len({event.id for event in receiver.events()}) == 1
        standin.idle()
        (delivery,) = standin.deliveries()
        statuses = [attempt["status"] for attempt in delivery["attempts"]]
        assert statuses == [500, 302, 404, 200]

    def test_retries_are_signed_afresh(self, standin, client, receiver):
        receiver.answers = [500] * 3
        standin.expire(new_session(client).id)
        eventually(lambda: len(receiver.got) == 4, 10)
        times = [int(header[2:].split(",")[0]) for _, header in receiver.got]
        assert times[-1] > times[0]

    def test_no_answer_is_a_temporary_failure(self, standin, client, receiver):
        standin.configure(webhook_url="http://127.0.0.1:9/closed", speed=1)
        standin.expire(new_session(client).id)
        eventually(lambda: standin.deliveries()[0]["attempts"])
        assert standin.deliveries()[0]["attempts"][0]["status"] == 0
        assert receiver.got == []

    def test_several_secrets_while_one_is_rolled(self, standin, client, receiver):
        standin.configure(webhook_secret=["whsec_old", "whsec_new"])
        standin.expire(new_session(client).id)
        (_, header), *_ = eventually(lambda: receiver.got)
        assert header.count("v1=") == 2
        assert receiver.events("whsec_old") and receiver.events("whsec_new")

    def test_only_the_wanted_events(self, standin, client, receiver):
        standin.configure(webhook_events=["charge.updated"])
        pay(standin, client)
        eventually(lambda: receiver.got)
        assert receiver.types() == ["charge.updated"]


class TestTroubles:
    def test_held_until_delivered_in_a_chosen_order(self, frozen, client, receiver):
        frozen.hold()
        pay(frozen, client)
        assert {d["state"] for d in frozen.deliveries()} == {"held"}
        assert receiver.got == []
        wanted = [frozen.events(t)[0]["id"] for t in reversed(ONE_PAYMENT)]
        assert frozen.deliver(wanted) == [200] * 5
        assert receiver.types() == ONE_PAYMENT[::-1]

    def test_delivered_one_by_one_and_again(self, frozen, client, receiver):
        frozen.hold(only=["checkout.session.completed"])
        pay(frozen, client)
        (held,) = frozen.deliveries(state="held")
        assert frozen.deliver([held["id"]], times=3) == [200] * 3
        frozen.idle()
        assert receiver.types().count("checkout.session.completed") == 3

    @pytest.mark.parametrize("seed", [1, 2])
    def test_shuffled_by_seed(self, frozen, client, receiver, seed):
        orders = []
        for _ in range(2):
            receiver.reset()
            frozen.hold()
            pay(frozen, client)
            frozen.deliver(order="shuffled", seed=seed)
            orders.append(receiver.types())
        assert orders[0] == orders[1]
        assert sorted(orders[0]) == sorted(ONE_PAYMENT)

    def test_reversed(self, frozen, client, receiver):
        frozen.hold()
        pay(frozen, client)
        frozen.deliver(order="reversed")
        assert receiver.types() == ONE_PAYMENT[::-1]

    def test_lost_forever_but_still_listed(self, frozen, client, receiver):
        frozen.delivery_faults(lose=-1)
        pay(frozen, client)
        assert {d["state"] for d in frozen.deliveries()} == {"lost"}
        frozen.clear_faults()
        assert len(client.v1.events.list().data) == 5
        assert receiver.got == []

    def test_the_next_two_are_lost(self, frozen, client, receiver):
        frozen.delivery_faults(lose=2)
        pay(frozen, client)
        frozen.idle()
        assert sorted(receiver.types()) == sorted(ONE_PAYMENT[2:])

    def test_duplicated(self, frozen, client, receiver):
        frozen.delivery_faults(duplicate=5, only=["charge.updated"])
        pay(frozen, client)
        frozen.idle()
        assert receiver.types().count("charge.updated") == 5
        assert len(receiver.got) == 9

    def test_delayed(self, frozen, client, receiver):
        frozen.delivery_faults(delay=0.3)
        started = time.monotonic()
        pay(frozen, client)
        frozen.idle()
        assert time.monotonic() - started >= 0.3
        assert len(receiver.got) == 5

    def test_spread_in_another_order(self, frozen, client, receiver):
        frozen.delivery_faults(shuffle=0.5, seed=4)
        pay(frozen, client)
        frozen.idle()
        assert sorted(receiver.types()) == sorted(ONE_PAYMENT)
        assert receiver.types() != ONE_PAYMENT

    def test_two_at_the_same_moment(self, frozen, client, receiver):
        frozen.hold()
        pay(frozen, client)
        receiver.delay = 1
        event = frozen.events("checkout.session.completed")[0]["id"]
        started = time.monotonic()
        assert frozen.deliver([event], times=2, together=True) == [200, 200]
        assert time.monotonic() - started < 1.9
        assert len(receiver.got) == 2

    def test_two_events_about_one_fact(self, frozen, client, receiver):
        pay(frozen, client)
        first = frozen.events("charge.updated")[0]
        second = frozen.repeat_event(first["id"])
        frozen.idle()
        assert second["id"] != first["id"]
        assert second["data"] == first["data"]
        assert receiver.types().count("charge.updated") == 2

    def test_retry_now(self, standin, client, receiver):
        receiver.answers = [500]
        standin.configure(speed=0.01)
        standin.expire(new_session(client).id)
        eventually(lambda: receiver.got)
        standin.retry()
        eventually(lambda: len(receiver.got) == 2)


class TestEndpoints:
    def create(self, client, receiver, **params):
        return client.v1.webhook_endpoints.create(
            params={"url": receiver.url, "enabled_events": ["*"], **params}
        )

    @pytest.fixture(autouse=True)
    def no_main(self, standin):
        standin.configure(webhook_url=None)

    def test_gets_events_with_its_own_secret(self, standin, client, receiver):
        made = self.create(client, receiver, api_version=stripe.api_version)
        assert made.secret.startswith("whsec_")
        standin.expire(new_session(client).id)
        eventually(lambda: receiver.got)
        (event,) = receiver.events(made.secret)
        assert event.type == "checkout.session.expired"

    def test_shows_its_secret_only_once(self, client, receiver):
        made = self.create(client, receiver)
        again = client.v1.webhook_endpoints.retrieve(made.id)
        assert "secret" not in again
        assert "secret" not in client.v1.webhook_endpoints.list().data[0]

    def test_gets_only_its_events(self, frozen, client, receiver):
        made = self.create(client, receiver, enabled_events=["charge.updated"])
        new_charge(frozen, client)
        frozen.idle()
        assert [e.type for e in receiver.events(made.secret)] == ["charge.updated"]

    def test_two_endpoints_on_one_url_get_each_event_once(
        self, standin, client, receiver
    ):
        made = [self.create(client, receiver) for _ in range(2)]
        standin.expire(new_session(client).id)
        eventually(lambda: len(receiver.got) == 2)
        standin.idle()
        verified = 0
        for body, header in receiver.got:
            for endpoint in made:
                try:
                    stripe.Webhook.construct_event(body, header, endpoint.secret)
                    verified += 1
                except stripe.SignatureVerificationError:
                    continue
        assert verified == 2

    def test_older_version_is_named_in_the_event(self, standin, client, receiver):
        made = self.create(client, receiver, api_version="2020-08-27")
        standin.expire(new_session(client).id)
        eventually(lambda: receiver.got)
        assert receiver.events(made.secret)[0].api_version == "2020-08-27"

    def test_disabled_and_deleted_ones_get_nothing(self, standin, client, receiver):
        disabled, deleted = (self.create(client, receiver) for _ in range(2))
        changed = client.v1.webhook_endpoints.update(
            disabled.id, params={"disabled": True, "description": "off"}
        )
        assert (changed.status, changed.description) == ("disabled", "off")
        assert client.v1.webhook_endpoints.delete(deleted.id).deleted is True
        standin.expire(new_session(client).id)
        assert standin.deliveries() == []
        client.v1.webhook_endpoints.update(disabled.id, params={"disabled": False})
        standin.expire(new_session(client).id)
        eventually(lambda: receiver.got)

    def test_deleted_while_waiting_for_a_retry(self, standin, client, receiver):
        standin.configure(speed=1)
        receiver.answers = [500]
        made = self.create(client, receiver)
        standin.expire(new_session(client).id)
        eventually(lambda: receiver.got)
        client.v1.webhook_endpoints.delete(made.id)
        standin.retry()
        eventually(lambda: standin.deliveries()[0]["state"] == "failed")
        assert len(receiver.got) == 1

    @pytest.mark.parametrize(
        "params",
        [
            {"url": "nowhere"},
            {"enabled_events": ["bogus.event"]},
            {"api_version": "1999-01-01"},
        ],
    )
    def test_refusals(self, client, receiver, params):
        with pytest.raises(stripe.InvalidRequestError):
            self.create(client, receiver, **params)


def test_tests_verify_with_the_secret_of_the_command_line(standin, client, receiver):
    standin.expire(new_session(client).id)
    eventually(lambda: receiver.got)
    assert len(receiver.events(SECRET)) == 1
