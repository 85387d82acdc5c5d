"""Nothing that Stripe, a payer or a browser sends chooses company, gateway, link,
account or mode. What is read, where, and what tests it:

metadata of a session (`payment_origin.py`)
    payment, link: `test_link_of_another_company_is_not_used` and the next ones;
    amount, currency: `test_other_amount_than_asked_is_flagged`, `…_currency_…`;
    signature, and all of them changed: `test_changed_metadata_is_third_party`
session id, client_reference_id (`_find_by_session`)
    `test_session_of_an_earlier_version_…`, `test_client_reference_id_is_not_read`
metadata of a charge, refund or dispute (`processor.py`, `sync.py`,
`checkout_refund.py`)
    `test_copied_metadata_on_…`, `test_metadata_of_a_refund_names_no_payment`
account and mode of a key, account that a refusal names (`gateway_setup.py`)
    `test_other_account.py`, `test_gateway_keys.py`
account or context of an event, its livemode (`processor.py`, `webhook.py`)
    `test_thin_events.py`, `test_webhook.py`
currency of a payout or balance transaction (`_get_gateway_for`): one gateway of the
same company and account or another
    `test_payout_goes_to_the_gateway_of_its_currency`, `test_currency.py`
token, nonce and session_id that a browser sends (`pay_page.py`, `_find_for_return`)
    `test_pay_page.py`
"""

from uuid import uuid4

from ..stripe_client import StripeClient
from .common import CheckoutCommon


class TestOrigin(CheckoutCommon):
    """A session made with a key of the account, and what its metadata says."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway.action_test_connection()  # so its account is known
        cls.other_data = cls.setup_other_company()
        cls.other_company = cls.other_data["company"]
        cls.other_gateway = cls.create_gateway(
            cls.other_company,
            secret_key="sk_test_kit_at_other",
            income_account_id=cls.other_data["default_account_revenue"].id,
            tax_ids=False,
        )
        cls.link = cls.create_link()
        cls.other_link = cls.create_link(
            name="Theirs",
            gateway_id=cls.other_gateway.id,
            company_id=cls.other_company.id,
        )

    # === SESSIONS MADE BY HAND === #

    def ask(self, link=None, uuid=None, amount=110):
        """What a session is asked for, unsigned."""
        link = link or self.link
        return self.env["checkout.payment"]._prepare_asked(
            uuid or str(uuid4()), link, amount, link.currency_id
        )

    def sign(self, metadata, gateway=None, account_id=None):
        gateway = (gateway or self.gateway).sudo()  # the key is out of reach
        account_id = account_id or gateway.stripe_account_id
        return {**metadata, "checkout_signature": gateway._sign(metadata, account_id)}

    def pay_session(self, metadata, minor=11000, reference=None, key="sk_test_kit"):
        """A session that somebody with a key of the account made, paid and reported."""
        line = {"currency": "usd", "unit_amount": minor, "product_data": {"name": "X"}}
        params = {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": line}],
            "success_url": "https://example.com",
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
        }
        if reference:
            params["client_reference_id"] = reference
        session = StripeClient(key).create_session(params, str(uuid4()))
        self.standin.pay(session["id"])
        return session["id"]

    def take_over(self):
        """Deliver everything and sync: all that can reach the ledger has."""
        self.deliver()
        self.sync()

    def find_payment(self, session_id):
        domain = [("stripe_checkout_session_id", "=", session_id)]
        return self.env["checkout.payment"].search(domain)

    def count_entries(self, gateway):
        domain = [("journal_id", "=", gateway.journal_id.id)]
        return self.env["account.move"].search_count(domain)

    def assert_third_party(self, session_id, amount=110):
        """The money is posted for review, as other software's, and nowhere else."""
        self.take_over()
        self.assertFalse(self.find_payment(session_id))
        charges = self.env["checkout.movement"].search(
            [("kind", "=", "charge"), ("payment_id", "=", False)]
        )
        self.assertEqual(charges.mapped("amount"), [amount])
        self.assertTrue(charges.is_third_party)
        self.assertEqual(charges.gateway_id, self.gateway)
        self.assert_entry_for_review(charges, amount)
        self.assertFalse(self.count_entries(self.other_gateway))
        self.assert_agrees()

    def assert_entry_for_review(self, movement, amount):
        self.assertEqual(movement.state, "to_review")
        balances = {line.account_id: line.balance for line in movement.move_id.line_ids}
        self.assertEqual(balances[self.gateway.review_account_id], -amount)

    # === LOST ROWS === #

    def test_lost_payment_is_recreated_as_it_was(self):
        payment = self.pay(self.link)
        session_id = payment.stripe_checkout_session_id
        uuid, signature = payment.sudo().uuid, payment.sudo().signature
        payment.sudo().unlink()
        self.take_over()
        again = self.find_payment(session_id)
        self.assertEqual((again.link_id, again.gateway_id), (self.link, self.gateway))
        self.assertEqual(again.company_id, self.gateway.company_id)
        self.assertFalse(again.livemode or again.flag)
        self.assertEqual((again.state, again.amount), ("paid", 110))
        self.assertEqual(again.sudo().uuid, uuid)
        self.assertEqual(again.sudo().signature, signature)
        self.assert_agrees()

    def test_lost_payment_of_a_branch_stays_the_branchs(self):
        branch = self.env["res.company"].create(
            {"name": "Branch", "parent_id": self.gateway.company_id.id}
        )
        self.env.user.company_ids |= branch
        payment = self.pay(self.create_link(company_id=branch.id))
        session_id = payment.stripe_checkout_session_id
        payment.sudo().unlink()
        self.take_over()
        self.assertEqual(self.find_payment(session_id).company_id, branch)

    def test_lost_payment_of_a_deleted_link_has_no_link(self):
        link = self.create_link()
        payment = self.pay(link)
        session_id = payment.stripe_checkout_session_id
        payment.sudo().unlink()
        link.unlink()
        self.take_over()
        again = self.find_payment(session_id)
        self.assertFalse(again.link_id)
        self.assertEqual(again.gateway_id, self.gateway)
        self.assertEqual((again.amount, again.flag), (110, "late"))

    def test_other_amount_than_asked_is_flagged(self):
        session_id = self.pay_session(self.sign(self.ask()), minor=9900)
        self.take_over()
        payment = self.find_payment(session_id)
        self.assertEqual((payment.amount, payment.flag), (99, "mismatch"))
        self.assertEqual(self.get_movement(payment, "charge").amount, 99)

    def test_other_currency_than_asked_is_flagged(self):
        asked = {**self.ask(), "checkout_currency": "eur"}
        session_id = self.pay_session(self.sign(asked))
        self.take_over()
        payment = self.find_payment(session_id)
        self.assertEqual((payment.currency_id.name, payment.flag), ("USD", "mismatch"))

    def test_lost_payment_is_recreated_by_the_gateway_that_signed_it(self):
        euro = self.env.ref("base.EUR")
        euro.active = True
        sibling = self.create_gateway(currency_id=euro.id)
        sibling.action_test_connection()
        self.assertEqual(sibling.stripe_account_id, self.gateway.stripe_account_id)
        link = self.create_link(gateway_id=sibling.id, currency_id=euro.id)
        payment = self.pay(link)
        session_id = payment.stripe_checkout_session_id
        payment.sudo().unlink()
        self.receive(self.take_events("checkout.session.completed"))
        again = self.find_payment(session_id)
        self.assertEqual((again.gateway_id, again.link_id), (sibling, link))

    def test_lost_payment_is_known_in_a_copy_of_the_database(self):
        payment = self.pay(self.link)
        session_id = payment.stripe_checkout_session_id
        payment.sudo().unlink()
        self.env["ir.config_parameter"].set_param("database.uuid", str(uuid4()))
        self.take_over()
        self.assertEqual(self.find_payment(session_id).state, "paid")

    def test_lost_payment_is_known_once_a_restricted_key_names_its_account(self):
        self.gateway.sudo().stripe_account_id = False
        payment = self.pay(self.link)
        session_id = payment.stripe_checkout_session_id
        payment.sudo().unlink()
        self.sync()
        self.assertTrue(self.gateway.stripe_account_id)
        self.assertEqual(self.find_payment(session_id).state, "paid")

    def test_lost_payment_of_an_untested_gateway_is_no_third_partys(self):
        euro = self.env.ref("base.EUR")
        euro.active = True
        self.standin.settings(currencies=["usd", "eur"])
        self.gateway.sudo().stripe_account_id = False
        other_key = self.create_gateway(secret_key="rk_test_kit", currency_id=euro.id)
        payment = self.pay(self.create_link(currency_id=euro.id))
        session_id = payment.stripe_checkout_session_id
        payment.sudo().unlink()
        self.standin.release()
        self.sync(other_key)
        self.sync()
        again = self.find_payment(session_id)
        self.assertEqual((again.gateway_id, again.state), (self.gateway, "paid"))
        self.assertEqual(again.movement_ids.gateway_id, other_key)
        self.assertFalse(again.movement_ids.filtered("is_third_party"))

    # === OTHER COMPANY, MODE, ACCOUNT === #

    def test_session_that_names_another_companys_link_is_third_party(self):
        session_id = self.pay_session(self.ask(self.other_link, amount=9999), 999900)
        self.assert_third_party(session_id, 9999)

    def test_session_signed_by_another_companys_gateway_is_third_party(self):
        metadata = self.sign(self.ask(self.other_link), self.other_gateway)
        self.assert_third_party(self.pay_session(metadata))

    def test_link_of_another_company_is_not_used(self):
        session_id = self.pay_session(self.sign(self.ask(self.other_link)))
        self.take_over()
        payment = self.find_payment(session_id)
        self.assertFalse(payment.link_id)
        self.assertEqual(payment.gateway_id, self.gateway)
        self.assertEqual(payment.company_id, self.gateway.company_id)
        self.assertEqual(payment.income_account_id, self.gateway.income_account_id)
        self.assertFalse(self.count_entries(self.other_gateway))

    def test_link_that_moved_to_another_account_is_not_used(self):
        elsewhere = self.create_gateway(secret_key="sk_test_kit_at_elsewhere")
        payment = self.pay(self.link)
        session_id = payment.stripe_checkout_session_id
        payment.sudo().unlink()
        self.link.gateway_id = elsewhere
        self.take_over()
        again = self.find_payment(session_id)
        self.assertFalse(again.link_id)
        self.assertEqual(again.gateway_id, self.gateway)

    def test_test_session_does_not_reach_the_live_ledger(self):
        self.other_gateway.sudo().livemode = True
        for metadata in (
            self.ask(self.other_link),
            self.sign(self.ask(self.other_link)),
            self.sign(self.ask(self.other_link), self.other_gateway),
        ):
            self.pay_session(metadata)
        self.take_over()
        payments = self.env["checkout.payment"].search([])
        self.assertEqual(len(payments), 1)
        self.assertFalse(payments.livemode or payments.link_id)
        self.assertFalse(self.count_entries(self.other_gateway))
        self.assert_agrees()

    def test_signature_of_another_account_or_mode_is_none(self):
        gateway = self.gateway.sudo()
        for account_id, livemode in (("acct_else", False), (None, True)):
            gateway.livemode = livemode
            metadata = self.sign(self.ask(), account_id=account_id)
            gateway.livemode = False
            with self.subTest(account_id=account_id):
                self.assertFalse(gateway._find_signer(metadata))
        self.assertEqual(gateway._find_signer(self.sign(self.ask())), gateway)

    # === NOT SIGNED === #

    def test_unsigned_session_is_third_party(self):
        self.assert_third_party(self.pay_session(self.ask()))

    def test_changed_metadata_is_third_party(self):
        signed = self.sign(self.ask())
        changes = {
            "checkout_payment": str(uuid4()),
            "checkout_link": str(self.other_link.id),
            "checkout_amount": "1",
            "checkout_currency": "jpy",
            "checkout_signature": "0" * 64,
        }
        for name, value in changes.items():
            self.pay_session({**signed, name: value})
        self.take_over()
        self.assertFalse(self.env["checkout.payment"].search([]))
        charges = self.env["checkout.movement"].search([("kind", "=", "charge")])
        self.assertEqual(charges.mapped("is_third_party"), [True] * len(changes))
        self.assertEqual(charges.mapped("state"), ["to_review"] * len(changes))
        self.assert_agrees()

    def test_metadata_that_is_no_text_of_ours_is_third_party(self):
        signed = self.sign(self.ask())
        for value in ("", "é", "\ud800", 5, None, ["x"]):
            for name in signed:
                with self.subTest(name=name, value=value):
                    metadata = {**signed, name: value}
                    self.assertFalse(self.gateway.sudo()._find_signer(metadata))

    def test_client_reference_id_is_not_read(self):
        payment = self.start_payment(self.link)
        session_id = self.pay_session({}, reference=payment.sudo().uuid)
        self.assert_third_party(session_id)
        self.assertEqual(payment.state, "open")

    # === ONE PAYMENT, ONE SESSION === #

    def test_copied_signature_on_a_second_session_is_third_party(self):
        payment = self.pay(self.link)
        self.take_over()
        first = payment.stripe_checkout_session_id
        second = self.pay_session(payment.sudo()._prepare_metadata())
        self.assert_third_party(second)
        self.assertEqual(payment.stripe_checkout_session_id, first)
        self.assertEqual((payment.state, payment.amount), ("paid", 110))

    def test_copied_signature_of_an_open_payment_is_third_party(self):
        payment = self.start_payment(self.link)
        self.assert_third_party(self.pay_session(payment.sudo()._prepare_metadata()))
        self.assertEqual(payment.state, "open")

    def test_copied_metadata_on_a_charge_is_third_party(self):
        payment = self.pay(self.link)
        self.take_over()
        metadata = payment.sudo()._prepare_metadata()
        self.standin.create_charge(5000, metadata=metadata)
        self.take_over()
        foreign = self.env["checkout.movement"].search(
            [("is_third_party", "=", True), ("kind", "=", "charge")]
        )
        self.assert_entry_for_review(foreign, 50)
        self.assertEqual(len(payment.movement_ids), 2)
        self.assert_agrees()

    def test_copied_metadata_on_a_second_refund_is_another_refund(self):
        payment = self.pay(self.link)
        self.deliver()
        refund = payment.action_refund(10)
        self.standin.refund(
            payment.stripe_charge_id,
            500,
            metadata={"checkout_refund": refund.sudo().uuid},
        )
        self.take_over()
        self.assertEqual(sorted(payment.refund_ids.mapped("amount")), [5, 10])
        self.assertEqual(payment.amount_refunded, 15)
        self.assert_agrees()

    def test_metadata_of_a_refund_names_no_payment(self):
        payment = self.pay(self.link)
        charge = self.standin.create_charge(5000)
        self.take_over()
        metadata = payment.sudo()._prepare_metadata()
        self.standin.refund(charge["id"], 500, metadata=metadata)
        self.take_over()
        self.assertFalse(payment.refund_ids)
        self.assertEqual(payment.state, "paid")
        self.assert_agrees()

    # === KNOWN BY ITS ROW === #

    def test_session_of_an_earlier_version_is_known_by_its_id(self):
        payment = self.pay(self.link)
        payment.sudo().signature = False
        self.take_over()
        self.assertEqual(payment.state, "paid")

    def test_session_of_an_earlier_version_is_known_by_its_unopened_row(self):
        payment = self.link.sudo()._start_payment(str(uuid4()), 110, "en_US")
        payment.signature = False
        metadata = {**self.ask(uuid=payment.uuid), "checkout_database": "any"}
        session_id = self.pay_session(metadata)
        self.take_over()
        self.assertEqual(payment.stripe_checkout_session_id, session_id)
        self.assertEqual(payment.state, "paid")
        self.assert_agrees()

    def test_session_whose_answer_was_lost_is_known_by_its_signature(self):
        payment = self.link.sudo()._start_payment(str(uuid4()), 110, "en_US")
        session_id = self.pay_session(payment._prepare_metadata())
        self.take_over()
        self.assertEqual(payment.stripe_checkout_session_id, session_id)
        self.assertEqual(payment.state, "paid")

    def test_unsigned_session_is_not_that_of_an_unopened_row(self):
        payment = self.link.sudo()._start_payment(str(uuid4()), 110, "en_US")
        self.assert_third_party(self.pay_session(self.ask(uuid=payment.uuid)))
        self.assertEqual(payment.state, "open")

    # === CURRENCY === #

    def test_payout_goes_to_the_gateway_of_its_currency(self):
        self.standin.settings(currencies=["usd", "eur"])
        euro = self.env.ref("base.EUR")
        euro.active = True
        sibling = self.create_gateway(currency_id=euro.id)
        sibling.action_test_connection()
        self.standin.create_charge(5000, currency="eur")
        self.standin.release()
        self.standin.payout("eur")
        [event] = self.take_events("payout.created")
        self.receive([event])
        payout = self.env["checkout.payout"].search([])
        self.assertEqual(payout.gateway_id, sibling)
        event["id"] = "evt_changed"
        event["data"]["object"]["currency"] = "usd"
        self.receive([event])
        self.assertEqual(self.env["checkout.payout"].search([]), payout)

    # === KEYS === #

    def test_each_gateway_signs_with_a_key_of_its_own(self):
        copy = self.gateway.copy()
        gateways = (self.gateway | self.other_gateway | copy).sudo()
        self.assertEqual(len(set(gateways.mapped("signing_key"))), 3)

    def test_key_is_replaced_with_the_account(self):
        gateway = self.create_gateway(secret_key="sk_test_kit_at_elsewhere")
        before = gateway.sudo().signing_key
        gateway.secret_key = "sk_test_kit_at_yet_another"
        self.assertNotEqual(gateway.sudo().signing_key, before)

    def test_metadata_carries_what_is_signed_and_no_more(self):
        payment = self.start_payment(self.link).sudo()
        [request] = self.standin.requests("POST /v1/checkout/sessions")
        sent = request["params"]
        self.assertEqual(sent["client_reference_id"], payment.uuid)
        for metadata in (sent["metadata"], sent["payment_intent_data"]["metadata"]):
            self.assertEqual(
                metadata,
                {
                    "checkout_payment": payment.uuid,
                    "checkout_link": str(self.link.id),
                    "checkout_amount": "11000",
                    "checkout_currency": "usd",
                    "checkout_signature": payment.signature,
                },
            )
