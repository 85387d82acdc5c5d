from lxml import etree

from .common import SYNC_LOGGER, CheckoutCommon
from .many import copy_payments, reading


class TotalsCommon(CheckoutCommon):
    """A payment of 110 at 10 %: Stripe keeps 3.49 of it, and 15 of a dispute."""

    def pay_110(self, **vals):
        payment = self.pay(self.create_link(110, **vals))
        self.deliver()
        return payment

    def lose(self, payment, *outcomes, **how):
        dispute = self.standin.dispute(payment.stripe_charge_id, **how)
        for outcome in outcomes:
            self.standin.change_dispute(dispute["id"], outcome)
        self.deliver()
        return dispute["id"]

    def assert_left(self, payment, **expected):
        values = {name: round(payment[name], 3) for name in expected}
        self.assertEqual(values, expected)
        self.assertEqual(
            round(payment.untaxed_amount + payment.tax_amount, 3),
            round(payment.amount_left, 3),
        )

    def get_moved(self, payment):
        """By how much Stripe's balance is higher than without the payment."""
        return round(sum(payment.movement_ids.mapped("amount")), 3)

    def get_tax_in_ledger(self, payment):
        account = self.company_data["default_account_tax_sale"]
        lines = payment.move_ids.line_ids.filtered(lambda i: i.account_id == account)
        return round(-sum(lines.mapped("balance")), 2)


class TestTotals(TotalsCommon):
    """Each total of a payment says what is left of it."""

    def test_payment_is_left_untaxed_and_tax(self):
        self.assert_left(
            self.pay_110(),
            amount_left=110,
            untaxed_amount=100,
            tax_amount=10,
            fee_amount=3.49,
            returned_amount=0,
            net_amount=106.51,
        )

    def test_refund_of_a_part_leaves_the_rest(self):
        payment = self.pay_110()
        payment.action_refund(33)
        self.assert_left(
            payment,
            amount=110,
            amount_refunded=33,
            amount_left=77,
            untaxed_amount=70,
            tax_amount=7,
            returned_amount=33,
            net_amount=73.51,
        )
        self.assertEqual(payment.net_amount, self.get_moved(payment))

    def test_what_is_fully_refunded_leaves_stripes_fee(self):
        payment = self.pay(self.create_link(42))
        self.deliver()
        payment.action_refund()
        self.assert_left(
            payment,
            amount_left=0,
            untaxed_amount=0,
            tax_amount=0,
            net_amount=-payment.fee_amount,
        )
        self.assertEqual(payment.fee_amount, 1.52)

    def test_failed_refund_counts_as_remaining_again(self):
        payment = self.pay_110()
        refund = self.standin.refund(payment.stripe_charge_id, 3300)
        self.deliver()
        self.standin.change_refund(refund["id"], "fail")
        self.deliver()
        self.assert_left(payment, amount_left=110, tax_amount=10, net_amount=106.51)

    def test_open_dispute_is_not_lost_but_its_fee_is(self):
        payment = self.pay_110()
        self.lose(payment)
        self.assert_left(
            payment,
            amount_lost=0,
            amount_left=110,
            tax_amount=10,
            fee_amount=18.49,
            net_amount=91.51,
        )

    def test_lost_dispute_leaves_nothing(self):
        payment = self.pay_110()
        self.lose(payment, "lose")
        self.assert_left(
            payment,
            amount_lost=110,
            amount_left=0,
            tax_amount=self.get_tax_in_ledger(payment),
            returned_amount=110,
            net_amount=-18.49,
        )
        self.assertEqual(payment.net_amount, self.get_moved(payment))

    def test_lost_part_after_a_refund_of_a_part(self):
        payment = self.pay_110()
        payment.action_refund(33)
        self.lose(payment, "lose", amount=2200)
        self.assert_left(
            payment,
            amount_refunded=33,
            amount_lost=22,
            amount_left=55,
            tax_amount=self.get_tax_in_ledger(payment),
            returned_amount=55,
        )
        self.assertEqual(payment.net_amount, self.get_moved(payment))

    def test_dispute_that_is_won_in_part_loses_the_rest(self):
        payment = self.pay_110()
        dispute_id = self.lose(payment)
        self.standin.change_dispute(dispute_id, "win", amount=7000)
        self.deliver()
        self.assert_left(
            payment,
            amount_lost=40,
            amount_left=70,
            returned_amount=40,
            net_amount=51.51,
        )
        self.assertEqual(payment.net_amount, self.get_moved(payment))

    def test_money_that_is_won_and_not_back_yet_is_not_lost(self):
        payment = self.pay_110()
        dispute_id = self.lose(payment, "close_as_won")
        self.assertEqual(payment.dispute_ids.state, "won")
        self.assert_left(payment, amount_lost=0, returned_amount=0, net_amount=91.51)
        self.standin.change_dispute(dispute_id, "reinstate")
        self.deliver()
        self.assert_left(payment, amount_lost=0, returned_amount=0, net_amount=91.51)

    def test_won_dispute_counts_as_remaining_again(self):
        payment = self.pay_110()
        self.lose(payment, "lose", "win")
        self.assert_left(payment, amount_lost=0, amount_left=110, tax_amount=10)
        self.assertEqual(payment.net_amount, self.get_moved(payment))

    def test_other_currency_is_left_in_its_own_and_net_in_stripes(self):
        euro = self.setup_other_currency("EUR", rates=[("2020-01-01", 0.5)])
        payment = self.pay_110(currency_id=euro.id)
        payment.action_refund(33)
        self.deliver()
        self.assert_left(payment, amount_left=77, untaxed_amount=70, tax_amount=7)
        self.assertEqual(payment.currency_id, euro)
        self.assertEqual(payment.settlement_currency_id, self.gateway.currency_id)
        self.assertEqual(payment.net_amount, self.get_moved(payment))
        self.lose(payment, "lose", amount=7700)
        self.assert_left(payment, amount_lost=77, amount_left=0)
        self.assertEqual(payment.net_amount, self.get_moved(payment))

    def test_taxes_are_those_that_were_posted(self):
        payment = self.pay_110()
        charge = self.get_movement(payment, "charge")
        income = self.gateway.income_account_id
        charge.action_reclassify(income, self.create_tax(25))
        self.assert_left(payment, untaxed_amount=88, tax_amount=22)
        charge.action_reclassify(income)
        self.assert_left(payment, untaxed_amount=110, tax_amount=0)

    def test_invoice_has_the_taxes_of_what_pays_it(self):
        self.gateway.credit_to = "receivable"
        payment = self.pay_110()
        self.assert_left(payment, tax_amount=0, untaxed_amount=110)

    def test_what_is_not_posted_has_no_taxes_yet(self):
        self.gateway.post_entries = False
        payment = self.pay_110()
        self.assertEqual((payment.tax_amount, payment.untaxed_amount), (0, 0))
        self.gateway.post_entries = True
        payment.movement_ids.action_post()
        self.assert_left(payment, tax_amount=10, untaxed_amount=100)

    def test_checkout_that_is_not_paid_leaves_nothing(self):
        payment = self.start_payment(self.create_link(110))
        self.assert_left(payment, amount_left=0, tax_amount=0, net_amount=0)


class TestLinkTotals(TotalsCommon):
    """A link says what it collected, and what is left of that."""

    def test_link_says_what_is_left(self):
        link = self.create_link(110)
        kept, refunded, lost = (self.pay(link) for _payment in range(3))
        self.start_payment(link)
        self.deliver()
        refunded.action_refund(33)
        self.lose(lost, "lose")
        link.invalidate_recordset()
        totals = (
            link.amount_collected,
            link.amount_refunded,
            link.amount_lost,
            link.amount_left,
        )
        self.assertEqual(totals, (330, 33, 110, 187))
        self.assertEqual(kept.amount_left, 110)
        self.assertEqual((link.payment_count, link.unpaid_count), (3, 1))

    def test_lists_and_charts_add_up_what_is_left(self):
        for model, kind, names in (
            ("link", "list", {"amount_collected", "amount_left"}),
            ("payment", "list", {"amount", "amount_refunded", "net_amount"}),
            ("payment", "pivot", {"returned_amount", "net_amount"}),
            ("payment", "graph", {"net_amount"}),
        ):
            with self.subTest(model=model, kind=kind):
                arch = self.env[f"checkout.{model}"].get_view(view_type=kind)["arch"]
                found = etree.fromstring(arch).xpath("//field[@sum or @type='measure']")
                self.assertLessEqual(names, {field.get("name") for field in found})

    def test_sums_of_many_payments_are_made_by_the_database(self):
        for _payment in range(2):
            self.pay(self.create_link(110))
        self.deliver()
        payments = self.env["checkout.payment"].search([])
        payments[0].action_refund(11)
        names = ("amount_left", "untaxed_amount", "tax_amount", "net_amount")
        [sums] = payments._read_group([], [], [f"{name}:sum" for name in names])
        expected = [sum(payments.mapped(name)) for name in names]
        for found, value in zip(sums, expected, strict=True):
            self.assertAlmostEqual(found, value)
        self.assertAlmostEqual(sums[0], 209)


class TestWhatIsShownFirst(TotalsCommon):
    """Money first; what customers opened and left is a number."""

    def test_link_lists_what_was_received_and_counts_the_rest(self):
        link = self.create_link(110)
        paid, waiting = self.pay(link), self.pay(link, number="debit")
        opened, expired = self.start_payment(link), self.start_payment(link)
        self.standin.expire(expired.stripe_checkout_session_id)
        self.deliver()
        link.invalidate_recordset()
        self.assertEqual(waiting.state, "processing")
        self.assertEqual(link.received_payment_ids, paid | waiting)
        self.assertEqual(link.unpaid_count, 2)
        action = link.action_view_unpaid()
        self.assertEqual(action["context"], {"search_default_unpaid": 1})
        found = self.env["checkout.payment"].search(action["domain"])
        self.assertEqual(found, paid | waiting | opened | expired)

    def test_active_links_are_those_that_can_be_paid(self):
        full, open_link = self.create_link(max_payments=1), self.create_link()
        self.pay(full)
        roomy = self.create_link(max_payments=2)
        self.pay(roomy)
        self.deliver()
        other = self.create_link(active=False)
        self.assertEqual(self.find_links("active"), open_link | roomy)
        self.assertEqual(self.find_links("full"), full)
        archived = [("active", "in", (True, False))]
        self.assertEqual(self.find_links("inactive", archived), other)

    def test_availability_is_found_as_it_is_shown(self):
        links = self.create_link(max_payments=1) | self.create_link()
        links |= self.create_link(expires_at="2020-01-01")
        links |= self.create_link(expires_at="2020-01-01", max_payments=1)
        links |= self.create_link(expires_at="2090-01-01")
        self.start_payment(links[0])
        links[1].action_deactivate()
        for name in ("active", "inactive", "expired", "full", "held", "stopped"):
            with self.subTest(name=name):
                shown = links.filtered(
                    lambda link, name=name: link.availability == name
                )
                self.assertEqual(self.find_links(name), shown)
        closed = self.env["checkout.link"].search([("availability", "!=", "active")])
        self.assertEqual(closed, links - self.find_links("active"))

    def test_links_of_an_archived_gateway_are_stopped(self):
        link = self.create_link()
        self.gateway.action_archive()
        self.assertEqual(self.find_links("stopped"), link)
        self.assertFalse(self.find_links("active"))

    def find_links(self, name, domain=()):
        return self.env["checkout.link"].search([*domain, ("availability", "=", name)])


class TestCounting(TotalsCommon):
    """What a link shows is counted when it changes, and proved each day."""

    def read_totals(self, link):
        self.env.invalidate_all()
        names = ("payment_count", "amount_collected", "amount_refunded", "amount_lost")
        return tuple(link[name] for name in names)

    def prove(self):
        """The daily check, which finds nothing to repair."""
        with self.assertNoLogs(SYNC_LOGGER, "WARNING"):
            self.check_daily()

    def repair(self):
        with self.assertLogs(SYNC_LOGGER, "WARNING") as logs:
            self.check_daily()
        self.assertIn("were wrong", logs.output[0])

    def check_daily(self):
        self.env.flush_all()
        self.env["checkout.agreement"]._cron_check()

    def test_totals_are_those_that_a_second_count_finds(self):
        link, other = self.create_link(110), self.create_link(42)
        payments = [self.pay(link) for _payment in range(4)] + [self.pay(other)]
        self.deliver()
        payments[0].action_refund(33)
        self.lose(payments[1], "lose")
        self.lose(payments[2], "lose", "win")
        charge = self.get_movement(payments[3], "charge")
        charge.action_reclassify(self.gateway.income_account_id, self.create_tax(25))
        expected = (4, 440, 33, 110)
        self.assertEqual(self.read_totals(link), expected)
        self.prove()
        self.assertEqual(self.read_totals(link), expected)
        self.assertEqual(self.read_totals(other), (1, 42, 0, 0))
        self.assertEqual(link.last_payment_at, max(p.paid_at for p in payments[:4]))

    def test_each_payment_is_counted_once_however_often_it_is_reported(self):
        link = self.create_link(110)
        self.pay(link)
        self.standin.release()
        events = self.take_events()
        for _time in range(3):
            self.receive(events)
            self.sync()
        self.assertEqual(self.read_totals(link), (1, 110, 0, 0))

    def test_check_repairs_what_was_changed_in_the_database(self):
        payment = self.pay_110()
        link = payment.link_id
        self.pay(self.create_link(42))
        self.deliver()
        for change in (
            "UPDATE checkout_link_total SET payment_count = 7, amount_collected = 1",
            "UPDATE checkout_link_total SET last_payment_at = '2020-01-01'",
            "DELETE FROM checkout_link_total",
            "UPDATE checkout_payment SET counted_amount = 1",
            "UPDATE checkout_payment SET counted_ledger = NULL",
        ):
            with self.subTest(change=change):
                self.env.flush_all()
                self.cr.execute(change)
                self.repair()
                self.assertEqual(self.read_totals(link), (1, 110, 0, 0))
                self.assertEqual(link.last_payment_at, payment.paid_at)
                self.prove()

    def test_payment_of_a_deleted_link_is_refunded_all_the_same(self):
        payment = self.pay_110()
        other = self.pay_110()
        payment.link_id.unlink()
        self.assertFalse(payment.link_id)
        payment.action_refund(33)
        self.prove()
        self.assertEqual(payment.amount_refunded, 33)
        self.assertEqual(self.read_totals(other.link_id), (1, 110, 0, 0))

    def test_totals_of_many_payments_are_read_from_a_few_rows(self):
        payment = self.pay_110()
        self.env.flush_all()
        link = payment.link_id
        copy_payments(payment, 1000)
        self.repair()  # copies aren't counted yet
        self.assertEqual(self.read_totals(link), (1001, 110110, 0, 0))
        self.env.invalidate_all()
        with reading("checkout_") as reads:
            link.read(
                [
                    "agreement_state",
                    "amount_left",
                    "currency_frozen",
                    "last_payment_at",
                    "payment_count",
                    "unpaid_count",
                ]
            )
        self.assertLess(reads.rows, 40)
        with reading("checkout_") as reads:
            self.assertEqual(len(link.recent_payment_ids), 40)
        self.assertLess(reads.rows, 100)

    def test_entries_of_many_payments_are_found_without_their_ids(self):
        payments = self.pay_110() | self.pay_110()
        link = payments[0].link_id
        for action, found in (
            (link.action_view_moves(), payments[0].move_ids),
            (payments.action_view_moves(), payments.move_ids),
        ):
            self.assertEqual(self.env["account.move"].search(action["domain"]), found)
        copy_payments(payments[0], 100)
        self.assertLess(len(str(link.action_view_moves()["domain"])), 100)
        arch = etree.fromstring(link.get_view(view_type="form")["arch"])
        self.assertFalse(arch.xpath("//field[@name='received_payment_ids']"))
        self.assertFalse(arch.xpath("//field[@name='payment_ids']"))

    def test_link_is_deleted_without_loading_its_payments(self):
        payment = self.pay_110()
        copy_payments(payment, 300)
        link = payment.link_id
        self.env.invalidate_all()
        with reading("checkout_payment") as reads:
            link.unlink()
        self.assertLess(reads.rows, 40, "\n".join(reads.queries))
        self.assertFalse(payment.link_id)
