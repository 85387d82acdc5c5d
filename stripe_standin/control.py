"""The control API under `/_standin`: what tests and the demo steer the stand-in with.

JSON in, JSON out; `control_client.Standin` has a method for each call. Calls about an
object find its account by themselves; the others take `account` and `livemode`, by
default the default account in test mode. A wrong call is a 400 with `error`.
"""

import dataclasses
import functools
import random

from flask import Blueprint, jsonify, request

from . import methods
from .delivery import Destination, Network, public_event
from .errors import NotPossible, StripeError
from .rendering import rendered
from .resources import (
    balance_transactions,
    balances,
    charges,
    disputes,
    payouts,
    refunds,
    sessions,
)

OPERATIONS = []
CUSTOMER = {
    "email": "payer@example.com",
    "name": "Paula Payer",
    "phone": None,
    "country": "US",
}
CARD = "4242424242424242"
# Seconds that `reset` waits for deliveries in flight.
LANDING = 5.0


def operation(method, path):
    """Register a function (world, body, *ids) -> JSON for a path below `/_standin`."""

    def register(function):
        OPERATIONS.append((method, path, function))
        return function

    return register


def control_blueprint(world):
    """The routes of all operations, each run under the world's lock."""
    blueprint = Blueprint("control", __name__)
    for method, path, function in OPERATIONS:
        blueprint.add_url_rule(
            path,
            function.__name__,
            functools.partial(_answer, world, function),
            methods=[method],
        )
    return blueprint


def _answer(world, function, **ids):
    body = request.get_json(silent=True) or request.args.to_dict()
    try:
        with world.lock:
            result = function(world, body, **ids)
            world.schedule.run_due()
        return jsonify(result() if callable(result) else result)
    except StripeError as error:
        return jsonify(error.body()), 400
    except NotPossible as error:
        return jsonify({"error": {"message": str(error)}}), 400


def _merchant(world, body):
    return world.merchant(body.get("account"), body.get("livemode", False))


def _owned(world, object_id):
    merchant = world.owner(object_id)
    if not merchant:
        raise NotPossible(f"the stand-in has no {object_id}")
    return merchant, merchant.find(object_id)


# -- the whole ------------------------------------------------------------------------


@operation("POST", "/reset")
def reset(world, body):
    """Forget everything, then set what `configure` takes; without a webhook address
    the one given at start stays. What was being sent has arrived when it returns.
    """
    main = world.deliveries.main
    world.clear(**{name: body[name] for name in ("account",) if name in body})
    world.deliveries.main = main
    configured = configure(world, body)

    def settled():
        world.deliveries.landed(LANDING)
        return configured

    return settled


@operation("POST", "/configure")
def configure(world, body):
    """Set any of: `settings` (see `settings.Settings`), `keys` (see `keys`), `speed`,
    `seed`, `clock` (see `set_clock`), `webhook_url`, `webhook_secret` (one or a list;
    several sign with several `v1`), `webhook_events`, `webhook_api_version`, and for
    thin events `thin_url`, `thin_secret`, `thin_events`.
    """
    if "speed" in body:
        world.clock.speed = float(body["speed"])
    if "seed" in body:
        world.seed(body["seed"])
    set_clock(world, body.get("clock", {}))
    world.keys.rules.update(body.get("keys", {}))
    _merchant(world, body).settings.change(body.get("settings", {}))
    _set_destinations(world.deliveries, body)
    return _state(world, body)


def _set_destinations(deliveries, body):
    deliveries.main = _destination(deliveries.main, "webhook", body)
    deliveries.thin = _destination(deliveries.thin, "thin", body)
    if deliveries.thin:
        deliveries.thin.thin = True


def _destination(old, prefix, body):
    """The fixed destination after a change; None without an address."""
    target = old or Destination(f"we_{prefix}", None, ["whsec_standin"])
    names = {"url": "url", "events": "enabled_events", "api_version": "api_version"}
    changes = {
        field: body[f"{prefix}_{name}"]
        for name, field in names.items()
        if f"{prefix}_{name}" in body
    }
    secret = body.get(f"{prefix}_secret", target.secrets)
    changes["secrets"] = [secret] if isinstance(secret, str) else secret
    changed = dataclasses.replace(target, **changes)
    return changed if changed.url else None


@operation("GET", "/state")
def state(world, body):
    """Settings, clock and address."""
    return _state(world, body)


def _state(world, body):
    merchant = _merchant(world, body)
    return {
        "url": world.base_url,
        "account": merchant.account,
        "settings": dataclasses.asdict(merchant.settings),
        "clock": _clock(world),
        "webhook_url": world.deliveries.main and world.deliveries.main.url,
    }


@operation("GET", "/counts")
def counts(world, body):
    """How many objects there are of each kind, and how many requests came."""
    kinds = _merchant(world, body).kinds
    return {
        **{kind: len(objects) for kind, objects in kinds.items()},
        "requests": len(world.requests),
        "deliveries": len(world.deliveries.all),
    }


@operation("GET", "/balance")
def balance(world, body):
    """Sum of all balance transactions by currency, available and pending together."""
    merchant = _merchant(world, body)
    return {
        currency: balances.total(merchant, currency)
        for currency in balances.currencies(merchant)
    }


# -- clock ----------------------------------------------------------------------------


@operation("GET", "/clock")
def get_clock(world, body):
    """`now` in seconds since the epoch, and whether it is `frozen`."""
    return _clock(world)


@operation("POST", "/clock")
def set_clock(world, body):
    """`now` sets it, `advance` moves it by seconds, `frozen` stops or starts it.

    What became due has happened when the call returns.
    """
    if body.get("frozen") is True:
        world.clock.freeze()
    if body.get("frozen") is False and world.clock.frozen_at is not None:
        world.clock.unfreeze()
    if "now" in body:
        world.clock.set(body["now"])
    if "advance" in body:
        world.clock.set(world.clock.now() + body["advance"])
    world.schedule.run_due()
    world.schedule.wake.notify_all()
    return _clock(world)


def _clock(world):
    return {"now": world.clock.now(), "frozen": world.clock.frozen_at is not None}


# -- customers ------------------------------------------------------------------------


@operation("POST", "/sessions/<session_id>/pay")
def pay(world, body, session_id):
    """Pay an open session as a customer would.

    Takes `number` (default 4242…; `debit` for a bank debit), `email`, `name`, `phone`,
    `country`; answers the session, payment intent and charge.
    """
    merchant, session = _owned(world, session_id)
    number = body.get("number", CARD)
    if number == "debit":
        number = methods.DEBIT_NUMBER
    method = methods.method_for(number, session["currency"])
    customer = {name: body.get(name, default) for name, default in CUSTOMER.items()}
    sessions.pay(merchant, session, method, customer)
    intent = merchant.find(session["payment_intent"])
    charge = merchant.find(intent["latest_charge"])
    return {
        "session": rendered(session),
        "payment_intent": rendered(intent),
        "charge": rendered(charge),
    }


@operation("POST", "/sessions/<session_id>/expire")
def expire(world, body, session_id):
    """Let a session expire now."""
    merchant, session = _owned(world, session_id)
    sessions.close(merchant, session)
    return rendered(session)


@operation("POST", "/charges")
def create_charge(world, body):
    """A charge of other software on the account: `amount`, `currency`, `description`,
    `metadata`, `number`.
    """
    merchant = _merchant(world, body)
    currency = body.get("currency", "usd")
    method = methods.method_for(body.get("number", CARD), currency)
    charge = charges.create(
        merchant,
        body["amount"],
        currency,
        method,
        sessions.billing({**CUSTOMER, **body.get("customer", {})}),
        description=body.get("description"),
        metadata=body.get("metadata", {}),
    )
    return rendered(charge)


@operation("POST", "/debits/<object_id>/settle")
def settle_debit(world, body, object_id):
    """A pending bank debit arrives; `object_id` is the session or the charge."""
    merchant, charge = _pending_debit(world, object_id)
    sessions.settle_debit(merchant, charge)
    return rendered(charge)


@operation("POST", "/debits/<object_id>/fail")
def fail_debit(world, body, object_id):
    """A pending bank debit fails; `object_id` is the session or the charge."""
    merchant, charge = _pending_debit(world, object_id)
    sessions.fail_debit(merchant, charge)
    return rendered(charge)


def _pending_debit(world, object_id):
    merchant, obj = _owned(world, object_id)
    if obj["object"] == "checkout.session":
        obj = merchant.find(obj["payment_intent"])
        obj = merchant.find(obj["latest_charge"]) if obj else None
    if not obj or obj["status"] != "pending":
        raise NotPossible(f"{object_id} is no pending bank debit")
    return merchant, obj


@operation("POST", "/balance_transactions/release")
def release(world, body):
    """Give charges their balance transactions now: the one named by `charge`, or all
    that wait; answers the charges.
    """
    merchant = _merchant(world, body)
    waiting = charges.unsettled(merchant)
    if "charge" in body:
        merchant, charge = _owned(world, body["charge"])
        waiting = [charge]
    for charge in waiting:
        charges.settle(merchant, charge)
    return [rendered(charge) for charge in waiting]


@operation("POST", "/balance_transactions")
def create_balance_transaction(world, body):
    """Money that moves without a charge, e.g. a stand-alone fee or a top-up.

    Takes `amount` (signed), `type` (default `stripe_fee`), `category` (default `fee`),
    `currency`, `description`, `source`, `fee` (taken off the net), `available_on`,
    `balance_type`, `created`.
    """
    merchant = _merchant(world, body)
    if body.get("source"):
        merchant, _ = _owned(world, body["source"])
    currency = body.get("currency", merchant.settings.currencies[0])
    fee = body.get("fee", 0)
    detail = balance_transactions.fee_detail(fee, currency, "stripe_fee", "Stripe fee")
    bt = balance_transactions.record(
        merchant,
        kind=body.get("type", "stripe_fee"),
        category=body.get("category", "fee"),
        amount=body["amount"],
        currency=currency,
        source=body.get("source"),
        fees=[detail] if fee else [],
        description=body.get("description", "Billing - usage fee"),
        available_on=body.get("available_on"),
        balance_type=body.get("balance_type"),
        created=body.get("created"),
    )
    return rendered(bt)


# -- refunds, disputes, payouts -------------------------------------------------------


@operation("POST", "/refunds")
def create_refund(world, body):
    """A refund in the Stripe Dashboard: `charge` or `payment_intent`, `amount`,
    `reason`, `metadata`, `outcome` (see `refunds.OUTCOMES`; default the setting).
    """
    merchant, _ = _owned(world, body.get("charge") or body.get("payment_intent"))
    usual = merchant.settings.refund_outcome
    merchant.settings.refund_outcome = body.pop("outcome", usual)
    try:
        return rendered(refunds.create(merchant, body))
    finally:
        merchant.settings.refund_outcome = usual


REFUND_ACTIONS = {
    "succeed": refunds.succeed,
    "fail": refunds.fail,
    "cancel": refunds.cancel,
}


@operation("POST", "/refunds/<object_id>/<action>")
def change_refund(world, body, object_id, action):
    """`succeed`, `fail` (with `reason`) or `cancel` a refund."""
    return _act(world, REFUND_ACTIONS, object_id, action, body)


@operation("POST", "/disputes")
def open_dispute(world, body):
    """A bank disputes `charge`: `amount`, `reason`; `inquiry` true only asks."""
    merchant, charge = _owned(world, body.pop("charge"))
    if body.pop("inquiry", False):
        return rendered(disputes.open_inquiry(merchant, charge, **body))
    return rendered(disputes.open_dispute(merchant, charge, **body))


DISPUTE_ACTIONS = {
    "close_inquiry": disputes.close_inquiry,
    "escalate": disputes.escalate,
    "lose": disputes.lose,
    "prevent": disputes.prevent,
    "reinstate": disputes.reinstate,
    "close_as_won": disputes.close_as_won,
    "respond": disputes.respond,
    "win": disputes.win,
    "withdraw_again": disputes.withdraw_again,
}


@operation("POST", "/disputes/<object_id>/<action>")
def change_dispute(world, body, object_id, action):
    """What the bank decides: see `DISPUTE_ACTIONS`; `win` and `reinstate` take
    `returned_fee` and `amount`.
    """
    return _act(world, DISPUTE_ACTIONS, object_id, action, body)


@operation("POST", "/payouts")
def make_payout(world, body):
    """Stripe's automatic payout of `currency`; `pending_too` takes pending money too.

    A manual one is made over the API.
    """
    merchant = _merchant(world, body)
    currency = body.get("currency", merchant.settings.currencies[0])
    pending_too = body.get("pending_too", True)
    return rendered(payouts.make_automatic(merchant, currency, pending_too))


PAYOUT_ACTIONS = {
    "cancel": payouts.cancel,
    "fail": payouts.fail,
    "pay": payouts.pay,
    "reconcile": payouts.reconcile,
    "send": payouts.send,
}


@operation("POST", "/payouts/<object_id>/<action>")
def change_payout(world, body, object_id, action):
    """`send`, `reconcile`, `pay`, `fail` (with `code`) or `cancel` a payout."""
    return _act(world, PAYOUT_ACTIONS, object_id, action, body)


def _act(world, actions, object_id, action, body):
    merchant, obj = _owned(world, object_id)
    if action not in actions:
        raise NotPossible(f"not one of {', '.join(actions)}: {action}")
    actions[action](merchant, obj, **body)
    return rendered(obj)


@operation("POST", "/objects/<object_id>/say")
def say(world, body, object_id):
    """Show an object with these members from now on, also with words that the contract
    doesn't know: Stripe adds statuses without a new version, and objects may lag behind
    the balance.
    """
    _owned(world, object_id)
    world.say(object_id, body)
    return {}


# -- what was seen --------------------------------------------------------------------


@operation("GET", "/requests")
def requests(world, body):
    """The API calls so far, oldest first; `match` keeps those whose `METHOD /path`
    contains it.
    """
    match = body.get("match", "")
    return [
        entry
        for entry in world.requests
        if match in f"{entry['method']} {entry['path']}"
    ]


@operation("DELETE", "/requests")
def clear_requests(world, body):
    """Forget the calls so far."""
    world.requests.clear()
    return {}


@operation("GET", "/events")
def events(world, body):
    """All events, oldest first; `type` keeps one type."""
    return [
        public_event(event)
        for event in _merchant(world, body).all("event")
        if body.get("type") in (None, event["type"])
    ]


@operation("GET", "/deliveries")
def list_deliveries(world, body):
    """All deliveries, oldest first; `state` and `type` choose."""
    return [delivery.shown() for delivery in _chosen(world, body)]


@operation("POST", "/deliveries/send")
def send(world, body):
    """Send deliveries now, one after the other, in any state.

    `ids` (deliveries or events, in the order to send; default: all that are held),
    `order` (`as_is`, `reversed`, `shuffled` with `seed`), `times` each, `together` at
    the same moment. Answers the HTTP statuses.
    """
    chosen = _ordered(_to_send(world, body), body) * body.get("times", 1)
    deliveries = world.deliveries
    send = deliveries.send_together if body.get("together") else deliveries.send_now
    return lambda: {"statuses": send(chosen)}


@operation("POST", "/events/<event_id>/repeat")
def repeat_event(world, body, event_id):
    """A second Event object, with an id of its own, about the same fact."""
    merchant, event = _owned(world, event_id)
    return public_event(merchant.repeat(event))


@operation("POST", "/deliveries/retry")
def retry(world, body):
    """What waits for a later try is tried at once."""
    world.deliveries.retry_now()
    return {}


@operation("POST", "/deliveries/idle")
def idle(world, body):
    """Wait until nothing is on its way, at most `timeout` seconds (default 10)."""
    timeout = float(body.get("timeout", 10))
    return lambda: {"idle": world.deliveries.idle(timeout)}


def _to_send(world, body):
    if "ids" not in body:
        return _chosen(world, {"state": "held", **body})
    everything = world.deliveries.all.values()
    return [
        delivery
        for wanted in body["ids"]
        for delivery in everything
        if wanted in (delivery.id, delivery.event_id)
    ]


def _chosen(world, body):
    return [
        delivery
        for delivery in world.deliveries.all.values()
        if body.get("state") in (None, delivery.state)
        and body.get("type") in (None, delivery.event_type)
    ]


def _ordered(chosen, body):
    order = body.get("order", "as_is")
    if order == "shuffled":
        random.Random(body.get("seed", 0)).shuffle(chosen)
    return chosen[::-1] if order == "reversed" else chosen


# -- troubles -------------------------------------------------------------------------


@operation("POST", "/faults/deliveries")
def delivery_faults(world, body):
    """What happens to deliveries from now on; the members of `delivery.Network`.
    An empty call ends the troubles; held deliveries stay held until sent.
    """
    unknown = body.keys() - {field.name for field in dataclasses.fields(Network)}
    if unknown:
        raise NotPossible(f"no such trouble: {', '.join(unknown)}")
    world.deliveries.network = Network(**body)
    return body


@operation("POST", "/faults/api")
def api_fault(world, body):
    """Order a fault of the API; see `faults`."""
    world.faults.order(body)
    return body


@operation("DELETE", "/faults")
def clear_faults(world, body):
    """No more troubles."""
    world.faults.clear()
    world.deliveries.network = Network()
    return {}
