import logging
from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import Command, api, fields, models
from odoo.exceptions import ConcurrencyError
from odoo.tools import mute_logger

from ...const import (
    CHECKOUT_LOCALES,
    CLOCK_TOLERANCE,
    EXPIRY_BATCH,
    LEAST_SESSION_MINUTES,
    LIMITED_SESSION_MINUTES,
    NONCE_HOURS,
    RETURN_LOCK,
    RETURN_PAGE_INTERVAL,
    SESSION_GRACE_MINUTES,
    SESSION_MINUTES,
)
from ...money import to_minor
from ...stripe_client import StripeError
from ...utils import first_word, is_session_id, to_timestamp
from .checkout_payment import RECEIVED_STATES, UNFINISHED_STATES
from .link_paying import RESUME_SCOPE

# Stripe fills this in itself, so it has to reach Stripe as it stands.
RETURN_QUERY = "session_id={CHECKOUT_SESSION_ID}"

_logger = logging.getLogger(__name__)


class CheckoutPayment(models.Model):
    """The payer's way: into a Checkout Session of Stripe's, and back from it."""

    _inherit = "checkout.payment"

    # === BUSINESS METHODS - STARTING === #

    @api.model
    def _start(self, link, uuid, amount: float, lang, form_uuid, given: dict):
        """A new payment, in no session yet.

        :param checkout.link link: The link, as superuser.
        :param str uuid: Its own number, the same however often its form is sent.
        :param float amount: What is to be paid, in the link's currency.
        :param str lang: The payer's language code; nothing if it isn't known.
        :param str form_uuid: The number of the payer's form.
        :param dict given: What the form gives besides, as values of the payment.
        """
        vals = {**self._prepare_start_vals(link, uuid, amount, lang), **given}
        vals["form_uuid"] = form_uuid
        vals["signature"] = self._prepare_signature(uuid, link, amount)
        try:
            with self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
                return self.create(vals)
        except UniqueViolation as error:
            # The same form came twice at once. Tried again, it finds the other's row.
            raise ConcurrencyError("The payment was started elsewhere.") from error

    def _may_continue(self, amount: float, given: dict):
        """Whether this payment is what its form asks for once more, and Stripe still
        takes it.
        """
        if not self._is_asked_for(amount, given):
            return False
        if self.stripe_checkout_session_id:
            return self.state != "expired" and not self.expiry_requested
        return not self._is_too_late()

    def _give_up(self):
        """End these, since their payer pays in another one; at once where no one was
        sent to Stripe and their time is over.
        """
        unsent = self.filtered(lambda p: not p.stripe_checkout_session_id)
        unsent.filtered(lambda p: p._is_too_late())._set_abandoned()
        self._expire_open([("id", "in", self.ids)])

    def _is_too_late(self):
        least = timedelta(minutes=LEAST_SESSION_MINUTES)
        return self.session_expires_at < self.gateway_id._get_stripe_now() + least

    @api.model
    def _prepare_start_vals(self, link, uuid, amount: float, lang):
        return {
            **self._prepare_frozen_vals(link),
            "uuid": uuid,
            "amount": amount,
            "lang": lang,
            "session_expires_at": self._get_expiry(link),
        }

    @api.model
    def _prepare_frozen_vals(self, link):
        """What a payment takes from its link and keeps, also if the link changes.

        Hook for other addons: extend the result to keep more.

        :param checkout.link link: May be a new record, of a preview.
        """
        gateway = link.gateway_id
        return {
            "link_id": link._origin.id,  # none of a link that is in memory only
            "link_name": link.name,
            "description": link.description,
            "product_id": link.product_id._origin.id,
            "gateway_id": gateway.id,
            "company_id": link.company_id.id,
            "livemode": gateway.livemode,
            "currency_id": link.currency_id.id,
            "credit_to": gateway.credit_to,
            "income_account_id": (
                link.income_account_id or gateway.income_account_id
            ).id,
            "receivable_account_id": gateway.receivable_account_id.id,
            "tax_ids": [Command.set(link.tax_ids.ids)],
            "map_taxes": link.map_taxes,
            "analytic_distribution": link.analytic_distribution,
            "partner_id": link.partner_id.id,
            "is_personal": bool(link.partner_id),
        }

    @api.model
    def _get_expiry(self, link):
        minutes = LIMITED_SESSION_MINUTES if link.max_payments else SESSION_MINUTES
        return link.gateway_id._get_stripe_now() + timedelta(minutes=minutes)

    def _open_session(self, turn):
        """Make the Checkout Session, or find the one made before.

        The payment is committed by now. If anything fails here, the next try has the
        same idempotency key and gets the same session from Stripe.

        :param Turn turn: The payer's.
        :return: Stripe's address to send the payer to; nothing if it is over.
        :raise StripeError: if Stripe doesn't answer or refuses.
        """
        self.ensure_one()
        if self.stripe_checkout_session_id:
            return self.state == "open" and self.session_url
        try:
            session = self._create_session(turn)
        except StripeError as error:
            self._set_refused(str(error))
            if error.reason == "broken":
                self.failed_attempts += 1
            if error.reason == "refused":
                self.link_id._set_refused(self.amount, error)
            raise
        self._set_open(session)
        self.link_id._set_accepted()
        if self.expiry_requested:  # the link was closed while we asked
            self._request_expiry()
            return False
        return session["url"]

    def _create_session(self, turn) -> dict:
        """Have Stripe make the session; once more without what it refused, where the
        payer can do without that.
        """
        try:
            return self._ask_for_session(turn)
        except StripeError as error:
            corrected = self._prepare_correction(error)
            if not corrected:
                raise
        self.write({**corrected, "failed_attempts": self.failed_attempts + 1})
        return self._ask_for_session(turn)

    def _prepare_correction(self, error):
        """What makes Stripe take a refused session; nothing if that isn't known.

        Where one of the clocks was set since the last sync, Stripe refuses the end; the
        refusal itself says what time it is there. An email address that Stripe doesn't
        take is left to its own page.
        """
        if error.param == "customer_email":
            return {"customer_email": False, "email_prefilled": False}
        shift = (error.clock_offset or 0) - self.gateway_id.clock_offset
        if error.param != "expires_at" or abs(shift) <= CLOCK_TOLERANCE:
            return {}
        return {
            "session_expires_at": self.session_expires_at + timedelta(seconds=shift)
        }

    def _ask_for_session(self, turn) -> dict:
        params, key = self._prepare_session_params(), self._get_idempotency_key()
        return turn.ask(
            self.gateway_id, lambda client: client.create_session(params, key)
        )

    def _get_idempotency_key(self):
        """The payment's own number; after a failure that Stripe repeats for its key, a
        new one.

        https://docs.stripe.com/api/idempotent_requests
        """
        attempts = self.failed_attempts
        return f"{self.uuid}:{attempts + 1}" if attempts else self.uuid

    def _prepare_session_params(self) -> dict:
        """The request for Stripe, from frozen values only: its repetition is the same.

        Hook for other addons: extend the result, from frozen values too.

        https://docs.stripe.com/api/checkout/sessions/create
        """
        metadata = self._prepare_metadata()
        known = {"customer_email": self.customer_email} if self.customer_email else {}
        return {
            "mode": "payment",
            "line_items": [self._prepare_line_item()],
            "success_url": f"{self.link_id.url}/return?{RETURN_QUERY}",
            "cancel_url": f"{self.link_id.url}?{self._get_resume_query()}",
            "client_reference_id": self.uuid,
            "metadata": metadata,
            "payment_intent_data": {
                "metadata": metadata,
                "description": self.link_name,
            },
            "adaptive_pricing": {"enabled": False},
            "expires_at": to_timestamp(self.session_expires_at),
            "locale": self._get_checkout_locale(),
            **known,
        }

    def _get_resume_query(self):
        """What the pay page's address needs for the payer to continue this payment.

        Made of frozen values only, since it goes to Stripe with each repetition. It is
        good for longer than the session, which ends by Stripe's clock and not by ours.
        """
        number = self.form_uuid or self.uuid
        until = self.session_expires_at + timedelta(hours=NONCE_HOURS)
        nonce = self.link_id._sign_nonce(RESUME_SCOPE, number, until)
        tracking = self._prepare_tracking_query()
        return "&".join(filter(None, (f"resume={nonce}", tracking)))

    def _prepare_line_item(self):
        """The line on Stripe's page, its amount in minor units of the currency.

        Hook for other addons: the amount must stay the payment's.
        """
        product = {"name": self.link_name}
        if self.description:
            product["description"] = self.description
        return {
            "quantity": 1,
            "price_data": {
                "currency": self.currency_id.name.lower(),
                "unit_amount": to_minor(self.amount, self.currency_id.name),
                "product_data": product,
            },
        }

    def _get_checkout_locale(self):
        tag = (self.lang or "").replace("_", "-")
        short = tag.partition("-")[0]
        return next((name for name in (tag, short) if name in CHECKOUT_LOCALES), "auto")

    @api.model
    def _expire_open(self, domain):
        """Have the checkouts ended that are open among some payments."""
        self.search([("state", "=", "open"), *domain])._request_expiry()

    def _request_expiry(self):
        """Have the sessions ended at Stripe soon, by the processor."""
        if self:
            self.write({"expiry_requested": True})
            self.env["checkout.event"]._trigger_processing()

    @api.model
    def _search_to_end(self, gateway):
        """The payments whose sessions are to be ended at Stripe."""
        return self.search(
            [
                ("gateway_id", "=", gateway.id),
                ("expiry_requested", "=", True),
                ("stripe_checkout_session_id", "!=", False),
                ("state", "=", "open"),
            ],
            limit=EXPIRY_BATCH,
        )

    def _set_ended(self, answer):
        """For the processor alone: it may have to keep a payment.

        :param Answer answer: What came of `end_session`. Without one, the request
            stays, and the next run asks again.
        """
        if getattr(answer.error, "reason", False) == "missing":
            self.expiry_requested = False
            self._set_missing(str(answer.error))
        elif answer.error:
            _logger.info("Payment %s can't be ended: %s", self.id, answer.error)
        else:
            self.expiry_requested = answer.value["status"] == "open"
            self._apply_session(answer.value)

    def _end_at_once(self, turn):
        """End the checkout in a request of a payer or merchant, who wait for its place.

        :param Turn turn: Theirs.
        :return: Whether it can't be paid any more, by Stripe's own word.
        :raise StripeError: if Stripe doesn't answer.
        """
        session_id = self.stripe_checkout_session_id
        if not session_id:
            self._set_abandoned()  # no one was sent to Stripe
            return True
        session = self._read_answer(
            lambda: turn.ask(
                self.gateway_id, lambda client: client.end_session(session_id)
            )
        )
        if session and session["status"] == "expired":
            self._set_expired(session)
        elif session:  # paid: a matter of the processor
            self.env["checkout.event"]._receive_session(self)
        return self.state == "expired"

    def _read_answer(self, ask) -> dict | None:
        """What Stripe says of the session; nothing if Stripe doesn't have it any more,
        as when test data were deleted there: then it can't be paid.

        :param callable ask: Asks Stripe.
        :raise StripeError: if Stripe can't be asked.
        """
        try:
            return ask()
        except StripeError as error:
            if error.reason != "missing":
                raise
            self._set_missing(str(error))
            return None

    def _set_missing(self, reason):
        """:param str reason: In Stripe's words."""
        if self.state in UNFINISHED_STATES:
            self.write({"state": "expired", "failure_message": reason})

    @api.model
    def _get_overdue_domain(self, gateway):
        """The payments whose checkout should be over by now, one way or the other."""
        grace = timedelta(minutes=SESSION_GRACE_MINUTES)
        return [
            ("gateway_id", "=", gateway.id),
            ("state", "in", UNFINISHED_STATES),
            ("stripe_checkout_session_id", "!=", False),
            ("session_expires_at", "<", gateway._get_stripe_now() - grace),
        ]

    def _is_overdue(self):
        return bool(self.filtered_domain(self._get_overdue_domain(self.gateway_id)))

    # === BUSINESS METHODS - RETURN PAGE === #

    @api.model
    def _find_for_return(self, token, session_id):
        """The payment a return page speaks of, as superuser; also of a deleted link.

        A payment of another link isn't found: its token is no key to this one.

        :param str token: The link's, or what is left in the address of a deleted one.
        :param str session_id: As the address has it.
        """
        session_id = first_word(session_id)
        if not is_session_id(session_id):
            return self.browse()  # also for none: some payments have no session
        payment_sudo = self.sudo().search(  # payers have no rights of their own
            [("stripe_checkout_session_id", "=", session_id)], limit=1
        )
        link_sudo = payment_sudo.link_id
        if link_sudo and link_sudo.access_token != token:
            return self.browse()
        return payment_sudo

    def _refresh_for_return(self):
        """The payment's state for its return page.

        The question is committed before Stripe is asked: of many reloads at once only
        one asks, and none waits for another.

        :return: One of our states, by Stripe's own word in this very request unless the
            money is here; `checking` while a recent question is open, `unknown` if
            Stripe didn't answer.
        """
        if self.state in RECEIVED_STATES:
            return self.state
        if not self._may_ask():
            return "checking"
        try:
            with self.gateway_id._take_turn(patience=0) as turn:
                return self._ask_for_return(turn)
        except StripeError as error:  # no call was made
            return "checking" if error.reason == "crowded" else "unknown"

    def _ask_for_return(self, turn):
        session_id = self.stripe_checkout_session_id
        with turn.alone(RETURN_LOCK, self.id):
            if not self._may_ask():
                return "checking"
            question = self.env["checkout.event"]._ask(self)
            asked_at = question.received_at
            self.gateway_id._commit()
        try:
            session = turn.ask(
                self.gateway_id, lambda client: client.retrieve_session(session_id)
            )
        except StripeError:
            question._note_answer(asked_at, is_new=True)
            return "unknown"
        question._note_answer(asked_at, self._is_outdated_by(session))
        self._forget_url(session)
        return self._get_session_state(session)

    def _forget_url(self, session: dict):
        """Lead no payer back to a checkout that is over, before the processor knows of
        it, too. Where that changes the payment at this moment, it says so itself.
        """
        if session["url"] or not self.session_url:
            return
        self.env.cr.commit()  # pylint: disable=invalid-commit
        if self.try_lock_for_update():
            self.session_url = False

    def _may_ask(self):
        """Not more often than every few seconds: anyone with the address may reload."""
        asked_at = self.env["checkout.event"]._find_question(self).received_at
        pause = timedelta(seconds=RETURN_PAGE_INTERVAL)
        return not asked_at or asked_at + pause <= fields.Datetime.now()
