from itertools import permutations

from .common import CheckoutCommon


class TestPermutations(CheckoutCommon):
    """In any order of the events of one payment, the ledger is the same."""

    def test_all_orders_of_five_events_of_a_payment(self):
        payment = self.pay(self.create_link(110))
        charge = self.standin.events("charge.succeeded")[-1]["data"]["object"]
        self.standin.release()
        self.standin.refund(charge["id"], 1100)
        self.standin.dispute(charge["id"], amount=2200)
        events = self.pick_one_of_each(
            "checkout.session.completed",
            "charge.updated",
            "refund.created",
            "charge.dispute.created",
            "charge.dispute.funds_withdrawn",
        )
        results = {self.replay(payment, order) for order in permutations(events)}
        self.assertEqual(len(results), 1)
        ((state, refunded, ledger),) = results
        self.assertEqual((state, refunded), ("disputed", 11))
        self.assertEqual(
            [(kind, amount) for kind, amount, *_entry in ledger],
            [
                ("charge", 110),
                ("dispute", -22),
                ("dispute_fee", -15),
                ("fee", -3.49),
                ("refund", -11),
            ],
        )

    def pick_one_of_each(self, *types):
        by_type = {event["type"]: event for event in self.standin.events()}
        return [by_type[event_type] for event_type in types]

    def replay(self, payment, order):
        """The ledger after one order, and everything as it was before."""
        savepoint = self.env.cr.savepoint(flush=True)
        for event in order:
            self.receive([event])
        movements = payment.movement_ids
        self.assertEqual(set(movements.mapped("state")), {"posted"})
        ledger = tuple(sorted(map(self.describe, movements)))
        result = payment.state, payment.amount_refunded, ledger
        savepoint.close(rollback=True)
        self.env.invalidate_all()
        return result

    def describe(self, movement):
        """What moved, when, and how it is posted."""
        items = sorted(
            (line.account_id.code, line.balance, *sorted(line.tax_tag_ids.ids))
            for line in movement.move_id.line_ids
        )
        return movement.kind, movement.amount, movement.move_id.date, tuple(items)
