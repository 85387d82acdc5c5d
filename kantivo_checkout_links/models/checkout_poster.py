import logging
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from psycopg2 import OperationalError

from odoo import Command, api, models
from odoo.exceptions import UserError
from odoo.tools.misc import format_date

from ..const import POST_BATCH

_logger = logging.getLogger(__name__)


class CheckoutPoster(models.AbstractModel):
    """Turns movements into journal entries. Nothing else of the addon posts.

    A movement becomes one line of the Stripe journal's bank statement, made with all its
    journal items: so the journal's balance is the balance at Stripe, and nothing waits in
    a suspense account. Runs as superuser under the gateway's lock.
    """

    _name = "checkout.poster"
    _description = "Stripe Movement Poster"

    # === BUSINESS METHODS === #

    @api.model
    def _post_waiting(self, gateway):
        """Book everything of a gateway that waits, oldest first, a batch at a time."""
        movements = self.env["checkout.movement"].search(
            [("gateway_id", "=", gateway.id), ("state", "=", "to_post")],
            order="occurred_at, id",
        )
        for start in range(0, len(movements), POST_BATCH):
            self._post(movements[start : start + POST_BATCH])
            gateway._commit()

    @api.model
    def _post(self, movements):
        """Book movements; those that can't be wait with the reason on them."""
        entries = list(filter(None, map(self._prepare_entry, movements)))
        if entries:
            self._create_or_split(entries)

    @api.model
    def _prepare_entry(self, movement):
        """The movement with the values of its statement line, or nothing if it waits."""
        try:
            return movement, self._prepare_statement_line_vals(movement)
        except UserError as error:
            movement._set_waiting(str(error))
            return None

    @api.model
    def _create_or_split(self, entries):
        """Create all in one go; if that fails, halve until the bad one stands alone."""
        try:
            with self.env.cr.savepoint():
                self._create_entries(entries)
        except OperationalError:
            raise  # nobody's fault: the whole transaction is tried again
        except Exception as error:
            if len(entries) == 1:
                self._set_failed(entries[0][0], error)
                return
            middle = len(entries) // 2
            self._create_or_split(entries[:middle])
            self._create_or_split(entries[middle:])

    @api.model
    def _set_failed(self, movement, error):
        if not isinstance(error, UserError):
            _logger.exception("Movement %s can't be posted", movement.stripe_source_id)
        movement._set_waiting(str(error))

    @api.model
    def _create_entries(self, entries):
        vals_list = [vals for _movement, vals in entries]
        lines = self.env["account.bank.statement.line"].create(vals_list)
        for line, (movement, vals) in zip(lines, entries, strict=True):
            self._check_entry(line, vals)
            movement._set_posted(line)
            self._note_shifted_date(movement, line)

    # === CHECKS === #

    @api.model
    def _check_balanced(self, company, items):
        """Odoo would silently mend an unbalanced entry on the journal's own account."""
        difference = sum(item["balance"] for item in items)
        if not company.currency_id.is_zero(difference):
            raise UserError(
                self.env._("The entry would be off by %s. Nothing was booked.", difference)
            )

    @api.model
    def _check_entry(self, line, vals):
        """The entry is just what was meant: posted, settled, and no item more."""
        intact = (
            line.move_id.state == "posted"
            and line.is_reconciled
            and len(line.move_id.line_ids) == len(vals["line_ids"])
            and line.date == vals["date"]
        )
        if not intact:
            raise UserError(
                self.env._("Odoo changed the entry while posting it. Nothing was booked.")
            )

    # === ENTRY === #

    @api.model
    def _prepare_statement_line_vals(self, movement):
        """The statement line of a movement, with all its journal items.

        :raise UserError: if something that the entry needs is missing.
        """
        journal = self._get_journal(movement)
        items = self._prepare_items(movement)
        self._check_balanced(movement.company_id, items)
        has_tax = any(item.get("tax_ids") for item in items)
        return {
            "journal_id": journal.id,
            "company_id": movement.company_id.id,
            "date": self._get_entry_date(movement, has_tax),
            "payment_ref": movement._get_label(),
            "ref": movement.balance_transaction_id or movement.stripe_source_id,
            "partner_id": movement.payment_id.partner_id.id,
            "partner_name": movement.payment_id.customer_name,
            "amount": movement.amount,
            **self._prepare_foreign_vals(movement),
            "line_ids": [Command.create(item) for item in items],
        }

    @api.model
    def _get_journal(self, movement):
        gateway = movement.gateway_id
        journal = gateway.journal_id
        if not journal:
            raise UserError(
                self.env._("The gateway has no Stripe journal yet. Choose or create one.")
            )
        if movement.currency_id != gateway.currency_id:
            raise UserError(
                self.env._(
                    "Stripe settled this in %(settled)s, the journal is in %(journal)s. "
                    "Add a gateway for %(settled)s.",
                    settled=movement.currency_id.name,
                    journal=gateway.currency_id.name,
                )
            )
        return journal

    @api.model
    def _prepare_foreign_vals(self, movement):
        if not self._is_foreign(movement):
            return {}
        return {
            "foreign_currency_id": movement.source_currency_id.id,
            "amount_currency": movement.source_amount,
        }

    @api.model
    def _is_foreign(self, movement):
        source = movement.source_currency_id
        return bool(source) and source != movement.currency_id

    @api.model
    def _prepare_items(self, movement):
        """The liquidity item and what stands against it, by the movement's kind."""
        self._check_settled(movement)
        value = self._get_company_value(movement)
        others = getattr(self, f"_prepare_{movement.kind}_items")(movement, value)
        liquidity = {
            "name": movement._get_label(),
            "account_id": movement.gateway_id.journal_id.default_account_id.id,
            "partner_id": movement.payment_id.partner_id.id,
            "currency_id": movement.currency_id.id,
            "amount_currency": movement.amount,
            "balance": value,
        }
        return [liquidity, *others]

    @api.model
    def _check_settled(self, movement):
        if self._is_foreign(movement) and not movement.balance_transaction_id:
            raise UserError(
                self.env._("Waiting for Stripe to say what this charge settled for.")
            )

    @api.model
    def _get_company_value(self, movement):
        """What the movement is worth in company currency, signed."""
        company = movement.company_id
        return movement.currency_id._convert(
            movement.amount,
            company.currency_id,
            company,
            self._get_local_date(movement),
        )

    @api.model
    def _prepare_charge_items(self, movement, value):
        """Revenue and tax, or the customer's account: by what was frozen at payment.

        :param float value: The movement in company currency, signed.
        """
        payment = movement.payment_id
        if payment.credit_to == "receivable":
            return [self._prepare_receivable_item(movement, value)]
        if not payment.income_account_id:
            raise UserError(
                self.env._("There is no income account. Choose one on the gateway.")
            )
        return self._prepare_taxed_items(movement, value, self._get_taxes(payment))

    @api.model
    def _prepare_receivable_item(self, movement, value):
        payment = movement.payment_id
        account = self._get_receivable_account(payment)
        if not account:
            raise UserError(
                self.env._(
                    "Nobody is known to owe this. Choose a receivable account on the "
                    "gateway, for payers without a contact."
                )
            )
        partner = payment.partner_id.commercial_partner_id
        return {
            **self._prepare_source_item(movement, value),
            "account_id": account.id,
            "partner_id": partner.id,
        }

    @api.model
    def _get_receivable_account(self, payment):
        partner = payment.partner_id.commercial_partner_id
        own = partner.with_company(payment.company_id).property_account_receivable_id
        return payment.receivable_account_id or own

    @api.model
    def _prepare_fee_items(self, movement, value):
        """The fee, an expense.

        :param float value: The movement in company currency: negative.
        """
        account = movement.gateway_id.fee_account_id
        if not account:
            raise UserError(
                self.env._("There is no account for Stripe's fees. Choose one on the gateway.")
            )
        return [
            {
                **self._prepare_source_item(movement, value),
                "account_id": account.id,
                "partner_id": movement.gateway_id.fee_partner_id.id,
            }
        ]

    @api.model
    def _prepare_source_item(self, movement, value):
        """One item against the liquidity item, in the currency that was paid in."""
        currency, amount = self._get_source(movement)
        return {
            "name": movement._get_label(),
            "currency_id": currency.id,
            "amount_currency": -amount,
            "balance": -value,
        }

    @api.model
    def _get_source(self, movement):
        """Currency and signed amount in which the payer knows the movement."""
        if movement.source_currency_id:
            return movement.source_currency_id, movement.source_amount
        return movement.currency_id, movement.amount

    # === TAXES === #

    @api.model
    def _get_taxes(self, payment):
        """The payment's taxes, mapped by the fiscal position of the payer, if known."""
        partner = payment.partner_id
        if not partner.country_id:
            return payment.tax_ids
        positions = self.env["account.fiscal.position"].with_company(payment.company_id)
        return positions._get_fiscal_position(partner).map_tax(payment.tax_ids)

    @api.model
    def _prepare_taxed_items(self, movement, value, taxes):
        """Base and tax items of a sale whose total is what was paid, whatever the taxes.

        The engine is Odoo's (account.tax, "TAX COMPUTATION"): so the tax report sees the
        same items as from an invoice.
        """
        company = movement.company_id
        engine = self.env["account.tax"].with_company(company)
        base_line = self._prepare_base_line(movement, value, taxes)
        engine._add_tax_details_in_base_line(base_line, company)
        engine._round_base_lines_tax_details([base_line], company)
        engine._add_accounting_data_in_base_lines_tax_details(
            [base_line], company, include_caba_tags=True
        )
        result = engine._prepare_tax_lines([base_line], company)
        tax_items = [
            self._prepare_tax_item(movement, vals) for vals in result["tax_lines_to_add"]
        ]
        return [
            self._prepare_base_item(movement, value, base_line, tax_items),
            *tax_items,
        ]

    @api.model
    def _prepare_base_line(self, movement, value, taxes):
        payment = movement.payment_id
        currency, amount = self._get_source(movement)
        return self.env["account.tax"]._prepare_base_line_for_taxes_computation(
            {},
            id=1,
            tax_ids=taxes,
            quantity=1.0,
            price_unit=amount,
            currency_id=currency,
            rate=amount / value if value else 1.0,
            partner_id=payment.partner_id,
            account_id=payment.income_account_id,
            analytic_distribution=payment.analytic_distribution,
            special_mode="total_included",
            sign=-1,
        )

    @api.model
    def _prepare_base_item(self, movement, value, base_line, tax_items):
        """The base takes what the taxes leave, so that not a cent is left over."""
        item = self._prepare_source_item(movement, value)
        currency, company_currency = base_line["currency_id"], (
            movement.company_id.currency_id
        )
        taxed = sum(tax_item["amount_currency"] for tax_item in tax_items)
        taxed_value = sum(tax_item["balance"] for tax_item in tax_items)
        return {
            **item,
            "account_id": base_line["account_id"].id,
            "partner_id": movement.payment_id.partner_id.id,
            "tax_ids": [Command.set(base_line["tax_ids"].ids)],
            "tax_tag_ids": [Command.set(base_line["tax_tag_ids"].ids)],
            "analytic_distribution": movement.payment_id.analytic_distribution,
            "amount_currency": currency.round(item["amount_currency"] - taxed),
            "balance": company_currency.round(item["balance"] - taxed_value),
        }

    @api.model
    def _prepare_tax_item(self, movement, vals):
        return {
            **vals,
            "display_type": "tax",
            "partner_id": movement.payment_id.partner_id.id,
        }

    # === DATES === #

    @api.model
    def _get_local_date(self, movement):
        """The day on which it happened, where the merchant is."""
        moment = movement.occurred_at.replace(tzinfo=UTC)
        return moment.astimezone(ZoneInfo(movement.gateway_id.tz)).date()

    @api.model
    def _get_entry_date(self, movement, has_tax):
        """That day, or the first open one after it where the books are closed."""
        date = self._get_local_date(movement)
        locks = movement.company_id._get_violated_lock_dates(
            date, has_tax, movement.gateway_id.journal_id
        )
        return locks[-1][0] + timedelta(days=1) if locks else date

    @api.model
    def _note_shifted_date(self, movement, line):
        """A closed period moves an entry; the accountant reads why."""
        date = self._get_local_date(movement)
        if line.date != date:
            line.move_id.message_post(
                body=self.env._(
                    "It happened on %s; that period is closed.", format_date(self.env, date)
                )
            )
