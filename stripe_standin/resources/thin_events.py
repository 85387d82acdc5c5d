"""Events of the v2 API: thin events and what they say when fetched."""

from stripe.params import EventRetrieveParams

from ..routing import endpoint
from ..thin import fetched_event, snapshot_id


@endpoint("GET", "/v2/core/events/{id}", EventRetrieveParams, "rak_event_read")
def retrieve(merchant, params, event_id):
    """The thin event, with the id of its snapshot event."""
    return fetched_event(merchant.get("event", snapshot_id(event_id)))
