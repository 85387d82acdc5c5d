from odoo.exceptions import UserError

from .common import CheckoutCommon
from .many import copy_payments, copy_records, reading

ADDON = "odoo.addons.kantivo_checkout_links."
# Of each kind of record. Far more than a company has, far less than a scan would read.
MANY = 2000
# What an index look-up may read, with some records that belong to it.
FEW = 40
# What each addition to Odoo's own models costs, by the methods of `TestCost` that use
# it. Every one is here: fields, overrides, constraints and buttons.
MEASURED = {
    "account.bank.statement.line": {
        "action_undo_reconciliation": "bank_line",
        "unlink": "bank_line",
        "write": "bank_line",
    },
    "account.journal": {
        "_check_no_checkout_movement": "other_journal unused_journal stripe_journal",
        "_fill_bank_cash_dashboard_data": "dashboard",
        "_get_checkout_gateways_sudo": "dashboard",
        "_is_changed_by": "other_journal",
        "_unlink_except_checkout": "other_journal unused_journal",
        "action_view_checkout_gateway": "dashboard",
        "open_action": "dashboard",
        "write": "other_journal",
    },
    "account.move": {
        "_check_no_checkout_movement": "invoice_life stripe_entry",
        "_compute_checkout_payment_ids": "invoice_form",
        "_compute_fiscal_position_id": "invoice_life",
        "_compute_is_checkout_entry": "invoice_form",
        "_compute_show_reset_to_draft_button": "invoice_form",
        "_compute_stripe_ids": "invoice_life",
        "_filter_checkout": "invoice_form",
        "_find_checkout_movements": "invoice_form stripe_entry",
        "_reverse_moves": "invoice_reversal",
        "_unlink_except_checkout": "invoice_life",
        "action_post": "invoice_life",
        "action_view_checkout_payments": "invoice_form",
        "button_cancel": "invoice_life",
        "button_draft": "invoice_life",
        "checkout_movement_ids": "invoice_form",
        "checkout_payment_ids": "invoice_form",
        "checkout_reclassified_ids": "invoice_form",
        "create": "invoice_life",
        "is_checkout_entry": "invoice_form",
        "stripe_balance_transaction_id": "stripe_id",
        "stripe_charge_id": "stripe_id",
        "stripe_payout_id": "stripe_id",
        "stripe_trace_id": "stripe_id",
        "write": "invoice_life",
    },
    "account.move.line": {
        "_unlink_except_checkout": "invoice_life",
        "create": "invoice_life",
        "reconcile": "invoice_reversal",
        "stripe_balance_transaction_id": "stripe_id",
        "stripe_charge_id": "stripe_id",
        "stripe_payout_id": "stripe_id",
        "stripe_trace_id": "stripe_id",
        "write": "invoice_life",
    },
    "account.tax": {
        "_refuse_deletion": "tax",
        "_unlink_except_checkout": "tax",
    },
    "res.partner": {
        "_compute_checkout_payment_count": "contact",
        "_email_normalized_idx": "payer",
        "_find_payer": "payer",
        "_get_checkout_payments_domain": "contact",
        "_match_checkout_payer": "payer",
        "action_view_checkout_payments": "contact",
        "checkout_payment_count": "contact",
    },
}
# What asks the database nothing of ours.
WITHOUT_QUERIES = {
    "account.move": {
        "_auto_init",
        "_get_accounting_date",
        "_link_to_lines",  # of entries that the poster makes
        "_log_matching",
        "_message_compute_author",
    },
    "mail.compose.message": {"_is_blank_of_link", "default_get"},
    "res.company": {
        "_draw_preview",
        "_get_address_line",
        "_get_checkout_logo",
        "_get_checkout_preview",
        "_get_checkout_preview_name",
        "_get_small_logo",
        "_get_tax_kind",
        "_to_preview",
    },
    "res.config.settings": {
        "group_checkout_donations",
        "group_checkout_personal_links",
        "group_checkout_products",
        "group_checkout_stripe_page",
        "group_checkout_suggested_amounts",
    },
    "res.currency": {
        "_check_stripe_decimals",
        "_describe_coarse",
        "_format_exact",
        "_format_price",
        "_is_coarser_than_stripe",
        "_rounds_away",
        "action_use_stripe_decimals",
    },
    "res.partner": {"_get_payer_email", "_get_payer_name", "_prepare_payer_vals"},
}


class TestCost(CheckoutCommon):
    """Nothing that is added to Odoo's own models costs more than an index look-up,
    however many payments there are.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.payment = cls.pay(cls.create_link())
        cls.standin.release()
        for event in cls.standin.events():
            cls.env["checkout.event"].sudo()._receive(cls.gateway.sudo(), event)
        cls.env["checkout.event"]._cron_process()
        cls.entry = cls.payment.movement_ids.move_id[:1]
        copy_payments(cls.payment, MANY)
        payer = cls.env["res.partner"].create(
            {"name": "Payer", "email": "@example.com"}
        )
        copy_records(payer, MANY)
        cls.invoice = cls.init_invoice("out_invoice", amounts=[100], post=True)

    def assert_cheap(self, work, queries, part="checkout_", rows=FEW):
        """:param int queries: As many at most, of those with this part."""
        self.env.flush_all()
        self.env.invalidate_all()
        with reading(part) as reads:
            work()
            self.env.flush_all()
        text = "\n\n".join(reads.queries)
        self.assertLessEqual(len(reads.queries), queries, text)
        self.assertLessEqual(reads.rows, rows, text)

    def test_each_addition_is_measured(self):
        found = {}
        for name, model in self.env.registry.items():
            if not name.startswith("checkout."):
                own = {part for c in model.mro() for part in self.get_additions(c)}
                found[name] = own
        expected = {
            name: {*MEASURED.get(name, ()), *WITHOUT_QUERIES.get(name, ())}
            for name in found
        }
        self.assertEqual(
            {n: own for n, own in found.items() if own},
            {n: own for n, own in expected.items() if own},
        )
        for tests in MEASURED.values():
            for test in " ".join(tests.values()).split():
                self.assertTrue(hasattr(self, f"test_{test}"), test)

    def get_additions(self, definition):
        """The names that our code gives to a class of Odoo's registry."""
        if not definition.__module__.startswith(f"{ADDON}models"):
            return ()
        return (
            name
            for name, part in vars(definition).items()
            if name not in ("_inherit", "_name", "_description")
            and (not name.startswith("_") or callable(part) or name.endswith("_idx"))
            and not name.startswith("__")
        )

    def test_invoice_form(self):
        names = (
            "checkout_movement_ids",
            "checkout_payment_ids",
            "checkout_reclassified_ids",
            "is_checkout_entry",
            "show_reset_to_draft_button",
        )
        for moves in (self.invoice, self.entry):
            with self.subTest(moves=moves):
                self.assert_cheap(lambda moves=moves: moves.read(names), 10)
        self.assert_cheap(self.invoice.action_view_checkout_payments, 2)

    def test_invoice_life(self):
        def live():
            invoice = self.init_invoice("out_invoice", amounts=[100], post=True)
            invoice.button_draft()
            invoice.button_cancel()
            invoice.button_draft()
            invoice.invoice_line_ids.price_unit = 50
            invoice.fiscal_position_id = False
            invoice.with_context(force_delete=True).unlink()

        self.assert_cheap(live, 12)

    def test_invoice_reversal(self):
        self.assert_cheap(lambda: self.invoice._reverse_moves(cancel=True), 12)

    def test_stripe_entry(self):
        def edit():
            with self.assertRaises(UserError):
                self.entry.button_draft()

        self.assert_cheap(edit, 4)

    def test_bank_line(self):
        journal = self.company_data["default_journal_bank"]

        def work():
            line = self.env["account.bank.statement.line"].create(
                {"journal_id": journal.id, "payment_ref": "Rent", "amount": -5}
            )
            line.amount = -6
            line.action_undo_reconciliation()
            line.unlink()

        self.assert_cheap(work, 30)

    def test_other_journal(self):
        journal = self.company_data["default_journal_bank"]
        other = journal.default_account_id.copy()

        def work():
            journal.default_account_id = other
            journal.copy().unlink()

        self.assert_cheap(work, 5)

    def test_unused_journal(self):
        gateway = self.create_gateway(name="Second", secret_key="sk_test_second")
        self.assert_cheap(gateway.journal_id._check_no_checkout_movement, 3)

    def test_stripe_journal(self):
        def work():
            with self.assertRaises(UserError):
                self.gateway.journal_id._check_no_checkout_movement()

        self.assert_cheap(work, 4)

    def test_dashboard(self):
        journals = self.env["account.journal"].search([("type", "=", "bank")])
        data = {journal.id: {} for journal in journals}

        def work():
            gateways = journals._get_checkout_gateways_sudo()
            for gateway in gateways:
                data[gateway.journal_id.id].update(gateway._prepare_card())
            self.gateway.journal_id.open_action()
            self.gateway.journal_id.action_view_checkout_gateway()

        self.assert_cheap(work, 25)
        self.assertTrue(data[self.gateway.journal_id.id])

    def test_stripe_id(self):
        for model in ("account.move", "account.move.line"):
            for name in ("charge", "balance_transaction", "payout", "trace"):
                domain = [(f"stripe_{name}_id", "=", self.payment.stripe_charge_id)]
                with self.subTest(model=model, name=name):
                    records = self.env[model]
                    self.assert_cheap(
                        lambda r=records, d=domain: r.search(d), 1, part="stripe_"
                    )

    def test_tax(self):
        unused = self.create_tax(7)
        self.assert_cheap(unused._unlink_except_checkout, 3)

        def work():
            with self.assertRaises(UserError):
                self.tax.unlink()

        self.assert_cheap(work, 12)

    def test_contact(self):
        contact = self.env["res.partner"].create({"name": "Rosa"})
        self.assert_cheap(lambda: contact.checkout_payment_count, 2)
        self.assert_cheap(contact.action_view_checkout_payments, 10)

    def test_payer(self):
        partners = self.env["res.partner"]
        for email in ("payer@example.com-7", "unknown@example.com"):
            with self.subTest(email=email):
                self.assert_cheap(
                    lambda email=email: partners._find_payer(email, self.env.company),
                    1,
                    part="email_normalized",
                )
