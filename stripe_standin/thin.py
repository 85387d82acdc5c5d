"""Thin events: the small, unversioned notifications about a snapshot event."""

from datetime import datetime, timezone

from .rendering import RESOURCE_URL


def thin_event(event):
    """The notification for a snapshot event, as it is delivered and as
    `GET /v2/core/events/ID` answers it (there `snapshot_event` is added).
    """
    return {
        "id": thin_id(event["id"]),
        "object": "v2.core.event",
        "type": "v1." + event["type"],
        "livemode": event["livemode"],
        "created": _iso(event["_time"]),
        "context": None,
        "reason": _reason(event["request"]),
        "related_object": {**event["_related"], "url": _url(event["_related"])},
    }


def fetched_event(event):
    """The same event as the Events v2 API answers it."""
    return {**thin_event(event), "snapshot_event": event["id"]}


def thin_id(event_id):
    """Thin events have ids of their own."""
    return event_id.replace("evt_", "evt_test_65", 1)


def snapshot_id(thin):
    """The id of the snapshot event behind a thin event's id."""
    return thin.replace("evt_test_65", "evt_", 1)


def _url(related):
    base = RESOURCE_URL[related["type"]]
    return f"{base}/{related['id']}" if "id" in related else base


def _reason(request):
    if not request["id"]:
        return None
    return {
        "type": "request",
        "request": {**request, "idempotency_key": request["idempotency_key"] or ""},
    }


def _iso(seconds):
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
