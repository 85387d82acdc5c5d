from uuid import uuid4

from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form
from odoo.tools import mute_logger

from ..const import HANDLED_EVENTS, PERMISSIONS
from .common import CLIENT_LOGGER, SYNC_LOGGER, CheckoutCommon

RESTRICTED_KEY = "rk_test_kit"


class TestGateway(CheckoutCommon):
    """What Test Connection says, and which gateways there can be."""

    def restrict(self, *denied):
        """Give the gateway a restricted key that lacks some permissions."""
        self.standin.reset(keys={RESTRICTED_KEY: {"denied": list(denied)}})
        self.gateway.secret_key = RESTRICTED_KEY

    def get_findings(self):
        self.gateway.action_test_connection()
        return self.gateway.connection_message

    # === TEST CONNECTION === #

    def test_good_key_is_reported_with_account_mode_and_currency(self):
        action = self.gateway.action_test_connection()
        self.assertEqual(action["params"]["type"], "warning")  # no webhook at Stripe
        self.assertEqual(self.gateway.connection_state, "connected")
        self.assertTrue(self.gateway.stripe_account_id.startswith("acct_"))
        for words in (
            "test mode, no real money",
            self.gateway.stripe_account_id,
            "Stripe settles in USD.",
        ):
            self.assertIn(words, self.gateway.connection_message)

    def test_unknown_key_fails_in_plain_words(self):
        self.gateway.secret_key = "sk_test_invalid"
        action = self.gateway.action_test_connection()
        self.assertEqual(action["params"]["type"], "danger")
        self.assertEqual(self.gateway.connection_state, "failed")
        self.assertIn("doesn't accept the key", self.gateway.connection_message)

    def test_gateway_without_key_says_so(self):
        self.gateway.sudo().secret_key_value = False
        self.assertIn("no secret key yet", self.get_findings())

    @mute_logger(CLIENT_LOGGER)
    def test_unreachable_stripe_says_nothing_about_the_key(self):
        self.standin.api_fault("status", "GET /v1/account", status=500, times=9)
        self.assertNotIn("doesn't accept the key", self.get_findings())
        self.assertEqual(self.gateway.connection_state, "failed")

    def test_restricted_key_with_all_permissions_is_good(self):
        self.restrict()
        self.assertIn("has all required permissions", self.get_findings())
        self.assertEqual(self.gateway.connection_state, "connected")

    def test_each_permission_is_missed_by_name_and_purpose(self):
        standin_names = {
            "checkout.sessions": "rak_checkout_session_write",
            "payment_intents": "rak_payment_intent_read",
            "charges": "rak_charge_read",
            "balance_transactions": "rak_balance_transaction_source_read",
            "balance": "rak_balance_read",
            "events": "rak_event_read",
            "refunds": "rak_charge_write",
            "payouts": "rak_payout_read",
            "disputes": "rak_dispute_read",
            "webhook_endpoints": "rak_webhook_write",
        }
        for permission in PERMISSIONS:
            with self.subTest(permission=permission.title):
                self.restrict(standin_names[permission.resource])
                message = self.get_findings()
                self.assertIn(f"“{permission.title}”", message)
                self.assertIn(str(permission.purpose), message)
                self.assertEqual(message.count("lacks"), 1)
                state = "failed" if permission.needed else "connected"
                self.assertEqual(self.gateway.connection_state, state)

    def test_probing_permissions_makes_nothing_at_stripe(self):
        self.restrict()
        self.get_findings()
        posts = [r for r in self.standin.requests() if r["method"] == "POST"]
        self.assertEqual(len(posts), 3)
        self.assertEqual({request["status"] for request in posts}, {400})
        self.assertFalse(self.standin.events())

    def test_probing_permissions_reads_one_row_each(self):
        self.restrict()
        self.standin.clear_requests()
        self.get_findings()
        for resource in [p.resource for p in PERMISSIONS if p.operation == "list"]:
            [request] = self.standin.requests(f"GET /v1/{resource}")
            self.assertEqual(request["params"], {"limit": "1"}, resource)

    def test_account_that_a_key_cannot_read_is_detected_without_failure(self):
        self.gateway.action_test_connection()
        account = self.gateway.stripe_account_id
        self.restrict("rak_accounts_kyc_basic_read")
        self.assertIn(account, self.get_findings())
        self.assertEqual(self.gateway.connection_state, "connected")
        self.assertEqual(self.gateway.stripe_account_id, account)

    def test_journal_in_a_currency_that_stripe_does_not_settle_in_is_reported(self):
        self.standin.settings(currencies=["eur", "gbp"])
        self.assertIn("Choose a journal in EUR, GBP.", self.get_findings())

    def test_webhook_that_stripe_disabled_or_that_lacks_events_is_reported(
        self,
    ):
        client = self.gateway.sudo()._get_client()
        endpoint = client.create_webhook_endpoint(
            {
                "url": self.gateway.webhook_url,
                "enabled_events": list(HANDLED_EVENTS[1:]),
                "api_version": "2020-08-27",
            }
        )
        client._v1.webhook_endpoints.update(endpoint["id"], {"disabled": True})
        message = self.get_findings()
        self.assertIn("disabled the webhook", message)
        self.assertIn("2020-08-27", message)
        self.assertIn(HANDLED_EVENTS[0], message)
        self.assertNotIn(HANDLED_EVENTS[1], message)

    # === WHICH GATEWAYS THERE CAN BE === #

    def test_second_gateway_for_the_same_money_is_refused_when_tested(self):
        self.gateway.action_test_connection()
        twin = self.create_gateway(name="Twin")
        with self.assertRaisesRegex(ValidationError, "already"):
            twin.action_test_connection()

    def test_payment_is_not_taken_for_lost_by_another_gateway_of_its_account(self):
        twin = self.create_gateway(name="Twin")
        payment = self.pay(self.create_link())
        self.deliver()
        twin.action_sync()
        self.assertEqual(len(self.env["checkout.payment"].search([])), 1)
        self.assertFalse(payment.movement_ids.filtered(lambda m: m.gateway_id == twin))
        events = self.env["checkout.event"].search([("gateway_id", "=", twin.id)])
        self.assertLessEqual(set(events.mapped("state")), {"ignored"})

    def test_second_gateway_by_another_key_is_refused_when_tested(self):
        self.gateway.action_test_connection()
        twin = self.create_gateway(name="Twin", secret_key="sk_test_other")
        with self.assertRaisesRegex(ValidationError, "may be archived"):
            twin.action_test_connection()

    def test_archived_gateway_still_keeps_its_place(self):
        self.gateway.action_test_connection()
        self.gateway.active = False
        twin = self.create_gateway(name="Twin")
        with self.assertRaises(ValidationError):
            twin.action_test_connection()

    def test_gateways_of_one_account_share_a_key_in_two_currencies(self):
        euro = self.env.ref("base.EUR")
        euro.active = True
        other = self.create_gateway(name="Stripe EUR", currency_id=euro.id)
        self.assertEqual(other.journal_id.currency_id, euro)
        self.gateway.action_test_connection()
        other.action_test_connection()
        self.assertEqual(other.stripe_account_id, self.gateway.stripe_account_id)

    def test_new_key_of_another_account_is_refused_once_there_are_payments(self):
        self.gateway.action_test_connection()
        self.start_payment(self.create_link())
        with self.assertRaisesRegex(ValidationError, "different Stripe account"):
            self.gateway.secret_key = "sk_test_at_other"
        with self.assertRaisesRegex(ValidationError, "the other mode"):
            self.gateway.secret_key = "sk_live_kit"
        self.gateway.secret_key = "sk_test_rolled"
        self.assertEqual(self.gateway.sudo().secret_key_value, "sk_test_rolled")

    def test_account_that_was_never_read_is_known_by_its_newest_session(self):
        self.start_payment(self.create_link())
        self.start_without_session()
        with self.assertRaisesRegex(ValidationError, "different Stripe account"):
            self.gateway.secret_key = "sk_test_at_other"
        with self.assertRaisesRegex(UserError, "doesn't accept the key"):
            self.gateway.secret_key = "sk_test_invalid"
        self.gateway.secret_key = "sk_test_rolled"
        self.assertEqual(self.gateway.sudo().secret_key_value, "sk_test_rolled")
        self.assertFalse(self.gateway.stripe_account_id)

    def start_without_session(self, gateway=None):
        """A payer whose checkout Stripe hasn't answered to."""
        link = self.create_link(gateway_id=(gateway or self.gateway).id).sudo()
        return link._start_payment(str(uuid4()), link.amount, "en_US")

    def test_key_that_may_not_read_sessions_is_taken_on_trust(self):
        denied = {"denied": ["rak_checkout_session_read"]}
        self.standin.configure(keys={"rk_test_at_other": denied})
        self.start_payment(self.create_link())
        self.gateway.secret_key = "rk_test_at_other"
        self.assertEqual(self.gateway.sudo().secret_key_value, "rk_test_at_other")

    def test_any_key_of_the_mode_is_good_while_nothing_names_the_account(self):
        self.start_without_session()
        self.gateway.secret_key = "sk_test_at_other"
        self.assertEqual(self.gateway.sudo().secret_key_value, "sk_test_at_other")

    @mute_logger(CLIENT_LOGGER)
    def test_new_key_waits_for_stripe_to_answer_whose_it_is(self):
        self.start_payment(self.create_link())
        path = "GET /v1/checkout/sessions"
        self.standin.api_fault("status", path, status=500, times=9)
        with self.assertRaises(UserError) as caught:
            self.gateway.secret_key = "sk_test_rolled"
        self.assertNotIn("different Stripe account", str(caught.exception))
        self.assertEqual(self.gateway.sudo().secret_key_value, "sk_test_kit")

    def test_gateway_whose_key_is_taken_out_stays_in_its_mode(self):
        live = self.env["checkout.gateway"].create(
            {"name": "Live", "secret_key": "sk_live_kit"}
        )
        self.start_without_session(live)
        for key in (False, "", " "):
            live.secret_key = key
            self.assertFalse(live.secret_key)
            self.assertTrue(live.livemode)
        with self.assertRaisesRegex(ValidationError, "the other mode"):
            live.secret_key = "sk_test_kit"
        live.secret_key = "sk_live_new"
        self.assertEqual(live.secret_key, "sk_live_…_new")

    def test_mode_follows_the_next_key_where_nothing_is_paid_yet(self):
        gateway = self.env["checkout.gateway"].create({"name": "New"})
        self.assertFalse(gateway.livemode)
        for key, live in (("sk_live_a", True), ("", True), ("sk_test_a", False)):
            gateway.secret_key = key
            self.assertEqual(gateway.livemode, live)
            self.assertEqual(gateway.post_entries, live)

    def test_new_key_that_cannot_be_checked_is_refused_once_there_are_payments(self):
        self.gateway.action_test_connection()
        self.start_payment(self.create_link())
        with self.assertRaisesRegex(UserError, "doesn't accept the key"):
            self.gateway.secret_key = "sk_test_invalid"

    def test_new_key_forgets_what_the_old_one_read(self):
        self.gateway.action_test_connection()
        self.gateway.secret_key = "sk_test_at_other"
        self.assertFalse(self.gateway.stripe_account_id)
        self.assertEqual(self.gateway.connection_state, "untested")

    def test_browser_key_is_refused(self):
        for key in ("pk_test_kit", "whsec_kit", "hello", "sk_test_", "sk_prod_x"):
            with self.subTest(key=key), self.assertRaises(ValidationError):
                self.gateway.secret_key = key

    def test_archived_gateway_leaves_the_balance_to_its_successor(self):
        old, key = self.gateway, self.gateway.sudo().secret_key_value
        old.active = False
        new = self.create_gateway(name="Successor", secret_key=key)
        self.pay(self.create_link(110, gateway_id=new.id))
        self.standin.release()
        self.standin.create_balance_transaction(-500)
        self.env["checkout.sync"]._cron_sync()
        self.env.invalidate_all()
        movements = self.env["checkout.movement"].search([])
        self.assertEqual(movements.gateway_id, new)
        self.assertEqual(new.agreement_state, "green")
        self.assertFalse(old.last_sync_at)

    def test_gateway_with_payments_is_archived_not_deleted(self):
        self.start_payment(self.create_link())
        with self.assertRaisesRegex(UserError, "Archive it"):
            self.gateway.unlink()

    def test_posting_is_off_for_test_keys_and_on_for_live_ones(self):
        gateways = self.env["checkout.gateway"].create(
            [
                {"name": "Test", "secret_key": "sk_test_a"},
                {"name": "Live", "secret_key": "sk_live_a"},
                {"name": "None"},
            ]
        )
        self.assertEqual(gateways.mapped("post_entries"), [False, True, False])
        gateways[2].secret_key = "sk_live_b_at_second"
        self.assertTrue(gateways[2].post_entries)
        gateways[2].write({"secret_key": "sk_test_b", "post_entries": True})
        self.assertTrue(gateways[2].post_entries)

    def save_form(self, gateway=None, **vals):
        """A gateway as a form leaves it, which sends all that it shows."""
        with Form(gateway or self.env["checkout.gateway"]) as form:
            for name, value in {"name": "By form", **vals}.items():
                form[name] = value
        return form.record

    def test_form_posts_by_the_mode_of_the_key_that_is_pasted(self):
        live = self.save_form(secret_key=" sk_live_a_at_form ")
        self.assertTrue(live.post_entries)
        self.assertFalse(self.save_form(live, secret_key="sk_test_a").post_entries)
        self.assertTrue(self.save_form(live, secret_key="rk_live_b").post_entries)
        self.assertFalse(self.save_form(secret_key="sk_test_a").post_entries)
        self.assertFalse(self.save_form().post_entries)

    def test_form_of_a_live_key_can_still_be_set_not_to_post(self):
        live = self.save_form(secret_key="sk_live_a", post_entries=False)
        self.assertFalse(live.post_entries)
        self.assertFalse(self.save_form(live, name="Renamed").post_entries)
        self.assertFalse(self.save_form(live, secret_key="sk_live_b").post_entries)

    def test_form_takes_back_what_it_showed_for_a_key_that_was_pasted_first(self):
        with Form(self.env["checkout.gateway"]) as form:
            form.secret_key = "sk_live_a"
            self.assertTrue(form.post_entries)
            form.secret_key = "sk_test_a"
        self.assertFalse(form.record.post_entries)

    def test_form_keeps_what_a_person_chose_when_a_key_of_the_same_mode_comes(self):
        self.gateway.post_entries = False
        with Form(self.gateway) as form:
            form.post_entries = True
            form.secret_key = "sk_test_kit_rolled"
        self.assertTrue(self.gateway.post_entries)

    def test_form_leaves_posting_alone_for_what_is_no_key(self):
        with Form(self.gateway) as form:
            for key in (form.secret_key, "pk_live_a", "sk_live_", ""):
                form.secret_key = key
                self.assertTrue(form.post_entries)
            form.secret_key = "sk_test_kit"

    def test_copy_of_a_live_gateway_does_not_post_until_its_own_key_says_so(self):
        live = self.env["checkout.gateway"].create(
            {"name": "Live", "secret_key": "sk_live_a"}
        )
        copies = live.copy() | live.copy()
        self.assertEqual(copies.mapped("post_entries"), [False, False])
        copies[0].secret_key = "sk_test_a_at_copy"
        copies[1].secret_key = "sk_live_a_at_copy"
        self.assertEqual(copies.mapped("post_entries"), [False, True])

    # === ODOO'S OWN STRIPE PROVIDER === #

    def test_sync_waits_until_the_merchant_chose_about_a_shared_account(self):
        self.gateway.sudo()._set_shared_account(True)
        with self.assertRaisesRegex(UserError, "Choose on the gateway"):
            self.gateway.action_sync()
        self.gateway.action_ignore_third_party()
        self.assertEqual(self.gateway.foreign_movements, "skip")
        self.gateway.sudo()._set_shared_account(True)  # the next test finds it again
        self.gateway.action_sync()
        self.assertTrue(self.gateway.last_sync_at)

    @mute_logger(SYNC_LOGGER)
    def test_scheduled_sync_says_why_it_waits(self):
        self.gateway.sudo()._set_shared_account(True)
        self.env["checkout.sync"]._cron_sync()
        self.assertIn("The sync waits for your choice", self.gateway.sync_error)

    def test_same_account_is_known_by_any_of_its_keys(self):
        self.gateway.action_test_connection()
        gateway = self.gateway.sudo()
        self.assertTrue(gateway._ask_if_same_account("sk_test_kit"))
        self.assertTrue(gateway._ask_if_same_account("sk_test_other_key"))
        self.assertFalse(gateway._ask_if_same_account("sk_test_at_other"))
        self.assertFalse(gateway._ask_if_same_account("sk_live_kit"))
        self.assertFalse(gateway._ask_if_same_account("sk_test_invalid"))

    # === STEPS === #

    def test_steps_are_ticked_one_by_one(self):
        def get_steps():
            gateway.invalidate_recordset()
            names = ("key", "test", "accounts", "webhook", "link")
            return [name for name in names if gateway[f"step_{name}"]]

        with Form(self.env["checkout.gateway"]) as form:
            form.name = "Second"
        gateway = form.record
        self.assertEqual(get_steps(), [])
        gateway.secret_key = "sk_test_at_second"
        self.assertEqual(get_steps(), ["key"])
        gateway.action_test_connection()
        self.assertEqual(get_steps(), ["key", "test"])
        gateway.action_create_accounting()
        self.assertEqual(get_steps(), ["key", "test", "accounts"])
        gateway.webhook_secret = "whsec_second"
        self.assertEqual(get_steps(), ["key", "test", "accounts", "webhook"])
        self.assertFalse(gateway.steps_done)
        self.create_link(gateway_id=gateway.id)
        self.assertEqual(len(get_steps()), 5)
        self.assertTrue(gateway.steps_done)
