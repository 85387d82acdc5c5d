import json
from io import BytesIO
from zipfile import ZipFile

from psycopg2.errors import UniqueViolation

from odoo import http
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.modules.neutralize import neutralize_database
from odoo.tests import Form, new_test_user
from odoo.tools import mute_logger

from .common import CheckoutCommon, CheckoutHttpCommon

KEY = "sk_test_kept_from_everybody_0123456789"
WEBHOOK_SECRET = "whsec_kept_from_everybody_0123456789"
HIDDEN_FIELDS = (
    "secret_key_value",
    "webhook_secret_value",
    "webhook_endpoint_secret",
    "webhook_token",
)
GROUPS = {
    "invoicing": "account.group_account_invoice",
    "readonly": "account.group_account_readonly",
    "accounting": "account.group_account_manager",
    "system": "base.group_system",
    "everything": "base.group_system,account.group_account_manager",
}


class KeysCommon(CheckoutCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway.write({"secret_key": KEY, "webhook_secret": WEBHOOK_SECRET})
        cls.gateway.sudo().webhook_endpoint_secret = WEBHOOK_SECRET
        cls.link = cls.create_link()
        cls.users = {
            login: new_test_user(
                cls.env,
                f"keys_{login}",
                groups=f"base.group_user,base.group_allow_export,{groups}",
            )
            for login, groups in GROUPS.items()
        }
        cls.env.flush_all()

    def each_user(self):
        """The gateway as each kind of user sees it, one after the other."""
        for user in self.users.values():
            self.env.invalidate_all()
            yield self.gateway.with_user(user)

    def neutralize(self):
        """What Odoo does to a copy of a database, with all modules' own scripts."""
        self.env.flush_all()
        neutralize_database(self.env.cr)
        self.env.invalidate_all()

    def assert_no_secret(self, answer):
        text = answer if isinstance(answer, str) else json.dumps(answer, default=str)
        self.assertNotIn("kept_from_everybody", text)
        self.assertNotIn(self.gateway.sudo().webhook_token, text)


class TestGatewayKeys(KeysCommon):
    """No user reads a key, by any way into the database that Odoo offers."""

    def test_keys_read_back_masked(self):
        for gateway in self.each_user():
            self.assertEqual(gateway.secret_key, "sk_test_…6789")
            self.assertEqual(gateway.webhook_secret, "whsec_ke…6789")
            self.assertNotIn(KEY, gateway.read(["secret_key"])[0]["secret_key"])

    def test_answer_to_saving_keys_shows_masks_only(self):
        vals = {"secret_key": f"{KEY}_new", "webhook_secret": f"{WEBHOOK_SECRET}_new"}
        specification = {"secret_key": {}, "webhook_secret": {}}
        for login in ("accounting", "system"):
            gateways = self.env["checkout.gateway"].with_user(self.users[login])
            for records in (gateways, self.gateway.with_user(self.users[login])):
                with self.subTest(user=login, records=records):
                    [answer] = records.web_save({"name": "G", **vals}, specification)
                    self.assertEqual(answer["secret_key"], "sk_test_…_new")
                    self.assertEqual(answer["webhook_secret"], "whsec_ke…_new")

    def test_hidden_fields_cannot_be_read(self):
        for gateway in self.each_user():
            for name in HIDDEN_FIELDS:
                with self.assertRaises(AccessError):
                    gateway.read([name])
                with self.assertRaises(AccessError):
                    gateway.web_read({name: {}})
                with self.assertRaises(AccessError):
                    gateway.search_read([], [name])
                with self.assertRaises(AccessError):
                    gateway.mapped(name)

    def test_reading_everything_leaves_them_out(self):
        for gateway in self.each_user():
            values = gateway.read()[0]
            self.assertFalse(values.keys() & set(HIDDEN_FIELDS))
            values.pop("webhook_url")  # has the token, for merchants to paste
            self.assert_no_secret(values)
            self.assertFalse(gateway.fields_get().keys() & set(HIDDEN_FIELDS))

    def test_hidden_fields_cannot_be_probed_by_searching(self):
        for gateway in self.each_user():
            for name in HIDDEN_FIELDS:
                for domain in (
                    [(name, "like", "k%")],
                    [(name, "!=", False)],
                    ["!", (name, "=", "x")],
                ):
                    with self.assertRaises(AccessError):
                        gateway.search(domain)
                    with self.assertRaises(AccessError):
                        gateway.search_count(domain)
                with self.assertRaises(AccessError):
                    gateway.search([], order=name)
                with self.assertRaises(AccessError):
                    gateway.formatted_read_group([], [name])
                with self.assertRaises(AccessError):
                    gateway._read_group([], [], [f"{name}:max"])

    def test_hidden_fields_cannot_be_probed_through_a_link(self):
        links = self.link.with_user(self.users["invoicing"])
        for name in HIDDEN_FIELDS:
            with self.subTest(field=name):
                with self.assertRaises(AccessError):
                    links.search([(f"gateway_id.{name}", "like", "k%")])
                with self.assertRaises(AccessError):
                    links.search([("gateway_id", "any", [(name, "like", "k%")])])
                with self.assertRaises(ValueError):
                    links.search([], order=f"gateway_id.{name}")
                with self.assertRaises(AccessError):
                    links.formatted_read_group([], [f"gateway_id.{name}"])
                with self.assertRaises(AccessError):
                    links.export_data([f"gateway_id/{name}"])
                with self.assertRaises(AccessError):
                    links.web_read({"gateway_id": {"fields": {name: {}}}})

    def test_masked_key_cannot_be_searched(self):
        for gateway in self.each_user():
            for name in ("secret_key", "webhook_secret"):
                with self.assertRaises(ValueError):
                    gateway.search([(name, "like", "kept")])

    def test_export_shows_masks_only(self):
        for gateway in self.each_user():
            self.assert_no_secret(gateway.export_data(["secret_key", "webhook_secret"]))
            for name in HIDDEN_FIELDS:
                with self.assertRaises(AccessError):
                    gateway.export_data([name])

    def test_duplicate_has_no_keys_and_an_address_of_its_own(self):
        self.gateway.journal_id = False
        for login in ("accounting", "system"):
            with self.subTest(user=login):
                copied = self.gateway.with_user(self.users[login]).copy()
                self.assertFalse(copied.secret_key)
                self.assertFalse(copied.webhook_secret)
                self.assertNotEqual(copied.webhook_url, self.gateway.webhook_url)

    def test_form_shows_masks_and_saving_it_changes_nothing(self):
        user = self.users["everything"]
        with Form(self.gateway.with_user(user)) as form:
            self.assertEqual(form.secret_key, "sk_test_…6789")
            form.name = "Renamed"
        with Form(self.gateway.with_user(user)) as form:
            form.secret_key = form.secret_key + " "
            form.webhook_secret = form.webhook_secret + "\n"
        gateway = self.gateway.sudo()
        self.assertEqual(gateway.name, "Renamed")
        self.assertEqual(gateway.secret_key_value, KEY)
        self.assertEqual(gateway.webhook_secret_value, WEBHOOK_SECRET)

    def test_onchange_gives_nothing_away(self):
        for login in ("accounting", "system"):
            gateway = self.gateway.with_user(self.users[login])
            with self.subTest(user=login):
                answer = gateway.onchange(
                    {"name": "New"}, ["name"], {"secret_key": {}, "webhook_secret": {}}
                )
                self.assert_no_secret(answer)
                for name in HIDDEN_FIELDS:
                    with self.assertRaises(AccessError):
                        gateway.onchange({"name": "New"}, ["name"], {name: {}})

    def test_hidden_fields_cannot_be_written(self):
        for gateway in self.each_user():
            for name in HIDDEN_FIELDS:
                with self.assertRaises(AccessError):
                    gateway.write({name: "sk_test_mine"})

    def test_message_templates_cannot_read_them(self):
        renderer = self.env["mail.render.mixin"].with_user(self.users["everything"])
        for name in HIDDEN_FIELDS:
            with self.subTest(field=name), mute_logger("odoo.models", "odoo.addons"):
                try:
                    rendered = renderer._render_template(
                        f"{{{{ object.{name} }}}}",
                        "checkout.gateway",
                        self.gateway.ids,
                        engine="inline_template",
                    )
                except Exception as error:
                    rendered = str(error)
                self.assert_no_secret(rendered)

    def test_change_of_key_leaves_no_trace_in_chatter_or_log(self):
        with self.assertLogs(level="DEBUG") as logs:
            gateway = self.gateway.with_user(self.users["accounting"])
            gateway.secret_key = f"{KEY}_new"
            gateway.webhook_secret = f"{WEBHOOK_SECRET}_new"
            gateway.action_test_connection()
        ours = [line for line in logs.output if "odoo.sql_db" not in line]
        self.assert_no_secret("\n".join(ours))
        self.assert_no_secret(self.gateway.message_ids.mapped("body"))
        self.assert_no_secret(self.gateway.message_ids.sudo().tracking_value_ids.read())
        self.assert_no_secret(self.gateway.connection_message)

    def test_query_that_fails_puts_no_key_into_the_log(self):
        other = self.create_gateway(name="Other", secret_key="sk_test_other")
        vals = {
            "secret_key": f"{KEY}_new",
            "webhook_secret": f"{WEBHOOK_SECRET}_new",
            "journal_id": self.gateway.journal_id.id,  # taken
        }
        with (
            self.assertLogs("odoo.sql_db", "ERROR") as logs,
            self.assertRaises(UniqueViolation),
            self.env.cr.savepoint(),
        ):
            other.with_user(self.users["accounting"]).write(vals)
        self.assert_no_secret("\n".join(logs.output))

    def test_refused_key_is_not_repeated_in_the_message(self):
        with self.assertRaises(ValidationError) as caught:
            self.gateway.secret_key = "pk_live_kept_from_everybody"
        self.assert_no_secret(str(caught.exception))
        with self.assertRaises(ValidationError) as caught:
            self.gateway.webhook_secret = "kept_from_everybody"
        self.assert_no_secret(str(caught.exception))

    def test_masked_line_keeps_its_secret_beside_a_new_one(self):
        self.gateway.webhook_secret = f"{self.gateway.webhook_secret}\nwhsec_second"
        self.assertEqual(
            self.gateway.sudo()._get_webhook_secrets(), [WEBHOOK_SECRET, "whsec_second"]
        )

    def test_webhook_address_cannot_be_guessed(self):
        tokens = {self.gateway.sudo().webhook_token}
        for number in range(20):
            gateway = self.env["checkout.gateway"].create({"name": str(number)})
            tokens.add(gateway.sudo().webhook_token)
        self.assertEqual(len(tokens), 21)
        self.assertTrue(all(len(token) >= len("kwh_") + 24 for token in tokens))

    def test_neutralized_database_keeps_no_secret_and_posts_nothing(self):
        other = self.create_gateway(name="Archived", secret_key="sk_test_at_other")
        other.active = False
        self.gateway.sudo().webhook_endpoint_id = "we_of_the_original"
        self.neutralize()
        for gateway in (self.gateway.sudo(), other.sudo()):
            self.assertFalse(gateway.secret_key_value)
            self.assertFalse(gateway.webhook_secret_value)
            self.assertFalse(gateway.webhook_endpoint_secret)
            self.assertFalse(gateway.post_entries)
            self.assertFalse(gateway.webhook_endpoint_id)
            self.assertTrue(gateway.journal_id)
        self.assertTrue(self.gateway.active)
        self.assertEqual(self.link.state, "active")

    def test_neutralized_database_reaches_no_stripe(self):
        payment = self.start_payment(self.link)
        self.neutralize()
        self.standin.clear_requests()
        for attempt in (
            lambda: payment.action_refund(1),
            self.gateway.action_sync,
        ):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                attempt()
        self.gateway.action_check_agreement()
        self.assertEqual(self.gateway.agreement_state, "grey")
        self.gateway.action_test_connection()
        self.assertEqual(self.gateway.connection_state, "failed")
        self.assertIn("no secret key", self.gateway.connection_message)
        self.assertFalse(self.standin.requests())


class TestGatewayKeysOverHttp(KeysCommon, CheckoutHttpCommon):
    """The same by the doors that programs use."""

    def post(self, address, headers=None, **payload):
        return self.url_open(
            address,
            data=json.dumps(payload),
            headers={"Content-Type": "application/json", **(headers or {})},
        ).text

    def test_json_2_reads_no_key(self):
        for login in ("invoicing", "everything"):
            user = self.users[login]
            api_key = (
                self.env["res.users.apikeys"]
                .with_user(user)
                ._generate("rpc", "test", self.env.cr.now())
            )
            headers = {"Authorization": f"Bearer {api_key}"}
            for body in (
                {"domain": []},
                {"domain": [], "fields": ["secret_key", *HIDDEN_FIELDS]},
                {"domain": [["secret_key_value", "like", "sk"]]},
            ):
                with self.subTest(user=login, body=body), mute_logger("odoo.http"):
                    text = self.post(
                        "/json/2/checkout.gateway/search_read", headers, **body
                    )
                    token = self.gateway.sudo().webhook_token
                    self.assert_no_secret(text.replace(f"/webhook/{token}", ""))

    def test_web_client_reads_no_key(self):
        self.authenticate("keys_everything", "keys_everything")
        with mute_logger("odoo.http"):
            text = self.post(
                "/web/dataset/call_kw",
                params={
                    "model": "checkout.gateway",
                    "method": "web_search_read",
                    "args": [],
                    "kwargs": {
                        "domain": [],
                        "specification": {"secret_key": {}, "secret_key_value": {}},
                    },
                },
            )
        self.assertIn("AccessError", text)
        self.assert_no_secret(text)

    def test_links_of_a_neutralized_database_take_no_money(self):
        self.authenticate(None, None)
        address = f"/checkout/{self.link.access_token}"
        nonce = self.url_open(address).text.partition('name="nonce" value="')[2]
        self.neutralize()
        answer = self.url_open(address, data={"nonce": nonce.partition('"')[0]})
        self.assertEqual(answer.status_code, 503)
        self.assertIn("Nothing was charged", answer.text)
        self.assertFalse(self.standin.requests())

    def test_neutralized_database_takes_no_delivery(self):
        address = f"/checkout/webhook/{self.gateway.sudo().webhook_token}"
        self.neutralize()
        answer = self.url_open(address, data="{}")
        self.assertEqual(answer.status_code, 404)

    def test_exports_hold_masks_only(self):
        for login in ("invoicing", "everything"):
            self.authenticate(f"keys_{login}", f"keys_{login}")
            for kind in ("csv", "xlsx"):
                for name in ("secret_key", *HIDDEN_FIELDS):
                    with self.subTest(login=login, kind=kind, field=name):
                        self.assert_no_secret(self.export(kind, name))
                self.assertIn("…6789", self.export(kind, "secret_key"))

    def export(self, kind, name):
        """What the web client's export of a field answers, of any kind."""
        wanted = {
            "model": "checkout.gateway",
            "fields": [{"name": name, "label": name, "type": "char"}],
            "ids": self.gateway.ids,
            "domain": [],
            "import_compat": False,
        }
        data = {"data": json.dumps(wanted), "csrf_token": http.Request.csrf_token(self)}
        with mute_logger("odoo.http", "odoo.addons.web"):
            answer = self.url_open(f"/web/export/{kind}", data=data)
        if not answer.content.startswith(b"PK"):
            return answer.text
        with ZipFile(BytesIO(answer.content)) as workbook:
            return "".join(workbook.read(part).decode() for part in workbook.namelist())
