from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import Command, fields
from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, new_test_user, tagged

from .common import CheckoutCommon


@tagged("post_install", "-at_install")
class TestLinkAmounts(CheckoutCommon):
    def assert_refused(self, sentence, **vals):
        with self.assertRaises(ValidationError) as caught:
            self.create_link(**vals)
        self.assertIn(sentence, str(caught.exception))

    def get_currency(self, code):
        currency = self.env.ref(f"base.{code}")
        currency.active = True
        return currency.id

    def test_nothing_and_less_is_no_amount(self):
        self.assert_refused("greater than zero", amount=0)
        self.assert_refused("greater than zero", amount=-5)

    def test_suggested_amounts_are_read_in_the_users_language(self):
        link = self.create_open_link()
        for typed, kept in (
            ("10; 25 50", "10, 25, 50"),
            ("10,25,50.50", "10, 25, 50.5"),
            ("20, 20", "20"),
        ):
            link.suggested_amounts = typed
            self.assertEqual(link.suggested_amounts, kept)
        self.env["res.lang"]._activate_lang("de_DE")
        self.env.user.lang = "de_DE"
        link.suggested_amounts = "10,50; 1.250"
        self.assertEqual(link.suggested_amounts, "10.5, 1250")

    def test_suggested_amounts_that_cannot_be_paid_are_refused(self):
        link = self.create_open_link(minimum_amount=5, maximum_amount=100)
        for vals in (
            {"suggested_amounts": "ten"},
            {"suggested_amounts": "4"},
            {"suggested_amounts": "101"},
            {"suggested_amounts": "10.001"},
            {"suggested_amounts": "5 6 7 8 9 10 11"},
            {"preset_amount": 3},
        ):
            with self.subTest(vals=vals), self.assertRaises(UserError):
                link.write(vals)

    def test_option_is_seen_once_it_is_on(self):
        links = self.env["checkout.link"]
        self.assertNotIn("suggested_amounts", links.get_view()["arch"])
        option = {"group_checkout_suggested_amounts": True}
        self.env["res.config.settings"].create(option).execute()
        self.assertIn("suggested_amounts", links.get_view()["arch"])

    def test_donations_have_no_taxes(self):
        link = self.create_link()
        with self.assertRaises(ValidationError):
            link.submit_type = "donate"
        link.write({"submit_type": "donate", "tax_ids": [Command.clear()]})
        with self.assertRaises(ValidationError):
            link.tax_ids = self.tax

    def test_only_companies_outside_the_eea_can_say_book(self):
        for code, is_allowed in (("US", True), ("DE", False), ("NO", False)):
            country = self.env["res.country"].search([("code", "=", code)])
            self.gateway.company_id.account_fiscal_country_id = country
            with self.subTest(code=code):
                if is_allowed:
                    link = self.create_link(submit_type="book")
                    self.assertEqual(link._get_submit_type(), "book")
                else:
                    self.assert_refused("Book", submit_type="book")
                    self.assertEqual(link._get_submit_type(), "auto")

    def test_statement_text_is_what_stripe_takes(self):
        for text in ("12345", "A*B", "it's", "Ä", "ELEVENCHARS"):
            self.assert_refused("statements", statement_descriptor_suffix=text)
        self.gateway.sudo().statement_prefix = "SHOP"
        link = self.create_link(statement_descriptor_suffix="SIXTEEN LETTERS+")
        self.assertEqual(link.statement_preview, "SHOP* SIXTEEN LETTERS+")
        self.assert_refused("Unknown", excluded_payment_method_types="nonsense")

    def test_more_than_stripe_takes_is_refused_with_the_most(self):
        self.assert_refused("999,999.99", amount=1_000_000)

    def test_each_currency_has_the_maximum_that_stripe_has_for_it(self):
        for code, amount, most in (
            ("IDR", 2_500_000, "9,999,999,999.99"),
            ("IDR", 9_999_999_999.99, "9,999,999,999.99"),
            ("COP", 99_999_999.99, "99,999,999.99"),
            ("INR", 9_999_999.99, "9,999,999.99"),
            ("ISK", 999_999, "999,999"),
        ):
            with self.subTest(code=code, amount=amount):
                currency_id = self.get_currency(code)
                link = self.create_link(amount, currency_id=currency_id)
                self.assertEqual(link.amount, amount)
                self.assert_refused(most, amount=10**10, currency_id=currency_id)

    def test_an_amount_finer_than_its_currency_is_refused_not_rounded(self):
        for code, amount, step in (
            ("ISK", 1.5, "multiples of 1"),
            ("JPY", 100.4, "multiples of 1"),
            ("KWD", 1.005, "multiples of 0.01"),
            ("USD", 1.005, "multiples of 0.01"),
        ):
            with self.subTest(code=code):
                self.assert_refused(
                    step, amount=amount, currency_id=self.get_currency(code)
                )

    def test_a_finer_amount_is_refused_on_writing_too(self):
        link = self.create_link()
        with self.assertRaisesRegex(ValidationError, "multiples of 0.01"):
            link.amount = 19.999

    def test_usual_amounts_are_kept_to_the_cent(self):
        for amount in (0.07, 0.29, 19.99, 0.1 + 0.2, 1234.56):
            self.assertAlmostEqual(self.create_link(amount).amount, amount, 6)

    def test_a_coarser_currency_has_the_amount_looked_at_again(self):
        link = self.create_link(1.5)
        with self.assertRaisesRegex(ValidationError, "multiples of 1"):
            link.currency_id = self.get_currency("ISK")

    def test_limits_are_checked_in_words(self):
        for sentence, vals in (
            ("can't be negative", {"minimum_amount": -1}),
            ("minimum is above", {"minimum_amount": 20, "maximum_amount": 10}),
            ("999,999.99", {"maximum_amount": 2_000_000}),
            ("multiples of 0.01", {"minimum_amount": 0.001}),
        ):
            with self.subTest(vals=vals):
                self.assert_refused(sentence, amount=0, amount_type="open", **vals)

    def test_limits_are_optional(self):
        link = self.create_open_link()
        self.assertFalse(link.minimum_amount or link.maximum_amount)

    def test_number_of_payments_is_not_negative(self):
        self.assert_refused("can't be negative", max_payments=-1)

    def test_the_address_to_continue_to_is_a_web_address(self):
        self.assert_refused("https://", success_url="javascript:alert(1)")


@tagged("post_install", "-at_install")
class TestLinkForm(CheckoutCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.merchant = new_test_user(
            cls.env, "merchant", "base.group_user,account.group_account_invoice"
        )

    def test_a_title_and_an_amount_are_enough(self):
        form = Form(self.env["checkout.link"].with_user(self.merchant))
        form.name = "Deposit"
        form.amount = 50
        link = form.save()
        self.assertEqual(link.gateway_id, self.gateway)
        self.assertEqual(link.currency_id, self.gateway.currency_id)
        self.assertEqual(link.tax_ids, self.tax)
        self.assertTrue(link.url.endswith(f"/checkout/{link.access_token}"))

    def test_what_was_typed_survives_a_look_at_the_other_type(self):
        form = Form(self.env["checkout.link"])
        form.name = "Deposit"
        form.amount = 50
        form.amount_type = "open"
        form.minimum_amount = 5
        form.amount_type = "fixed"
        link = form.save()
        self.assertEqual((link.amount, link.amount_type), (50, "fixed"))

    def test_currency_is_open_until_somebody_pays(self):
        link = self.create_link()
        self.assertFalse(link.currency_frozen)
        self.start_payment(link)
        link.invalidate_recordset()
        self.assertTrue(link.currency_frozen)
        with self.assertRaisesRegex(UserError, "Duplicate the link"):
            link.currency_id = self.env.ref("base.EUR")

    def test_the_same_currency_may_be_written_again(self):
        link = self.create_link()
        self.start_payment(link)
        link.write({"currency_id": link.currency_id.id, "name": "Winter course"})
        self.assertEqual(link.name, "Winter course")

    def test_without_a_gateway_a_merchant_sees_whom_to_ask(self):
        company = self.env["res.company"].create({"name": "Newcomer"})
        self.merchant.company_ids |= company
        manager = new_test_user(
            self.env,
            "manager",
            "base.group_user,account.group_account_manager",
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )
        links = self.env["checkout.link"].with_company(company)
        asked = links.with_user(self.merchant)
        self.assertIn(manager.name, asked.get_empty_list_help("Usual"))
        self.assertIn(manager.name, Form(asked).gateway_hint)
        self.assertNotIn("/odoo/checkout-gateways", asked.get_empty_list_help("Usual"))
        self.assertIn(
            "/odoo/checkout-gateways",
            links.with_user(manager).get_empty_list_help("Usual"),
        )

    def test_a_new_link_prefers_a_gateway_that_can_take_money(self):
        links = self.env["checkout.link"].with_user(self.merchant)
        first = self.env["checkout.gateway"].create({"name": "New", "sequence": 1})
        last = self.create_gateway(sequence=20, secret_key="sk_test_at_other")
        self.assertEqual(Form(links).gateway_id, self.gateway)
        last.action_test_connection()
        self.assertEqual(Form(links).gateway_id, last)
        self.gateway.action_test_connection()
        self.assertEqual(Form(links).gateway_id, self.gateway)
        (self.gateway | last).action_archive()
        self.assertEqual(Form(links).gateway_id, first)

    def test_a_gateway_without_a_key_is_reported_with_what_to_do(self):
        manager = new_test_user(
            self.env, "chief", "base.group_user,account.group_account_manager"
        )
        gateway = self.env["checkout.gateway"].create({"name": "Stripe in francs"})
        link = self.create_link(gateway_id=gateway.id)
        for user, words in ((manager, "Enter one"), (self.merchant, manager.name)):
            with Form(link.with_user(user)) as form:
                self.assertIn("Customers can't pay", form.gateway_hint)
                self.assertIn(gateway.name, form.gateway_hint)
                self.assertIn(words, form.gateway_hint)
                form.gateway_id = self.gateway
                self.assertFalse(form.gateway_hint)
                form.gateway_id = gateway
        gateway.secret_key = "sk_test_at_francs"
        self.assertFalse(link.gateway_hint)

    def test_with_a_gateway_the_empty_list_says_how_to_start(self):
        self.assertEqual(
            self.env["checkout.link"].get_empty_list_help("Usual"), "Usual"
        )


@tagged("post_install", "-at_install")
class TestLinkLife(CheckoutCommon):
    def confirm(self, links):
        """The dialog of deactivating and deleting, as the web client opens it."""
        context = links.action_confirm_deletion()["context"]
        return Form(self.env["checkout.link.confirm"].with_context(**context)).save()

    def test_the_dialog_counts_who_is_paying_now(self):
        link = self.create_link()
        self.start_payment(link)
        self.start_payment(link)
        self.pay(link)
        self.deliver()
        dialog = self.confirm(link)
        self.assertEqual((dialog.payer_count, dialog.payment_count), (2, 1))

    def test_a_checkout_past_its_time_holds_no_place(self):
        link = self.create_link()
        payment = self.start_payment(link)
        payment.session_expires_at = fields.Datetime.now() - timedelta(minutes=1)
        self.assertEqual(self.confirm(link).payer_count, 0)

    def test_deactivating_ends_open_checkouts_and_reactivating_undoes_it(self):
        link = self.create_link()
        payment = self.start_payment(link)
        self.confirm(link).action_deactivate()
        self.process()
        self.assertEqual((link.state, payment.state), ("inactive", "expired"))
        link.action_activate()
        self.assertTrue(link._is_open())

    def test_deleting_keeps_payments_and_entries_with_the_title(self):
        link = self.create_link()
        payment = self.pay(link)
        self.deliver()
        entry = self.get_movement(payment, "charge").move_id
        self.confirm(link).action_delete()
        self.assertFalse(link.exists())
        self.assertEqual(payment.link_name, "Summer course")
        self.assertEqual(entry.state, "posted")

    def test_several_links_are_asked_about_at_once(self):
        links = self.create_link() | self.create_link() | self.create_link()
        links |= self.create_link()
        dialog = self.confirm(links)
        self.assertEqual(dialog.title, "4 links")
        dialog.action_deactivate()
        self.assertEqual(set(links.mapped("state")), {"inactive"})

    def test_an_active_link_says_why_customers_cannot_pay(self):
        expired = self.create_link(expires_at=fields.Datetime.now())
        full = self.create_link(max_payments=1)
        self.assertFalse(full.closed_hint)
        self.pay(full)
        self.deliver()
        self.assertIn("has expired", expired.closed_hint)
        self.assertIn("maximum number of payments", full.closed_hint)
        full.action_deactivate()
        self.assertFalse(full.closed_hint)

    def test_a_link_is_closed_by_any_write_of_its_state(self):
        for closed, offered in (
            ({"state": "inactive"}, {"state": "active"}),
            ({"active": False}, {"active": True}),
            ({"state": "inactive", "active": False}, {"state": "active", "active": 1}),
        ):
            with self.subTest(closed=closed):
                link = self.create_link()
                payment = self.start_payment(link)
                with freeze_time("2026-03-01 12:00"):
                    link.write(closed)
                self.assertEqual(link.deactivated_at, datetime(2026, 3, 1, 12))
                self.assertTrue(payment.expiry_requested)
                link.write(offered)
                self.assertFalse(link.deactivated_at)

    def test_a_closed_link_stays_closed_since_the_first_time(self):
        link = self.create_link()
        with freeze_time("2026-03-01 12:00"):
            link.action_deactivate()
        link.action_archive()
        link.action_deactivate()
        link.action_unarchive()
        self.assertEqual(link.deactivated_at, datetime(2026, 3, 1, 12))

    def test_links_are_grouped_by_availability(self):
        active, expired, archived = (self.create_link() for _link in range(3))
        expired.expires_at = fields.Datetime.now()
        archived.action_archive()
        links = self.env["checkout.link"].with_context(active_test=False)
        domain = [("id", "in", (active | expired | archived).ids)]
        groups = links._read_group(domain, ["availability"], ["id:recordset"])
        self.assertEqual(
            dict(groups), {"active": active, "expired": expired, "inactive": archived}
        )

    def test_reactivating_an_archived_link_makes_it_payable(self):
        link = self.create_link()
        link.action_archive()
        self.assertEqual(link.availability, "inactive")
        link.action_activate()
        self.assertEqual(link.availability, "active")

    def test_a_link_says_that_stripe_refuses_its_gateways_key(self):
        link = self.create_link()
        self.gateway._note_sync_error("Stripe is busy.")
        self.assertFalse(link.gateway_hint)
        self.gateway._note_refused_key("Stripe doesn't accept the key.")
        self.assertEqual(self.gateway.connection_state, "failed")
        self.assertIn("no longer accepts the key", link.gateway_hint)
        self.gateway.sudo()._set_connection([("good", "Connected.")])
        self.assertFalse(link.gateway_hint)

    def test_a_link_does_not_say_so_where_stripe_did_not_respond(self):
        link = self.create_link()
        self.gateway._note_sync_error("Stripe didn't respond in time.")
        self.gateway.sudo()._set_connection(
            [("problem", "Stripe didn't respond in time.")]
        )
        self.assertEqual(self.gateway.connection_state, "failed")
        self.assertFalse(link.gateway_hint)

    def test_a_link_that_is_made_or_imported_inactive_is_closed_since_then(self):
        imported = self.env["checkout.link"].load(
            ["name", "amount", "state"],
            [["Old", "5", "Inactive"], ["New", "5", "Active"]],
        )
        self.assertFalse(imported["messages"])
        old, new = self.env["checkout.link"].browse(imported["ids"])
        self.assertFalse(new.deactivated_at)
        for link in (
            old,
            self.create_link(state="inactive"),
            self.create_link(active=False),
        ):
            self.assertAlmostEqual(
                link.deactivated_at, fields.Datetime.now(), delta=timedelta(minutes=1)
            )

    def test_a_link_of_an_archived_gateway_says_so(self):
        link = self.create_link()
        self.gateway.action_archive()
        self.assertIn("gateway is archived", link.closed_hint)
        self.gateway.action_unarchive()
        self.assertFalse(link.closed_hint)

    def test_a_duplicate_is_a_new_active_link_at_a_new_address(self):
        link = self.create_link(expires_at=fields.Datetime.now())
        link.action_deactivate()
        duplicate = link.copy()
        self.assertNotEqual(duplicate.url, link.url)
        self.assertEqual(duplicate.name, link.name)
        self.assertTrue(duplicate._is_open())

    def test_an_archived_link_takes_no_payment_until_it_is_back(self):
        link = self.create_link()
        link.action_archive()
        self.assertFalse(link._is_open())
        link.action_unarchive()
        self.assertTrue(link._is_open())

    def test_a_change_of_price_ends_open_checkouts(self):
        link = self.create_link()
        payment = self.start_payment(link)
        link.amount = 120
        self.assertTrue(payment.expiry_requested)

    def test_a_corrected_typo_or_the_same_price_again_ends_nothing(self):
        link = self.create_link()
        payment = self.start_payment(link)
        link.write({"name": "Sumer course", "amount": 110, "active": True})
        self.assertFalse(payment.expiry_requested)


@tagged("post_install", "-at_install")
class TestLinkLists(CheckoutCommon):
    def test_totals_count_what_came_in_and_nothing_else(self):
        link = self.create_link()
        self.pay(link)
        self.pay(link)
        self.start_payment(link)
        self.deliver()
        self.assertEqual(link.payment_count, 2)
        self.assertEqual(link.amount_collected, 220)
        received = link.payment_ids.filtered("paid_at")
        self.assertEqual(link.last_payment_at, max(received.mapped("paid_at")))

    def test_a_list_of_many_links_takes_as_many_queries_as_one_of_few(self):
        few = self.create_links(2)
        many = self.create_links(80)
        specification = {
            name: {}
            for name in self.env["checkout.link"].fields_get()
            if name not in ("payment_ids", "message_ids", "activity_ids")
            and name != "recent_payment_ids"  # of a form only
        }
        self.assertEqual(
            self.count_queries(many, specification),
            self.count_queries(few, specification),
        )

    def test_a_list_says_which_links_can_be_paid_and_why_others_cannot(self):
        closed = self.create_gateway(secret_key="sk_test_at_other")
        links = {
            "active": self.create_link(max_payments=2),
            "inactive": self.create_link(state="inactive", max_payments=1),
            "expired": self.create_link(expires_at=fields.Datetime.now()),
            "full": self.create_link(max_payments=1),
            "held": self.create_link(max_payments=1),
            "stopped": self.create_link(gateway_id=closed.id),
        }
        for name in ("active", "held"):
            self.start_payment(links[name])
        self.pay(links["full"])
        self.deliver()
        closed.action_archive()
        for name, link in links.items():
            self.assertEqual(link.availability, name)
            self.assertEqual(link._is_open(), name == "active")
        links["held"].payment_ids.sudo()._set_abandoned()
        self.assertEqual(links["held"].availability, "active")
        links["active"].action_archive()
        self.assertEqual(links["active"].availability, "inactive")

    def test_places_of_a_whole_list_are_counted_by_one_query(self):
        unlimited = self.create_links(5)
        limited = self.create_links(80)
        limited.max_payments = 1
        for links, queries in ((unlimited, 0), (limited, 1)):
            known = {"state": {}, "gateway_id": {"fields": {"active": {}}}}
            asked = known | {"availability": {}, "held_until": {}, "closed_hint": {}}
            self.assertEqual(
                self.count_queries(links, asked),
                self.count_queries(links, known) + queries,
            )

    def create_links(self, number):
        return self.env["checkout.link"].create(
            [
                {"name": f"Link {i}", "amount": 5, "gateway_id": self.gateway.id}
                for i in range(number)
            ]
        )

    def count_queries(self, links, specification):
        for _ in range(2):  # the first time reads what stays known from then on
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            links.web_read(specification)
        return self.cr.sql_log_count - before

    def test_a_link_is_found_by_its_address(self):
        link = self.create_link()
        self.create_link()
        for quoted in (link.url, f"{link.url}/return?session_id=cs_1", link.url[-9:]):
            with self.subTest(quoted=quoted):
                self.assertEqual(
                    self.env["checkout.link"].search([("url", "ilike", quoted)]), link
                )

    def test_a_table_of_titles_and_amounts_becomes_links(self):
        result = self.env["checkout.link"].load(
            ["name", "amount"], [["Deposit", "50.00"], ["Balance", "1250.50"]]
        )
        self.assertFalse(result["messages"])
        links = self.env["checkout.link"].browse(result["ids"])
        self.assertEqual(links.mapped("amount"), [50, 1250.5])
        self.assertEqual(len(set(links.mapped("url"))), 2)

    def test_a_bad_row_of_a_table_is_reported_in_words(self):
        result = self.env["checkout.link"].load(["name", "amount"], [["Gift", "-1"]])
        self.assertIn("greater than zero", result["messages"][0]["message"])

    def test_addresses_can_be_exported(self):
        link = self.create_link()
        self.assertEqual(
            link.export_data(["name", "url"])["datas"], [["Summer course", link.url]]
        )

    def test_exported_links_are_changed_by_importing_them_again(self):
        link = self.create_link()
        names = ["id", "name", "amount", "description"]
        [[xml_id, *_values]] = link.export_data(names)["datas"]
        result = link.load(names, [[xml_id, "Winter course", "95.50", "With lunch"]])
        self.assertEqual(result["ids"], link.ids, result["messages"])
        self.assertEqual((link.name, link.amount), ("Winter course", 95.5))
        self.assertEqual(link.description, "With lunch")

    def test_several_links_are_edited_at_once(self):
        links = self.create_link() | self.create_link()
        links.web_save_multi([{"amount": 95.5}] * 2, {})
        self.assertEqual(links.mapped("amount"), [95.5, 95.5])

    def test_archived_links_leave_the_list_and_come_back(self):
        link = self.create_link()
        domain = [("id", "=", link.id)]
        link.action_archive()
        self.assertFalse(link.search(domain))
        self.assertEqual(link.search([("active", "=", False), *domain]), link)
        link.action_unarchive()
        self.assertEqual(link.search(domain), link)

    def test_chatter_says_what_changed_and_who_did_it(self):
        link = self.create_link()
        merchant = new_test_user(
            self.env, "busy", "base.group_user,account.group_account_invoice"
        )
        self.cr.flush()  # the chatter is written before a commit
        # Odoo's tests keep no track unless they ask for it.
        mine = link.with_user(merchant).with_context(
            tracking_disable=False, mail_notrack=False
        )
        mine.write({"name": "Winter course", "amount": 95.5})
        mine.action_deactivate()
        self.cr.flush()
        values = link.message_ids.sudo().tracking_value_ids
        self.assertLessEqual(
            {"name", "amount", "state"}, set(values.field_id.mapped("name"))
        )
        self.assertEqual(values.mail_message_id.author_id, merchant.partner_id)
