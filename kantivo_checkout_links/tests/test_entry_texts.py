from odoo.tests import Form

from .common import CheckoutCommon

ID_FIELDS = (
    "stripe_charge_id",
    "stripe_balance_transaction_id",
    "stripe_payout_id",
    "stripe_trace_id",
)


class TestNumbers(CheckoutCommon):
    """A payment has a number once there is money, and none before."""

    def get_next_number(self):
        sequence = self.env.ref("kantivo_checkout_links.sequence_checkout_payment")
        return sequence.number_next_actual

    def test_unpaid_checkouts_use_no_numbers(self):
        link = self.create_link(110)
        before = self.get_next_number()
        opened = [self.start_payment(link) for _times in range(3)]
        self.standin.expire(opened[0].stripe_checkout_session_id)
        self.standin.pay(opened[1].stripe_checkout_session_id)
        self.deliver()
        paid_later = self.pay(link)
        self.deliver()
        self.assertEqual([payment.name for payment in opened[::2]], [False, False])
        self.assertEqual(
            [opened[1].name, paid_later.name],
            [f"CL{number:05}" for number in (before, before + 1)],
        )

    def test_bank_debit_is_numbered_while_the_bank_takes_its_time(self):
        payment = self.pay(self.create_link(), number="debit")
        self.receive(self.take_events())
        number = payment.name
        self.assertTrue(number)
        self.standin.settle_debit(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual((payment.state, payment.name), ("paid", number))

    def test_number_stays(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        number = payment.name
        payment.action_refund(33)
        self.standin.dispute(payment.stripe_charge_id, amount=2000)
        self.deliver()
        self.sync()
        self.assertEqual(payment.name, number)

    def test_numbers_are_of_the_company_that_is_paid(self):
        own = self.env["ir.sequence"].create(
            {
                "name": "Own",
                "code": "checkout.payment",
                "prefix": "OWN",
                "company_id": self.env.company.id,
            }
        )
        payment = self.pay(self.create_link(110))
        self.deliver()
        self.assertEqual(payment.name, "OWN1")
        self.assertEqual(own.number_next_actual, 2)

    def test_checkout_without_money_says_what_it_is(self):
        link = self.create_link(110)
        payment = self.start_payment(link)
        self.assertEqual(payment.display_name, "Checkout opened")
        self.standin.expire(payment.stripe_checkout_session_id)
        self.deliver()
        self.assertEqual(payment.display_name, "Checkout expired")
        paid = self.pay(link)
        self.deliver()
        self.assertEqual(paid.display_name, paid.name)

    def test_stripe_reads_the_title_and_no_number_that_may_never_be(self):
        payment = self.pay(self.create_link(110))
        [request] = self.standin.requests("POST /v1/checkout/sessions")
        intent = request["params"]["payment_intent_data"]
        self.assertEqual(intent["description"], "Summer course")
        self.deliver()
        self.assertNotIn(payment.name, str(request))


class TestReferences(CheckoutCommon):
    """People read what an entry is about; Stripe's ids have fields of their own."""

    def test_reference_is_the_number_and_the_title(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        payment.action_refund(33)
        self.assertEqual(
            set(payment.move_ids.mapped("ref")), {f"{payment.name} · Summer course"}
        )
        self.assertEqual(len(payment.move_ids), 3)

    def test_reference_is_the_same_however_late_stripe_settles(self):
        self.standin.settings(balance_transactions="held")
        payment = self.pay(self.create_link(110))
        self.receive(self.take_events())
        ref = f"{payment.name} · Summer course"
        self.assertEqual(payment.move_ids.ref, ref)
        self.deliver()
        self.assertEqual(payment.move_ids.mapped("ref"), [ref, ref])

    def test_reference_leaves_room_for_the_amount(self):
        title = "A very long title that says everything about the course"
        payment = self.pay(self.create_link(110, name=title))
        self.deliver()
        [ref] = set(payment.move_ids.mapped("ref"))
        self.assertEqual(len(ref), 40)
        self.assertTrue(ref.endswith("…"))
        self.assertTrue(f"{payment.name} · {title}".startswith(ref[:-1]))

    def test_invoice_shows_the_reference_of_what_may_pay_it(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay(self.create_link(110), email="rosa@example.com")
        self.deliver()
        invoice = self.init_invoice(
            "out_invoice", partner=payment.partner_id, amounts=[110], post=True
        )
        [credit] = invoice.invoice_outstanding_credits_debits_widget["content"]
        self.assertEqual(credit["journal_name"], f"{payment.name} · Summer course")

    def test_what_is_no_payment_is_named_by_its_kind(self):
        self.pay(self.create_link(110))
        self.deliver()
        self.standin.payout("usd", pending_too=True)
        self.deliver()
        payout = self.env["checkout.movement"].search([("kind", "=", "payout")])
        self.assertEqual(payout.move_id.ref, "Payout")

    def test_texts_never_change_after_posting(self):
        self.standin.settings(balance_transactions="held")
        self.gateway.partner_policy = "match"
        payment = self.pay(self.create_link(110), email="late@example.com")
        self.receive(self.take_events())
        before = self.read_texts(payment)
        payment.link_id.name = "Winter course"
        partner = self.env["res.partner"].create({"name": "Late"})
        payment.action_set_contact(partner)
        partner.name = "Renamed"
        self.deliver()
        payment.action_refund(33)
        self.standin.payout("usd", pending_too=True)
        self.deliver()
        self.sync()
        after = self.read_texts(payment)
        self.assertEqual({key: after[key] for key in before}, before)
        self.assertGreater(len(after), len(before))

    def read_texts(self, payment):
        self.env.flush_all()
        self.env.invalidate_all()
        lines = payment.move_ids.line_ids
        return {line: (line.name, line.ref, line.move_name) for line in lines}


class TestStripeIds(CheckoutCommon):
    """Each entry is found by Stripe's ids, as soon as Stripe has said them."""

    def read_ids(self, movement):
        self.env.flush_all()
        self.env.invalidate_all()
        return [movement.move_id[name] for name in ID_FIELDS]

    def assert_found(self, movement):
        """By each id, on journal items, and by an export of them."""
        items = self.env["account.move.line"]
        for name in ID_FIELDS:
            value = movement.move_id[name]
            if value:
                found = items.search([(name, "=", value)])
                self.assertLessEqual(movement.move_id.line_ids, found)
                [row, *_rows] = movement.move_id.line_ids.export_data([name])["datas"]
                self.assertEqual(row, [value])

    def pay_and_pay_out(self):
        payment = self.pay(self.create_link(110))
        self.deliver()
        payment.action_refund(33)
        self.deliver()
        payout = self.standin.payout("usd", pending_too=True)
        self.deliver()
        return payment, payout["id"]

    def test_entries_carry_charge_transaction_payout_and_trace(self):
        payment, payout_id = self.pay_and_pay_out()
        charge_id = payment.stripe_charge_id
        for kind in ("charge", "fee", "refund"):
            with self.subTest(kind=kind):
                movement = self.get_movement(payment, kind)
                transaction_id = movement.balance_transaction_id
                self.assertTrue(transaction_id.startswith("txn_"))
                self.assertEqual(
                    self.read_ids(movement),
                    [charge_id, transaction_id, payout_id, False],
                )
                self.assert_found(movement)

    def test_payout_is_found_by_the_banks_trace(self):
        _payment, payout_id = self.pay_and_pay_out()
        movement = self.env["checkout.movement"].search([("kind", "=", "payout")])
        self.assertEqual(self.read_ids(movement)[3], False)  # the bank hasn't said it
        self.standin.change_payout(payout_id, "send")
        self.standin.change_payout(payout_id, "pay")
        self.deliver()
        row = self.env["checkout.payout"].search([("stripe_id", "=", payout_id)])
        self.assertTrue(row.trace_id)
        self.assertEqual(
            self.read_ids(movement),
            [False, movement.balance_transaction_id, payout_id, row.trace_id],
        )
        self.assert_found(movement)

    def test_ids_reach_hashed_entries_and_the_hash_stays_whole(self):
        self.gateway.journal_id.restrict_mode_hash_table = True
        self.standin.settings(balance_transactions="held")
        payment = self.pay(self.create_link(110))
        self.receive(self.take_events())
        movement = self.get_movement(payment, "charge")
        self.assertTrue(movement.move_id.inalterable_hash)
        self.assertEqual(
            self.read_ids(movement), [payment.stripe_charge_id, False, False, False]
        )
        self.deliver()
        payout = self.standin.payout("usd", pending_too=True)
        self.deliver()
        transaction_id = movement.balance_transaction_id
        self.assertEqual(
            self.read_ids(movement),
            [payment.stripe_charge_id, transaction_id, payout["id"], False],
        )
        report = self.env.company._check_hash_integrity()
        results = [
            result
            for result in report["results"]
            if result["journal_name"].startswith(self.gateway.journal_id.name)
        ]
        self.assertEqual([result["status"] for result in results], ["verified"])

    def test_reclassification_is_found_like_what_it_moves(self):
        payment, _payout_id = self.pay_and_pay_out()
        movement = self.get_movement(payment, "charge")
        other = self.gateway.income_account_id.copy({"code": "400777"})
        move = movement.action_reclassify(other, self.tax)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(
            [move[name] for name in ID_FIELDS],
            [movement.move_id[name] for name in ID_FIELDS],
        )

    def test_other_entries_have_none(self):
        move = self.env["account.move"].create({"move_type": "entry"})
        self.assertEqual([move[name] for name in ID_FIELDS], [False] * 4)

    def test_journal_items_are_searched_by_any_of_the_ids(self):
        payment, payout_id = self.pay_and_pay_out()
        view = self.env["account.move.line"].get_view(
            self.env.ref("account.view_account_move_line_filter").id, "search"
        )
        self.assertIn("Stripe ID", view["arch"])
        form = Form(self.get_movement(payment, "charge").move_id)
        self.assertEqual(form.stripe_payout_id, payout_id)


class TestStripeIdQueries(CheckoutCommon):
    """Ids that become known later are written for many entries at once."""

    def test_payout_of_many_is_noted_in_few_queries(self):
        few, many = (self.count_noting(number) for number in (2, 12))
        self.assertLessEqual(many - few, 2)

    def count_noting(self, number):
        for _times in range(number):
            self.pay(self.create_link(11))
        self.deliver()
        movements = self.env["checkout.movement"].search([("payout_id", "=", False)])
        payouts_sudo = self.env["checkout.payout"].sudo()  # as the processor
        payout_sudo = payouts_sudo.create(
            {
                "gateway_id": self.gateway.id,
                "currency_id": self.gateway.currency_id.id,
                "state": "paid",
                "stripe_id": f"po_{number}",
            }
        )
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.cr.sql_log_count
        movements.sudo().payout_id = payout_sudo
        self.env.flush_all()
        count = self.cr.sql_log_count - before
        moves = movements.move_id
        self.assertEqual(set(moves.mapped("stripe_payout_id")), {f"po_{number}"})
        return count
