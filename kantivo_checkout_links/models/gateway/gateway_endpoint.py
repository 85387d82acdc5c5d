import ipaddress
from urllib.parse import urlsplit

from odoo import api, http, models
from odoo.exceptions import UserError

from ...const import HANDLED_EVENTS, PRIVATE_DOMAINS


class CheckoutGateway(models.Model):
    """Registers a gateway's webhook at Stripe. Runs as superuser.

    https://docs.stripe.com/api/webhook_endpoints
    """

    _inherit = "checkout.gateway"

    def _connect_endpoint(self):
        """Have Stripe deliver a gateway's events, in place of an older endpoint.

        Stripe says the new secret only once, so it is kept before anything else may go
        wrong; the old endpoint and its secret are good until then.

        :raise UserError: with the reasons, if Stripe couldn't reach this database.
        :raise StripeError: if Stripe refuses.
        """
        self._check_reachable()
        client = self._get_client()
        old_endpoints = self._find_endpoints(client)
        old_secret = self.webhook_endpoint_secret
        endpoint = client.create_webhook_endpoint(self._prepare_endpoint_vals())
        self._add_endpoint(endpoint["id"], endpoint["secret"])
        self._commit()
        for old_endpoint in old_endpoints:
            client.delete_webhook_endpoint(old_endpoint["id"])
        self._remove_webhook_secret(old_secret)

    def _find_endpoints(self, client):
        """What delivers to this gateway at Stripe, or once did."""
        return [
            endpoint
            for endpoint in client.iter_webhook_endpoints()
            if self.webhook_endpoint_id == endpoint["id"]
            or self.webhook_url == endpoint["url"]
        ]

    def _find_endpoint_problem(self, client):
        """Why Stripe doesn't deliver a gateway's events as it should; False if it does.

        Only of endpoints that the key may see: not all that deliver are.
        """
        endpoints = self._read_if_permitted(lambda: self._find_endpoints(client))
        if endpoints is None:
            return False
        if not endpoints and self.webhook_endpoint_id:
            return self.env._("Stripe no longer has a webhook with this URL.")
        for endpoint in endpoints:
            for _severity, sentence in self._examine_one_endpoint(endpoint):
                return sentence
        return False

    def _prepare_endpoint_vals(self):
        return {
            "url": self.webhook_url,
            "enabled_events": list(HANDLED_EVENTS),
            "description": f"Odoo Checkout Links: {self.name}",
        }

    # === REACHABLE === #

    def _check_reachable(self):
        """:raise UserError: if a delivery wouldn't get to this very database."""
        if problem := self._describe_unreachable(self.get_base_url()):
            raise UserError(problem)

    @api.model
    def _describe_unreachable(self, base_url):
        """Why Stripe couldn't deliver to an address, in words; False if it could."""
        reasons = list(self._get_obstacles(base_url))
        return bool(reasons) and self.env._(
            "Stripe can't deliver events to this Odoo server yet. Payments are still "
            "posted by the scheduled sync.\n\n%s",
            "\n".join(f"• {reason}" for reason in reasons),
        )

    @api.model
    def _get_obstacles(self, base_url):
        """What keeps Stripe from delivering to an address, in words."""
        parts = urlsplit(base_url)
        host = parts.hostname or ""
        if parts.scheme != "https":
            yield self.env._(
                "The URL of this Odoo server is %s. Stripe requires a URL that starts "
                "with https:// (System Parameters, web.base.url).",
                base_url,
            )
        if self._is_private(host):
            yield self.env._("%s can't be reached from the internet.", host or base_url)
        yield from self._get_database_obstacles(parts.netloc)

    @api.model
    def _is_private(self, host):
        """Whether a host's name shows that it can't be reached from the internet."""
        try:
            return not ipaddress.ip_address(host).is_global
        except ValueError:
            domain = host.rstrip(".").lower()
            return "." not in domain or domain.endswith(PRIVATE_DOMAINS)

    @api.model
    def _get_database_obstacles(self, host):
        """A delivery has no session, so the host must name exactly one database."""
        database = self.env.cr.dbname
        if self._is_named_by_proxy(database):
            return
        found = http.db_list(force=True, host=host)
        if database not in found:
            yield self.env._(
                "%(host)s doesn't serve the database %(database)s. Check dbfilter in "
                "Odoo's configuration.",
                host=host,
                database=database,
            )
        elif len(found) > 1:
            yield self.env._(
                "%(count)s databases are served at %(host)s, so Stripe's events can't "
                "be assigned to one of them. Set dbfilter in Odoo's configuration.",
                count=len(found),
                host=host,
            )

    @api.model
    def _is_named_by_proxy(self, database):
        """Whether a proxy in front names the database, as a browser never does."""
        request = http.request
        if not request or not request.session.uid:
            return False
        return request.httprequest.headers.get("X-Odoo-Database") == database
