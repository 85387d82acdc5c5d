from odoo import Command, fields
from odoo.exceptions import AccessError
from odoo.tests import Form, new_test_user

from .common import CheckoutCommon

# What decides whose money it is, whether the ledger matches, and who can pay.
TECHNICAL = {
    "checkout.gateway": {
        "agreement_state",
        "archived_at",
        "closed_until",
        "connection_state",
        "livemode",
        "opening_done",
        "shared_account",
        "stripe_account_id",
        "webhook_endpoint_id",
    },
    "checkout.link": {"access_token", "deactivated_at"},
}
VALUES = {
    "boolean": True,
    "char": "forged",
    "text": "forged",
    "integer": 7,
    "float": 7,
    "monetary": 7,
    "date": "2001-02-03",
    "datetime": "2001-02-03 04:05:06",
    "json": {"a": 1},
}


class TestGuardedFields(CheckoutCommon):
    """What only our code sets can't be set by others, at any of the ORM's doors."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env,
            "guarded_manager",
            groups="base.group_user,account.group_account_manager,base.group_system",
        )
        cls.link = cls.create_link()

    def get_records(self):
        """A gateway and a link, as those meet them who may edit them."""
        return (self.gateway.with_user(self.manager), self.link.with_user(self.manager))

    def forge(self, record, name):
        """Another value than a field has."""
        field = record._fields[name]
        if field.type == "selection":
            now = record.sudo()[name]
            return next(v for v in field.get_values(self.env) if v != now)
        if field.type == "boolean":
            return not record.sudo()[name]
        if field.relational:
            return self.env[field.comodel_name].search([], limit=1).id
        return VALUES[field.type]

    def each_guarded(self):
        for record in self.get_records():
            for name in sorted(record._get_guarded_fields()):
                with self.subTest(model=record._name, field=name):
                    yield record, name, self.forge(record, name)

    # === REFUSED === #

    def test_technical_fields_are_guarded(self):
        for model, names in TECHNICAL.items():
            self.assertLessEqual(names, self.env[model]._get_guarded_fields())

    def test_guarded_field_is_not_written(self):
        for record, name, value in self.each_guarded():
            before = record.sudo()[name]
            with self.assertRaises(AccessError):
                record.write({name: value})
            self.assertEqual(record.sudo()[name], before)

    def test_message_names_the_field(self):
        gateway = self.gateway.with_user(self.manager)
        with self.assertRaisesRegex(
            AccessError, "Balance Check.*can't be set manually"
        ):
            gateway.write({"name": "Renamed", "agreement_state": "green"})

    def test_guarded_field_is_not_created(self):
        for record, name, value in self.each_guarded():
            with self.assertRaises(AccessError):
                record.create({"name": "New", "amount": 1, name: value})

    def test_guarded_field_is_not_copied_with_another_value(self):
        for record, name, value in self.each_guarded():
            with self.assertRaises(AccessError):
                record.copy({name: value})

    def test_guarded_field_is_not_saved_by_the_web_client(self):
        for record, name, value in self.each_guarded():
            with self.assertRaises(AccessError):
                record.web_save({name: value}, {})
            with self.assertRaises(AccessError):
                record.browse().web_save({"name": "New", name: value}, {})

    def test_guarded_field_is_not_imported(self):
        for record, name, value in self.each_guarded():
            if isinstance(value, dict):
                continue  # no column holds one
            rows = [[str(record.id), str(value)]]
            answer = record.browse().load([".id", name], rows)
            self.assertFalse(answer["ids"])

    def test_guarded_field_is_not_written_through_another_record(self):
        gateway = self.gateway.with_user(self.manager)
        for command in (
            Command.update(self.link.id, {"access_token": "forged"}),
            Command.create({"name": "New", "amount": 1, "access_token": "forged"}),
        ):
            with self.assertRaises(AccessError):
                gateway.write({"link_ids": [command]})

    def test_context_decides_on_no_guarded_field(self):
        context = {
            "default_access_token": "forged",
            "default_deactivated_at": "2001-02-03 04:05:06",
        }
        links = self.link.with_user(self.manager).with_context(**context)
        link = links.create({"name": "New", "amount": 1})
        self.assertTrue(link.access_token.startswith("kcl_"))
        self.assertFalse(link.deactivated_at)
        gateways = self.gateway.with_user(self.manager)
        gateway = gateways.with_context(default_agreement_state="green").create({})
        self.assertEqual(gateway.agreement_state, "grey")
        self.assertEqual(gateway.connection_state, "untested")

    def test_default_of_a_user_decides_on_no_guarded_field(self):
        defaults = self.env["ir.default"].with_user(self.manager)
        defaults.set("checkout.link", "access_token", "forged", user_id=True)
        defaults.set("checkout.gateway", "agreement_state", "green", user_id=True)
        gateway, link = self.get_records()
        link = link.create({"name": "New", "amount": 1})
        self.assertTrue(link.access_token.startswith("kcl_"))
        self.assertEqual(gateway.create({}).agreement_state, "grey")

    def test_default_of_a_user_decides_on_no_secret(self):
        defaults = self.env["ir.default"].with_user(self.manager)
        for name in ("signing_key", "webhook_token", "secret_key_value"):
            defaults.set("checkout.gateway", name, "sk_live_forged", user_id=True)
        gateway_sudo = self.gateway.with_user(self.manager).create({}).sudo()
        self.assertFalse(gateway_sudo.secret_key_value or gateway_sudo.livemode)
        self.assertNotEqual(gateway_sudo.signing_key, "sk_live_forged")
        self.assertTrue(gateway_sudo.webhook_token.startswith("kwh_"))

    def test_context_of_a_request_is_not_that_of_the_poster(self):
        gateway = self.gateway.with_user(self.manager)
        forged = {"active_test": False, "check_move_validity": False}
        with gateway.with_context(**forged)._exclusive() as gateway_sudo:
            self.assertFalse(forged.keys() & gateway_sudo.env.context.keys())

    def test_resequencing_writes_no_guarded_field(self):
        gateway = self.gateway.with_user(self.manager)
        gateway.web_resequence({}, offset=3)
        self.assertEqual(gateway.sequence, 3)
        with self.assertRaises(AccessError):
            gateway.web_resequence({}, field_name="recovered_total", offset=3)

    # === STILL POSSIBLE === #

    def test_forms_are_saved(self):
        for record in self.get_records():
            with Form(record) as form:
                form.name = "Renamed"
            self.assertEqual(record.name, "Renamed")
        with Form(self.link.with_user(self.manager).browse()) as form:
            form.name = "New"
            form.amount = 1
        self.assertTrue(form.record.url)

    def test_copy_is_like_a_new_record(self):
        self.sync()
        self.gateway.action_test_connection()
        gateway = self.gateway.with_user(self.manager)
        copy, new = gateway.copy().sudo(), gateway.create({}).sudo()
        for name in gateway._get_guarded_fields():
            own = copy[name] not in (gateway.sudo()[name], False)  # random at birth
            with self.subTest(field=name):
                self.assertTrue(own or copy[name] == new[name])
        link = self.link.with_user(self.manager)
        link.action_deactivate()
        copy = link.copy()
        self.assertNotEqual(copy.access_token, link.access_token)
        self.assertFalse(copy.deactivated_at)

    def export_file(self, record, names):
        """Columns and rows of a file that the web client exports to import it again."""
        names = [".id", *names]
        data = record.with_context(import_compat=True).export_data(names)["datas"]
        return names, [["" if cell is False else str(cell) for cell in data[0]]]

    def test_exported_file_is_imported_again(self):
        self.gateway.journal_id.code = "STRPX"
        for record in self.get_records():
            columns = [
                name
                for name, field in record.fields_get().items()
                if not field["readonly"]
                and field["type"] in ("char", "text", "integer", "boolean", "monetary")
                and field.get("store")
                and field.get("exportable", True)
            ]
            names, rows = self.export_file(record, columns)
            rows[0][names.index("name")] = "Imported"
            answer = record.browse().load(names, rows)
            self.assertEqual(answer["ids"], record.ids, answer["messages"])
            self.assertEqual(record.name, "Imported")

    def test_file_with_unchanged_guarded_columns_is_imported(self):
        names = ["access_token", "deactivated_at", "name"]
        link = self.link.with_user(self.manager)
        link.action_deactivate()
        columns, rows = self.export_file(link, names)
        rows[0][-1] = "Imported"
        answer = link.browse().load(columns, rows)
        self.assertEqual(answer["ids"], link.ids, answer["messages"])
        self.assertEqual(link.name, "Imported")

    def test_buttons_set_what_they_set(self):
        gateway, link = self.get_records()
        gateway.action_test_connection()
        self.assertEqual(gateway.connection_state, "connected")
        gateway.action_ignore_third_party()
        self.assertEqual(gateway.shared_account, "decided")
        link.action_deactivate()
        self.assertTrue(link.deactivated_at)
        gateway.action_archive()
        self.assertTrue(gateway.archived_at)

    def test_earlier_start_is_read_again(self):
        self.sync()
        gateway = self.gateway.with_user(self.manager)
        self.assertTrue(gateway.opening_done)
        gateway.sync_from = fields.Datetime.subtract(gateway.sync_from, days=1)
        self.assertFalse(gateway.opening_done)


class TestGuardedEvents(CheckoutCommon):
    """What Stripe delivered stays as it was delivered."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.managers = [
            new_test_user(cls.env, f"events {group}", groups=f"base.group_user,{group}")
            for group in ("account.group_account_manager", "base.group_system")
        ]

    def test_managers_alter_no_event(self):
        self.pay(self.create_link())
        self.deliver()
        event = self.env["checkout.event"].search([], limit=1)
        other = self.create_gateway(secret_key="sk_test_at_second")
        for user in self.managers:
            own = event.with_user(user)
            for attempt in (
                lambda own=own: own.write({"gateway_id": other.id}),
                lambda own=own: own.write({"payload": {}, "state": "done"}),
                lambda own=own: own.create({"gateway_id": other.id, "type": "x"}),
                own.unlink,
                own.copy,
            ):
                with self.subTest(user=user.login), self.assertRaises(AccessError):
                    attempt()

    def test_managers_have_an_event_processed(self):
        for user in self.managers:
            payment = self.pay(self.create_link())
            [event] = self.take_events("checkout.session.completed")
            self.env["checkout.event"].sudo()._take(self.gateway.sudo(), event)
            kept = self.env["checkout.event"].search(
                [("stripe_event_id", "=", event["id"])]
            )
            kept.with_user(user).action_process()
            self.assertEqual(kept.state, "done")
            self.assertEqual(payment.state, "paid")

    def test_merchant_has_no_event_processed(self):
        merchant = new_test_user(
            self.env,
            "events merchant",
            groups="base.group_user,account.group_account_invoice",
        )
        self.pay(self.create_link())
        self.deliver()
        event = self.env["checkout.event"].search([], limit=1)
        with self.assertRaises(AccessError):
            event.with_user(merchant).action_process()
