"""Webhook endpoints that the API makes, each with a secret of its own."""

from stripe.params import (
    WebhookEndpointCreateParams,
    WebhookEndpointDeleteParams,
    WebhookEndpointListParams,
    WebhookEndpointRetrieveParams,
    WebhookEndpointUpdateParams,
)

from .. import errors
from ..checks import check_url, merged_metadata, metadata
from ..delivery import Destination
from ..pagination import page
from ..routing import endpoint

KIND = "webhook_endpoint"
READ, WRITE = "rak_webhook_read", "rak_webhook_write"
MOST = 16


@endpoint("POST", "/v1/webhook_endpoints", WebhookEndpointCreateParams, WRITE)
def create(merchant, params):
    """A new endpoint; only this answer shows its secret."""
    check_url(params["url"], "url", merchant.livemode)
    if len(merchant.all(KIND)) >= MOST:
        raise errors.invalid(
            f"You have reached the maximum of {MOST} webhook endpoints."
        )
    made = merchant.add(_endpoint(merchant, params))
    secret = merchant.new_id("whsec_", 32)
    made["_destination"] = Destination(
        made["id"],
        made["url"],
        [secret],
        made["enabled_events"],
        api_version=made["api_version"],
    )
    return {**made, "secret": secret}


@endpoint("GET", "/v1/webhook_endpoints/{id}", WebhookEndpointRetrieveParams, READ)
def retrieve(merchant, params, endpoint_id):
    """One endpoint."""
    return merchant.get(KIND, endpoint_id)


@endpoint("GET", "/v1/webhook_endpoints", WebhookEndpointListParams, READ)
def list_all(merchant, params):
    """All endpoints."""
    return page(merchant, KIND, params)


@endpoint("POST", "/v1/webhook_endpoints/{id}", WebhookEndpointUpdateParams, WRITE)
def update(merchant, params, endpoint_id):
    """Change address, events, description or metadata; or disable it."""
    changed = merchant.get(KIND, endpoint_id)
    if "url" in params:
        check_url(params["url"], "url", merchant.livemode)
    for name in params.keys() & {"url", "enabled_events"}:
        changed[name] = params[name]
        setattr(changed["_destination"], name, params[name])
    changed["description"] = params.get("description", changed["description"]) or None
    changed["metadata"] = merged_metadata(
        changed["metadata"], params.get("metadata", {})
    )
    if "disabled" in params:
        _set_enabled(changed, not params["disabled"])
    return changed


@endpoint("DELETE", "/v1/webhook_endpoints/{id}", WebhookEndpointDeleteParams, WRITE)
def delete(merchant, params, endpoint_id):
    """Forget an endpoint; what waits for it is not sent any more."""
    gone = merchant.get(KIND, endpoint_id)
    gone["_destination"].enabled = False
    merchant.remove(gone)
    return {"id": endpoint_id, "object": KIND, "deleted": True}


def _set_enabled(changed, enabled):
    changed["status"] = "enabled" if enabled else "disabled"
    changed["_destination"].enabled = enabled


def _endpoint(merchant, params):
    return {
        "id": merchant.new_id("we_1"),
        "object": KIND,
        "api_version": params.get("api_version"),
        "application": None,
        "created": merchant.now(),
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": merchant.livemode,
        "metadata": metadata(params.get("metadata")),
        "status": "enabled",
        "url": params["url"],
    }
