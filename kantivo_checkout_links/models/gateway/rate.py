from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.misc import format_date

from ...const import RATE_DAYS


class CheckoutRate(models.AbstractModel):
    """Conversion into company currency, at rates that are really there.

    Where a currency has none on or before a day, Odoo takes a later one, or 1:1.
    """

    _name = "checkout.rate"
    _description = "Exchange Rate of Stripe Transactions"

    @api.model
    def _convert(self, amount: float, currency, company, day) -> float:
        """What an amount is worth in company currency on a day.

        :raise UserError: if there is no rate on or before that day.
        """
        if amount and currency != company.currency_id:
            self._check_rate(currency, company, day)
        return currency._convert(amount, company.currency_id, company, day)

    @api.model
    def _convert_between(self, amount: float, currency, other, company) -> float:
        """What an amount is worth in another currency today, by a company's rates and
        not rounded.

        :raise UserError: if there is no rate of one of them.
        """
        today = fields.Date.context_today(self)
        foreign = (currency | other) - company.currency_id
        for each in foreign if currency != other else ():
            self._check_rate(each, company, today)
        return currency._convert(amount, other, company, today, round=False)

    @api.model
    def _check_rate(self, currency, company, day):
        if not self._find_rate_day(currency, company, day):
            raise UserError(
                self.env._(
                    "There is no exchange rate for %(currency)s on or before %(day)s. "
                    "Add one under Configuration › Currencies. Transactions that wait "
                    "for it are then posted.",
                    currency=currency.name,
                    day=format_date(self.env, day),
                )
            )

    @api.model
    def _find_rate_day(self, currency, company, day):
        """The day of the rate that Odoo converts with on a day; False without one."""
        rates_sudo = self.env["res.currency.rate"].sudo()  # not all merchants can
        return rates_sudo.search(
            [
                ("currency_id", "=", currency.id),
                ("company_id", "in", (False, company.root_id.id)),
                ("name", "<=", day),
            ],
            order="company_id.id, name desc",  # as in `res.currency._get_rates`
            limit=1,
        ).name

    @api.model
    def _find_problem(self, gateway):
        """Why what moves today on a gateway's balance has no rate, or an old one.

        :return: "missing" or "old", and a sentence; nothing if all is well.
        """
        currency, company = gateway.currency_id, gateway.company_id
        if currency == company.currency_id:
            return None
        today = fields.Date.context_today(gateway.with_context(tz=gateway.tz))
        try:
            self._check_rate(currency, company, today)
        except UserError as error:
            return "missing", str(error)
        rate_day = self._find_rate_day(currency, company, today)
        if rate_day >= today - timedelta(days=RATE_DAYS):
            return None
        return "old", self._describe_old(currency, rate_day)

    @api.model
    def _describe_old(self, currency, rate_day):
        return self.env._(
            "The last exchange rate for %(currency)s is from %(day)s, and later "
            "transactions are posted at that rate. Add a new one under Configuration › "
            "Currencies.",
            currency=currency.name,
            day=format_date(self.env, rate_day),
        )
