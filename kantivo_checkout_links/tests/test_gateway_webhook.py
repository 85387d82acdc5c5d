import json
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import new_test_user
from odoo.tools import config, mute_logger

from ..const import API_VERSION, HANDLED_EVENTS
from .common import CLIENT_LOGGER, CheckoutCommon, CheckoutHttpCommon

BASE_URL = "https://shop.example.com"


class TestGatewayWebhook(CheckoutCommon):
    """Create Webhook: the endpoint at Stripe, its secret, and when it is refused."""

    def setUp(self):
        super().setUp()
        self.set_base_url(BASE_URL)

    def set_base_url(self, url):
        self.env["ir.config_parameter"].set_param("web.base.url", url)
        self.env.invalidate_all()

    def get_endpoints(self):
        client = self.gateway.sudo()._get_client()
        return list(client.iter_webhook_endpoints())

    def get_secrets(self):
        return self.gateway.sudo()._get_webhook_secrets()

    def test_endpoint_has_our_address_events_and_api_version(self):
        self.gateway.action_create_webhook()
        [endpoint] = self.get_endpoints()
        self.assertEqual(endpoint["url"], self.gateway.webhook_url)
        self.assertTrue(endpoint["url"].startswith(f"{BASE_URL}/checkout/webhook/kwh_"))
        self.assertCountEqual(endpoint["enabled_events"], HANDLED_EVENTS)
        self.assertEqual(endpoint["api_version"], API_VERSION)
        self.assertEqual(self.gateway.webhook_endpoint_id, endpoint["id"])

    def test_new_secret_is_kept_beside_the_one_that_was_pasted(self):
        self.gateway.action_create_webhook()
        new, pasted = self.get_secrets()
        self.assertEqual(pasted, "whsec_test")
        self.assertTrue(new.startswith("whsec_"))
        self.assertEqual(new, self.gateway.sudo().webhook_endpoint_secret)

    def test_new_endpoint_replaces_the_old_one_and_its_secret(self):
        self.gateway.action_create_webhook()
        old_id, old_secret = self.gateway.webhook_endpoint_id, self.get_secrets()[0]
        self.set_base_url("https://new.example.com")
        self.gateway.action_create_webhook()
        [endpoint] = self.get_endpoints()
        self.assertNotEqual(endpoint["id"], old_id)
        self.assertTrue(endpoint["url"].startswith("https://new.example.com/"))
        self.assertNotIn(old_secret, self.get_secrets())

    def test_manual_endpoint_for_our_url_is_replaced(self):
        client = self.gateway.sudo()._get_client()
        for url in (self.gateway.webhook_url, "https://other.example.com/hook"):
            client.create_webhook_endpoint(
                {"url": url, "enabled_events": ["charge.updated"]}
            )
        self.gateway.action_create_webhook()
        self.assertCountEqual(
            [endpoint["url"] for endpoint in self.get_endpoints()],
            [self.gateway.webhook_url, "https://other.example.com/hook"],
        )

    @mute_logger(CLIENT_LOGGER)
    def test_old_secret_stays_good_until_the_old_endpoint_is_gone(self):
        self.gateway.action_create_webhook()
        old_secret = self.get_secrets()[0]
        self.standin.api_fault(
            "status", "DELETE /v1/webhook_endpoints", status=500, times=9
        )
        try:  # assertRaises would roll back what is committed outside of tests
            self.gateway.action_create_webhook()
        except UserError:
            self.assertEqual(len(self.get_endpoints()), 2)
        new_secret = self.gateway.sudo().webhook_endpoint_secret
        self.assertNotEqual(new_secret, old_secret)
        self.assertEqual(self.get_secrets(), [new_secret, old_secret, "whsec_test"])

    def test_key_without_the_permission_is_reported(self):
        self.standin.reset(keys={"rk_test_kit": {"denied": ["rak_webhook_write"]}})
        self.gateway.secret_key = "rk_test_kit"
        with self.assertRaisesRegex(UserError, "lacks a permission"):
            self.gateway.action_create_webhook()
        self.assertEqual(self.get_secrets(), ["whsec_test"])

    def test_address_that_stripe_cannot_reach_is_refused_with_reasons(self):
        cases = [
            ("http://shop.example.com", ["starts with https://"]),
            ("https://localhost:8069", ["can't be reached from the internet"]),
            ("http://localhost:8069", ["starts with https://", "can't be reached"]),
            ("https://odoo.local", ["can't be reached"]),
            ("https://odoo", ["can't be reached"]),
            ("https://10.1.2.3", ["can't be reached"]),
            ("https://192.168.1.5:8443", ["can't be reached"]),
            ("https://127.0.0.1", ["can't be reached"]),
            ("https://[::1]:8069", ["can't be reached"]),
            ("https://[fd00::5]", ["can't be reached"]),
            ("https://169.254.1.1", ["can't be reached"]),
        ]
        for url, reasons in cases:
            with self.subTest(url=url):
                self.set_base_url(url)
                with self.assertRaises(UserError) as caught:
                    self.gateway.action_create_webhook()
                for reason in reasons:
                    self.assertIn(reason, str(caught.exception))
                self.assertEqual(str(caught.exception).count("•"), len(reasons))
        self.assertFalse(self.standin.requests("POST /v1/webhook_endpoints"))

    def test_public_addresses_are_taken(self):
        for url in ("https://shop.example.com:8443", "https://93.184.216.34"):
            with self.subTest(url=url):
                self.set_base_url(url)
                self.gateway.action_create_webhook()
                self.assertTrue(self.get_endpoints()[0]["url"].startswith(url))

    def test_host_that_leads_to_another_database_is_refused(self):
        with (
            patch.dict(config.options, {"dbfilter": "^another$"}),
            self.assertRaisesRegex(UserError, "doesn't serve the database"),
        ):
            self.gateway.action_create_webhook()

    def test_the_button_explains_what_is_in_the_way_without_an_error(self):
        self.set_base_url("http://shop.example.com")
        notification = self.gateway.action_connect_webhook()
        self.assertEqual(notification["params"]["type"], "warning")
        self.assertIn("https://", notification["params"]["message"])
        self.assertFalse(self.gateway.webhook_endpoint_id)

    def test_host_that_leads_to_several_databases_is_refused(self):
        everything = {"dbfilter": ".*"}
        with (
            patch.dict(config.options, everything),
            self.assertRaisesRegex(
                UserError, "databases are served at shop.example.com"
            ),
        ):
            self.gateway.action_create_webhook()

    def test_host_that_names_this_database_is_taken_among_many(self):
        own = {"dbfilter": f"^{self.env.cr.dbname}$"}
        with patch.dict(config.options, own):
            self.gateway.action_create_webhook()
        self.assertTrue(self.gateway.webhook_endpoint_id)


class TestWebhookBehindProxy(CheckoutHttpCommon):
    """A proxy may say which of several databases is meant, by a header."""

    def setUp(self):
        super().setUp()
        self.env["ir.config_parameter"].set_param("web.base.url", BASE_URL)
        groups = "base.group_user,account.group_account_manager"
        new_test_user(self.env, "chief", groups)
        self.authenticate("chief", "chief")

    def press_create_webhook(self, **headers):
        """What Odoo answers to the button, where several databases have the host."""
        params = {
            "model": "checkout.gateway",
            "method": "action_create_webhook",
            "args": [self.gateway.ids],
            "kwargs": {},
        }
        with patch.dict(config.options, {"dbfilter": ".*"}), mute_logger("odoo.http"):
            return self.url_open(
                "/web/dataset/call_kw",
                data=json.dumps({"params": params}),
                headers={"Content-Type": "application/json", **headers},
            ).text

    def test_database_that_a_proxy_names_is_taken_among_many(self):
        named = {"X-Odoo-Database": self.env.cr.dbname}
        self.assertNotIn("error", json.loads(self.press_create_webhook(**named)))
        self.env.invalidate_all()
        self.assertTrue(self.gateway.webhook_endpoint_id)

    def test_many_databases_are_too_many_without_a_proxy(self):
        self.assertIn("databases are served", self.press_create_webhook())
        self.assertFalse(self.gateway.webhook_endpoint_id)
