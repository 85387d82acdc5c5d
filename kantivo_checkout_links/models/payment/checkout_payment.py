from datetime import timedelta

from odoo import api, fields, models

from ...aside import do_aside
from ...const import (
    CHARGE_STATUSES,
    DISPUTE_STATES,
    EVENT_DAYS,
    FAILED_INTENT_STATUSES,
    INTENT_STATUSES,
    METHOD_NAMES,
    PAID_STATUSES,
    PAYMENT_STATUSES,
    SESSION_STATUSES,
    UNKNOWN_STATE,
    UNPAID_CHARGE_STATUSES,
)
from ...monetary import StripeMonetary
from ...money import differs, from_minor
from ...texts import NAME_LENGTH, to_email, to_line, to_phone
from ...utils import to_datetime
from ..checkout_base import WITH_ARCHIVED

# From here on money came in; nothing that Stripe says later makes it an open one again.
RECEIVED_STATES = ("paid", "partially_refunded", "refunded", "disputed")
UNFINISHED_STATES = ("open", "processing")
# No money came in, and none is on the way.
UNPAID_STATES = ("open", "failed", "expired")


class CheckoutPayment(models.Model):
    """One Stripe Checkout Session of a link: one payer's try at paying.

    What decides the entries is copied from the link when the payment is made, so that
    no later change of the link touches it. Only the `_set_*` methods change the state.

    Here: its fields and states. Beside it, by concern: `payment_session` (to Stripe and
    back), `payment_origin` (whose a session is), `payment_contact` (who paid),
    `payment_tracking` (what the payer's address said),
    `payment_refunding`, `payment_totals`, `payment_preview` (of a test payment's
    entries), `payment_dashboard` (what its screens show besides).
    """

    _name = "checkout.payment"
    _description = "Checkout Payment"
    _inherit = ["checkout.base", "mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _check_company_auto = True
    _mail_post_access = "read"

    name = fields.Char(
        "Reference",
        readonly=True,
        index="trigram",
        copy=False,
        help="Assigned when the money arrives, so that numbers are consecutive.",
    )
    uuid = fields.Char(
        required=True, readonly=True, copy=False, groups=fields.NO_ACCESS
    )
    form_uuid = fields.Char(
        readonly=True,
        copy=False,
        groups=fields.NO_ACCESS,
        help="The form that the customer sent. One form can create several payments.",
    )
    link_id = fields.Many2one(
        "checkout.link",
        ondelete="set null",
        index=False,  # covered by checkout_payment__link_idx
        readonly=True,
    )
    link_deleted_at = fields.Datetime(
        readonly=True,
        help="Payments made after this time are late because the link was deleted.",
    )
    link_name = fields.Char("Link Title", readonly=True, index="trigram")
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
            ("open", "Open"),
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
    failure_message = fields.Char("Failure Reason", readonly=True)
    flag = fields.Selection(
        [
            ("late", "Paid after closing"),
            ("over_limit", "Above Maximum Payments"),
            ("mismatch", "Different amount"),
        ],
        readonly=True,
        help="Posted like any other payment, but needs review.",
    )
    livemode = fields.Boolean("Live Mode", readonly=True)

    # Money
    currency_id = fields.Many2one("res.currency", required=True, readonly=True)
    amount = StripeMonetary(readonly=True)
    amount_refunded = StripeMonetary("Refunded", readonly=True)
    settlement_currency_id = fields.Many2one("res.currency", readonly=True)
    settlement_amount = StripeMonetary(
        "Settled", currency_field="settlement_currency_id", readonly=True
    )
    paid_at = fields.Datetime("Paid On", readonly=True, index=True)

    # Payer
    customer_name = fields.Char("Customer", readonly=True, index="trigram")
    customer_email = fields.Char("Email", readonly=True, index="trigram")
    customer_phone = fields.Char("Phone", readonly=True)
    customer_country_id = fields.Many2one("res.country", readonly=True)
    partner_id = fields.Many2one("res.partner", "Contact", readonly=True, index=True)
    contact_problem = fields.Char(
        "Contact Error",
        readonly=True,
        help="The money is not affected. The next sync tries again.",
    )
    lang = fields.Char("Language", readonly=True)

    # Stripe
    stripe_checkout_session_id = fields.Char("Checkout Session", readonly=True)
    stripe_payment_intent_id = fields.Char("Payment Intent", readonly=True)
    stripe_charge_id = fields.Char("Charge", readonly=True)
    session_url = fields.Char(readonly=True, groups=fields.NO_ACCESS)
    failed_attempts = fields.Integer(
        readonly=True,
        copy=False,
        groups=fields.NO_ACCESS,
        help="The failures that Stripe repeats for the idempotency keys used so far.",
    )
    session_expires_at = fields.Datetime(readonly=True)
    expiry_requested = fields.Boolean(readonly=True)
    payment_method_label = fields.Char("Paid With", readonly=True)
    dispute_status = fields.Selection(
        [*DISPUTE_STATES, UNKNOWN_STATE], "Dispute", readonly=True
    )
    unknown_status = fields.Char(
        "Stripe's Status",
        readonly=True,
        help="A status that this version doesn't support yet.",
    )

    # Accounting, frozen
    credit_to = fields.Char("Post Payments To", readonly=True)
    income_account_id = fields.Many2one("account.account", readonly=True)
    receivable_account_id = fields.Many2one("account.account", readonly=True)
    tax_ids = fields.Many2many(
        "account.tax",
        "checkout_payment_tax_rel",
        string="Taxes",
        context=WITH_ARCHIVED,
        readonly=True,
    )
    map_taxes = fields.Boolean(default=True, readonly=True)
    analytic_distribution = fields.Json(readonly=True)

    on_paid_due_at = fields.Datetime(
        "Paid Hook Due Since",
        readonly=True,
        help="Cleared once other addons have been called for this payment.",
    )
    on_paid_problem = fields.Char(
        "Paid Hook Error",
        readonly=True,
        help="Payment and entries are not affected. The next sync tries again.",
    )

    movement_ids = fields.One2many(
        "checkout.movement", "payment_id", "Stripe Transactions", readonly=True
    )
    move_ids = fields.Many2many(
        "account.move", string="Journal Entries", compute="_compute_move_ids"
    )

    _uuid_uniq = models.Constraint("UNIQUE (uuid)", "This payment already exists.")
    _session_uniq = models.UniqueIndex(
        "(gateway_id, stripe_checkout_session_id) "
        "WHERE stripe_checkout_session_id IS NOT NULL",
        "This Checkout Session already has a payment.",
    )
    _link_idx = models.Index("(link_id, id)")
    _unpaid_idx = models.Index("(link_id, state) WHERE paid_at IS NULL")
    # The return page knows no gateway.
    _session_idx = models.Index(
        "(stripe_checkout_session_id) WHERE stripe_checkout_session_id IS NOT NULL"
    )
    _form_idx = models.Index("(form_uuid) WHERE state = 'open'")
    _open_idx = models.Index("(link_id, create_date) WHERE state = 'open'")
    _intent_idx = models.Index(
        "(stripe_payment_intent_id) WHERE stripe_payment_intent_id IS NOT NULL"
    )
    _charge_idx = models.Index("(stripe_charge_id) WHERE stripe_charge_id IS NOT NULL")
    _unfinished_idx = models.Index(
        "(gateway_id, session_expires_at) WHERE state IN ('open', 'processing')"
    )
    _on_paid_idx = models.Index("(gateway_id) WHERE on_paid_due_at IS NOT NULL")
    _contact_idx = models.Index("(gateway_id) WHERE contact_problem IS NOT NULL")
    _flag_idx = models.Index("(id) WHERE flag IS NOT NULL")
    _unknown_idx = models.Index("(gateway_id) WHERE unknown_status IS NOT NULL")

    # === COMPUTE METHODS === #

    @api.depends("name", "state")
    @api.depends_context("lang")
    def _compute_display_name(self):
        """A number is for money: a checkout without any says what it is."""
        checkouts = {
            "failed": self.env._("Checkout failed"),
            "expired": self.env._("Checkout expired"),
        }
        for payment in self:
            payment.display_name = payment.name or checkouts.get(
                payment.state, self.env._("Checkout opened")
            )

    @api.depends("movement_ids.move_id")
    def _compute_move_ids(self):
        for payment in self:
            payment.move_ids = payment.movement_ids.move_id

    # === ACTION METHODS === #

    def action_view_moves(self):
        """The journal entries of these payments."""
        self.check_access("read")
        return self._get_moves_action("payment_id", self.ids)

    @api.model
    def _get_moves_action(self, path, ids):
        """The entries whose movements have one of some records at a path. The domain
        names none of the entries, of which there may be a million.
        """
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Journal Entries"),
            "res_model": "account.move",
            "views": [
                (self.env.ref("account.view_move_tree").id, "list"),
                (False, "form"),
            ],
            "domain": [(f"checkout_movement_ids.{path}", "in", ids)],
        }

    # === BUSINESS METHODS - STRIPE'S ANSWER === #

    def _is_outdated_by(self, session: dict):
        """Whether a session says more than we know."""
        state = self._get_session_state(session)
        if state != "paid":
            return state != self.state
        charge = self._get_charge(session)
        return not self.paid_at or (
            charge["balance_transaction"] and not self.settlement_currency_id
        )

    def _apply_session(self, session: dict):
        """Bring the payment to the state that Stripe's session is in now.

        However often it is reported, and in any order, the same session leads to the
        same payment and movements.

        :param dict session: A Checkout Session with expanded intent, charge and balance
            transaction.
        """
        self.ensure_one()
        state = self._get_session_state(session)
        if state == "paid":
            self._set_paid(session)
        elif self.state not in RECEIVED_STATES:
            # One of `_set_open`, `_set_processing`, `_set_failed` and `_set_expired`.
            getattr(self, f"_set_{state}")(session)

    @api.model
    def _get_session_state(self, session: dict):
        """A session's state in our words.

        https://docs.stripe.com/api/checkout/sessions/object
        """
        if self._is_paid(session):
            return "paid"
        if session["status"] in ("open", "expired"):
            return session["status"]
        if session["status"] != "complete" and session["url"]:
            return "open"  # a word we don't know; only open ones have an address
        intent = session["payment_intent"] or {}
        failed = intent.get("status") in FAILED_INTENT_STATUSES
        return "failed" if failed else "processing"

    @api.model
    def _is_paid(self, session: dict):
        """Whether the money is there: as any of Stripe's words says or, where we don't
        know them, as it is in the balance.
        """
        charge = self._get_charge(session)
        if not charge:
            return False
        statuses = (session["payment_intent"]["status"], charge["status"])
        if session["payment_status"] in PAID_STATUSES or "succeeded" in statuses:
            return True
        is_unpaid = charge["status"] in UNPAID_CHARGE_STATUSES
        return bool(charge["balance_transaction"]) and not is_unpaid

    @api.model
    def _get_charge(self, session: dict) -> dict | None:
        return (session["payment_intent"] or {}).get("latest_charge")

    @api.model
    def _find_unknown_word(self, session: dict):
        """The first status that we don't know, of those that decide on a payment."""
        intent, charge = session["payment_intent"], self._get_charge(session)
        statuses = [
            (session["status"], SESSION_STATUSES),
            (session["payment_status"], PAYMENT_STATUSES),
            *([(intent["status"], INTENT_STATUSES)] if intent else []),
            *([(charge["status"], CHARGE_STATUSES)] if charge else []),
        ]
        strange = [str(word or "null") for word, known in statuses if word not in known]
        return to_line(strange[0]) if strange else False

    def _set_open(self, session: dict):
        self._write_changes(
            {
                **self._prepare_session_vals(session),
                "state": "open",
                "failure_message": False,
            }
        )

    def _set_processing(self, session: dict):
        """The payer is done, the bank isn't: nothing is posted."""
        self._write_changes(
            {
                **self._prepare_session_vals(session),
                **self._prepare_customer_vals(session),
                **self._prepare_number_vals(),
                "state": "processing",
            }
        )
        self._ensure_unconfirmed(session)

    def _set_refused(self, reason):
        """Stripe made no session.

        :param str reason: In Stripe's words.
        """
        self._write_changes({"state": "failed", "failure_message": reason})

    def _set_failed(self, session: dict):
        """The bank refused the payment, or the customer gave up."""
        if self.state != "failed":
            now = fields.Datetime.now()  # Stripe doesn't say when
            self.env["checkout.announcement"]._add(self, "failed", self, now)
        error = session["payment_intent"]["last_payment_error"] or {}
        self._write_changes(
            {
                **self._prepare_session_vals(session),
                **self._prepare_customer_vals(session),
                "state": "failed",
                "failure_message": to_line(error.get("message")),
            }
        )
        self._ensure_unconfirmed(session)
        self.movement_ids._set_never_happened()

    def _ensure_unconfirmed(self, session: dict):
        """Some banks' money enters Stripe's balance before they confirm it."""
        charge = self._get_charge(session)
        if charge and charge["balance_transaction"]:
            self._write_changes({"stripe_charge_id": charge["id"]})
            self.env["checkout.movement"]._ensure_charge(self, charge)

    def _set_expired(self, session: dict):
        self._write_changes(
            {
                **self._prepare_session_vals(session),
                "state": "expired",
                "expiry_requested": False,
            }
        )

    def _set_abandoned(self):
        self.write({"state": "expired"})

    def _set_paid(self, session: dict):
        """The money is there: keep who paid and what, and have it posted."""
        charge = self._get_charge(session)
        vals = {
            **self._prepare_session_vals(session),
            **self._prepare_charge_vals(charge),
        }
        is_first = not self.paid_at
        if is_first:
            vals.update(self._prepare_first_paid_vals(session, charge))
        self._write_changes(vals)
        if is_first:
            self.env["checkout.announcement"]._add(self, "paid", self, self.paid_at)
        self.env["checkout.movement"]._ensure_charge(self, charge)
        self._set_money_back()

    def _prepare_first_paid_vals(self, session: dict, charge: dict):
        """What is decided once, the first time that the payment is seen to be paid."""
        currency = self._get_currency(session["currency"])
        amount = from_minor(session["amount_total"], currency.name)
        customer = self._prepare_customer_vals(session)
        vals = {
            **customer,
            **self._prepare_number_vals(),
            "state": "paid",
            "failure_message": False,
            "expiry_requested": False,
            "paid_at": to_datetime(charge["created"]),
            "flag": self._get_flag(amount, currency, charge["created"]),
            "amount": amount,
            "currency_id": currency.id,
            "on_paid_due_at": fields.Datetime.now(),
        }
        if self._has_known_contact(customer):
            return vals
        return {**vals, **self._prepare_contact_vals(customer)}

    def _prepare_number_vals(self):
        """The next number, unless it has one: nothing is numbered before its money."""
        if self.name:
            return {}
        sequences = self.env["ir.sequence"].with_company(self.company_id)
        return {"name": sequences.next_by_code("checkout.payment")}

    def _get_flag(self, amount: float, currency, charged_at):
        """Why a merchant should look at this payment, if there is a reason."""
        if currency != self.currency_id or differs(amount, self.amount):
            return "mismatch"
        if self._is_late(to_datetime(charged_at)):
            return "late"
        return "over_limit" if self._is_over_limit() else False

    def _is_late(self, charged_at):
        """Whether the link had stopped taking payments by then.

        Stripe's times are whole seconds, so the second of closing counts as late: the
        merchant rather looks once too often. So does a payment without any link.
        """
        if not self.link_id and not self.link_deleted_at:
            return True
        ends = (
            self.link_id._get_end(),
            self.link_deleted_at,
            self.gateway_id.archived_at,
        )
        return any(end and end <= charged_at for end in ends)

    def _is_over_limit(self):
        """Whether the link's places were all taken by others who paid."""
        most = self.link_id.max_payments
        domain = [("link_id", "=", self.link_id.id), ("paid_at", "!=", False)]
        return bool(most) and self.search_count(domain, limit=most) >= most

    def _prepare_session_vals(self, session: dict):
        intent = session["payment_intent"]
        return {
            "stripe_checkout_session_id": session["id"],
            "stripe_payment_intent_id": intent["id"] if intent else False,
            "unknown_status": self._find_unknown_word(session),
            "session_url": session["url"] or False,
            "session_expires_at": to_datetime(session["expires_at"]),
        }

    def _prepare_customer_vals(self, session: dict):
        """The payer as Stripe knows them: names and addresses, all of them optional;
        else as they said on our page.
        """
        details = session["customer_details"] or {}
        country_code = (details.get("address") or {}).get("country")
        return {
            "customer_name": to_line(details.get("name"), NAME_LENGTH)
            or self.customer_name,
            "customer_email": to_email(details.get("email")) or self.customer_email,
            "customer_phone": to_phone(details.get("phone")),
            "customer_country_id": self.env["res.country"]
            .search([("code", "=", country_code)], limit=1)
            .id
            if country_code
            else False,
        }

    def _prepare_charge_vals(self, charge: dict):
        vals = {
            "stripe_charge_id": charge["id"],
            "payment_method_label": self._get_method_label(charge),
        }
        transaction = charge["balance_transaction"]
        if transaction:
            vals.update(self._prepare_settlement_vals(transaction))
        return vals

    def _prepare_settlement_vals(self, transaction: dict):
        currency = self._get_currency(transaction["currency"])
        return {
            "settlement_currency_id": currency.id,
            "settlement_amount": from_minor(transaction["amount"], currency.name),
        }

    @api.model
    def _get_method_label(self, charge: dict):
        """Such as "Visa •••• 4242" or "SEPA Direct Debit •••• 3000"."""
        details = charge["payment_method_details"] or {}
        method_type = details.get("type") or ""
        method = details.get(method_type) or {}
        name = METHOD_NAMES.get(method_type, method_type.replace("_", " ").capitalize())
        brand = (method.get("brand") or "").capitalize() or name
        last4 = method.get("last4")
        return to_line(f"{brand} •••• {last4}" if last4 else brand)

    # === BUSINESS METHODS - OTHER ADDONS === #

    def _on_paid(self):
        """Hook for other addons: this payment has been paid. Called on one record.

        What is guaranteed:

        - The money is committed before the call. It is posted too, unless its
          transactions wait: see `movement_ids.state`.
        - Nothing that happens here undoes money. An exception undoes the hook's own
          writes only, is logged and shown under Health, and the hook is called again
          at the next processing or sync, for 30 days.
        - What it writes to the database is kept exactly once for each payment, however
          often and in any order Stripe reports it: cards at once, bank debits
          when the bank has confirmed them, days later. After a crash it is called
          again. Calls to other systems can then repeat, so give them an idempotency
          key, such as this payment's `stripe_checkout_session_id`.
        - Refunds, disputes and bank debits that are returned don't call it again.

        Runs as superuser, in the payment's company and in its language and time zone,
        also for test payments (see `livemode`). The gateway can't post meanwhile: leave
        long work to a scheduled action. Don't commit or roll back.
        """

    @api.model
    def _call_on_paid_waiting(self, gateway):
        """Call :meth:`_on_paid` of a gateway's payments, once their money is committed.
        Under its lock, as superuser.
        """
        gateway._commit()
        since = fields.Datetime.now() - timedelta(days=EVENT_DAYS)
        due = [("gateway_id", "=", gateway.id), ("on_paid_due_at", ">=", since)]
        for payment in self.search(due, order="id"):
            payment._call_on_paid_aside()
            gateway._commit()

    def _call_on_paid_aside(self):
        had_problem = self.on_paid_problem
        _done, problem = do_aside(self, type(self)._call_on_paid)
        if problem or had_problem:
            self.on_paid_problem = self.gateway_id.notice_problem = problem

    def _call_on_paid(self):
        """Call the hook, and in the same savepoint note that it was called."""
        self._on_paid()
        self.on_paid_due_at = False
