import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

from odoo import Command, fields
from odoo.tools import mute_logger

from .common import CLIENT_LOGGER, SYNC_LOGGER, CheckoutCommon
from .many import copy_payments, reading


class TestAgreement(CheckoutCommon):
    """The badge that says whether the ledger says what Stripe says."""

    def setUp(self):
        super().setUp()
        self.payment = self.pay(self.create_link(110))
        self.deliver()

    def post_by_hand(self, amount):
        """Somebody uses the Stripe account in an entry of their own."""
        account = self.gateway.journal_id.default_account_id
        other = self.company_data["default_account_expense"]
        move = self.env["account.move"].create(
            {
                "line_ids": [
                    Command.create({"account_id": account.id, "balance": amount}),
                    Command.create({"account_id": other.id, "balance": -amount}),
                ]
            }
        )
        move.action_post()
        return move

    def check(self):
        self.gateway.action_check_agreement()
        return self.gateway.agreement_state

    def test_green_when_both_balances_are_equal(self):
        self.assertEqual(self.check(), "green")
        self.assertEqual(self.gateway.agreement_stripe_balance, 106.51)
        self.assertEqual(self.gateway.agreement_journal_balance, 106.51)

    def test_amber_while_a_named_movement_waits(self):
        self.gateway.fee_account_id = False
        self.pay(self.create_link(20))
        self.deliver()
        self.assertEqual(self.check(), "amber")
        self.assertEqual(self.gateway.agreement_waiting, -0.88)
        self.assertEqual(self.gateway.agreement_difference, 0)

    def test_red_for_a_manual_entry_and_it_is_shown(self):
        move = self.post_by_hand(5)
        self.assertEqual(self.check(), "red")
        self.assertEqual(self.gateway.agreement_difference, -5)
        notice = self.gateway.action_view_difference()["params"]
        self.assertIn("Post it to another account", notice["message"])
        self.assertEqual(notice["next"]["res_model"], "account.move")
        self.assertEqual(notice["next"]["res_id"], move.id)

    def test_revaluation_is_no_difference(self):
        fee = self.get_movement(self.payment, "fee")
        self.change_in_the_database(fee)
        self.revalue()
        self.assertEqual(self.check(), "red")
        notice = self.gateway.action_view_difference()["params"]
        self.assertEqual(notice["next"]["res_id"], fee.id)

    def revalue(self):
        """Company currency alone changes, as where rates did."""
        euro = self.setup_other_currency("EUR")
        account = self.gateway.journal_id.default_account_id
        other = self.company_data["default_account_expense"]
        line = {"account_id": account.id, "currency_id": euro.id, "amount_currency": 0}
        move = self.env["account.move"].create(
            {
                "line_ids": [
                    Command.create({**line, "balance": 5}),
                    Command.create({"account_id": other.id, "balance": -5}),
                ]
            }
        )
        move.action_post()

    def test_red_for_an_entry_that_was_changed_in_the_database(self):
        fee = self.get_movement(self.payment, "fee")
        self.change_in_the_database(fee)
        self.assertEqual(self.check(), "red")
        notice = self.gateway.action_view_difference()["params"]
        self.assertIn("amount differs from Stripe", notice["message"])
        self.assertEqual(notice["next"]["res_model"], "checkout.movement")
        self.assertEqual(notice["next"]["res_id"], fee.id)

    def test_difference_is_found_without_loading_the_ledger(self):
        copy_payments(self.payment, 400)
        fee = self.get_movement(self.payment, "fee")
        self.change_in_the_database(fee)
        self.env.invalidate_all()
        notice = self.gateway.action_view_difference()["params"]
        self.assertEqual(notice["next"]["res_id"], fee.id)
        for model in ("account.move.line", "checkout.movement"):
            field = self.env[model]._fields["move_id"]
            self.assertLess(len(field._get_all_cache_ids(self.env)), 10)

    def test_what_stripe_lists_is_compared_page_by_page(self):
        for amount in range(120):
            self.standin.create_balance_transaction(-100 - amount)
        self.gateway.sudo().shared_account = "ask"
        with reading("checkout_movement") as reads:
            notice = self.gateway.action_view_difference()["params"]
        self.assertIn("1.00 for txn_", notice["message"])
        by_id = [q for q in reads.queries if '"balance_transaction_id" IN' in q]
        self.assertGreater(len(by_id), 1)
        self.assertLessEqual(max(q.count("txn_") for q in by_id), 100)

    def change_in_the_database(self, movement):
        """What no user can do in Odoo: another amount on the Stripe account."""
        account = self.gateway.journal_id.default_account_id
        item = movement.move_id.line_ids.filtered(lambda i: i.account_id == account)
        self.env.flush_all()
        self.cr.execute(
            "UPDATE account_move_line SET amount_currency = -9 WHERE id = %s", item.ids
        )
        self.env.invalidate_all()

    def test_red_alerts_the_responsible_user_once(self):
        self.post_by_hand(5)
        self.check()
        self.check()
        self.assertEqual(len(self.gateway.activity_ids), 1)
        self.assertEqual(self.gateway.activity_ids.user_id, self.gateway.user_id)

    def test_alarm_is_over_once_the_ledger_agrees_again(self):
        move = self.post_by_hand(5)
        self.check()
        move.button_draft()
        self.assertEqual(self.check(), "green")
        self.assertFalse(self.gateway.activity_ids)
        move.action_post()
        self.check()
        self.assertEqual(len(self.gateway.activity_ids), 1)

    def test_alarm_is_over_once_nothing_is_compared(self):
        self.post_by_hand(5)
        self.check()
        self.gateway.post_entries = False
        self.assertEqual(self.check(), "grey")
        self.assertFalse(self.gateway.activity_ids)

    def test_money_that_is_not_read_yet_is_read_before_it_is_a_difference(self):
        self.standin.create_balance_transaction(-500)
        self.assertEqual(self.check(), "green")
        self.assertEqual(self.gateway.agreement_journal_balance, 101.51)
        self.assertFalse(self.gateway.activity_ids)

    def test_balance_before_the_first_payment_is_read_before_it_is_a_difference(self):
        self.standin.create_balance_transaction(5000)
        gateway = self.create_gateway_of_a_used_account()
        gateway.action_check_agreement()
        self.assertEqual(gateway.agreement_state, "green")
        self.assertEqual(gateway.agreement_journal_balance, 156.51)

    def create_gateway_of_a_used_account(self):
        """One that starts to post now, and has read nothing yet."""
        self.gateway.active = False
        self.standin.advance(3600)
        return self.create_gateway(
            name="Started later",
            sync_from=fields.Datetime.now() + timedelta(minutes=30),
        )

    def test_money_that_moves_while_the_sync_compares_is_no_difference(self):
        self.sync()
        with self.moving_on("/v1/balance", -500):
            self.sync()
        self.assertEqual(self.gateway.agreement_stripe_balance, 101.51)
        self.assertEqual(self.gateway.agreement_state, "green")
        self.assertFalse(self.gateway.activity_ids)

    @contextmanager
    def moving_on(self, path, amount):
        """Money moves at Stripe while it is asked for a path for the first time."""
        self.standin.clear_requests()
        self.standin.api_fault("slow", f"GET {path}", seconds=0.5, times=9)
        with ThreadPoolExecutor() as pool:
            moved = pool.submit(self.move_once_asked, path, amount)
            yield
            moved.result()

    def move_once_asked(self, path, amount):
        for _time in range(200):
            if any(r["path"] == path for r in self.standin.requests(f"GET {path}")):
                return self.standin.create_balance_transaction(amount)
            time.sleep(0.05)
        raise AssertionError(f"no request for {path}")

    def test_money_that_stripe_lists_late_or_backdated_is_taken_by_the_check(self):
        self.gateway.sync_from -= timedelta(days=30)
        self.sync()
        now = self.standin.clock()["now"]
        for days in (0.25, 1, 20):
            with self.subTest(days=days):
                created = int(now - days * 24 * 3600)
                self.standin.create_balance_transaction(-300, created=created)
                self.assertEqual(self.check(), "green")
                self.standin.create_balance_transaction(-300, created=created)
                self.sync()
                self.assertEqual(self.gateway.agreement_state, "green")
        self.assert_agrees()

    def test_late_money_is_taken_though_another_difference_stays(self):
        self.gateway.sync_from -= timedelta(days=30)
        self.post_by_hand(5)
        self.sync()
        self.assertEqual(self.gateway.agreement_state, "red")
        created = int(self.standin.clock()["now"] - 24 * 3600)
        transaction = self.standin.create_balance_transaction(-300, created=created)
        self.sync()
        fee = self.env["checkout.movement"].search(
            [("balance_transaction_id", "=", transaction["id"])]
        )
        self.assertEqual(fee.state, "posted")
        self.assertEqual(self.gateway.agreement_difference, -5)

    def test_late_money_is_taken_together_with_what_is_new(self):
        self.gateway.sync_from -= timedelta(days=30)
        self.sync()
        created = int(self.standin.clock()["now"] - 24 * 3600)
        self.standin.create_balance_transaction(-300, created=created)
        self.standin.create_balance_transaction(-500)
        self.assertEqual(self.check(), "green")

    def test_difference_that_was_gone_is_a_new_one(self):
        self.gateway.sync_from -= timedelta(days=30)
        move = self.post_by_hand(3)
        self.assertEqual(self.check(), "red")
        move.button_draft()
        self.assertEqual(self.check(), "green")
        created = int(self.standin.clock()["now"] - 24 * 3600)
        self.standin.create_balance_transaction(-300, created=created)
        self.assertEqual(self.check(), "green")

    def test_all_is_read_once_per_difference(self):
        self.gateway.sync_from -= timedelta(days=30)
        self.post_by_hand(5)
        self.check()
        self.standin.clear_requests()
        self.check()
        self.assertEqual(len(self.standin.requests("/v1/balance_transactions")), 1)

    def test_difference_never_asks_for_a_sync_that_cannot_help(self):
        self.sync()
        self.standin.create_balance_transaction(-500)
        self.assertIn("Check again", self.get_sentence())
        self.assertEqual(self.check(), "green")
        self.gateway.sudo().shared_account = "ask"
        self.standin.create_balance_transaction(-500)
        self.assertEqual(self.check(), "red")
        self.assertIn("txn_", self.get_sentence())
        self.assertIn("your choice", self.get_sentence())

    def test_difference_says_why_an_object_is_not_read(self):
        self.sync()
        payment = self.pay(self.create_link(20))
        self.standin.release()
        self.standin.api_fault("status", "/v1/checkout/sessions", status=500, times=99)
        with mute_logger(CLIENT_LOGGER, SYNC_LOGGER):
            self.env["checkout.sync"]._cron_sync()
            self.gateway.action_check_agreement()
        self.assertEqual(payment.state, "open")
        self.assertEqual(self.gateway.agreement_state, "red")
        self.assertIn("can't be read", self.get_sentence())

    def test_difference_from_before_the_start_is_said_to_be(self):
        self.sync()
        created = int(self.standin.clock()["now"] - 30 * 24 * 3600)
        self.standin.create_balance_transaction(-500, created=created)
        self.assertEqual(self.check(), "red")
        self.assertIn("opening balance", self.get_sentence())

    def get_sentence(self):
        return self.gateway.action_view_difference()["params"]["message"]

    def test_red_for_unread_money_while_it_is_open_whose_it_is(self):
        self.gateway.sudo().shared_account = "ask"
        self.standin.create_balance_transaction(-500)
        self.assertEqual(self.check(), "red")

    def test_grey_while_nothing_is_posted(self):
        self.gateway.post_entries = False
        self.assertEqual(self.check(), "grey")

    def test_daily_check_notices(self):
        self.post_by_hand(5)
        self.env["checkout.agreement"]._cron_check()
        self.assertEqual(self.gateway.agreement_state, "red")

    # === LINK === #

    def test_link_agrees_when_its_payments_are_in_the_ledger(self):
        self.assertEqual(self.payment.link_id.agreement_state, "green")

    def test_link_is_amber_while_an_entry_waits(self):
        self.gateway.fee_account_id = False
        payment = self.pay(self.create_link(20))
        self.deliver()
        self.assertEqual(payment.link_id.agreement_state, "amber")

    def test_link_is_red_when_a_charge_is_missing(self):
        charge = self.get_movement(self.payment, "charge")
        charge.sudo().write({"payment_id": False})
        self.gateway.sudo()._count_payments()
        self.assertEqual(self.payment.link_id.agreement_state, "red")

    def test_link_is_red_when_the_ledger_says_otherwise_of_a_fee(self):
        self.change_in_the_database(self.get_movement(self.payment, "fee"))
        with mute_logger(SYNC_LOGGER):
            self.env["checkout.agreement"]._cron_check()
        self.assertEqual(self.payment.link_id.agreement_state, "red")

    def test_link_is_grey_while_nothing_is_posted(self):
        self.gateway.post_entries = False
        payment = self.pay(self.create_link(20))
        self.deliver()
        self.assertEqual(payment.link_id.agreement_state, "grey")

    def test_links_agree_in_every_state_of_their_payments(self):
        refunded, disputed = (self.pay(self.create_link(20)) for _payer in range(2))
        self.deliver()
        refunded.action_refund(5)
        dispute = self.standin.dispute(disputed.stripe_charge_id)
        self.standin.change_dispute(dispute["id"], "lose")
        self.deliver()
        links = (self.payment | refunded | disputed).link_id
        self.assertEqual(links.mapped("agreement_state"), ["green"] * 3)

    # === DASHBOARD === #

    def test_card_of_the_journal_says_whether_it_agrees(self):
        self.post_by_hand(5)
        self.check()
        card = self.get_card()
        self.assertEqual(card["checkout_agreement"], "red")
        self.assertEqual(card["checkout_agreement_text"], "Does not match Stripe")

    def test_cards_of_other_journals_say_nothing_of_stripe(self):
        bank = self.company_data["default_journal_bank"]
        self.assertNotIn("checkout_agreement", self.get_card(bank))
        self.assertEqual(bank.open_action()["res_model"], "account.bank.statement")

    def test_card_leads_to_movements_and_gateway(self):
        journal = self.gateway.journal_id
        action = journal.open_action()
        self.assertEqual(action["res_model"], "checkout.movement")
        movements = self.env["checkout.movement"].search(action["domain"])
        self.assertEqual(movements, self.payment.movement_ids)
        action = journal.action_view_checkout_gateway()
        self.assertEqual(action["res_id"], self.gateway.id)

    def test_card_of_an_archived_gateway_still_says_whether_it_agrees(self):
        self.gateway.action_archive()
        self.assertIn("checkout_agreement", self.get_card())
        self.test_card_leads_to_movements_and_gateway()

    def get_card(self, journal=None):
        journal = journal or self.gateway.journal_id
        return journal._get_journal_dashboard_data_batched()[journal.id]
