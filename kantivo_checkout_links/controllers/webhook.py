import logging

import psycopg2
from psycopg2.errors import SerializationFailure

from odoo import http
from odoo.http import Response, request

from ..const import MAX_EVENT_BYTES
from ..stripe_client import SignatureError, verify_event
from ..utils import as_text, is_stripe_word

_logger = logging.getLogger(__name__)

# What a delivery needs to know of its gateway, in one query.
FIELDS_READ = (
    "clock_offset",
    "company_id",
    "livemode",
    "stripe_account_id",
    "webhook_secret_value",
)


class CheckoutWebhook(http.Controller):
    """Stripe's way in: check, keep, answer. What follows is the processor's."""

    @http.route(
        "/checkout/webhook/<string:token>",
        type="http",
        auth="public",
        methods=["POST"],
        csrf=False,
        max_content_length=MAX_EVENT_BYTES,
        save_session=False,
    )
    def receive(self, token, **_kwargs):
        """Take one delivery.

        404 for an unknown address or one without a signing secret, 413 for a body that
        is too long, however it comes, 400 for a delivery that isn't Stripe's, 503 if it
        can't be kept (so that Stripe sends it again), else 200.
        """
        gateway_sudo = self._find_gateway(token)
        if not gateway_sudo:
            return Response(status=404)
        event = self._read_event(gateway_sudo)
        if not event:
            return Response(status=400)
        return self._keep(gateway_sudo, event)

    def _find_gateway(self, token):
        """The gateway of an address; one without a secret takes no deliveries."""
        # Stripe has no user here; the signature is its proof.
        gateways_sudo = request.env["checkout.gateway"].sudo()
        served = [("active", "in", (True, False))]  # archived ones, too
        gateway_sudo = gateways_sudo.search_fetch(
            [*served, ("webhook_token", "=", as_text(token))], FIELDS_READ
        )
        return gateway_sudo.filtered("webhook_secret_value")

    def _read_event(self, gateway_sudo):
        """The event of this request, or nothing if anything about it is wrong."""
        http_request = request.httprequest
        header = http_request.headers.get("Stripe-Signature", "")
        secrets = gateway_sudo._get_webhook_secrets()
        try:
            event = verify_event(
                http_request.get_data(),
                header,
                secrets,
                clock_offset=gateway_sudo.clock_offset,
            )
        except SignatureError as error:
            _logger.warning(
                "Delivery to gateway %s refused: %s", gateway_sudo.id, error
            )
            return None
        return self._check_event(gateway_sudo, event)

    def _check_event(self, gateway_sudo, event: dict):
        """The event, if it is complete and of the gateway's mode."""
        complete = (
            is_stripe_word(event.get("id"))
            and is_stripe_word(event.get("type"))
            and isinstance(event.get("data"), dict)
            and isinstance(event["data"].get("object"), dict)
        )
        same_mode = event.get("livemode") is gateway_sudo.livemode
        if not complete or not same_mode:
            return None
        return event if gateway_sudo.env["checkout.event"]._is_sound(event) else None

    def _keep(self, gateway_sudo, event: dict):
        """Store a delivery in the inbox.

        :return: 200; 503 where the database failed, so that Stripe delivers it again.
        """
        try:
            gateway_sudo.env["checkout.event"]._receive(gateway_sudo, event)
            request.env.cr.flush()
        except SerializationFailure:
            raise  # the same event at once, elsewhere: Odoo tries again
        except psycopg2.Error as error:
            # Just the class: the database's message may quote what Stripe sent.
            error_class = type(error).__name__
            _logger.error(
                "A delivery to gateway %s wasn't kept: %s", gateway_sudo.id, error_class
            )
            request.env.cr.rollback()
            return Response(status=503)
        return Response(status=200)
