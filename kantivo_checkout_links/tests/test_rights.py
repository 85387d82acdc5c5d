"""Who may do what: every model and every public method, as `rights.csv` says."""

import csv
import inspect
from pathlib import Path

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from ..stripe_client import StripeError
from .common import CLIENT_LOGGER, CheckoutCommon

TABLE = Path(__file__).with_name("rights.csv")
OWN_MODULES = "odoo.addons.kantivo_checkout_links"
USERS = {
    "public": "base.group_public",
    "portal": "base.group_portal",
    "employee": "base.group_user",
    "reader": "base.group_user,account.group_account_readonly",
    "merchant": "base.group_user,account.group_account_invoice",
    "accountant": "base.group_user,account.group_account_user",
    "manager": "base.group_user,account.group_account_manager",
    "system": "base.group_user,base.group_system",
}
OPERATIONS = ("create", "read", "write", "unlink")
ADVICE = """
The rights of this addon differ from the table tests/rights.csv:
%s
If that is what you want, make the table say so: each line above that starts with "+" is
a row to add, each with "-" one to remove. The columns are the users of test_rights.py.
CRUD has the letters c, r, w, u of what a user may create, read, write and unlink. A
method has x where a call gets through and "." where it ends in an AccessError.
"""


class Undo(Exception):
    """Ends a call that got through, so that it leaves nothing behind."""


class TestRights(CheckoutCommon):
    """The rights matrix. A model or method that comes later fails until it has a row,
    a public method that takes arguments until they are in `get_arguments`.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = {
            name: new_test_user(cls.env, f"rights_{name}", groups=groups)
            for name, groups in USERS.items()
        }

    def setUp(self):
        super().setUp()
        self.env.ref("base.HUF").sudo().rounding = 1  # coarser than Stripe's
        self.payment = self.pay(self.create_link())
        self.deliver()
        self.payment.action_refund(10)
        self.standin.dispute(self.payment.stripe_charge_id)
        self.standin.payout()
        self.deliver()

    # === WHAT IS THERE === #

    def get_models(self):
        """The models of the addon, and those that it adds public methods to."""
        return sorted(
            name
            for name, model in self.registry.items()
            if name.startswith("checkout.") or self.get_methods(model)
        )

    def get_methods(self, model):
        """The public methods that no other addon's model has too."""
        own, others = set(), set()
        for base in model.__mro__:
            names = own if base.__module__.startswith(OWN_MODULES) else others
            names.update(
                name for name, value in vars(base).items() if inspect.isfunction(value)
            )
        return sorted(
            name
            for name in own - others
            if not name.startswith("_")
            and not getattr(getattr(model, name), "_api_private", False)
        )

    def get_record(self, model, user):
        """A record that a method is called on; of a dialog, the user's own."""
        records = self.env[model].with_user(user)
        if records._abstract:
            return records
        if records._transient:
            return records.create(self.get_dialog_vals(model))
        records = self.env[model].with_context(active_test=False)
        found = records.search(self.get_domain(model), limit=1)
        self.assertTrue(found, f"{model}: setUp() makes no record to try methods on")
        return self.env[model].with_user(user).browse(found.id)

    def get_domain(self, model):
        """Which record: one that this addon has to do with."""
        return {
            "account.journal": [("id", "=", self.gateway.journal_id.id)],
            "account.move": [("id", "in", self.payment.move_ids.ids)],
            "checkout.link": [("id", "=", self.payment.link_id.id)],
            "res.currency": [("name", "=", "HUF")],
            "res.partner": [("id", "=", self.payment.partner_id.id)],
        }.get(model, [])

    def get_dialog_vals(self, model):
        payment, movement = self.payment, self.payment.movement_ids[0]
        vals = {
            "checkout.refund.wizard": {"payment_id": payment.id, "amount": 1},
            "checkout.link.share": {"link_id": payment.link_id.id},
            "checkout.contact.wizard": {
                "payment_id": payment.id,
                "partner_id": payment.partner_id.id,
            },
            "checkout.reclassify.wizard": {
                "movement_id": movement.id,
                "account_id": self.gateway.income_account_id.id,
            },
            "checkout.posting.preview": {"link_id": payment.link_id.id},
            "checkout.product.update": {"link_id": payment.link_id.id},
            "checkout.link.confirm": {"link_ids": payment.link_id.ids},
        }
        self.assertIn(model, vals, "A dialog needs its values in get_dialog_vals()")
        return vals[model]

    def get_arguments(self, model, method):
        return {
            ("checkout.payment", "action_set_contact"): [self.payment.partner_id],
            ("checkout.movement", "action_reclassify"): [
                self.gateway.income_account_id
            ],
        }.get((model, method), [])

    # === WHAT THEY MAY === #

    def get_crud(self, model, user):
        model = self.env[model].with_user(user)
        return "".join(
            operation[0] if model.has_access(operation) else "."
            for operation in OPERATIONS
        )

    def try_method(self, model, method, user):
        """:return: Whether a call gets through; what it does is undone."""
        try:
            with self.env.cr.savepoint():
                record = self.get_record(model, user)
                getattr(record, method)(*self.get_arguments(model, method))
                raise Undo
        except AccessError:
            return False
        except TypeError as error:
            self.fail(f"{model}.{method}: {error}. Add to get_arguments().")
        except (Undo, UserError, StripeError):
            return True
        finally:
            self.env.invalidate_all()

    def find_rights(self):
        """All rows as they are: model, what, and a cell for each user."""
        for name in self.get_models():
            if name.startswith("checkout.") and not self.env[name]._abstract:
                crud = [self.get_crud(name, user) for user in self.users.values()]
                yield [name, "CRUD", *crud]
            for method in self.get_methods(self.registry[name]):
                cells = [
                    "x" if self.try_method(name, method, user) else "."
                    for user in self.users.values()
                ]
                yield [name, method, *cells]

    @mute_logger(CLIENT_LOGGER, "odoo.sql_db", "odoo.addons.base.models.ir_model")
    def test_rights_are_those_of_the_table(self):
        with TABLE.open() as file:
            table = list(csv.reader(file))
        self.assertEqual(table[0], ["model", "what", *USERS])
        found = list(self.find_rights())
        missing = [f"+ {','.join(row)}" for row in found if row not in table]
        left = [f"- {','.join(row)}" for row in table[1:] if row not in found]
        if missing or left:
            self.fail(ADVICE % "\n".join(missing + left))

    def test_outsiders_have_no_rights_at_all(self):
        for model in self.get_models():
            if model.startswith("checkout.") and not self.env[model]._abstract:
                for name in ("public", "portal", "employee"):
                    with self.subTest(model=model, user=name):
                        self.assertEqual(self.get_crud(model, self.users[name]), "....")

    def test_abstract_models_have_no_public_methods(self):
        for name in self.get_models():
            if name.startswith("checkout.") and self.env[name]._abstract:
                self.assertEqual(self.get_methods(self.registry[name]), [], name)
