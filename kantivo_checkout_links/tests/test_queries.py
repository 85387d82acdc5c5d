from lxml import etree

from .common import CheckoutCommon

LISTS = ("link", "payment", "movement", "refund", "dispute", "payout", "event")


class TestQueries(CheckoutCommon):
    """Much work takes no more queries for each piece of it than little work does."""

    def count(self, work):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.cr.sql_log_count
        work()
        self.env.flush_all()
        return self.cr.sql_log_count - before

    def pay_often(self, number):
        """Payments by different payers, each through a link of its own."""
        payments = [
            self.pay(self.create_link(110), email=f"payer{n}@example.com")
            for n in range(number)
        ]
        self.standin.release()
        return self.env["checkout.payment"].union(*payments)

    def leave_unposted(self, number):
        """The movements of payments whose entries are still to be made."""
        self.gateway.post_entries = False
        payments = self.pay_often(number)
        self.deliver()
        self.gateway.post_entries = True
        movements = payments.movement_ids
        self.assertEqual(movements.mapped("state"), ["skipped"] * number * 2)
        return movements

    def count_posting(self, number):
        movements = self.leave_unposted(number)
        queries = self.count(movements.action_post)
        self.assertEqual(set(movements.mapped("state")), {"posted"})
        return queries

    def count_processing(self, number):
        payments = self.pay_often(number)
        for event in self.take_events():
            self.env["checkout.event"].sudo()._receive(self.gateway.sudo(), event)
        queries = self.count(self.process)
        self.assertEqual(set(payments.mapped("state")), {"paid"})
        return queries

    def test_posting_together_takes_a_third_of_posting_one_by_one(self):
        self.count_posting(1)  # what is read once is then known
        alone, few, many = (self.count_posting(number) for number in (1, 10, 20))
        self.assertLessEqual(many - few, few)
        self.assertLess(many / 20, alone / 3)

    def test_processing_takes_no_more_for_each_of_many_events(self):
        self.count_processing(1)
        alone, few, many = (self.count_processing(number) for number in (1, 10, 20))
        self.assertLessEqual(many - few, few)
        self.assertLess(many / 20, alone / 2)

    def test_sync_asks_nothing_of_each_event_that_it_took_before(self):
        few, many = (self.count_sync_again(number) for number in (1, 10))
        self.assertLess(many - few, 9)  # less than one for each payment more

    def count_sync_again(self, number):
        self.pay_often(number)
        self.deliver()
        self.sync()
        return self.count(self.sync)

    def test_lists_of_many_take_as_many_queries_as_lists_of_few(self):
        payments = self.pay_often(10)
        self.deliver()
        for number, payment in enumerate(payments):
            self.standin.refund(payment.stripe_charge_id, 1000)
            if number % 2:
                self.standin.dispute(payment.stripe_charge_id, amount=2000)
            self.standin.payout()
        self.deliver()
        for name in LISTS:
            with self.subTest(name=name):
                model = self.env[f"checkout.{name}"]
                self.assertGreater(model.search_count([]), 4)
                self.read_list(model, 80)  # what is read once is then known
                few, many = (
                    self.count(lambda m=model, n=number: self.read_list(m, n))
                    for number in (2, 80)
                )
                self.assertLessEqual(many, few)

    def read_list(self, model, limit):
        """What the web client asks for when it shows a list."""
        arch = etree.fromstring(model.get_view(view_type="list")["arch"])
        names = set(arch.xpath("//field/@name"))
        specification = {name: self.specify(model._fields[name]) for name in names}
        model.web_search_read([], specification, limit=limit)

    def specify(self, field):
        named = field.type == "many2one"
        return {"fields": {"display_name": {}}} if named else {}
