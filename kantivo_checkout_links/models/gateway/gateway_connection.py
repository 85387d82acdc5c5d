from odoo import api, models

from ...const import API_VERSION, HANDLED_EVENTS, PERMISSIONS
from ...stripe_client import StripeError, is_restricted_key

# How a finding starts in the record of the last test.
SIGNS = {"good": "✓", "warning": "!", "problem": "✗"}


class CheckoutGateway(models.Model):
    """Tests a gateway's key and describes the results.

    A finding is a level (a key of `SIGNS`) and a sentence. With a problem, payments
    can't be taken or posted. A warning may be harmless. Runs as superuser.
    """

    _inherit = "checkout.gateway"

    def _examine_key(self):
        """All findings about a gateway's key, most important first.

        :raise StripeError: if Stripe refuses the key or doesn't respond.
        :raise UserError: if the key belongs to another account than the gateway.
        """
        client = self._get_client()
        account = self._read_if_permitted(client.retrieve_account) or {}
        self._set_account(account.get("id"))
        return [
            *self._examine_account(account),
            *self._examine_permissions(client),
            *self._examine_currencies(client),
            *self._examine_rate(),
            *self._examine_decimals(),
            *self._examine_endpoint(client),
            *self._examine_provider(),
            *self._examine_fee_tax(),
            *self._examine_clock(client),
        ]

    @api.model
    def _read_if_permitted(self, method):
        """Stripe's answer; None if a restricted key lacks the permission for it."""
        try:
            return method()
        except StripeError as error:
            if error.reason == "permission":
                return None
            raise

    # === ACCOUNT === #

    def _examine_account(self, account: dict):
        """Findings about the key, its account, and whether that may take payments."""
        mode = (
            self.env._("live mode, real money")
            if self.livemode
            else self.env._("test mode, no real money")
        )
        yield "good", self.env._("Stripe accepts the key: %s.", mode)
        if account:
            name = (account.get("business_profile") or {}).get("name")
            owner = f"{name} ({account['id']})" if name else account["id"]
            yield "good", self.env._("Account: %s.", owner)
        if account.get("charges_enabled") is False:
            yield (
                "warning",
                self.env._(
                    "This account can't accept real payments yet. Finish setting it up "
                    "in the Stripe Dashboard."
                ),
            )

    def _examine_currencies(self, client):
        """Findings about the currencies that the account settles in."""
        balance = self._read_if_permitted(client.retrieve_balance)
        if not balance:
            return
        codes = self._set_settlement(balance)
        yield "good", self.env._("Stripe settles in %s.", ", ".join(codes))
        currency = self.currency_id.name
        if currency not in codes:
            yield (
                "warning",
                self.env._(
                    "The journal is in %(currency)s, but this account doesn't settle "
                    "in that currency, so payments can't be posted. Choose a journal "
                    "in %(codes)s.",
                    currency=currency,
                    codes=", ".join(codes),
                ),
            )

    def _examine_fee_tax(self):
        if self.fee_tax_hint:
            yield "warning", self.fee_tax_hint

    def _examine_rate(self):
        if problem := self.env["checkout.rate"]._find_problem(self):
            _level, sentence = problem
            yield "warning", sentence

    def _examine_decimals(self):
        for currency in self.coarse_currency_ids:
            yield "warning", currency._describe_coarse()

    def _examine_clock(self, client):
        self._update_clock(client)
        if problem := self._describe_clock():
            yield "warning", problem

    # === PERMISSIONS === #

    def _examine_permissions(self, client):
        """Findings about a restricted key: one for each missing permission."""
        if not is_restricted_key(self.secret_key_value):
            return
        lacking = [
            permission
            for permission in PERMISSIONS
            if not client.ask_permission(permission.resource, permission.operation)
        ]
        if not lacking:
            yield "good", self.env._("The restricted key has all required permissions.")
        for permission in lacking:
            yield (
                "problem" if permission.needed else "warning",
                self._describe_lack(permission),
            )

    @api.model
    def _describe_lack(self, permission):
        return self.env._(
            "The restricted key lacks the “%(title)s” permission, which is needed "
            "%(purpose)s.",
            title=permission.title,
            purpose=self.env._(permission.purpose),
        )

    # === WEBHOOK === #

    def _examine_endpoint(self, client):
        """Findings about the gateway's webhook at Stripe."""
        if not self.webhook_secret_value:
            yield (
                "warning",
                self.env._(
                    "There is no webhook yet. Payments appear with the next scheduled "
                    "sync."
                ),
            )
            return
        endpoints = self._read_if_permitted(lambda: self._find_endpoints(client))
        if endpoints is None:
            return
        if not endpoints:
            yield "warning", self.env._("Stripe has no webhook with this URL.")
        for endpoint in endpoints:
            yield from self._examine_one_endpoint(endpoint)

    @api.model
    def _examine_one_endpoint(self, endpoint: dict):
        """What is wrong with a webhook endpoint.

        :param dict endpoint: As Stripe lists it.
        """
        if endpoint["status"] == "disabled":
            yield (
                "warning",
                self.env._(
                    "Stripe has disabled the webhook. Create it again, or enable it in "
                    "the Stripe Dashboard."
                ),
            )
        if endpoint["api_version"] != API_VERSION:
            yield (
                "warning",
                self.env._(
                    "The webhook uses API version %(theirs)s instead of %(ours)s. "
                    "Create it again.",
                    theirs=endpoint["api_version"] or "?",
                    ours=API_VERSION,
                ),
            )
        if missing := self._get_missing_event_types(endpoint):
            yield (
                "warning",
                self.env._(
                    "The webhook is not subscribed to %s. Create it again.",
                    ", ".join(sorted(missing)),
                ),
            )

    @api.model
    def _get_missing_event_types(self, endpoint: dict):
        """The event types that we handle and an endpoint isn't subscribed to."""
        subscribed = set(endpoint["enabled_events"])
        return set() if "*" in subscribed else set(HANDLED_EVENTS) - subscribed

    # === ODOO'S OWN STRIPE PROVIDER === #

    def _examine_provider(self):
        """A finding if Odoo's own payment provider uses the same Stripe account: it
        posts its payments itself, so they could be posted twice.
        """
        provider = self._find_same_account()
        self._set_shared_account(bool(provider))
        if not provider:
            return
        if self.shared_account == "ask":
            yield "warning", self._describe_double_posting(provider)
            return
        yield (
            "good",
            self.env._(
                "The payment provider “%s” uses the same Stripe account. Its payments "
                "are handled here as you chose.",
                provider.name,
            ),
        )

    @api.model
    def _describe_double_posting(self, provider):
        return self.env._(
            "The payment provider “%s” takes payments on the same Stripe account and "
            "posts them itself, so they would be posted twice. Choose on this gateway "
            "how they should be handled here.",
            provider.name,
        )

    @api.model
    def _get_providers(self, domain):
        """Odoo's Stripe providers that have a key; none where that module isn't."""
        providers = self.env.get("payment.provider")
        if providers is None or "stripe_secret_key" not in providers._fields:
            return ()
        return providers.search(
            [("code", "=", "stripe"), ("stripe_secret_key", "!=", False), *domain]
        )

    def _find_same_account(self):
        for provider in self._get_providers([("state", "!=", "disabled")]):
            if self._ask_if_same_account(provider.stripe_secret_key):
                return provider
        return None
