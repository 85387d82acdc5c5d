"""Those without rights, at the doors that a running server has."""

import json
import re
from uuid import uuid4

from odoo.tests import new_test_user
from odoo.tools import mute_logger

from ..clients import Client
from .common import CheckoutHttpCommon

LOGINS = {"outside_portal": "base.group_portal", "outside_employee": "base.group_user"}
REMARK = "Rosa gets it for half the price"


class OutsiderCase(CheckoutHttpCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = [
            new_test_user(cls.env, login, groups=groups)
            for login, groups in LOGINS.items()
        ]

    def setUp(self):
        super().setUp()
        self.payment = self.pay(self.create_link())
        self.deliver()
        self.link = self.payment.link_id
        for record in (self.link, self.payment, self.gateway):
            record.message_post(
                body=REMARK, message_type="comment", subtype_xmlid="mail.mt_comment"
            )
        self.env.flush_all()

    def call(self, route, **params):
        """:return: The text of the answer."""
        with mute_logger("odoo.http"):
            answer = self.url_open(
                route,
                data=json.dumps({"params": params}),
                headers={"Content-Type": "application/json"},
            )
        return answer.text

    def each_outsider(self):
        """Anybody, and those who are logged in but have no rights in accounting."""
        for login in (None, *LOGINS):
            self.authenticate(login, login)
            with self.subTest(login=login):
                yield login


class TestChatterOfOutsiders(OutsiderCase):
    """What merchants write to each other stays among them, though links are shared."""

    def test_address_of_a_link_opens_no_chatter(self):
        thread = {"thread_model": "checkout.link", "thread_id": self.link.id}
        token = self.link.access_token
        for _login in self.each_outsider():
            for route in ("/mail/chatter_fetch", "/portal/chatter_init"):
                answer = self.call(route, **thread, token=token)
                self.assertNotIn(REMARK, answer)
                self.assertNotIn('"can_react"', answer)

    def test_address_of_a_link_lets_no_stranger_write_into_its_chatter(self):
        before = self.link.message_ids
        for _login in self.each_outsider():
            self.call(
                "/mail/message/post",
                thread_model="checkout.link",
                thread_id=self.link.id,
                token=self.link.access_token,
                post_data={"body": "Hello", "message_type": "comment"},
            )
        self.env.invalidate_all()
        self.assertEqual(self.link.message_ids, before)

    def test_chatter_of_payments_and_gateways_is_closed(self):
        for _login in self.each_outsider():
            for record in (self.payment, self.gateway):
                thread = {"thread_model": record._name, "thread_id": record.id}
                for route in ("/mail/chatter_fetch", "/mail/thread/messages"):
                    self.assertNotIn(REMARK, self.call(route, **thread))

    def test_merchant_still_writes_to_others(self):
        login = "chatter_merchant"
        new_test_user(
            self.env, login, groups="base.group_user,account.group_account_invoice"
        )
        self.authenticate(login, login)
        answer = self.call(
            "/mail/message/post",
            thread_model="checkout.link",
            thread_id=self.link.id,
            post_data={"body": "Full from Monday", "message_type": "comment"},
        )
        self.assertIn("message_id", answer)
        self.env.invalidate_all()
        self.assertIn("Full from Monday", str(self.link.message_ids.mapped("body")))


class TestDataOfOutsiders(OutsiderCase):
    """No record of ours is read, found, changed or started by those without rights."""

    def get_records(self):
        """One record of each model that has any, among them those by a dispute."""
        self.standin.dispute(self.payment.stripe_charge_id)
        self.standin.payout()
        self.deliver()
        client = Client("203.0.113.9")
        self.link.sudo()._start_payment(str(uuid4()), 110, False, client)
        models = self.env["ir.model"].search(
            [("model", "=like", "checkout.%"), ("abstract", "=", False)]
        )
        found = [
            self.env[name].sudo().search([], limit=1)  # some are no one's to read
            for name in models.filtered(lambda m: not m.transient).mapped("model")
        ]
        return [record.sudo(False) for record in found if record]

    def call_method(self, record, method, *args, **kwargs):
        return self.call(
            f"/web/dataset/call_kw/{record._name}/{method}",
            model=record._name,
            method=method,
            args=[record.ids, *args],
            kwargs=kwargs,
        )

    def test_web_client_of_outsiders_gets_nothing(self):
        calls = {
            "read": ([],),
            "web_read": ({"display_name": {}},),
            "export_data": (["id", "display_name"],),
            "copy": (),
            "unlink": (),
            "write": ({"company_id": 1},),
            "web_save": ({"company_id": 1}, {}),
        }
        records = self.get_records()
        self.assertGreater(len(records), 5)
        for login in self.each_outsider():
            if login is None:
                continue
            for record in records:
                for method, args in calls.items():
                    with self.subTest(model=record._name, method=method):
                        answer = json.loads(self.call_method(record, method, *args))
                        self.assertNotIn("result", answer)

    def test_web_client_of_outsiders_finds_nothing(self):
        calls = {
            "search_read": {},
            "web_search_read": {"specification": {"display_name": {}}},
            "search_count": {"domain": []},
            "name_search": {},
            "formatted_read_group": {"domain": [], "groupby": ["company_id"]},
            "web_read_group": {"domain": [], "groupby": ["company_id"]},
            "has_access": {"operation": "read"},
        }
        for login in self.each_outsider():
            if login is None:
                continue
            for record in self.get_records():
                for method, kwargs in calls.items():
                    answer = json.loads(
                        self.call(
                            f"/web/dataset/call_kw/{record._name}/{method}",
                            model=record._name,
                            method=method,
                            args=[[]] if method == "has_access" else [],
                            kwargs=kwargs,
                        )
                    )
                    with self.subTest(model=record._name, method=method):
                        self.assertFalse(answer.get("result"))

    def test_outsiders_start_no_action(self):
        before = self.standin.requests()
        for login in self.each_outsider():
            if login is None:
                continue
            for record in (self.gateway, self.link, self.payment):
                actions = [name for name in dir(record) if name.startswith("action_")]
                self.assertGreater(len(actions), 4)
                for method in actions:
                    self.call_method(record, method)
        self.env.invalidate_all()
        self.assertEqual(self.link.state, "active")
        self.assertTrue(self.link.active)
        self.assertEqual(self.payment.state, "paid")
        self.assertEqual(self.standin.requests(), before)

    def test_web_client_answers_no_stranger(self):
        self.authenticate(None, None)
        for record in self.get_records():
            self.assertNotIn('"result"', self.call_method(record, "read"))

    def test_json_2_is_closed_to_outsiders(self):
        for user in self.users:
            api_key = (
                self.env["res.users.apikeys"]
                .with_user(user)
                ._generate("rpc", "test", self.env.cr.now())
            )
            for record in self.get_records():
                with (
                    self.subTest(login=user.login, model=record._name),
                    mute_logger("odoo.http"),
                ):
                    answer = self.url_open(
                        f"/json/2/{record._name}/search_read",
                        data=json.dumps({"domain": []}),
                        headers={
                            "Authorization": f"Bearer {api_key}",
                            "Content-Type": "application/json",
                        },
                    )
                    self.assertEqual(answer.status_code, 403)


class TestEnumeration(CheckoutHttpCommon):
    """What exists elsewhere looks like what doesn't exist, to the byte."""

    def get_answer(self, path, data=None):
        """Status, headers and body, without what is random in each page."""
        self.opener.cookies.clear()
        answer = self.url_open(path, data=data, allow_redirects=False)
        nonces = re.findall(r"nonce-([\w-]+)", str(answer.headers))
        text = answer.text.replace(nonces[0], "") if nonces else answer.text
        headers = str(sorted(answer.headers.items() - {("Date", "")}))
        headers = re.sub(r"nonce-[\w-]+|\('Date', '[^']+'\)", "", headers)
        return answer.status_code, headers, text

    def assert_alike(self, paths, data=None):
        first, *others = [self.get_answer(path, data) for path in paths]
        self.assertEqual(first[0], 404)
        for path, other in zip(paths[1:], others, strict=True):
            with self.subTest(path=path):
                self.assertEqual(other, first)

    def get_tokens(self):
        """Unknown, deleted and foreign ones: of another company, and no link's."""
        deleted = self.create_link()
        token = deleted.access_token
        deleted.unlink()
        sudo = self.gateway.sudo()
        return ["kcl_nothing", token, sudo.webhook_token, sudo.signing_key, "1"]

    def test_unknown_deleted_and_foreign_tokens_look_the_same(self):
        paths = [f"/checkout/{token}" for token in self.get_tokens()]
        self.assert_alike(paths)
        self.assert_alike(paths, {"nonce": "x", "amount": "5"})

    def test_unknown_deleted_and_foreign_sessions_look_the_same(self):
        other = self.pay(self.create_link()).stripe_checkout_session_id
        token = self.create_link().access_token
        sessions = ["cs_test_nothing_at_all", other, "", "x"]
        paths = [f"/checkout/{token}/return?session_id={it}" for it in sessions]
        paths += [
            f"/checkout/{each}/return?session_id={other}" for each in self.get_tokens()
        ]
        self.assert_alike(paths)

    def test_unknown_and_foreign_webhooks_look_the_same(self):
        silent = self.create_gateway(
            secret_key="sk_test_at_silent", webhook_secret=False, post_entries=False
        )
        tokens = [*self.get_tokens(), silent.sudo().webhook_token]
        tokens.remove(self.gateway.sudo().webhook_token)
        paths = [f"/checkout/webhook/{token}" for token in tokens]
        self.assert_alike(paths, b"{}")
