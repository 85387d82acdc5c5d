"""Events (`/v1/events`), kept for 30 days."""

from stripe.params import EventListParams, EventRetrieveParams

from ..errors import invalid
from ..pagination import page
from ..routing import endpoint

KEPT = 30 * 24 * 3600
READ = "rak_event_read"


@endpoint("GET", "/v1/events/{id}", EventRetrieveParams, READ)
def retrieve(merchant, params, event_id):
    """One event."""
    return merchant.get("event", event_id)


@endpoint("GET", "/v1/events", EventListParams, READ)
def list_all(merchant, params):
    """The events of the last 30 days that the filters choose."""
    if "type" in params and "types" in params:
        raise invalid("You may only specify one of these parameters: type, types.")
    oldest = merchant.now() - KEPT
    return page(
        merchant,
        "event",
        params,
        lambda event: event["created"] >= oldest and _matches(event, params),
    )


def _matches(event, params):
    return (
        _type_matches(event["type"], params.get("type"))
        and event["type"] in params.get("types", [event["type"]])
        and params.get("delivery_success") in (None, _delivered(event))
    )


def _type_matches(event_type, wanted):
    if wanted is None or not wanted.endswith("*"):
        return wanted in (None, event_type)
    return event_type.startswith(wanted[:-1])


def _delivered(event):
    return event["pending_webhooks"] == 0
