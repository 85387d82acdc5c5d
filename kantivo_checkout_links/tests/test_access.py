from odoo.exceptions import AccessError
from odoo.tests import Form, new_test_user

from .common import CheckoutCommon

# The same for all companies.
SHARED = {"checkout.method"}
MODELS = (
    "checkout.gateway",
    "checkout.link",
    "checkout.payment",
    "checkout.movement",
    "checkout.event",
)


class TestAccess(CheckoutCommon):
    """Who may do what, by the groups of accounting."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = {
            login: new_test_user(cls.env, f"access_{login}", groups=groups)
            for login, groups in {
                "merchant": "base.group_user,account.group_account_invoice",
                "reader": "base.group_user,account.group_account_readonly",
                "manager": "base.group_user,account.group_account_manager",
                "system": "base.group_user,base.group_system",
                "employee": "base.group_user",
                "portal": "base.group_portal",
                "public": "base.group_public",
            }.items()
        }

    def as_user(self, login, records):
        return records.with_user(self.users[login])

    def make_payment(self):
        """A paid payment with its entries, made by the merchant's link."""
        payment = self.pay(self.create_link(name="Course"))
        self.deliver()
        return payment

    def get_records(self):
        """One record of each model."""
        payment = self.make_payment()
        event = self.env["checkout.event"].search(
            [("gateway_id", "!=", False)], limit=1
        )
        return [
            self.gateway,
            payment.link_id,
            payment,
            payment.movement_ids[0],
            event,
        ]

    # === MERCHANT === #

    def test_merchant_makes_edits_closes_and_deletes_links(self):
        links = self.as_user("merchant", self.env["checkout.link"])
        with Form(links) as form:
            form.name = "Course"
            form.amount = 110
        link = form.record
        self.assertEqual(link.gateway_id, self.gateway)
        link.name = "Course in spring"
        link.action_deactivate()
        link.action_activate()
        link.copy()
        link.active = False
        link.unlink()
        self.assertFalse(link.exists())

    def test_merchant_sees_payments_movements_and_entries(self):
        payment = self.as_user("merchant", self.make_payment())
        self.assertEqual(payment.customer_email, payment.sudo().customer_email)
        self.assertEqual(payment.link_id.amount_collected, 110)
        self.assertEqual(len(payment.movement_ids), 2)
        self.assertEqual(payment.move_ids.line_ids.mapped("parent_state")[0], "posted")
        payment.read()
        payment.movement_ids.read()

    def test_merchant_syncs_but_configures_nothing(self):
        gateway = self.as_user("merchant", self.gateway)
        gateway.action_sync()
        self.assertTrue(gateway.last_sync_at)
        gateway.read()
        with Form(gateway):
            pass
        for attempt in (
            lambda: gateway.write({"name": "Mine"}),
            lambda: gateway.write({"secret_key": "sk_test_mine"}),
            lambda: gateway.write({"active": False}),
            lambda: gateway.create({"name": "Mine"}),
            gateway.unlink,
            gateway.action_test_connection,
            gateway.action_create_webhook,
            gateway.action_create_accounting,
            gateway.action_copy_provider_key,
            gateway.action_post_third_party,
        ):
            with self.assertRaises(AccessError):
                attempt()

    def test_merchant_alters_no_payment_movement_or_event(self):
        payment = self.as_user("merchant", self.make_payment())
        movement = payment.movement_ids[0]
        for record, vals in (
            (payment, {"amount": 1}),
            (payment, {"state": "expired"}),
            (movement, {"amount": 1}),
            (movement, {"state": "skipped"}),
        ):
            for attempt in (
                lambda record=record, vals=vals: record.write(vals),
                lambda record=record: record.unlink(),
                lambda record=record: record.copy(),
            ):
                with self.assertRaises(AccessError):
                    attempt()
        with self.assertRaises(AccessError):
            self.as_user("merchant", self.env["checkout.event"]).search([])

    # === READER === #

    def test_reader_reads(self):
        gateway, link, payment, movement, _event = self.get_records()
        for record in (gateway, link, payment, movement):
            self.as_user("reader", record).read()
        with Form(self.as_user("reader", gateway)):
            pass

    def test_reader_changes_nothing(self):
        gateway, link, payment, movement, _event = self.get_records()
        for record in (gateway, link, payment, movement):
            record = self.as_user("reader", record)
            for attempt in (
                lambda record=record: record.write({"company_id": 1}),
                record.unlink,
                record.copy,
            ):
                with self.subTest(record=record), self.assertRaises(AccessError):
                    attempt()
        for attempt in (
            self.as_user("reader", gateway).action_sync,
            self.as_user("reader", gateway).action_check_agreement,
            self.as_user("reader", gateway).action_test_connection,
            self.as_user("reader", link).action_deactivate,
            self.as_user("reader", movement).action_post,
            lambda: self.as_user("reader", payment).action_set_contact(
                self.env.user.partner_id
            ),
        ):
            with self.subTest(attempt=attempt), self.assertRaises(AccessError):
                attempt()

    # === MANAGER AND SYSTEM ADMINISTRATOR === #

    def test_manager_sets_a_gateway_up(self):
        gateways = self.as_user("manager", self.env["checkout.gateway"])
        with Form(gateways) as form:
            form.name = "Second"
            form.secret_key = "sk_test_at_second"
        gateway = form.record
        gateway.action_test_connection()
        self.assertEqual(gateway.connection_state, "connected")
        gateway.action_create_accounting()
        self.assertTrue(gateway.step_accounts)
        gateway.action_sync()
        gateway.active = False
        gateway.unlink()

    def test_system_administrator_without_accounting_connects_a_gateway(self):
        gateways = self.as_user("system", self.env["checkout.gateway"])
        with Form(gateways) as form:
            form.name = "Second"
            form.secret_key = "sk_test_at_second"
        gateway = form.record
        gateway.action_test_connection()
        self.assertEqual(gateway.connection_state, "connected")
        with Form(gateway) as form:
            form.name = "Renamed"
        gateway.search_read([], ["name", "journal_id", "currency_id", "last_event_at"])
        gateway.web_search_read([], {"journal_id": {"fields": {"display_name": {}}}})

    def test_live_gateway_of_a_system_administrator_posts(self):
        gateways = self.as_user("system", self.env["checkout.gateway"])
        with Form(gateways) as form:
            form.secret_key = "sk_live_second"
        self.assertTrue(form.record.post_entries)

    def test_system_administrator_opens_a_gateway_that_posts(self):
        self.make_payment()
        gateway = self.as_user("system", self.gateway)
        with Form(gateway) as form:
            form.user_id = self.users["system"]
        self.assertEqual(gateway.user_id, self.users["system"])

    # === OTHERS === #

    def test_employee_portal_and_public_reach_nothing(self):
        records = self.get_records()
        for login in ("employee", "portal", "public"):
            for record in records:
                record = self.as_user(login, record)
                for attempt in (
                    record.read,
                    lambda record=record: record.search([]),
                    lambda record=record: record.search_count([]),
                    lambda record=record: record.formatted_read_group([], ["id"]),
                    lambda record=record: record.write({"company_id": 1}),
                    record.unlink,
                    lambda record=record: record.create({}),
                    record.copy,
                ):
                    with (
                        self.subTest(user=login, model=record._name),
                        self.assertRaises(AccessError),
                    ):
                        attempt()

    def test_employee_portal_and_public_start_nothing(self):
        gateway, link, payment, movement, event = self.get_records()
        actions = [
            (gateway, "action_test_connection"),
            (gateway, "action_create_webhook"),
            (gateway, "action_create_accounting"),
            (gateway, "action_copy_provider_key"),
            (gateway, "action_ignore_third_party"),
            (gateway, "action_sync"),
            (link, "action_deactivate"),
            (link, "action_activate"),
            (movement, "action_post"),
            (event, "action_process"),
        ]
        for login in ("employee", "portal", "public"):
            for record, action in actions:
                with (
                    self.subTest(user=login, action=action),
                    self.assertRaises(AccessError),
                ):
                    getattr(self.as_user(login, record), action)()

    def test_salespeople_open_invoices_without_seeing_payments(self):
        """Other addons let people see entries who have no rights in accounting."""
        group = self.env["res.groups"].create({"name": "Sales"})
        self.env["ir.model.access"].create(
            [
                {
                    "name": model,
                    "model_id": self.env["ir.model"]._get_id(model),
                    "group_id": group.id,
                    "perm_read": True,
                }
                for model in ("account.move", "account.move.line")
            ]
        )
        self.users["employee"].group_ids |= group
        move = self.as_user("employee", self.make_payment().move_ids[0])
        views = move.get_views([(False, "form"), (False, "list")])
        for view in views["views"].values():
            self.assertNotIn("checkout_", view["arch"])
        self.assertFalse([n for n in move.fields_get() if n.startswith("checkout_")])
        move.web_read({"name": {}, "line_ids": {"fields": {"balance": {}}}})
        for name in ("checkout_payment_ids", "checkout_movement_ids"):
            with self.assertRaises(AccessError):
                move.read([name])
            with self.assertRaises(AccessError):
                move.search([(name, "!=", False)])

    def test_every_model_with_a_table_has_access_rights_and_company_rule(self):
        """Models that come later must not be forgotten."""
        models = self.env["ir.model"].search(
            [
                ("model", "=like", "checkout.%"),
                ("transient", "=", False),
                ("abstract", "=", False),
            ]
        )
        self.assertLessEqual(set(MODELS), set(models.mapped("model")))
        for model in models:
            with self.subTest(model=model.model):
                self.assertTrue(model.access_ids.filtered("group_id"))
                self.assertTrue(all(access.group_id for access in model.access_ids))
                has_rule = bool(model.rule_ids.filtered("global"))
                self.assertEqual(has_rule, model.model not in SHARED)
