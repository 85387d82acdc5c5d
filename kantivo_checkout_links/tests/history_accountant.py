"""What an accountant does, or leaves undone, while money comes and goes."""

from odoo.exceptions import UserError

from .history_steps import NotNow

# Odoo's unit of a currency that is coarser than Stripe's.
COARSE = 0.05


class Accountant:
    """Steps and settings of the accountant in a history.

    Needs of the history: `random`, `test`, `merchant`, `gateways` and `payments`.
    """

    def set_up_accounting(self):
        """Some keep their entries secure, some have no rates or too few decimals."""
        self.reclassified = {}
        self.lacking_rates = self.drop_rates(self.random.random() < 0.25)
        self.coarse = self.make_coarse(self.random.random() < 0.2)
        is_secure = self.random.random() < 0.25
        for gateway in self.gateways:
            gateway.journal_id.restrict_mode_hash_table = is_secure

    def drop_rates(self, is_wanted):
        """No currency has a rate yet: what is missing, to be entered later."""
        rates = self.merchant.rates if is_wanted else self.merchant.rates.browse()
        missing = rates.copy_data()
        rates.unlink()
        return missing

    def enter_rates(self):
        """All rates at once; what waited is posted by the next run."""
        if not self.lacking_rates:
            raise NotNow
        self.test.env["res.currency.rate"].create(self.lacking_rates)
        self.lacking_rates = []

    def make_coarse(self, is_wanted):
        """A currency of a balance that Odoo rounds too coarsely, if it may be one."""
        foreign = [
            gateway.currency_id
            for gateway in self.gateways
            if gateway.currency_id != self.merchant.company.currency_id
            and gateway.currency_id.decimal_places == 2
        ]
        if not is_wanted or not foreign:
            return self.test.env["res.currency"]
        currency = self.random.choice(foreign)
        currency.rounding = COARSE
        return currency

    def add_decimals(self):
        """The button on what waits."""
        if not self.coarse:
            raise NotNow
        self.coarse.action_use_stripe_decimals()
        self.coarse = self.coarse.browse()

    def reclassify(self):
        """A sale goes to another income account, with the tax that it has."""
        payment = self.pick(self.payments.filtered("paid_at"))
        charge = payment.movement_ids.filtered(lambda m: m.kind == "charge")
        account = self.merchant.third_income
        lost = payment.movement_ids.filtered(lambda m: m.kind == "dispute_loss")
        if payment.credit_to == "receivable" or charge.state != "posted" or lost:
            raise NotNow  # what is lost already stays where it is
        taxes = charge._get_posted_lines().tax_ids
        try:
            charge.action_reclassify(account, taxes)
        except UserError as error:
            raise NotNow from error
        self.reclassified[payment.stripe_charge_id] = account.code

    def finish_accounting(self):
        """In the end everything is entered that was missing."""
        for step in (self.enter_rates, self.add_decimals):
            try:
                step()
            except NotNow:
                continue
