from datetime import UTC, timedelta

from psycopg2.errors import UniqueViolation

from odoo import Command, api, fields, models
from odoo.exceptions import ConcurrencyError
from odoo.tools import mute_logger

from ..const import (
    CHECKOUT_LOCALES,
    DISPUTE_STATES,
    FAILED_INTENT_STATUSES,
    LIMITED_SESSION_MINUTES,
    METHOD_NAMES,
    PAID_STATUSES,
    RETURN_PAGE_INTERVAL,
    SESSION_MINUTES,
)
from ..money import from_minor, to_minor
from ..stripe_client import StripeError
from .checkout_base import WITH_ARCHIVED

# From here on money came in; nothing that Stripe says later makes it an open one again.
RECEIVED_STATES = ("paid", "partially_refunded", "refunded", "disputed")
# Stripe fills this in itself, so it has to reach Stripe as it stands.
RETURN_QUERY = "session_id={CHECKOUT_SESSION_ID}"

UNFINISHED_STATES = ("open", "processing")


class CheckoutPayment(models.Model):
    """One Stripe Checkout Session of a link: one payer's try at paying.

    What decides the booking is copied from the link when the payment is made, so that
    no later change of the link touches it. Only the `_set_*` methods change the state.
    """

    _name = "checkout.payment"
    _description = "Checkout Payment"
    _inherit = ["checkout.base", "mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _check_company_auto = True
    _mail_post_access = "read"

    name = fields.Char("Reference", required=True, readonly=True, copy=False)
    uuid = fields.Char(
        required=True, readonly=True, copy=False, groups=fields.NO_ACCESS
    )
    link_id = fields.Many2one(
        "checkout.link", ondelete="set null", index=True, readonly=True
    )
    link_name = fields.Char("Title", readonly=True)
    description = fields.Text(readonly=True)
    gateway_id = fields.Many2one(
        "checkout.gateway",
        required=True,
        index=True,
        ondelete="restrict",
        readonly=True,
    )
    company_id = fields.Many2one(
        "res.company", required=True, index=True, readonly=True
    )
    state = fields.Selection(
        [
            ("open", "Started"),
            ("processing", "Processing"),
            ("paid", "Paid"),
            ("failed", "Failed"),
            ("expired", "Expired"),
            ("partially_refunded", "Partially Refunded"),
            ("refunded", "Refunded"),
            ("disputed", "Disputed"),
        ],
        required=True,
        default="open",
        readonly=True,
        index=True,
        tracking=True,
    )
    failure_message = fields.Char("Why It Failed", readonly=True)
    flag = fields.Selection(
        [
            ("late", "Paid after closing"),
            ("over_limit", "Above the limit"),
            ("mismatch", "Other amount than asked"),
        ],
        readonly=True,
        help="Booked like any other, but worth a look.",
    )
    livemode = fields.Boolean("Live Mode", readonly=True)

    # Money
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    amount = fields.Monetary(readonly=True)
    amount_refunded = fields.Monetary("Refunded", readonly=True)
    settlement_currency_id = fields.Many2one("res.currency", readonly=True)
    settlement_amount = fields.Monetary(
        "Settled", currency_field="settlement_currency_id", readonly=True
    )
    fee_amount = fields.Monetary(
        "Fee", currency_field="settlement_currency_id", readonly=True
    )
    net_amount = fields.Monetary(
        "Net",
        currency_field="settlement_currency_id",
        compute="_compute_net_amount",
        store=True,
        help="What Stripe credited, less its fee. Refunds and disputes come apart.",
    )
    paid_at = fields.Datetime("Paid On", readonly=True, index=True)

    # Payer
    customer_name = fields.Char("Customer", readonly=True)
    customer_email = fields.Char("E-mail", readonly=True)
    customer_phone = fields.Char("Phone", readonly=True)
    customer_country_id = fields.Many2one("res.country", readonly=True)
    partner_id = fields.Many2one("res.partner", "Contact", readonly=True, index=True)
    lang = fields.Char("Language", readonly=True)

    # Stripe
    stripe_checkout_session_id = fields.Char("Checkout Session", readonly=True)
    stripe_payment_intent_id = fields.Char("Payment Intent", readonly=True)
    stripe_charge_id = fields.Char("Charge", readonly=True)
    session_url = fields.Char(readonly=True, groups=fields.NO_ACCESS)
    session_expires_at = fields.Datetime(readonly=True)
    expiry_requested = fields.Boolean(readonly=True)
    payment_method_label = fields.Char("Paid With", readonly=True)
    dispute_status = fields.Selection(DISPUTE_STATES, "Dispute", readonly=True)

    # Booking, frozen
    credit_to = fields.Char(readonly=True)
    income_account_id = fields.Many2one("account.account", readonly=True)
    receivable_account_id = fields.Many2one("account.account", readonly=True)
    tax_ids = fields.Many2many(
        "account.tax",
        "checkout_payment_tax_rel",
        string="Taxes",
        context=WITH_ARCHIVED,
        readonly=True,
    )
    analytic_distribution = fields.Json(readonly=True)

    movement_ids = fields.One2many("checkout.movement", "payment_id", readonly=True)
    move_ids = fields.Many2many(
        "account.move", string="Journal Entries", compute="_compute_move_ids"
    )

    _uuid_uniq = models.Constraint("UNIQUE (uuid)", "This payment exists already.")
    _session_uniq = models.UniqueIndex(
        "(gateway_id, stripe_checkout_session_id) "
        "WHERE stripe_checkout_session_id IS NOT NULL",
        "This Checkout Session has a payment already.",
    )
    _intent_idx = models.Index(
        "(stripe_payment_intent_id) WHERE stripe_payment_intent_id IS NOT NULL"
    )
    _charge_idx = models.Index("(stripe_charge_id) WHERE stripe_charge_id IS NOT NULL")
    _unfinished_idx = models.Index(
        "(gateway_id, session_expires_at) WHERE state IN ('open', 'processing')"
    )

    # === COMPUTE METHODS === #

    @api.depends("settlement_amount", "fee_amount")
    def _compute_net_amount(self):
        for payment in self:
            payment.net_amount = payment.settlement_amount - payment.fee_amount

    @api.depends("movement_ids.move_id")
    def _compute_move_ids(self):
        for payment in self:
            payment.move_ids = payment.movement_ids.move_id

    # === ACTION METHODS === #

    def action_view_moves(self):
        """The journal entries of these payments."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Journal Entries"),
            "res_model": "account.move",
            "views": [
                (self.env.ref("account.view_move_tree").id, "list"),
                (False, "form"),
            ],
            "domain": [("id", "in", self.move_ids.ids)],
        }

    # === BUSINESS METHODS - BEGINNING === #

    @api.model
    def _begin(self, link, uuid, amount, lang):
        """A new payment, in no session yet.

        :param checkout.link link: The link, as superuser.
        :param str uuid: The form's own number, whatever how often it is sent.
        :param float amount: What is to be paid, in the link's currency.
        :param str lang: The payer's language code.
        """
        vals = self._prepare_begin_vals(link, uuid, amount, lang)
        try:
            with self.env.cr.savepoint(), mute_logger("odoo.sql_db"):
                return self.create(vals)
        except UniqueViolation as error:
            # The same form came twice at once. Tried again, it finds the other's row.
            raise ConcurrencyError("The payment was begun elsewhere.") from error

    @api.model
    def _prepare_begin_vals(self, link, uuid, amount, lang):
        return {
            **self._prepare_frozen_vals(link),
            "uuid": uuid,
            "amount": amount,
            "lang": lang,
            "name": self.env["ir.sequence"].next_by_code("checkout.payment"),
            "session_expires_at": self._get_expiry(link),
        }

    @api.model
    def _prepare_frozen_vals(self, link):
        """What a payment takes from its link and keeps, come what may."""
        gateway = link.gateway_id
        return {
            "link_id": link.id,
            "link_name": link.name,
            "description": link.description,
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
            "analytic_distribution": link.analytic_distribution,
        }

    @api.model
    def _get_expiry(self, link):
        minutes = LIMITED_SESSION_MINUTES if link.max_payments else SESSION_MINUTES
        return fields.Datetime.now() + timedelta(minutes=minutes)

    def _open_session(self):
        """Make the Checkout Session, or find the one made before.

        The payment is committed by now, and the idempotency key is its own number:
        whatever breaks here, the next try gets the same session from Stripe.

        :return: Stripe's address to send the payer to; nothing if it is over.
        :raise StripeError: if Stripe doesn't answer or refuses.
        """
        self.ensure_one()
        if self.stripe_checkout_session_id:
            return self.state == "open" and self.session_url
        try:
            session = self.gateway_id._get_client().create_session(
                self._prepare_session_params(), self.uuid
            )
        except StripeError as error:
            self._set_failed(str(error))
            raise
        self._set_open(session)
        return session["url"]

    def _prepare_session_params(self):
        """The request for Stripe, from frozen values only: its repetition is the same.

        https://docs.stripe.com/api/checkout/sessions/create
        """
        metadata = self._prepare_metadata()
        return {
            "mode": "payment",
            "line_items": [self._prepare_line_item()],
            "success_url": f"{self.link_id.url}/return?{RETURN_QUERY}",
            "cancel_url": self.link_id.url,
            "client_reference_id": self.uuid,
            "metadata": metadata,
            "payment_intent_data": {
                "metadata": metadata,
                "description": f"{self.link_name} ({self.name})",
            },
            "adaptive_pricing": {"enabled": False},
            "expires_at": int(self.session_expires_at.replace(tzinfo=UTC).timestamp()),
            "locale": self._get_checkout_locale(),
        }

    def _prepare_line_item(self):
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

    def _prepare_metadata(self):
        """What leads from any object of Stripe's back to this payment, or its link."""
        return {
            "checkout_payment": self.uuid,
            "checkout_link": str(self.link_id.id),
            "checkout_database": self._get_database_uuid(),
        }

    @api.model
    def _get_database_uuid(self):
        return self.env["ir.config_parameter"].sudo().get_param("database.uuid")

    def _get_checkout_locale(self):
        tag = (self.lang or "").replace("_", "-")
        short = tag.partition("-")[0]
        return next((name for name in (tag, short) if name in CHECKOUT_LOCALES), "auto")

    def _request_expiry(self):
        """Have the sessions ended at Stripe soon, by the processor."""
        waiting = self.filtered("stripe_checkout_session_id")
        if waiting:
            waiting.write({"expiry_requested": True})
            self.env["checkout.event"]._trigger_processing()

    def _expire_at_stripe(self):
        """End the session; one that was paid meanwhile is read again instead."""
        client = self.gateway_id._get_client()
        try:
            self._apply_session(client.expire_session(self.stripe_checkout_session_id))
        except StripeError as error:
            if error.kind != "refused":
                return  # no answer: the request stays, and the next run asks again
            session = client.retrieve_session(self.stripe_checkout_session_id)
            self.expiry_requested = False
            self._apply_session(session)

    # === BUSINESS METHODS - STRIPE'S ANSWER === #

    @api.model
    def _find_by_session(self, gateway, session):
        """The payment of a session, whether or not we know its id yet."""
        gateways = gateway._get_siblings()
        payment = self.search(
            [
                ("gateway_id", "in", gateways.ids),
                ("stripe_checkout_session_id", "=", session["id"]),
            ]
        )
        return payment or self.search(
            [
                ("gateway_id", "in", gateways.ids),
                ("uuid", "=", session["client_reference_id"] or ""),
            ]
        )

    @api.model
    def _recreate(self, gateway, session):
        """The payment of a session of ours whose row was lost, made anew.

        Nothing if the session is another database's or another program's.
        """
        metadata = session["metadata"] or {}
        if metadata.get("checkout_database") != self._get_database_uuid():
            return self
        if self.search_count([("uuid", "=", metadata["checkout_payment"])], limit=1):
            return self  # another gateway's, of an account that both can read
        link = self.env["checkout.link"].browse(int(metadata["checkout_link"])).exists()
        if not link:
            link = self._prepare_orphan_link(gateway)
        currency_code = session["currency"].upper()
        amount = from_minor(session["amount_total"], currency_code)
        vals = self._prepare_begin_vals(
            link, metadata["checkout_payment"], amount, False
        )
        return self.create(vals)

    @api.model
    def _prepare_orphan_link(self, gateway):
        """A link in memory, for the frozen values of a payment whose link is gone."""
        return self.env["checkout.link"].new(
            {"name": self.env._("Deleted link"), "gateway_id": gateway.id}
        )

    def _is_news(self, session):
        """Whether a session says more than we know."""
        state = self._get_session_state(session)
        if state != "paid":
            return state != self.state
        charge = session["payment_intent"]["latest_charge"]
        return not self.paid_at or (
            charge["balance_transaction"] and not self.settlement_currency_id
        )

    def _apply_session(self, session):
        """Bring the payment to the state that Stripe's session is in now.

        Whatever order, number or way the news came in, the same session leads to the
        same payment and movements.

        :param dict session: A Checkout Session with expanded intent, charge and balance
            transaction.
        """
        self.ensure_one()
        state = self._get_session_state(session)
        if state == "paid":
            self._set_paid(session)
        elif self.state not in RECEIVED_STATES:
            getattr(self, f"_set_{state}")(session)

    @api.model
    def _get_session_state(self, session):
        """A session's state in our words.

        https://docs.stripe.com/api/checkout/sessions/object
        """
        if session["status"] == "expired":
            return "expired"
        if session["status"] == "open":
            return "open"
        if session["payment_status"] in PAID_STATUSES:
            return "paid"
        failed = session["payment_intent"]["status"] in FAILED_INTENT_STATUSES
        return "failed" if failed else "processing"

    def _set_open(self, session):
        self._write_changes(
            {
                **self._prepare_session_vals(session),
                "state": "open",
                "failure_message": False,
            }
        )

    def _set_processing(self, session):
        """The payer is done, the bank isn't: nothing is booked."""
        self._write_changes(
            {
                **self._prepare_session_vals(session),
                **self._prepare_customer_vals(session),
                "state": "processing",
            }
        )
        self._ensure_unconfirmed(session)

    def _set_failed(self, reason):
        """:param reason: A session that failed, or a sentence where there is none."""
        if isinstance(reason, str):
            self._write_changes({"state": "failed", "failure_message": reason})
            return
        error = reason["payment_intent"]["last_payment_error"] or {}
        self._write_changes(
            {
                **self._prepare_session_vals(reason),
                "state": "failed",
                "failure_message": error.get("message") or False,
            }
        )
        self._ensure_unconfirmed(reason)
        self.movement_ids._set_never_happened()

    def _ensure_unconfirmed(self, session):
        """Some banks' money enters Stripe's balance before they confirm it."""
        charge = session["payment_intent"]["latest_charge"]
        if charge and charge["balance_transaction"]:
            self._write_changes({"stripe_charge_id": charge["id"]})
            self.env["checkout.movement"]._ensure_charge(self, charge)

    def _set_expired(self, session):
        self._write_changes(
            {
                **self._prepare_session_vals(session),
                "state": "expired",
                "expiry_requested": False,
            }
        )

    def _set_abandoned(self):
        self.write({"state": "expired"})

    def _set_paid(self, session):
        """The money is there: keep who paid and what, and have it booked."""
        charge = session["payment_intent"]["latest_charge"]
        vals = {
            **self._prepare_session_vals(session),
            **self._prepare_charge_vals(charge),
        }
        if not self.paid_at:
            vals.update(self._prepare_first_paid_vals(session, charge))
        self._write_changes(vals)
        self.env["checkout.movement"]._ensure_charge(self, charge)
        self._set_money_back()

    def _prepare_first_paid_vals(self, session, charge):
        """What is decided once, the first time that the payment is seen to be paid."""
        currency = self._get_currency(session["currency"])
        amount = from_minor(session["amount_total"], currency.name)
        customer = self._prepare_customer_vals(session)
        vals = {
            **customer,
            "state": "paid",
            "failure_message": False,
            "expiry_requested": False,
            "paid_at": self._to_datetime(charge["created"]),
            "flag": self._get_flag(amount, currency, charge["created"]),
            "amount": amount,
            "currency_id": currency.id,
        }
        partner = self.env["res.partner"]._match_checkout_payer(
            self.gateway_id, customer, self.company_id
        )
        return {**vals, "partner_id": partner.id}

    def _get_flag(self, amount, currency, charged_at):
        """Why a merchant should look at this payment, if there is a reason."""
        if currency != self.currency_id or currency.compare_amounts(
            amount, self.amount
        ):
            return "mismatch"
        if self._is_late(self._to_datetime(charged_at)):
            return "late"
        return "over_limit" if self._is_over_limit() else False

    def _is_late(self, charged_at):
        """Whether the link was closed by then, or is gone."""
        link = self.link_id
        ends = filter(None, (link.deactivated_at, link.expires_at))
        return not link or any(end < charged_at for end in ends)

    def _is_over_limit(self):
        """Whether the link's places were all taken by others who paid."""
        most = self.link_id.max_payments
        domain = [("link_id", "=", self.link_id.id), ("paid_at", "!=", False)]
        return bool(most) and self.search_count(domain, limit=most) >= most

    def _prepare_session_vals(self, session):
        intent = session["payment_intent"]
        return {
            "stripe_checkout_session_id": session["id"],
            "stripe_payment_intent_id": intent["id"] if intent else False,
            "session_url": session["url"] or False,
            "session_expires_at": self._to_datetime(session["expires_at"]),
        }

    def _prepare_customer_vals(self, session):
        """The payer as Stripe knows them: names and addresses, all of them optional."""
        details = session["customer_details"] or {}
        country_code = (details.get("address") or {}).get("country")
        return {
            "customer_name": details.get("name"),
            "customer_email": details.get("email"),
            "customer_phone": details.get("phone"),
            "customer_country_id": self.env["res.country"]
            .search([("code", "=", country_code)], limit=1)
            .id
            if country_code
            else False,
        }

    def _prepare_charge_vals(self, charge):
        vals = {
            "stripe_charge_id": charge["id"],
            "payment_method_label": self._get_method_label(charge),
        }
        transaction = charge["balance_transaction"]
        if transaction:
            vals.update(self._prepare_settlement_vals(transaction))
        return vals

    def _prepare_settlement_vals(self, transaction):
        currency = self._get_currency(transaction["currency"])
        return {
            "settlement_currency_id": currency.id,
            "settlement_amount": from_minor(transaction["amount"], currency.name),
            "fee_amount": from_minor(transaction["fee"], currency.name),
        }

    @api.model
    def _get_method_label(self, charge):
        """Such as "Visa •••• 4242" or "SEPA Direct Debit •••• 3000"."""
        details = charge["payment_method_details"] or {}
        kind = details.get("type") or ""
        method = details.get(kind) or {}
        name = METHOD_NAMES.get(kind, kind.replace("_", " ").capitalize())
        brand = (method.get("brand") or "").capitalize() or name
        last4 = method.get("last4")
        return f"{brand} •••• {last4}" if last4 else brand

    # === BUSINESS METHODS - RETURN PAGE === #

    @api.model
    def _find_for_return(self, token, session_id):
        """The payment a return page speaks of, as superuser; also of a deleted link.

        A payment of another link isn't found: its token is no key to this one.
        """
        if not session_id:
            return self.browse()  # no id isn't that of a payment without a session
        payment_sudo = self.sudo().search(  # payers have no rights of their own
            [("stripe_checkout_session_id", "=", session_id)], limit=1
        )
        link_sudo = payment_sudo.link_id
        if link_sudo and link_sudo.access_token != token:
            return self.browse()
        return payment_sudo

    def _refresh_for_return(self):
        """The payment's state by Stripe's own word, asked anew where it may differ.

        :return: One of our states; `unknown` if Stripe didn't say.
        """
        if self.state not in UNFINISHED_STATES or not self._may_ask():
            return self.state
        self.env["checkout.event"]._receive_session(self)
        try:
            session = self.gateway_id._get_client().retrieve_session(
                self.stripe_checkout_session_id
            )
        except StripeError:
            return "unknown"
        return self._get_session_state(session)

    def _may_ask(self):
        """Not more often than every few seconds: whoever has the address may reload."""
        asked_at = self.env["checkout.event"]._get_asked_at(self)
        pause = timedelta(seconds=RETURN_PAGE_INTERVAL)
        return not asked_at or asked_at + pause <= fields.Datetime.now()
