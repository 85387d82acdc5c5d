from .common import CheckoutCommon
from .many import copy_payments, reading

MANY = 2000


class TestLookUps(CheckoutCommon):
    """What is asked for by payers, by Stripe and by merchants is found by an index."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.payment = cls.pay(cls.create_link())
        cls.standin.release()
        for event in cls.standin.events():
            cls.env["checkout.event"].sudo()._receive(cls.gateway.sudo(), event)
        cls.env["checkout.event"]._cron_process()
        copy_payments(cls.payment, MANY)

    def assert_found_by_index(self, work, expected, rows=20):
        self.env.invalidate_all()
        with reading("checkout_") as reads:
            self.assertEqual(len(work()), expected)
        self.assertLessEqual(reads.rows, rows, "\n\n".join(reads.queries))

    def test_payment_of_a_return_page(self):
        session_id = self.payment.stripe_checkout_session_id
        for found in (session_id, "cs_test_" + "x" * 50):
            self.assert_found_by_index(
                lambda f=found: self.env["checkout.payment"]._find_for_return(
                    self.payment.link_id.access_token, f
                ),
                int(found == session_id),
            )

    def test_payments_in_the_search_box(self):
        payments = self.env["checkout.payment"].search([], limit=3)
        payments[0].sudo().customer_email = "rosa.quintero@example.org"
        payments[1].sudo().customer_name = "Rosa Quintero"
        self.env.flush_all()
        # A few thousand rows of one company are read as fast one after the other.
        self.cr.execute("SET LOCAL enable_seqscan = off")
        self.cr.execute("SET LOCAL enable_indexscan = off")
        self.cr.execute("DROP INDEX checkout_payment__company_id_index")
        names = ("name", "customer_name", "customer_email", "link_name")
        for text, expected in (("quintero", 2), ("nothing like it", 0)):
            domain = ["|"] * 3 + [(name, "ilike", text) for name in names]
            self.assert_found_by_index(
                lambda d=domain: self.env["checkout.payment"].search(d), expected, 60
            )

    def test_payments_that_need_review(self):
        self.payment.sudo().flag = "late"
        self.env.flush_all()
        domain = [("flag", "!=", False), ("state", "!=", "refunded")]
        self.assert_found_by_index(
            lambda: self.env["checkout.payment"].search(domain), 1
        )

    def test_open_checkouts_of_a_link(self):
        open_payment = self.start_payment(self.payment.link_id)
        domain = [("link_id", "=", open_payment.link_id.id), ("state", "=", "open")]
        self.assert_found_by_index(
            lambda: self.env["checkout.payment"].search(domain), 1
        )
