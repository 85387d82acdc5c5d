from collections import Counter

from odoo import api, fields, models
from odoo.tools import float_compare

from ..ledger.entry import has_analytics

# What the entries of a link are, and what an invoice for the same would be.
ANALYTIC_DOMAINS = ("general", "invoice")


class CheckoutLink(models.Model):
    """What an accountant would ask about how a link's payments are posted."""

    _inherit = "checkout.link"

    posting_hint = fields.Text(compute="_compute_posting_hint")

    # === COMPUTE METHODS === #

    @api.depends_context("lang")
    @api.depends(
        "tax_ids",
        "submit_type",
        "income_account_id",
        "analytic_distribution",
        "product_id",
        "gateway_id.credit_to",
        "gateway_id.income_account_id",
    )
    def _compute_posting_hint(self):
        for link in self:
            link.posting_hint = "\n".join(link._get_posting_hints()) or False

    # === HELPERS === #

    def _get_posting_hints(self):
        """Sentences for the merchant, each about one thing that may be missing."""
        if self.gateway_id.credit_to != "revenue":
            return []  # taxes and analytics are the invoice's
        return [
            *self._describe_missing_tax(),
            *self._describe_other_tax(),
            *self._describe_missing_plans(),
        ]

    def _describe_missing_tax(self):
        usual = self.gateway_id._get_default_tax()
        if usual and not self.tax_ids and not self._is_donation():
            yield self.env._(
                "Payments of this link are posted without tax. The default tax of "
                "%(company)s is %(tax)s.",
                company=self.gateway_id.company_id.name,
                tax=usual.name,
            )

    def _describe_other_tax(self):
        """Accounts that are made for one tax, such as 8400 in Germany, are reported by
        it.
        """
        account = self.income_account_id or self.gateway_id.income_account_id
        usual = account.tax_ids.filtered(lambda tax: tax.type_tax_use == "sale")
        usual = usual._filter_taxes_by_company(self.gateway_id.company_id)
        if usual and self.tax_ids._origin != usual:
            yield self.env._(
                "“%(account)s” is meant for %(usual)s, but this link has %(taxes)s. "
                "Choose another account or another tax.",
                account=account.display_name,
                usual=", ".join(usual.mapped("name")),
                taxes=", ".join(self.tax_ids.mapped("name")) or self.env._("no tax"),
            )

    def _describe_missing_plans(self):
        account = self.income_account_id or self.gateway_id.income_account_id
        if not has_analytics(account):
            return
        for plan_sudo in self._find_missing_plans_sudo(account):
            yield self.env._(
                "“%s” requires a full analytic distribution. Complete the analytic "
                "distribution of this link.",
                plan_sudo.name,
            )

    def _find_missing_plans_sudo(self, account):
        """The mandatory analytic plans that this link's distribution doesn't cover, as
        superuser: not all merchants see analytics.
        """
        company = self.gateway_id.company_id
        plans_sudo = self.env["account.analytic.plan"].sudo().with_company(company)
        mandatory = {
            plan["id"]
            for domain in ANALYTIC_DOMAINS
            for plan in plans_sudo.get_relevant_plans(
                business_domain=domain,
                account=account.id,
                company_id=company.id,
                product=self.product_id._origin.id,
            )
            if plan["applicability"] == "mandatory"
        }
        shares = self._get_plan_shares(account) if mandatory else {}
        return plans_sudo.browse(
            plan_id
            for plan_id in sorted(mandatory)
            if float_compare(shares[plan_id], 100, self.analytic_precision)
        )

    def _get_plan_shares(self, account):
        """The percentage of each plan, by its id, on an entry's income item."""
        accounts_sudo = self.env["account.analytic.account"].sudo()
        shares = Counter()
        for ids, percentage in self._get_posted_distribution(account).items():
            chosen_sudo = accounts_sudo.browse(map(int, ids.split(","))).exists()
            for plan_sudo in chosen_sudo.root_plan_id:
                shares[plan_sudo.id] += percentage
        return shares

    def _get_posted_distribution(self, account):
        """The link's own; else what Odoo's distribution models say of its account."""
        if self.analytic_distribution:
            return self.analytic_distribution
        company = self.gateway_id.company_id
        models_sudo = self.env["account.analytic.distribution.model"].sudo()
        return models_sudo.with_company(company)._get_distribution(
            {
                "account_prefix": account.code,
                "company_id": company.id,
                "product_id": self.product_id._origin.id,
                "product_categ_id": self.product_id.categ_id.id,
            }
        )
