from .common import CheckoutCommon


class TestInbox(CheckoutCommon):
    """Deliveries come any number of times, in any order, or not at all."""

    def assert_booked_once(self, payment):
        self.assertEqual(payment.state, "paid")
        self.assertCountEqual(payment.movement_ids.mapped("kind"), ["charge", "fee"])
        self.assertEqual(set(payment.movement_ids.mapped("state")), {"posted"})
        self.assertEqual(
            self.env["account.move"].search_count(
                [("journal_id", "=", self.gateway.journal_id.id)]
            ),
            2,
        )

    def test_five_deliveries_of_an_event_book_once(self):
        payment = self.pay(self.create_link())
        self.sandbox.release()
        events = self.take_events()
        for _delivery in range(5):
            self.receive(events)
        self.assert_booked_once(payment)

    def test_events_in_reverse_order_book_once(self):
        payment = self.pay(self.create_link())
        self.sandbox.release()
        for event in reversed(self.take_events()):
            self.receive([event])
        self.assert_booked_once(payment)

    def test_sync_books_what_no_webhook_told(self):
        payment = self.pay(self.create_link())
        self.sandbox.release()
        self.gateway.action_sync()
        self.env.invalidate_all()
        self.assert_booked_once(payment)

    def test_sync_after_deliveries_changes_nothing(self):
        payment = self.pay(self.create_link())
        self.deliver()
        self.gateway.action_sync()
        self.gateway.action_sync()
        self.assert_booked_once(payment)

    def test_event_of_another_database_is_ignored_without_payload(self):
        self.sandbox.create_charge(5000)
        self.sandbox.release()
        self.receive(self.take_events())
        events = self.env["checkout.event"].search([])
        self.assertTrue(events)
        self.assertEqual(set(events.mapped("state")), {"ignored"})
        self.assertFalse(any(events.mapped("payload")))

    def test_payment_whose_row_was_lost_is_still_booked(self):
        payment = self.pay(self.create_link())
        session_id = payment.stripe_checkout_session_id
        payment.sudo().unlink()
        self.deliver()
        found = self.env["checkout.payment"].search(
            [("stripe_checkout_session_id", "=", session_id)]
        )
        self.assert_booked_once(found)
