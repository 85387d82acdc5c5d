from odoo import Command, api, models

# Where a chart says nothing better.
EXPENSE_CODE = "650000"
ASSET_CODE = "119000"


class CheckoutAccounting(models.AbstractModel):
    """Makes the journal and accounts that a gateway lacks, with the user's rights."""

    _name = "checkout.accounting"
    _description = "Stripe Journal and Accounts"

    @api.model
    def _create_missing(self, gateway):
        """Give a gateway a journal of its own and the accounts that it lacks."""
        gateway = gateway.with_company(gateway.company_id)
        if not gateway.journal_id:
            gateway.journal_id = gateway.env["account.journal"].create(
                self._prepare_journal_vals(gateway)
            )
        for field_name, (name, account_type) in self._get_account_specs().items():
            if not gateway[field_name]:
                gateway[field_name] = gateway.env["account.account"].create(
                    self._prepare_account_vals(gateway, name, account_type)
                )

    @api.model
    def _prepare_journal_vals(self, gateway):
        foreign = gateway.currency_id != gateway.company_id.currency_id
        return {
            "name": gateway.name,
            "type": "bank",
            "code": self._get_free_journal_code(gateway.company_id),
            "company_id": gateway.company_id.id,
            "currency_id": foreign and gateway.currency_id.id,
        }

    @api.model
    def _get_free_journal_code(self, company):
        """A code that neither the company nor a relative of it has, archived or not."""
        journals = self.env["account.journal"].sudo().with_context(active_test=False)
        family = [("company_id", "child_of", company.root_id.id)]
        taken = set(journals.search(family).mapped("code"))
        codes = ("STRP", *(f"STR{number}" for number in range(1, 100)))
        return next(code for code in codes if code not in taken)

    @api.model
    def _get_account_specs(self):
        """Name and type of each account, by the field it fills."""
        return {
            "fee_account_id": (self.env._("Stripe Fees"), "expense"),
            "dispute_account_id": (self.env._("Stripe Disputes"), "asset_current"),
            "dispute_loss_account_id": (self.env._("Chargeback Losses"), "expense"),
            "review_account_id": (self.env._("Stripe Review"), "asset_current"),
        }

    @api.model
    def _prepare_account_vals(self, gateway, name, account_type):
        accounts = gateway.env["account.account"]
        start = self._get_start_code(gateway.company_id, account_type)
        return {
            "name": name,
            "account_type": account_type,
            "reconcile": account_type == "asset_current",
            "code": accounts._search_new_account_code(start),
            "company_ids": [Command.set(gateway.company_id.ids)],
        }

    @api.model
    def _get_start_code(self, company, account_type):
        """A code of the company's chart whose neighbours are of the same sort.

        Losses on exchange are a cost of moving money, as fees are; the transfer account
        is money under way, as disputes are.
        """
        company = company.with_company(company)
        if account_type == "expense":
            account = company.expense_currency_exchange_account_id
            return account.code or company.expense_account_id.code or EXPENSE_CODE
        return company.transfer_account_id.code or ASSET_CODE
