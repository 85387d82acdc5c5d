from typing import NamedTuple

from odoo import Command, api, models
from odoo.exceptions import UserError

from ...charts import CHARTS


class AccountSpec(NamedTuple):
    """Where the account of a gateway's field comes from.

    :param own: The chart's own account, by its template's id.
    :param beside: A new account is created beside this one, where there is no own.
    """

    own: str
    beside: str
    name: str
    account_type: str


class CheckoutGateway(models.Model):
    """Gives a gateway the journal and accounts that it lacks, with the user's rights.

    Accounts are those of the company's chart. New ones are created only where a known
    chart has nothing that fits; in another chart, the merchant chooses.
    """

    _inherit = "checkout.gateway"

    # === BUSINESS METHODS === #

    def _create_missing_accounting(self):
        """Fill what is empty of a gateway's journal, accounts and, with its income
        account, taxes. What can't be filled with certainty stays empty.

        :raise UserError: if the company has no chart of accounts.
        """
        self = self.with_company(self.company_id)
        self._check_chart(self.company_id)
        if not self.journal_id:
            self.journal_id = self.env["account.journal"].create(
                self._prepare_journal_vals()
            )
        self._restore_company_accounts()
        chart = self._find_chart(self.company_id)
        for field_name, spec in self._get_account_specs(chart).items() if chart else ():
            if not self[field_name]:
                self[field_name] = self._find_or_create_account(spec)

    def _get_net_loss_account(self, account, taxes):
        """The account of a lost dispute without the taxes that are taken back: a chart
        may have one for their rate, beside its general one.

        :param account.account account: Takes what is lost otherwise.
        """
        chart = self._find_chart(self.company_id)
        if not chart or len(taxes) != 1:
            return account
        if account != self._get_chart_account(chart.losses):
            return account
        own = dict(chart.losses_by_rate).get(taxes.amount)
        return self._get_chart_account(own) or account

    # === CHART === #

    @api.model
    def _check_chart(self, company):
        if not company.root_id.sudo().chart_template:  # a branch has its parent's
            raise UserError(
                self.env._(
                    "%s has no chart of accounts yet. Install one in the accounting "
                    "settings, or choose a journal and accounts yourself on the "
                    "Accounting tab.",
                    company.name,
                )
            )

    @api.model
    def _find_chart(self, company):
        """What is known of a company's chart, or of the one that it extends."""
        templates = self.env["account.chart.template"].sudo()  # reads modules
        code = company.root_id.sudo().chart_template
        known = (c for c in templates._get_parent_template(code) if c in CHARTS)
        return CHARTS.get(next(known, None))

    def _get_chart_account(self, xml_id):
        """An account by its id in the chart's template; none if it isn't in use."""
        accounts = self.env["account.account"]
        if not xml_id:
            return accounts
        templates = self.env["account.chart.template"]
        account = templates.with_company(self.company_id).ref(xml_id, False)
        return account if account and account.active else accounts

    @api.model
    def _get_account_specs(self, chart):
        """Where the account of each field comes from."""
        return {
            "fee_account_id": AccountSpec(
                chart.fees, "", self.env._("Stripe Fees"), "expense"
            ),
            "dispute_account_id": AccountSpec(
                "", chart.assets, self.env._("Stripe Disputes"), "asset_current"
            ),
            "dispute_loss_account_id": AccountSpec(
                chart.losses,
                chart.beside_losses,
                self.env._("Lost Disputes"),
                "expense",
            ),
            "review_account_id": AccountSpec(
                "", chart.assets, self.env._("Stripe Review"), "asset_current"
            ),
        }

    # === RECORDS === #

    def _restore_company_accounts(self):
        """A chart that is installed later takes what a gateway had from before it."""
        company = self.company_id
        if not self.transfer_account_id:
            self.transfer_account_id = company.transfer_account_id
        if not self.income_account_id:
            self.income_account_id = company.income_account_id
            self.tax_ids |= self._get_default_tax()

    def _find_or_create_account(self, spec):
        beside = self._get_chart_account(spec.beside)
        if not beside:
            return self._get_chart_account(spec.own)
        return self.env["account.account"].create(
            self._prepare_account_vals(spec, beside)
        )

    def _prepare_account_vals(self, spec, beside):
        """An account that reports show with the one that it is beside."""
        return {
            "name": spec.name,
            "account_type": spec.account_type,
            "reconcile": spec.account_type == "asset_current",
            "code": beside._search_new_account_code(beside.code),
            "tag_ids": [Command.set(beside.tag_ids.ids)],
            "company_ids": [Command.set(self.company_id.ids)],
        }

    def _prepare_journal_vals(self):
        is_foreign_currency = self.currency_id != self.company_id.currency_id
        return {
            "name": self.name,
            "type": "bank",
            "code": self._get_free_journal_code(self.company_id),
            "company_id": self.company_id.id,
            "currency_id": is_foreign_currency and self.currency_id.id,
        }

    @api.model
    def _get_free_journal_code(self, company):
        """A code that neither the company nor a relative of it has, archived or not."""
        journals = self.env["account.journal"].sudo().with_context(active_test=False)
        family = [("company_id", "child_of", company.root_id.id)]
        taken = set(journals.search(family).mapped("code"))
        codes = ("STRP", *(f"STR{number}" for number in range(1, 100)))
        return next(code for code in codes if code not in taken)
