"""What Stripe lists of a history, for comparing the ledger with it."""


class StripeRecords:
    """All that Stripe knows now of a history's account, by id, oldest first."""

    def __init__(self, history):
        self.history, self.test, self.env = history, history.test, history.test.env
        self.merchant = history.merchant
        self.company_currency = self.env.company.currency_id
        self.gateways = {g.currency_id.name.lower(): g for g in history.gateways}
        stripe = history.stripe
        self.transactions = self.list_all(stripe.balance_transactions, "data.source")
        self.charges = self.list_all(stripe.charges, "data.balance_transaction")
        self.refunds = self.list_all(stripe.refunds)
        self.disputes = self.list_all(stripe.disputes)
        self.payouts = self.list_all(stripe.payouts)

    def list_all(self, resource, *expand):
        """All objects of a kind."""
        listed = resource.list(params={"limit": 100, "expand": list(expand)})
        found = {row.id: row for row in listed.auto_paging_iter()}
        return dict(reversed(found.items()))

    def search_movements(self, *domain):
        """The movements of the account's gateways."""
        ids = [gateway.id for gateway in self.gateways.values()]
        return self.env["checkout.movement"].search(
            [("gateway_id", "in", ids), *domain]
        )

    def get_company_value(self, amount, movement):
        """An amount of a balance in company currency, on a movement's day."""
        return movement.currency_id._convert(
            amount, self.company_currency, self.env.company, movement.move_id.date
        )

    def assert_sum(self, records, name, expected, about, delta=0.0001):
        self.test.assertAlmostEqual(
            sum(records.mapped(name)), expected, delta=delta, msg=about
        )
