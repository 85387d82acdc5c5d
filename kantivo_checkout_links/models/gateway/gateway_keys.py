import secrets

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL

from ... import stripe_client


class CheckoutGateway(models.Model):
    """The keys of a gateway: a form shows masks, the values are out of all reach."""

    _inherit = "checkout.gateway"

    secret_key = fields.Char(
        compute="_compute_secret_key",
        inverse="_inverse_secret_key",
        copy=False,
        help="Starts with sk_ or rk_. Find it in Stripe under Developers › API keys.",
    )
    secret_key_value = fields.Char(copy=False, groups=fields.NO_ACCESS)
    webhook_secret = fields.Text(
        "Webhook Signing Secret",
        compute="_compute_webhook_secret",
        inverse="_inverse_webhook_secret",
        copy=False,
        help=(
            "Starts with whsec_. One per line. While you replace a secret, keep the "
            "old one too."
        ),
    )
    webhook_secret_value = fields.Text(copy=False, groups=fields.NO_ACCESS)
    webhook_token = fields.Char(
        required=True,
        copy=False,
        default=lambda self: f"kwh_{secrets.token_urlsafe(18)}",
        groups=fields.NO_ACCESS,
    )
    webhook_url = fields.Char("Webhook URL", compute="_compute_webhook_url")
    webhook_endpoint_id = fields.Char(
        readonly=True,
        copy=False,
        help="The endpoint at Stripe that Create Webhook created.",
    )
    webhook_endpoint_secret = fields.Char(copy=False, groups=fields.NO_ACCESS)
    livemode = fields.Boolean(
        "Live Mode", compute="_compute_livemode", store=True, compute_sudo=True
    )

    posts_by_key = fields.Boolean(
        store=False,
        help="Whether posting was turned on or off by the key just entered.",
    )

    _webhook_token_uniq = models.Constraint(
        "UNIQUE (webhook_token)", "This webhook URL is already in use."
    )

    # === COMPUTE METHODS === #

    @api.depends("secret_key_value")
    def _compute_secret_key(self):
        for gateway_sudo in self.sudo():  # the mask shows eight and four signs only
            gateway_sudo.secret_key = self._mask(gateway_sudo.secret_key_value)

    def _inverse_secret_key(self):
        for gateway in self:
            gateway._set_secret_key((gateway.secret_key or "").strip())
        # What is being written stays in the cache, and the answer would show it.
        self.invalidate_recordset(["secret_key"])

    @api.depends("webhook_secret_value")
    def _compute_webhook_secret(self):
        for gateway_sudo in self.sudo():  # masked, see above
            gateway_sudo.webhook_secret = "\n".join(
                map(self._mask, gateway_sudo._get_webhook_secrets())
            )

    def _inverse_webhook_secret(self):
        for gateway in self:
            gateway._set_webhook_secrets((gateway.webhook_secret or "").split())
        self.invalidate_recordset(["webhook_secret"])  # see above

    @api.depends("webhook_token")
    def _compute_webhook_url(self):
        # The token is out of reach, but part of an address that merchants copy.
        for gateway_sudo in self.sudo():
            base, token = gateway_sudo.get_base_url(), gateway_sudo.webhook_token
            gateway_sudo.webhook_url = f"{base}/checkout/webhook/{token}"

    @api.depends("secret_key_value")
    def _compute_livemode(self):
        """Without a key, the mode stays: it is that of the payments that are here."""
        for gateway in self:
            key = gateway.secret_key_value
            gateway.livemode = (
                stripe_client.is_live_key(key) if key else gateway.livemode
            )

    # === ONCHANGE METHODS === #

    @api.onchange("secret_key")
    def _onchange_secret_key(self):
        """A form saves what it shows, so it must show whether the new key posts. What a
        person has chosen stays.
        """
        key, saved = (self.secret_key or "").strip(), self._origin
        if not stripe_client.is_key(key):
            return
        is_live = stripe_client.is_live_key(key)
        if is_live != saved.livemode:
            self.post_entries, self.posts_by_key = is_live, True
        elif self.posts_by_key:
            self.post_entries, self.posts_by_key = saved.post_entries, False

    # === BUSINESS METHODS === #

    @api.model
    def _mask(self, secret):
        """Just enough of a secret to recognize it."""
        if not secret:
            return False
        return f"{secret[:8]}…{secret[-4:]}"

    def _set_secret_key(self, key):
        """Take a new key; the masked one, written back by a form, changes nothing.

        :raise ValidationError: if it is no server-side key, or belongs to another
            account or mode while this gateway has payments or posted movements.
        """
        self_sudo = self.sudo()  # the value is out of everybody's reach
        if "…" in key or key == (self_sudo.secret_key_value or ""):
            return
        if key and not stripe_client.is_key(key):
            raise ValidationError(
                self.env._(
                    "This is not a secret key. Secret keys start with sk_test_, "
                    "sk_live_, rk_test_ or rk_live_. Keys that start with pk_ are for "
                    "browsers."
                )
            )
        self_sudo._check_same_account(key)
        same = self_sudo._is_used() or bool(key and self_sudo._ask_if_same_account(key))
        if key and not same:
            self_sudo._start_over()
        self_sudo._write_secrets(self_sudo._prepare_new_key_vals(key, same))

    def _prepare_new_key_vals(self, key, same_account):
        return {
            "secret_key_value": key,
            "stripe_account_id": self.stripe_account_id if same_account else False,
            "connection_state": "untested",
            "connection_message": False,
            "key_refused": False,
            "shared_account": False,
        }

    def _check_same_account(self, key):
        """Payments, and what is posted, stay with the account that they are of."""
        if not key or not self._is_used():
            return
        if stripe_client.is_live_key(key) != self.livemode:
            raise ValidationError(
                self.env._(
                    "This gateway has payments or posted transactions in the other "
                    "mode. Create a new gateway for this key to keep test and live "
                    "money separate."
                )
            )
        if not self._ask_if_fitting(key):
            raise ValidationError(
                self.env._(
                    "This key belongs to a different Stripe account than this "
                    "gateway's payments or posted transactions. Create a new gateway "
                    "for it."
                )
            )

    def _ask_if_fitting(self, key):
        """Whether a key may be of the account that this gateway's money is in.

        :raise UserError: if the key is no good or Stripe can't be asked.
        """
        if not self.stripe_account_id:
            return self._ask_for_last_session(key)
        return self._get_account_id(key) in (False, self.stripe_account_id)

    def _ask_for_last_session(self, key):
        """Whether Stripe shows a key the newest session here, as only its own account
        sees it. Where that can't be known, the key is accepted.
        """
        session_id = self._get_last_session_id()
        try:
            if session_id:
                self._make_client(key).retrieve_session(session_id)
        except stripe_client.StripeError as error:
            if error.reason in ("missing", "permission"):
                return error.reason == "permission"
            raise UserError(self._describe_failure(error)) from error
        return True

    def _get_last_session_id(self):
        domain = [
            ("gateway_id", "=", self.id),
            ("stripe_checkout_session_id", "!=", False),
        ]
        payments = self.env["checkout.payment"]
        last = payments.search(domain, order="id desc", limit=1)
        return last.stripe_checkout_session_id

    def _get_account_id(self, key):
        """The account of a key, False where Stripe doesn't say.

        :raise UserError: if the key is no good or Stripe can't be asked.
        """
        try:
            return self._read_account_id(self._make_client(key))
        except stripe_client.StripeError as error:
            raise UserError(self._describe_failure(error)) from error

    def _set_webhook_secrets(self, lines):
        """Take new signing secrets; a masked line keeps the secret it stands for."""
        self_sudo = self.sudo()  # the values are out of everybody's reach
        known = {
            self._mask(secret): secret for secret in self_sudo._get_webhook_secrets()
        }
        values = [known.get(line, line) for line in lines]
        if any(not value.startswith("whsec_") for value in values):
            raise ValidationError(
                self.env._("A signing secret starts with whsec_. Enter one per line.")
            )
        self_sudo._write_secrets({"webhook_secret_value": "\n".join(values)})

    def _get_webhook_secrets(self):
        return (self.webhook_secret_value or "").split()

    def _add_endpoint(self, endpoint_id, secret):
        """Keep a new endpoint and its secret; the old ones stay good. As superuser."""
        secrets_now = [secret, *self._get_webhook_secrets()]
        self._write_secrets(
            {
                "webhook_endpoint_id": endpoint_id,
                "webhook_endpoint_secret": secret,
                "webhook_secret_value": "\n".join(secrets_now),
            }
        )

    def _remove_webhook_secret(self, secret):
        """Stop accepting a secret. As superuser."""
        kept = [known for known in self._get_webhook_secrets() if known != secret]
        self._write_secrets({"webhook_secret_value": "\n".join(kept)})

    def _write_secrets(self, vals):
        """Write secrets so that their query can't fail: Odoo logs those that do, with
        all values. Other changes are written first, and no one else writes meanwhile.
        """
        self.flush_recordset()
        lock = SQL("SELECT FROM checkout_gateway WHERE id IN %s FOR UPDATE", self._ids)
        self.env.cr.execute(lock)
        self.write(vals)
        self.flush_recordset()

    def _changes_mode(self, vals):
        key = (vals.get("secret_key") or "").strip()
        return stripe_client.is_key(key) and (
            stripe_client.is_live_key(key) != self.livemode
        )
