import binascii
from decimal import Decimal
from uuid import UUID, uuid5

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import misc

from ...money import (
    AmbiguousAmount,
    InvalidAmount,
    from_minor,
    parse_amount_in,
)
from ...utils import first_word
from .link_places import PLACELESS_STATES

# What a payer may do with a nonce: send the form that it is in, or have that form shown
# again. The latter stands in addresses, so it pays nothing by itself.
FORM_SCOPE = "kantivo_checkout_links.nonce"
RESUME_SCOPE = "kantivo_checkout_links.resume"


class CheckoutLink(models.Model):
    """How a link takes payments: whether it can, of how much, and for how many."""

    _inherit = "checkout.link"

    # === BUSINESS METHODS - PAYING === #

    @api.model
    def _find_by_token(self, token):
        """The link of an address, as superuser: payers have no rights of their own.

        Also an archived one: the page then says that it is closed. An
        address may have traveled: as it stands first, then without what is around it.
        """
        links_sudo = self.sudo().with_context(active_test=False)
        for text in dict.fromkeys((token, first_word(token))):
            domain = [("access_token", "=", text)]
            found = links_sudo.search_fetch(domain, self._get_page_fields())
            if found:
                return found
        return links_sudo

    @api.model
    def _get_page_fields(self):
        """What the pay page reads of a link, in one query. More of it takes another
        one, which reads all columns.
        """
        return [
            *("name", "description", "access_token", "company_id", "gateway_id"),
            *("active", "state", "gateway_active", "expires_at", "max_payments"),
            *("amount_type", "amount", "minimum_amount", "maximum_amount"),
            *("currency_id", "includes_tax", "suggested_amounts", "preset_amount"),
            "submit_type",
            *("inactive_message", "expired_message", "full_message"),
        ]

    def _is_open(self):
        """Whether a new payment can start now."""
        return self._is_payable() and self not in self._get_crowds()

    def _is_payable(self):
        """Whether payments can be made now, not counting places."""
        return not self._get_obstacle()

    def _get_obstacle(self):
        """What keeps payments from being made now, places aside, as `availability`
        names it; nothing if nothing does.
        """
        if not self._is_offered():
            return "inactive"
        if not self.gateway_active:
            return "stopped"
        is_past = bool(self.expires_at and self.expires_at <= fields.Datetime.now())
        return is_past and "expired"

    def _is_offered(self):
        """Whether the merchant wants payments by it."""
        return self.active and self.state == "active"

    def _get_end(self):
        """When the link stops or stopped taking payments; nothing if never."""
        return min(filter(None, (self.deactivated_at, self.expires_at)), default=False)

    def _sign_nonce(self, scope, form_uuid, expires_at):
        """A form's number, signed, in place of a cookie. The same values give the same
        nonce.

        :param str scope: `FORM_SCOPE` or `RESUME_SCOPE`.
        :param datetime expires_at: Until when it is worth anything, in UTC.
        """
        values = [self.id, form_uuid]
        return misc.hash_sign(self.env(su=True), scope, values, expiration=expires_at)

    def _read_nonce(self, scope, nonce):
        """The form's number in a nonce of this link; nothing if forged or old."""
        try:
            values = misc.verify_hash_signed(self.env(su=True), scope, nonce)
        except (ValueError, binascii.Error):
            return None
        return values[1] if values and values[0] == self.id else None

    def _start_payment(self, form_uuid, amount: float, lang, client=None, given=None):
        """The payment of one form of the pay page, however often the form is sent. One
        that was started before stays as it is; another amount starts another payment,
        and so does anything else that the form gives.

        No two payers take the last place, or send one form, at the same time: to be
        called in `Turn.alone` with the link's lock.

        :param str form_uuid: The form's own number.
        :param float amount: What is to be paid, in the link's currency.
        :param str lang: The payer's language code; nothing if it isn't known.
        :param Client client: Whom the brake is for; nothing for programs, which have
            none.
        :param dict given: What the form gives besides, as values of the payment: see
            `_read_given`.
        :return: The payment, new or started before; where only one place is left, the
            one that holds it, if it is of the same; empty if there is none.
        :raise StripeError: if too many checkouts were started.
        """
        self = self._in_merchants_lang()
        payments = self.env["checkout.payment"]
        if not self._is_payable():
            return payments
        given = given or {}
        started, uuid = self._find_started(form_uuid, amount, given)
        if client and not started:
            self._check_brake(client)
        self._search_checkouts(
            Domain("form_uuid", "=", form_uuid) & Domain("id", "!=", started.id)
        )._give_up()
        if started and started.state not in PLACELESS_STATES:
            return started
        if self._has_place():
            asked = (uuid, amount, lang, form_uuid, given)
            return started or self._start_new(asked, client)
        shared = self._find_checkout_to_continue(False).filtered("session_url")
        return shared.filtered(lambda payment: payment._is_asked_for(amount, given))

    def _start_new(self, asked, client):
        payment = self.env["checkout.payment"]._start(self, *asked)
        if client:
            self._note_start(payment, client)
        return payment

    def _in_merchants_lang(self):
        """The link for what merchants read: the chatter of its payments."""
        return self.with_context(lang=self.company_id.partner_id.lang or "en_US")

    def _find_started(self, form_uuid, amount: float, given: dict):
        """A form's payment of the same that can go on; and its number, or that of a new
        one if there is none.
        """
        payments, uuid = self.env["checkout.payment"], form_uuid
        started = payments.search([("uuid", "=", uuid)])
        while started and not started._may_continue(amount, given):
            uuid = str(uuid5(UUID(uuid), str(amount)))
            started = payments.search([("uuid", "=", uuid)])
        return started, uuid

    def _get_amount_to_pay(self, typed_amount, langs) -> float:
        """The amount of a new payment.

        :param str typed_amount: What the payer typed; counts for open amounts only.
        :param res.lang langs: Whose separators the payer may use: their own language,
            and last the page's.
        :return: The amount in the link's currency.
        :rtype: float
        :raise UserError: if that is no amount, or outside the limits.
        """
        if self.amount_type == "fixed":
            return self.amount
        currency = self.currency_id
        try:
            amount = parse_amount_in(
                typed_amount,
                [(lang.decimal_point, lang.thousands_sep) for lang in langs],
                currency.decimal_places,
                (currency.symbol, currency.name),
            )
        except AmbiguousAmount as error:
            raise UserError(self._describe_readings(error, langs[-1:])) from error
        except InvalidAmount as error:
            raise UserError(
                self.env._("Enter an amount, such as %s.", self._format_example())
            ) from error
        return self._check_typed_amount(amount)

    def _describe_readings(self, error, lang):
        """A question, whose answers can be read in one way only."""
        large, *_others, small = [
            format(reading.normalize(), "f").replace(".", lang.decimal_point)
            for reading in error.readings
        ]
        return self.env._(
            "Did you mean %(large)s or %(small)s? Please enter one of these.",
            large=large,
            small=small,
        )

    def _check_typed_amount(self, typed_amount: Decimal) -> float:
        """The amount that a payer typed, if the link takes it.

        :raise UserError: if it is outside the link's limits or Stripe's.
        """
        if typed_amount <= 0:
            raise UserError(self.env._("Enter an amount greater than zero."))
        if typed_amount < Decimal(str(self.minimum_amount)):
            raise UserError(
                self.env._("The minimum is %s.", self._format(self.minimum_amount))
            )
        if self.maximum_amount and typed_amount > Decimal(str(self.maximum_amount)):
            raise UserError(
                self.env._("The maximum is %s.", self._format(self.maximum_amount))
            )
        return self._check_minor(typed_amount)

    def _check_minor(self, typed_amount: Decimal) -> float:
        """An amount that Stripe and Odoo have the decimals for.

        :return: The same amount, as Odoo stores it.
        :raise UserError: if it has too many decimals, or is above Stripe's maximum.
        """
        amount = from_minor(self._to_minor(typed_amount), self.currency_id.name)
        if self.currency_id._rounds_away(amount):
            raise UserError(self._describe_step())
        return amount

    def _count_payers(self):
        """How many customers can pay on Stripe's page right now."""
        return self.env["checkout.payment"].search_count(
            [
                ("link_id", "in", self.ids),
                ("state", "=", "open"),
                ("stripe_checkout_session_id", "!=", False),
                ("session_expires_at", ">", self.gateway_id._get_stripe_now()),
            ]
        )

    def _expire_open_sessions(self):
        """Ask Stripe, in the background, to end the checkouts that are still open."""
        payments_sudo = self.env["checkout.payment"].sudo()  # read-only for merchants
        payments_sudo._expire_open([("link_id", "in", self.ids)])
