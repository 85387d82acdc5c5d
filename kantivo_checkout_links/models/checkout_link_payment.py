from decimal import Decimal
from uuid import UUID, uuid5

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..money import InvalidAmount, from_minor, largest_minor, parse_amount, to_minor

# A payment that ended without money leaves its place to others.
PLACELESS_STATES = ("failed", "expired")


class CheckoutLink(models.Model):
    """How a link takes payments: whether it can, of how much, and for how many."""

    _inherit = "checkout.link"

    # === BUSINESS METHODS - PAYING === #

    @api.model
    def _find_by_token(self, token):
        """The link of an address, as superuser: payers have no rights of their own.

        Also an archived one: whoever has its address reads that it is closed.
        """
        domain = [("access_token", "=", token), ("active", "in", (True, False))]
        return self.sudo().search(domain, limit=1)

    def _is_open(self):
        """Whether a new payment can start now."""
        return self._is_payable() and self._has_place()

    def _is_payable(self):
        """Whether payments can be made now, not counting places."""
        return not self._get_obstacle()

    def _get_obstacle(self):
        """What keeps payments from being made now, places aside, as `availability`
        names it; nothing if nothing does.
        """
        if not self._is_offered():
            return "inactive"
        if not self.gateway_id.active:
            return "stopped"
        return self._is_past() and "expired"

    def _is_offered(self):
        """Whether the merchant wants payments by it."""
        return self.active and self.state == "active"

    def _get_end(self):
        """Since when, or from when on, nobody should pay; nothing if for ever."""
        return min(filter(None, (self.deactivated_at, self.expires_at)), default=False)

    def _is_past(self):
        return bool(self.expires_at and self.expires_at <= fields.Datetime.now())

    def _has_place(self):
        return not self._filter_full()

    def _filter_full(self):
        """The links whose places are all taken. Open sessions keep theirs until they
        expire.
        """
        limited = self._origin.filtered("max_payments")
        groups = self.env["checkout.payment"]._read_group(
            [("link_id", "in", limited.ids), ("state", "not in", PLACELESS_STATES)],
            ["link_id"],
            ["__count"],
        )
        taken = dict(groups)
        return limited.filtered(lambda link: taken.get(link, 0) >= link.max_payments)

    def _lock_places(self):
        """Let no two payers take the last place.

        An update, since a mere lock would go on with a count from before it: of two at
        once, the second fails to serialise, and is tried again with what is true then.
        """
        if self.max_payments:
            self.places_lock += 1
            self.flush_recordset(["places_lock"])

    def _begin_payment(self, payment_uuid, amount, lang):
        """The payment of one form of the pay page, however often the form is sent.

        :param str payment_uuid: The form's own number.
        :param float amount: What is to be paid, in the link's currency.
        :param str lang: The payer's language code.
        :return: The payment, new or begun before; empty if the link takes none now.
        """
        payments = self.env["checkout.payment"]
        if not self._is_payable():
            return payments
        self._lock_places()
        begun = payments.search([("uuid", "=", payment_uuid)])
        while begun and not begun._may_go_on(amount):
            payment_uuid = str(uuid5(UUID(payment_uuid), str(amount)))
            begun = payments.search([("uuid", "=", payment_uuid)])
        if begun and begun.state not in PLACELESS_STATES:
            return begun
        if not self._has_place():
            return payments
        return begun or payments._begin(self, payment_uuid, amount, lang)

    def _get_amount_to_pay(self, wish, lang):
        """The amount of a new payment.

        :param str wish: What the payer typed; counts for open amounts only.
        :param res.lang lang: Whose separators the payer uses.
        :return: The amount in the link's currency.
        :rtype: float
        :raise UserError: if the wish is no amount, or outside the limits.
        """
        if self.amount_type == "fixed":
            return self.amount
        try:
            wished = parse_amount(wish or "", lang.decimal_point, lang.thousands_sep)
        except InvalidAmount as error:
            raise UserError(
                self.env._("Enter an amount, such as %s.", self._format_example())
            ) from error
        return self._check_wish(wished)

    def _check_wish(self, wished: Decimal):
        if wished <= 0:
            raise UserError(self.env._("Enter an amount above zero."))
        if wished < Decimal(str(self.minimum_amount)):
            raise UserError(
                self.env._("The least is %s.", self._format(self.minimum_amount))
            )
        if self.maximum_amount and wished > Decimal(str(self.maximum_amount)):
            raise UserError(
                self.env._("The most is %s.", self._format(self.maximum_amount))
            )
        return self._check_minor(wished)

    def _check_minor(self, wished: Decimal):
        try:
            minor = to_minor(wished, self.currency_id.name)
        except InvalidAmount as error:
            raise UserError(self._describe_step()) from error
        if minor > largest_minor(self.currency_id.name):
            raise UserError(
                self.env._(
                    "The most that can be paid at once is %s.", self._format_most()
                )
            )
        return from_minor(minor, self.currency_id.name)

    def _count_payers(self):
        """How many customers can pay on Stripe's page right now."""
        return self.env["checkout.payment"].search_count(
            [
                ("link_id", "in", self.ids),
                ("state", "=", "open"),
                ("stripe_checkout_session_id", "!=", False),
                ("session_expires_at", ">", fields.Datetime.now()),
            ]
        )

    def _expire_open_sessions(self):
        """Ask Stripe, in the background, to end the checkouts that are still open."""
        payments_sudo = self.env["checkout.payment"].sudo()  # read-only for merchants
        payments_sudo._expire_open([("link_id", "in", self.ids)])
