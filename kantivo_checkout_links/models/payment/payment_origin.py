from odoo import api, fields, models
from odoo.fields import Domain

from ...money import from_minor, to_minor
from ..gateway.gateway_signing import SIGNATURE

# What a payment is found by.
PAYMENT_IDS = (
    "uuid",
    "stripe_checkout_session_id",
    "stripe_charge_id",
    "stripe_payment_intent_id",
)


class CheckoutPayment(models.Model):
    """Which payment a session belongs to. Only our rows and our signatures decide that:
    what else a session says may have been written by anyone who has a key.
    """

    _inherit = "checkout.payment"

    signature = fields.Char(readonly=True, copy=False, groups=fields.NO_ACCESS)

    # === BUSINESS METHODS - METADATA === #

    @api.model
    def _prepare_asked(self, uuid, link, amount: float, currency):
        """What a session is asked for, as its metadata carries it.

        :param str uuid: The payment's own number.
        :param float amount: In the currency; the metadata has Stripe's minor units.
        """
        return {
            "checkout_payment": uuid,
            "checkout_link": str(link.id),
            "checkout_amount": str(to_minor(amount, currency.name)),
            "checkout_currency": currency.name.lower(),
        }

    @api.model
    def _prepare_signature(self, uuid, link, amount: float):
        gateway = link.gateway_id
        asked = self._prepare_asked(uuid, link, amount, link.currency_id)
        return gateway._sign(asked, gateway.stripe_account_id)

    def _prepare_metadata(self):
        """What leads from any of Stripe's objects back to this payment. A payment that
        an earlier version started has no signature; its session is known by its row.
        """
        asked = self._prepare_asked(
            self.uuid, self.link_id, self.amount, self.currency_id
        )
        signature = {SIGNATURE: self.signature} if self.signature else {}
        return {**asked, **signature, **self._prepare_reference_metadata()}

    # === BUSINESS METHODS - FINDING === #

    @api.model
    def _find_by_session(self, gateway, session: dict):
        """The payment of a session, whether or not its id was stored.

        :param checkout.gateway gateway: The one whose key read the session.
        """
        known = self.search(
            self._get_readable(gateway)
            & Domain("stripe_checkout_session_id", "=", session["id"])
        )
        return known or self._find_unopened(gateway, session["metadata"] or {})

    @api.model
    def _filter_paid(self, gateway, session_ids) -> set[str]:
        """The sessions among some ids of Stripe's by which a payment is paid."""
        domain = Domain("stripe_checkout_session_id", "in", list(session_ids))
        paid = self.search(
            self._get_readable(gateway) & domain & Domain("paid_at", "!=", False)
        )
        return set(paid.mapped("stripe_checkout_session_id"))

    @api.model
    def _find_by_object(self, gateway, stripe_object: dict):
        """The payment that an object is about, by the ids that Stripe gave its session,
        charge or intent; not by its metadata, which may be a copy.

        :param dict stripe_object: A session, charge, refund or dispute.
        """
        own_id = stripe_object.get("id")
        ids = {
            "stripe_checkout_session_id": own_id,
            "stripe_charge_id": stripe_object.get("charge") or own_id,
            "stripe_payment_intent_id": stripe_object.get("payment_intent"),
        }
        ids = {name: value for name, value in ids.items() if isinstance(value, str)}
        any_id = Domain.OR(Domain(name, "=", value) for name, value in ids.items())
        found = self.search(self._get_readable(gateway) & any_id)
        return found.sorted(
            lambda payment: [payment[name] != value for name, value in ids.items()]
        )[:1]

    @api.model
    def _find_by_ids(self, gateway, ids):
        """The payments that have any of some numbers or ids of Stripe's."""
        any_id = Domain.OR(Domain(name, "in", ids) for name in PAYMENT_IDS)
        return self.search(self._get_readable(gateway) & any_id)

    @api.model
    def _find_unopened(self, gateway, metadata: dict):
        """The payment that a session was made for, if it has no session yet: a copy of
        the metadata on a second session is not its.
        """
        payment = self._find_named(gateway, metadata)
        is_same = (payment.signature or None) == metadata.get(SIGNATURE)
        is_open = not payment.stripe_checkout_session_id
        return payment if is_same and is_open else self.browse()

    @api.model
    def _find_named(self, gateway, metadata: dict):
        """The payment that metadata names. Anyone can write a name there, so it is only
        good for having the session read.
        """
        uuid = metadata.get("checkout_payment")
        if not isinstance(uuid, str):
            return self.browse()
        return self.search(self._get_readable(gateway) & Domain("uuid", "=", uuid))

    @api.model
    def _get_readable(self, gateway):
        """The payments whose sessions a gateway's key can read."""
        return Domain("gateway_id", "in", gateway._get_account_gateways().ids)

    @api.model
    def _has_payment(self, gateway, session: dict):
        """Whether a session is a payment's, or that of one whose row was lost."""
        metadata = session["metadata"] or {}
        return bool(self._find_by_session(gateway, session)) or self._may_recreate(
            gateway, metadata
        )

    # === BUSINESS METHODS - LOST ROWS === #

    @api.model
    def _recreate(self, gateway, session: dict):
        """The payment of a session that a gateway signed and whose row was lost.

        Nothing if the session is not signed or is a copy: a payment has one session.
        """
        metadata = session["metadata"] or {}
        if not self._may_recreate(gateway, metadata):
            return self.browse()
        return self.create(self._prepare_recreated_vals(gateway, metadata))

    @api.model
    def _may_recreate(self, gateway, metadata: dict):
        if not gateway._find_signer(metadata):
            return False
        same = [("uuid", "=", metadata["checkout_payment"])]
        return not self.search_count(same, limit=1)

    @api.model
    def _prepare_recreated_vals(self, gateway, metadata: dict):
        """Gateway, mode and company are those of the gateway that read the session. The
        company of a branch's link is the branch, as it was when the payment started.

        :param dict metadata: Signed, so it is as this database wrote it.
        """
        link = self._find_signed_link(gateway, metadata)
        link = link or self._prepare_orphan_link(gateway)
        currency = self._get_currency(metadata["checkout_currency"])
        amount = from_minor(int(metadata["checkout_amount"]), currency.name)
        uuid = metadata["checkout_payment"]
        return {
            **self._prepare_start_vals(link, uuid, amount, False),
            "gateway_id": gateway.id,
            "livemode": gateway.livemode,
            "currency_id": currency.id,
            "signature": metadata[SIGNATURE],
            **self._prepare_lost_tracking(metadata),
        }

    @api.model
    def _find_signed_link(self, gateway, metadata: dict):
        """The link, if it is still there and paid through a gateway of this account."""
        link = self.env["checkout.link"].browse(int(metadata["checkout_link"])).exists()
        return link.filtered(
            lambda it: it.gateway_id in gateway._get_account_gateways()
        )

    @api.model
    def _prepare_orphan_link(self, gateway):
        """A link in memory, for the frozen values of a payment whose link is gone."""
        return self.env["checkout.link"].new(
            {
                "name": self.env._("Deleted link"),
                "gateway_id": gateway.id,
                "company_id": gateway.company_id.id,
            }
        )
