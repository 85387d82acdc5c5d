from odoo import api, models
from odoo.tools import ormcache

from ..const import UNKNOWN
from ..texts import to_line

# For fields of taxes: an archived one that was left out would make untaxed sales.
WITH_ARCHIVED = {"active_test": False}


class CheckoutBase(models.AbstractModel):
    """What records that mirror an object of Stripe's have in common."""

    _name = "checkout.base"
    _description = "Mirror of a Stripe Object"

    def _write_changes(self, vals):
        """Write only what differs: news that bring nothing new leave no trace."""
        changed = {
            name: value
            for name, value in vals.items()
            if self._fields[name].convert_to_write(self[name], self) != value
            and (self[name] or value)
        }
        if changed:
            self.write(changed)

    @api.model
    def _prepare_state_vals(self, word, states):
        """A state by Stripe's word, which is kept where we don't know it.

        :param str word: Stripe's `status`; it may be null or any text.
        :param list states: The selection of those that we know.
        """
        if word in dict(states):
            return {"state": word, "unknown_status": False}
        return {"state": UNKNOWN, "unknown_status": to_line(str(word or "null"))}

    def _prepare_reference(self):
        """The least of Stripe's object that the inbox needs to have it read."""
        kind = self._name.rpartition(".")[2]
        return {
            "id": self.stripe_id,
            "object": kind,
            "currency": self.currency_id.name.lower(),
        }

    @api.model
    def _get_currency(self, code):
        """A currency by Stripe's lower-case code, also an inactive one."""
        return self.env["res.currency"].browse(self._get_currency_id(code))

    @api.model
    @ormcache("code")
    def _get_currency_id(self, code):
        currencies = self.env["res.currency"].with_context(active_test=False)
        return currencies.search([("name", "=", code.upper())], limit=1).id
