from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError, ValidationError

from .common import CheckoutCommon

OTHER_KEY = "sk_test_kit_at_other"
READ_FIELDS = (
    "opening_done",
    "transactions_read_to",
    "last_sync_at",
    "settlement_codes",
    "sync_note",
    "sync_error",
    "closed_until",
    "closed_balance",
    "agreement_checked_at",
    "agreement_stripe_balance",
    "agreement_journal_balance",
    "agreement_in_transit",
    "agreement_waiting",
    "agreement_left_out",
    "agreement_difference",
    "endpoint_problem",
    "recovered_last",
    "recovered_total",
)
READ_MODELS = ("checkout.movement", "checkout.payout", "checkout.event")


class TestOtherAccount(CheckoutCommon):
    """What becomes of a gateway that is given the key of another account or mode."""

    def top_up(self, amount, **merchant):
        self.standin.create_balance_transaction(
            amount, type="topup", category="topup", **merchant
        )

    def top_up_earlier(self, amount, **merchant):
        """Money that an account held before the gateway was given its key."""
        now = self.standin.clock()["now"]
        self.standin.set_clock(now=now - 7200)
        self.top_up(amount, **merchant)
        self.standin.set_clock(now=now)

    def read_without_posting(self):
        """The gateway reads what moved on its account, and posts nothing of it."""
        self.gateway.post_entries = False
        self.top_up(5000)
        self.standin.payout()
        self.sync()
        for model in READ_MODELS:
            self.assertTrue(self.find(model), model)

    def find(self, model):
        return self.env[model].search([("gateway_id", "=", self.gateway.id)])

    def count_rows(self):
        return [len(self.find(model)) for model in READ_MODELS]

    # === FROM THE START AGAIN === #

    def test_ledger_agrees_with_the_account_of_the_new_key(self):
        self.read_without_posting()
        self.top_up_earlier(7000, account="acct_other")
        self.gateway.write({"secret_key": OTHER_KEY, "post_entries": True})
        self.gateway.action_test_connection()
        self.sync()
        self.assertEqual(self.find("checkout.movement").kind, "opening")
        self.assertEqual(self.get_journal_balance(), 70)
        self.assertEqual(self.gateway.agreement_state, "green")

    def test_nothing_that_was_read_of_the_old_account_stays(self):
        self.gateway.action_test_connection()
        self.read_without_posting()
        self.gateway.sudo().write(
            {"sync_error": "Out of reach", "recovered_last": 1, "recovered_total": 2}
        )
        self.gateway.secret_key = OTHER_KEY
        self.assertEqual(self.count_rows(), [0, 0, 0])
        for name in READ_FIELDS:
            self.assertFalse(self.gateway[name], name)
        self.assertEqual(self.gateway.agreement_state, "grey")
        self.assertFalse(self.gateway.stripe_account_id)

    def test_other_mode_is_another_account(self):
        self.gateway.action_test_connection()
        self.read_without_posting()
        self.standin.clear_requests()
        self.gateway.secret_key = "sk_live_kit"
        self.assertEqual(self.count_rows(), [0, 0, 0])
        self.assertFalse(self.gateway.opening_done)
        self.assertFalse(self.standin.requests())

    def test_account_that_is_not_known_is_taken_for_another(self):
        self.read_without_posting()
        self.gateway.sudo().stripe_account_id = False
        self.gateway.secret_key = "sk_test_rolled"
        self.assertEqual(self.count_rows(), [0, 0, 0])

    def test_key_that_comes_after_a_while_without_one_starts_over(self):
        self.gateway.action_test_connection()
        self.read_without_posting()
        self.standin.clear_requests()
        self.gateway.secret_key = False
        self.assertTrue(all(self.count_rows()))
        self.assertFalse(self.standin.requests())
        self.gateway.secret_key = OTHER_KEY
        self.assertEqual(self.count_rows(), [0, 0, 0])

    def test_alarms_about_the_old_account_are_over(self):
        self.gateway.sudo().agreement_state = "red"
        self.gateway.sudo()._update_alarm()
        self.gateway.sudo().sync_error = "Out of reach"
        self.gateway._update_health_activity()
        self.assertEqual(len(self.gateway.activity_ids), 2)
        self.gateway.secret_key = OTHER_KEY
        self.assertFalse(self.gateway.activity_ids)

    def test_other_gateways_keep_what_they_read(self):
        self.read_without_posting()
        other = self.create_gateway(name="Other", secret_key="sk_test_at_second")
        other.action_sync()
        other.secret_key = OTHER_KEY
        self.assertTrue(all(self.count_rows()))
        self.assertTrue(self.gateway.opening_done)

    # === FROM WHEN ON === #

    def test_other_account_is_posted_from_now_on(self):
        self.gateway.sync_from = fields.Datetime.now() - timedelta(days=20)
        self.read_without_posting()
        now = fields.Datetime.now()
        self.gateway.secret_key = OTHER_KEY
        self.assertGreaterEqual(self.gateway.sync_from, now)

    def test_future_start_stays(self):
        later = fields.Datetime.now() + timedelta(days=20)
        self.gateway.sync_from = later
        self.sync()
        self.gateway.secret_key = OTHER_KEY
        self.assertEqual(self.gateway.sync_from, later)

    def test_start_stays_as_chosen_while_nothing_was_read(self):
        chosen = fields.Datetime.now() - timedelta(days=20)
        self.gateway.sync_from = chosen
        self.gateway.secret_key = OTHER_KEY
        self.assertEqual(self.gateway.sync_from, chosen)

    # === THE SAME ACCOUNT === #

    def test_another_key_of_the_same_account_changes_nothing_that_was_read(self):
        self.gateway.action_test_connection()
        self.read_without_posting()
        before = self.gateway.read([*READ_FIELDS, "sync_from", "stripe_account_id"])
        rows = self.count_rows()
        for key in ("sk_test_rolled", "rk_test_rolled", "rk_test_rolled"):
            self.gateway.secret_key = key
            self.assertEqual(self.count_rows(), rows)
            self.assertEqual(
                self.gateway.read([*READ_FIELDS, "sync_from", "stripe_account_id"]),
                before,
            )

    def test_same_key_written_again_changes_nothing(self):
        self.read_without_posting()
        self.gateway.action_test_connection()
        self.standin.clear_requests()
        rows = self.count_rows()
        self.gateway.secret_key = " sk_test_kit"
        self.assertEqual(self.count_rows(), rows)
        self.assertTrue(self.gateway.opening_done)
        self.assertEqual(self.gateway.connection_state, "connected")
        self.assertFalse(self.standin.requests())

    # === WHAT IS POSTED === #

    def test_posted_movements_stay_with_their_account_as_payments_do(self):
        self.gateway.action_test_connection()
        self.top_up(5000)
        self.sync()
        with self.assertRaisesRegex(ValidationError, "posted transactions"):
            self.gateway.secret_key = OTHER_KEY
        with self.assertRaisesRegex(ValidationError, "the other mode"):
            self.gateway.secret_key = "sk_live_kit"
        account = self.gateway.stripe_account_id
        self.gateway.secret_key = "sk_test_rolled"
        self.assertEqual(self.gateway.stripe_account_id, account)
        self.assertTrue(self.gateway.opening_done)

    def test_key_that_turns_out_to_be_of_another_account_fails_the_test(self):
        self.gateway.action_test_connection()
        self.top_up(5000)
        self.sync()
        self.gateway.sudo().secret_key_value = OTHER_KEY
        with self.assertRaisesRegex(UserError, "posted transactions"):
            self.gateway.action_test_connection()

    def test_payment_of_another_gateway_that_settled_here_keeps_the_account(self):
        payment = self.pay(self.create_link())
        self.gateway.post_entries = False
        self.deliver()
        other = self.create_gateway(name="Other", secret_key="sk_test_at_second")
        other.action_test_connection()
        payment.movement_ids.sudo().gateway_id = other
        with self.assertRaisesRegex(ValidationError, "different Stripe account"):
            other.secret_key = OTHER_KEY
