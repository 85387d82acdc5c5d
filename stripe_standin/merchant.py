"""One account in one mode: its objects and its events."""

from . import errors
from .rendering import rendered, reworded
from .settings import Settings

# Stripe's words for objects that do not exist.
SPOKEN = {
    "checkout.session": "checkout.session",
    "payment_intent": "payment_intent",
    "balance_transaction": "balance transaction",
}


class Merchant:
    """The objects of an account, newest last, as the dicts that Stripe answers.

    Members whose name starts with an underscore are the stand-in's own and are never
    shown.
    """

    def __init__(self, world, account, livemode):
        self.world = world
        self.account = account
        self.livemode = livemode
        self.settings = Settings()
        self.created = world.clock.seconds()
        self.objects = {}
        self.kinds = {}

    def now(self):
        """Stripe's time, whole seconds."""
        return self.world.clock.seconds()

    def new_id(self, prefix, length=24):
        """A new id of that kind."""
        return self.world.new_id(prefix, length)

    def add(self, obj):
        """Keep a new object and return it."""
        self.objects[obj["id"]] = obj
        self.kinds.setdefault(obj["object"], []).append(obj)
        return obj

    def remove(self, obj):
        """Forget an object."""
        del self.objects[obj["id"]]
        self.kinds[obj["object"]].remove(obj)

    def find(self, object_id):
        """The object with that id, or None."""
        return self.objects.get(object_id)

    def get(self, kind, object_id, param="id"):
        """The object with that id.

        :raises StripeError: 404 `resource_missing`
        """
        obj = self.find(object_id)
        if obj and obj["object"] == kind:
            return obj
        raise errors.not_found(
            SPOKEN.get(kind, kind), object_id, param, self._elsewhere(object_id)
        )

    def all(self, kind):
        """All objects of a kind, oldest first."""
        return self.kinds.get(kind, [])

    def emit(self, event_type, obj, previous=None):
        """Record an event about the object as it now is, and deliver it.

        :param previous: the changed members as they were, for `….updated` events
        """
        data = {"object": reworded(rendered(obj), self.world.said)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = self._event(event_type, data)
        event["_related"] = _related(obj)
        event["_time"] = self.world.clock.now()
        return self._publish(event)

    def repeat(self, event):
        """Record a second event about the same fact, as Stripe sometimes does."""
        return self._publish({**event, "id": self.new_id("evt_")})

    def _publish(self, event):
        self.add(event)
        event["pending_webhooks"] = self.world.deliveries.plan(self, event)
        return event

    def _event(self, event_type, data):
        origin = self.world.origin
        return {
            "id": self.new_id("evt_"),
            "object": "event",
            "api_version": self.world.api_version,
            "created": self.now(),
            "data": data,
            "livemode": self.livemode,
            "pending_webhooks": 0,
            "request": {
                "id": origin.request_id,
                "idempotency_key": origin.idempotency_key,
            },
            "type": event_type,
        }

    def _elsewhere(self, object_id):
        other = self.world.merchants.get((self.account, not self.livemode))
        if not other or not other.find(object_id):
            return None
        return "live" if other.livemode else "test"


def _related(obj):
    """What a thin event points to; the balance has no id."""
    has_id = {"id": obj["id"]} if "id" in obj else {}
    return {**has_id, "type": obj["object"]}
