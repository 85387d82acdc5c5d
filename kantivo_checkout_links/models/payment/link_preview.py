from typing import NamedTuple
from uuid import uuid4

from odoo import fields, models
from odoo.exceptions import UserError
from odoo.tools import float_round
from odoo.tools.i18n import format_list
from odoo.tools.misc import format_date

from ...const import SAMPLE_FEE_SHARE
from ...money import from_minor, smallest_step, to_minor
from ...sample import CHARGE_ID, Money, build_charge, build_refund

# Of a journal item, what decides what an accountant or a tax report sees of it.
ITEM_FIELDS = (
    "name",
    "account_id",
    "partner_id",
    "product_id",
    "currency_id",
    "amount_currency",
    "balance",
    "tax_ids",
    "tax_repartition_line_id",
    "tax_tag_ids",
    "tax_base_amount",
    "analytic_distribution",
)
# No real customer has it. https://www.rfc-editor.org/rfc/rfc2606#section-3
SAMPLE_EMAIL = "sample.customer@example.com"


class Sample(NamedTuple):
    """A payment to try a link with.

    :ivar amount: What is paid, in the link's currency.
    :ivar fee: Stripe's fee, in the gateway's currency, positive.
    :ivar refund: What of the amount goes back, in the link's currency; may be zero.
    :ivar partner_id: The id of the customer's contact. Without one, it is whom the
        gateway would make of an unknown customer.
    """

    amount: float
    fee: float
    refund: float
    partner_id: int | bool = False


class CheckoutLink(models.Model):
    """What payments of a link would post, known before it is shared. The poster itself
    posts a sample, in a transaction that is rolled back: so it can't be anything else
    than what a payment posts.
    """

    _inherit = "checkout.link"

    # === ACTION METHODS === #

    def action_preview_posting(self):
        """Show the journal items of a sample payment, of its fee and of a refund."""
        self.ensure_one()
        self.check_access("read")
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Preview Journal Entries"),
            "res_model": "checkout.posting.preview",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_link_id": self.id, "dialog_size": "extra-large"},
        }

    # === BUSINESS METHODS === #

    def _preview_posting(self, sample):
        """Post a sample and take it back: nothing is kept and no number is used up.

        :param Sample sample: Amounts in major units.
        :return: The entries in the order in which they are posted, each a dict with
            `title`, `journal`, `date`, `error` and `items`; and the problems, a list of
            `(level, sentence)` with the level `danger` or `warning`. An item has the
            values of `ITEM_FIELDS`, as they can be written.
        """
        self.ensure_one()
        self.check_access("read")
        try:
            entries, notes = self.gateway_id.sudo()._rehearse(  # as the poster
                lambda gateway: self._rehearse_sample(gateway, sample)
            )
        except UserError as error:
            entries, notes = [], [("warning", str(error))]
        return entries, list(dict.fromkeys([*notes, *self._find_posting_problems()]))

    def _rehearse_sample(self, gateway_sudo, sample):
        """:raise UserError: if there can't be such a payment."""
        gateway = gateway_sudo.with_context(lang=self.env.lang)
        link = self.with_env(gateway.env)
        payment = link._create_sample_payment(sample)
        link._pay_sample(payment, sample)
        movements = payment.movement_ids.sorted("id")
        return (
            [link._describe_sample_entry(movement) for movement in movements],
            list(link._find_sample_problems(payment)),
        )

    def _create_sample_payment(self, sample):
        payments = self.env["checkout.payment"]
        vals = payments._prepare_start_vals(self, str(uuid4()), sample.amount, False)
        now = fields.Datetime.now()
        payment = payments.create(
            {**vals, "name": self.env._("Sample"), "state": "paid", "paid_at": now}
        )
        payment.write(payment._prepare_sample_contact(sample.partner_id))
        return payment

    def _pay_sample(self, payment, sample):
        """Post what Stripe would report of a payment, of its fee and of its refund."""
        movements = self.env["checkout.movement"]
        paid, refunded = self._to_money(sample.amount), self._to_money(sample.refund)
        charge = build_charge(
            paid, self._settle(sample.amount), self._round_settled(sample.fee)
        )
        payment.stripe_charge_id = CHARGE_ID
        movements._ensure_charge(payment, charge)
        payment._post_sample()
        if not refunded.amount:
            return
        refund = build_refund(refunded, self._settle(sample.refund))
        movements._ensure_transactions(self.gateway_id, refund, payment)
        payment._post_sample()

    def _to_money(self, amount: float):
        """:raise ValidationError: if Stripe can't charge it."""
        return Money(self._to_minor(amount), self.currency_id.name.lower())

    def _settle(self, amount: float):
        """What an amount comes to in the gateway's balance: about today's rate.

        :raise UserError: if there is no rate for it.
        """
        currency, other = self.currency_id, self.gateway_id.currency_id
        try:
            settled = self.env["checkout.rate"]._convert_between(
                amount, currency, other, self.company_id
            )
        except UserError as error:
            raise UserError(self._describe_missing_rate()) from error
        return Money(self._round_settled(settled), other.name.lower())

    def _estimate_fee(self, amount: float) -> float:
        """About what Stripe keeps of an amount, in the gateway's currency; 0 where a
        rate is missing.
        """
        try:
            settled = self._settle(amount).amount
        except UserError:
            return 0.0
        currency = self.gateway_id.currency_id
        return currency.round(from_minor(settled, currency.name) * SAMPLE_FEE_SHARE)

    def _round_settled(self, amount: float) -> int:
        """An amount of the balance in steps that Stripe and Odoo both know."""
        currency = self.gateway_id.currency_id
        step = max(float(smallest_step(currency.name)), currency.rounding)
        rounded = float_round(amount, precision_rounding=step)
        return to_minor(rounded, currency.name)

    def _describe_sample_entry(self, movement):
        move, company_currency = movement.move_id, movement.company_id.currency_id
        return {
            "title": movement._get_kind_name(),
            "journal": move.journal_id.display_name,
            "date": move.date,
            "error": movement.error,
            "currency_id": company_currency.id,
            "items": [self._describe_sample_item(line) for line in move.line_ids],
        }

    def _describe_sample_item(self, line):
        vals = {
            name: line._fields[name].convert_to_write(line[name], line)
            for name in ITEM_FIELDS
        }
        return {**vals, "partner": line.partner_id.display_name or ""}

    # === PROBLEMS === #

    def _find_sample_problems(self, payment):
        """What the sample's posting has shown; nothing of what only waits for it."""
        if payment.contact_problem:
            yield "danger", payment.contact_problem
        for movement in payment.movement_ids.sorted("id"):
            charge = movement._get_charges()
            if movement.error and (movement == charge or charge.move_id):
                yield "danger", movement.error
            if movement.move_id and movement.move_id.date != movement._get_local_date():
                yield "warning", self._describe_closed_period(movement.move_id)

    def _describe_closed_period(self, move):
        return self.env._(
            "Today's period is closed, so entries are dated %s.",
            format_date(self.env, move.date),
        )

    def _find_posting_problems(self):
        """What a person would find who looks at the link and its gateway."""
        gateway = self.gateway_id
        if self.gateway_hint:
            yield "warning", self.gateway_hint
        if missing := gateway._get_missing_accounts():
            yield "danger", self._describe_missing_accounts(missing)
        if problem := self.env["checkout.rate"]._find_problem(gateway):
            yield "warning", problem[1]
        if self.minimum_hint:
            yield "warning", self.minimum_hint
        for hint in self._get_posting_hints():
            yield "warning", hint
        if not gateway.post_entries:
            yield "warning", self._describe_unposted()

    def _describe_missing_rate(self):
        return self.env._(
            "Stripe converts %(paid)s to %(settled)s at its own rate. To preview the "
            "entries, add exchange rates under Configuration › Currencies.",
            paid=self.currency_id.name,
            settled=self.gateway_id.currency_id.name,
        )

    def _describe_missing_accounts(self, names):
        labels = [
            self.gateway_id._fields[name]._description_string(self.env)
            for name in names
        ]
        return self.env._(
            "The gateway has no %s. Transactions that need one would wait.",
            format_list(self.env, sorted(labels), "or"),
        )

    def _describe_unposted(self):
        return self.env._(
            "The gateway “%s” posts no journal entries now. This is what it would "
            "post.",
            self.gateway_id.name,
        )


class CheckoutPayment(models.Model):
    """The sample of a link."""

    _inherit = "checkout.payment"

    def _prepare_sample_contact(self, partner_id):
        """:param int partner_id: The contact who pays; a falsy one is a stranger."""
        if partner_id:
            return {"partner_id": partner_id}
        customer = {
            "customer_name": self.env._("Sample Customer"),
            "customer_email": SAMPLE_EMAIL,
            "customer_phone": False,
            "customer_country_id": self.company_id.country_id.id,
        }
        return {**customer, **self._prepare_contact_vals(customer)}

    def _post_sample(self):
        """Post this payment's transactions, also of a gateway that posts none."""
        waiting = self.movement_ids._filter_postable()
        waiting.write({"state": "to_post", "error": False})
        self.env["checkout.poster"]._post(waiting)
