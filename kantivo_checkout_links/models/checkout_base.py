from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import ormcache

from ..const import UNKNOWN
from ..texts import to_line

# For fields of taxes: an archived one that was left out would make untaxed sales.
WITH_ARCHIVED = {"active_test": False}


class CheckoutBase(models.AbstractModel):
    """What records that mirror an object of Stripe's have in common."""

    _name = "checkout.base"
    _description = "Copy of a Stripe Object"

    def _write_changes(self, vals):
        """Write only what differs: an update without changes leaves no trace."""
        if changed := self._get_changes(vals):
            self.write(changed)

    def _get_changes(self, vals):
        """The values that differ from what the record has."""
        return {
            name: value
            for name, value in vals.items()
            if self._fields[name].convert_to_write(self[name], self) != value
            and (self[name] or value)
        }

    @api.model
    def _check_records(self, value, model):
        """For arguments of public methods: programs call those with anything.

        :raise UserError: if a value isn't a recordset of that model.
        """
        if getattr(value, "_name", None) != model:
            raise UserError(self.env._("This takes records of the model %s.", model))

    @api.model
    def _check_record(self, value, model):
        """:raise UserError: if a value isn't one record of that model."""
        self._check_records(value, model)
        if len(value) != 1:
            raise UserError(self.env._("This takes one record of the model %s.", model))

    @api.model
    def _read_date(self, value):
        """A date as programs pass it: also as text, and none at all.

        :raise UserError: if it is no date.
        """
        try:
            return fields.Date.to_date(value)
        except (TypeError, ValueError) as error:
            raise UserError(self.env._("This is not a date.")) from error

    def _is_accountant(self):
        """Whether the user may choose the account and the taxes of an entry."""
        groups = ("account.group_account_user", "account.group_account_manager")
        return any(self.env.user.has_group(group) for group in groups)

    @api.model
    def _get_currency(self, code):
        """A currency by Stripe's lower-case code, also an inactive one."""
        return self.env["res.currency"].browse(self._get_currency_id(code))

    @api.model
    @ormcache("code")
    def _get_currency_id(self, code):
        currencies = self.env["res.currency"].with_context(active_test=False)
        return currencies.search([("name", "=", code.upper())], limit=1).id


class CheckoutStripeObject(models.AbstractModel):
    """A copy of an object with an id and a status at Stripe: a refund, dispute or
    payout. Each has a `gateway_id`, a `currency_id` and a `state`.
    """

    _name = "checkout.stripe.object"
    _inherit = "checkout.base"
    _description = "Copy of a Stripe Object with a Status"

    stripe_id = fields.Char(readonly=True)
    unknown_status = fields.Char(
        "Stripe's Status",
        readonly=True,
        help="A status that this version doesn't support yet.",
    )

    _unknown_idx = models.Index("(gateway_id) WHERE unknown_status IS NOT NULL")

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
        """The part of Stripe's object that the inbox needs to have it read."""
        object_type = self._name.rpartition(".")[2]
        return {
            "id": self.stripe_id,
            "object": object_type,
            "currency": self.currency_id.name.lower(),
        }


class CheckoutGuarded(models.AbstractModel):
    """Records that users edit, with fields that only our code sets: all stored fields
    that are `readonly` or out of reach. Odoo itself keeps the former from being edited
    in forms only, and lets a user's own default set the latter.

    Our code writes them with `sudo()`.
    """

    _name = "checkout.guarded"
    _description = "Record with Fields Set by Checkout Links"

    # Fields that are readonly in forms only: buttons set them with the user's rights.
    _set_by_users = frozenset()

    # === CRUD METHODS === #

    @api.model
    def default_get(self, fields):
        """Neither a context nor a user's own default decides on guarded fields."""
        guarded = self._get_guarded_fields() if not self.env.su else set()
        defaults = super().default_get([name for name in fields if name not in guarded])
        for name in guarded.intersection(fields):
            if self._fields[name].default:
                defaults[name] = self._fields[name].default(self)
        return defaults

    @api.model_create_multi
    def create(self, vals_list):
        """:raise AccessError: if a user sets what only our code sets."""
        for vals in vals_list:
            self._check_guarded(vals)
        return super().create(vals_list)

    def write(self, vals):
        """:raise AccessError: if a user changes what only our code sets. What stays as
        it is may come along, as it does in a file that was exported before.
        """
        self._check_guarded(self._filter_changed(vals))
        return super().write(vals)

    def copy_data(self, default=None):
        """A copy starts without what our code found out about the original."""
        kept = self._get_guarded_fields() - set(default or ())
        return [
            {name: value for name, value in vals.items() if name not in kept}
            for vals in super().copy_data(default)
        ]

    # === BUSINESS METHODS === #

    @api.model
    def _get_guarded_fields(self):
        return {
            name
            for name, field in self._fields.items()
            if field.store and (field.readonly or field.groups == fields.NO_ACCESS)
        }.difference(models.MAGIC_COLUMNS, self._set_by_users)

    def _check_guarded(self, vals):
        """:raise AccessError: if a user sets a field that only our code sets."""
        names = self._get_guarded_fields() & vals.keys()
        if not names or self.env.su:
            return
        field = self._fields[min(names)]
        raise AccessError(
            self.env._(
                "“%(field)s” is set by Checkout Links and can't be set manually. "
                "Remove it to save the other values.",
                field=field._description_string(self.env),
            )
        )

    def _filter_changed(self, vals):
        """The guarded fields that would get another value than they have."""
        if self.env.su:
            return {}
        return {
            name: vals[name]
            for name in self._get_guarded_fields() & vals.keys()
            if self._is_changed(name, vals[name])
        }

    def _is_changed(self, name, value):
        field = self._fields[name]
        return any(
            field.convert_to_record(field.convert_to_cache(value, record), record)
            != record[name]
            for record in self
        )
