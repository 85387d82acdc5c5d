import logging
from datetime import UTC, timedelta

from odoo import api, fields, models

from ..const import EVENT_DAYS, HANDLED_EVENTS, SYNC_OVERLAP_HOURS
from ..stripe_client import StripeError
from .checkout_payment import UNFINISHED_STATES

_logger = logging.getLogger(__name__)


class CheckoutSync(models.AbstractModel):
    """Reads from Stripe what no webhook told. Stripe is the truth, webhooks are haste.

    Everything found goes through the same inbox as deliveries do, and everything is keyed
    by Stripe's ids: reading the same month again changes nothing.
    """

    _name = "checkout.sync"
    _description = "Stripe Synchronisation"

    @api.model
    def _cron_sync(self):
        """Sync all gateways; one that fails says so on itself and stops no other."""
        for gateway in self.env["checkout.gateway"].search([]):
            if not gateway.secret_key:
                continue
            try:
                with gateway._exclusive() as gateway_sudo:
                    gateway_sudo.env["checkout.sync"]._sync(gateway_sudo)
            except Exception as error:
                _logger.warning("Gateway %s can't sync: %s", gateway.id, error)
                gateway.sync_error = self._describe(gateway, error)

    @api.model
    def _sync(self, gateway):
        """Bring a gateway's payments and entries up to date with Stripe.

        :raise StripeError: if Stripe can't be read; what was read until then stays.
        :raise UserError: while the merchant has something to decide first.
        """
        gateway._check_may_sync()
        client = gateway._get_client()
        started = fields.Datetime.now()
        self._read_events(gateway, client)
        self._read_unfinished(gateway, client)
        self._read_unsettled(gateway, client)
        self._expire_abandoned(gateway)
        gateway._commit()
        self.env["checkout.event"]._process_gateway(gateway)
        gateway.write({"last_sync_at": started, "sync_error": False})
        gateway._commit()

    @api.model
    def _describe(self, gateway, error):
        if isinstance(error, StripeError):
            return gateway._describe_failure(error)
        return str(error)

    @api.model
    def _expire_abandoned(self, gateway):
        """Payments that a crash kept from ever getting a session: nobody can pay them."""
        self.env["checkout.payment"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("state", "=", "open"),
                ("stripe_checkout_session_id", "=", False),
                ("session_expires_at", "<", fields.Datetime.now()),
            ]
        )._set_abandoned()

    # === READING === #

    @api.model
    def _read_events(self, gateway, client):
        """All events of our types since the last time, with an overlap.

        Not only undelivered ones: that flag at Stripe speaks of every endpoint of the
        account, not of ours.
        """
        inbox = self.env["checkout.event"]
        since = int(self._get_window_start(gateway).replace(tzinfo=UTC).timestamp())
        for event in client.iter_events(HANDLED_EVENTS, since):
            if inbox._is_ours(gateway, event):
                inbox._insert(gateway, event["id"], event["type"], "pending", event)

    @api.model
    def _get_window_start(self, gateway):
        oldest = fields.Datetime.now() - timedelta(days=EVENT_DAYS)
        if not gateway.last_sync_at:
            return oldest
        return max(oldest, gateway.last_sync_at - timedelta(hours=SYNC_OVERLAP_HOURS))

    @api.model
    def _read_unfinished(self, gateway, client):
        """The sessions that we believe are still under way."""
        payments = self.env["checkout.payment"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("state", "in", UNFINISHED_STATES),
                ("stripe_checkout_session_id", "!=", False),
            ]
        )
        for payment in payments:
            self._receive_session(gateway, client, payment)

    @api.model
    def _read_unsettled(self, gateway, client):
        """The charges whose fee nobody has told us yet."""
        movements = self.env["checkout.movement"].search(
            [
                ("gateway_id", "=", gateway.id),
                ("kind", "=", "charge"),
                ("balance_transaction_id", "=", False),
            ]
        )
        for payment in movements.payment_id:
            self._receive_session(gateway, client, payment)

    @api.model
    def _receive_session(self, gateway, client, payment):
        session = client.retrieve_session(payment.stripe_checkout_session_id)
        if payment._is_news(session):
            self.env["checkout.event"]._receive_session(payment)
