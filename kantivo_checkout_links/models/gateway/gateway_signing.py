import hmac
import json
import secrets

from odoo import fields, models

SIGNATURE = "checkout_signature"
SIGNED_METADATA = (
    "checkout_payment",
    "checkout_link",
    "checkout_amount",
    "checkout_currency",
)


class CheckoutGateway(models.Model):
    """What proves that a gateway made a Checkout Session: a signature in its metadata.

    Anyone with a key of the Stripe account can write any metadata; only the gateway
    that made a session can sign it.
    """

    _inherit = "checkout.gateway"

    signing_key = fields.Char(
        required=True,
        copy=False,
        default=lambda self: self._new_signing_key(),
        groups=fields.NO_ACCESS,
    )

    # === BUSINESS METHODS === #

    def _new_signing_key(self):
        return secrets.token_urlsafe(32)

    def _sign(self, metadata: dict, account_id):
        """The signature of a session's metadata. To be called as superuser.

        :param dict metadata: With all of `SIGNED_METADATA`, as text.
        :param account_id: Stripe's id of the account; nothing where it isn't known.
        """
        values = [metadata[name] for name in SIGNED_METADATA]
        signed = json.dumps([*values, account_id or "", self.livemode])
        return hmac.digest(self.signing_key.encode(), signed.encode(), "sha256").hex()

    def _has_signed(self, metadata: dict):
        """Whether this gateway made the session with this metadata. As superuser.

        A gateway may have signed before it knew its account, since a restricted key
        doesn't say; its key is replaced when it is connected to another account.
        """
        values = [metadata.get(name) for name in (SIGNATURE, *SIGNED_METADATA)]
        if not all(isinstance(value, str) and value.isascii() for value in values):
            return False
        return any(
            hmac.compare_digest(values[0], self._sign(metadata, account_id))
            for account_id in {self.stripe_account_id, False}
        )

    def _find_signer(self, metadata: dict):
        """The gateway that signed a session's metadata, among those of this account,
        company and mode; empty if none did.
        """
        if not metadata.get(SIGNATURE):
            return self.browse()
        gateways = self._get_account_gateways()
        return gateways.filtered(lambda g: g._has_signed(metadata))[:1]
