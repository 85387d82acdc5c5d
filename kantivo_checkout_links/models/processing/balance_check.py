from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, split_every
from odoo.tools.misc import format_datetime

from ...budget import Budget
from ...const import STRIPE_PAGE, SYNC_LOCK
from ...kinds import EARLY_KINDS
from ...money import differs, from_minor, round_exact
from ...utils import to_timestamp

# How often what is new is read until a difference stays the same.
STEADY_ATTEMPTS = 3

FIND_CHANGED_ENTRY = """
    SELECT movement.id
      FROM checkout_movement movement
      LEFT JOIN account_move_line item
        ON item.move_id = movement.move_id AND item.account_id = %(account)s
     WHERE movement.gateway_id = %(gateway)s
       AND movement.statement_line_id IS NOT NULL
     GROUP BY movement.id
    HAVING round(coalesce(sum(item.amount_currency), 0) - movement.amount, 3) <> 0
     ORDER BY movement.occurred_at, movement.id
     LIMIT 1
"""


class CheckoutAgreement(models.AbstractModel):
    """Whether the ledger matches Stripe.

    Stripe's balance is the sum of its balance transactions; the journal's balance is
    that of our entries. They differ by named items only: charges that Stripe hasn't
    entered yet, movements that wait, money that is left out on purpose.
    """

    _name = "checkout.agreement"
    _description = "Stripe Balance Check"

    @api.model
    def _cron_check(self):
        """Check all gateways; one that fails says so on itself and stops no other."""
        budget = Budget.of_cron(self.env)
        self.env["checkout.gateway"]._for_each_with_key(
            lambda gateway: gateway._check_agreement(budget), "be compared"
        )
        for gateway in self.env["checkout.gateway"]._search_served([]):
            gateway._note(self._end_day)

    @api.model
    def _end_day(self, gateway):
        """Prove what is kept, and say what needs someone."""
        gateway._prove_totals()
        gateway._compute_has_other_entries()
        gateway._update_health_activity()
        gateway._mail_problems()

    @api.model
    def _check_fully(self, gateway, budget):
        """Close the months that are over, count the past again, and compare.

        :return: The state that it is in now.
        :raise StripeError: if Stripe can't be read.
        """
        with (
            gateway._holding(SYNC_LOCK),
            gateway._in_new_transaction() as gateway_sudo,
        ):
            if gateway_sudo.post_entries:
                gateway_sudo._work_exclusively(lambda g: g._close_months())
                gateway_sudo._commit()
            return self.with_env(gateway_sudo.env)._check(gateway_sudo, budget)

    @api.model
    def _check(self, gateway, budget):
        """Compare both balances and keep the result on the gateway.

        Of the ledger, this reads what came after the last monthly statement. Others
        write to it meanwhile: what is new is then read once more.

        :return: The state that it is in now.
        :raise StripeError: if Stripe can't be read.
        """
        self.env.flush_all()
        result = self._compare(gateway, budget)
        return gateway._work_exclusively(lambda g: self._keep_result(g, result))

    @api.model
    def _keep_result(self, gateway, result):
        before = gateway.agreement_state
        gateway.write(result)
        if gateway.agreement_state != "red" and gateway.reread_difference:
            gateway.reread_difference = 0
        if gateway.agreement_state != before:
            gateway._do_aside(lambda g: g._update_alarm())
        return gateway.agreement_state

    @api.model
    def _compare(self, gateway, budget):
        """What differs is read once more: money may have moved since it was read. Where
        a new difference stays, all is read: Stripe may list a transaction late, or with
        an earlier date. What there is no time for is left to the next sync.
        """
        if not gateway.post_entries:
            return {"agreement_state": "grey"}
        result = self._prepare_result(gateway)
        if result["agreement_state"] != "red" or not gateway._may_sync():
            return result
        result, is_steady = self._read_until_steady(gateway, result, budget)
        if is_steady and self._is_new_difference(gateway, result):
            gateway._work_exclusively(
                lambda g: g.write({"transactions_read_to": False})
            )
            gateway._commit()
            result = self._read_and_compare(gateway, budget)
            result["reread_difference"] = result["agreement_difference"]
        return result

    @api.model
    def _read_until_steady(self, gateway, result, budget):
        """Read what is new until it changes nothing; not for long, where money always
        moves.

        :return: The comparison, and whether it is steady and red.
        """
        for _attempt in range(STEADY_ATTEMPTS):
            before, result = result, self._read_and_compare(gateway, budget)
            if result["agreement_state"] != "red":
                return result, False
            if result["agreement_difference"] == before["agreement_difference"]:
                return result, True
        return result, False

    @api.model
    def _read_and_compare(self, gateway, budget):
        self.env["checkout.sync"]._read_balance_changes(gateway, budget)
        return self._prepare_result(gateway)

    @api.model
    def _is_new_difference(self, gateway, result):
        """Whether all has not been read for this difference yet."""
        return differs(result["agreement_difference"], gateway.reread_difference)

    @api.model
    def _prepare_result(self, gateway):
        """Compare both balances now.

        :return: Values for the gateway, in its currency. The difference is what Stripe
            has more than the journal, less what is explained: transactions that wait or
            are ignored (more at Stripe), and those in transit (more in the journal).
        :raise StripeError: if Stripe can't be read.
        """
        currency = gateway.currency_id
        balance, in_journal, named = self._measure(gateway)
        at_stripe = from_minor(balance, currency.name)
        difference = round_exact(at_stripe - in_journal)
        explained = named["waiting"] + named["left_out"] - named["in_transit"]
        unexplained = round_exact(difference - explained)
        return {
            "agreement_checked_at": fields.Datetime.now(),
            "agreement_stripe_balance": at_stripe,
            "agreement_journal_balance": in_journal,
            "agreement_in_transit": named["in_transit"],
            "agreement_waiting": named["waiting"],
            "agreement_left_out": named["left_out"],
            "agreement_difference": unexplained,
            "agreement_state": self._get_state(gateway, unexplained, named),
        }

    @api.model
    def _measure(self, gateway):
        """Stripe's balance in minor units, the journal's, and what explains differences
        of the two: at a moment when nothing was posted, if there is one.

        :raise StripeError: if Stripe can't be read.
        """
        client, after = gateway._get_client(), None
        for _attempt in range(STEADY_ATTEMPTS):
            before = after or self._measure_ledger(gateway)
            balance = gateway._read_balance(client)
            gateway._commit()  # see what is true now
            after = self._measure_ledger(gateway)
            if before == after:
                break
        return balance, *after

    @api.model
    def _measure_ledger(self, gateway):
        return self._get_journal_balance(gateway), self._get_named_amounts(gateway)

    @api.model
    def _get_state(self, gateway, unexplained, named):
        if unexplained:
            return "red"
        if self._count_left_out(gateway):
            return "grey"
        return "amber" if any(named.values()) else "green"

    @api.model
    def _get_journal_balance(self, gateway) -> float:
        """The balance of the Stripe journal's account, in the journal's currency."""
        until = gateway.closed_until
        domain = [("date", ">", until)] if until else []
        recent = gateway._sum_journal_items(domain)
        return round_exact(gateway.closed_balance + recent)

    @api.model
    def _get_named_amounts(self, gateway) -> dict[str, float]:
        """Sums of what rightly stands in one of the two balances only."""
        known = Domain("balance_transaction_id", "!=", False)
        posted = Domain("state", "in", ("posted", "to_review"))
        domains = {
            "in_transit": posted & ~known & Domain("kind", "in", EARLY_KINDS),
            "waiting": Domain("state", "=", "to_post")
            & (known | Domain("kind", "=", "opening")),
            "left_out": Domain("state", "=", "skipped")
            & (known | Domain("kind", "=", "opening")),
        }
        own = Domain("gateway_id", "=", gateway.id) & Domain(
            "currency_id", "=", gateway.currency_id.id
        )
        return {
            name: self._sum_movements(own & domain) for name, domain in domains.items()
        }

    @api.model
    def _sum_movements(self, domain) -> float:
        groups = self.env["checkout.movement"]._read_group(domain, [], ["amount:sum"])
        return round_exact(groups[0][0] or 0)

    @api.model
    def _count_left_out(self, gateway):
        return self.env["checkout.movement"].search_count(
            [
                ("gateway_id", "=", gateway.id),
                ("state", "=", "skipped"),
                ("is_third_party", "=", True),
            ],
            limit=1,
        )

    # === THE FIRST DIFFERENCE === #

    @api.model
    def _find_difference(self, gateway):
        """The first thing that differs, and what to do about it.

        :return: A record (or none), and a sentence.
        """
        return (
            self._find_strange_item(gateway)
            or self._find_changed_entry(gateway)
            or self._find_unposted(gateway)
            or (None, self._describe_earlier(gateway))
        )

    @api.model
    def _describe_earlier(self, gateway):
        return self.env._(
            "Every item since %s matches. The difference is in the earlier items: "
            "compare the opening balance with Stripe's balance report for that day.",
            format_datetime(self.env, gateway.sync_from),
        )

    @api.model
    def _find_strange_item(self, gateway):
        """Someone posted on the Stripe account by hand."""
        items = self.env["account.move.line"].search(
            [
                ("account_id", "=", gateway.journal_id.default_account_id.id),
                ("parent_state", "=", "posted"),
                ("move_id.checkout_movement_ids", "=", False),
                ("amount_currency", "!=", 0),
            ],
            order="date, id",
            limit=1,
        )
        if not items:
            return None
        sentence = self.env._(
            "This entry uses the Stripe journal's account but doesn't record a Stripe "
            "transaction. Post it to another account."
        )
        return items.move_id, sentence

    @api.model
    def _find_changed_entry(self, gateway):
        """The first movement whose entry has another amount, and why; or None."""
        self.env.flush_all()
        changed = self.env.execute_query(
            SQL(
                FIND_CHANGED_ENTRY,
                gateway=gateway.id,
                account=gateway.journal_id.default_account_id.id,
            )
        )
        if not changed:
            return None
        movement = self.env["checkout.movement"].browse(changed[0])
        return movement, self.env._("The entry's amount differs from Stripe's.")

    @api.model
    def _find_unposted(self, gateway):
        """What Stripe lists and no movement has, or has with another amount. Stripe
        lists the newest first, in pages that are forgotten one by one.
        """
        since = to_timestamp(gateway.sync_from)
        rows = gateway._iter_transactions(gateway._get_client(), {"gte": since})
        first = None
        for page in split_every(STRIPE_PAGE, rows):
            first = self._find_differing(gateway, page) or first
        return first and self._describe_unposted(gateway, *first)

    @api.model
    def _find_differing(self, gateway, rows):
        """The first of some balance transactions that isn't posted as it is.

        :param rows: Newest first.
        :return: The transaction, its amount, and what is posted of it; or None.
        """
        amounts = dict(
            self.env["checkout.movement"]._read_group(
                [
                    ("gateway_id", "=", gateway.id),
                    ("balance_transaction_id", "in", [row["id"] for row in rows]),
                ],
                ["balance_transaction_id"],
                ["amount:sum"],
            )
        )
        for row in reversed(rows):
            net = from_minor(row["net"], gateway.currency_id.name)
            posted = amounts.get(row["id"], 0)
            if differs(net, posted):
                return row, net, posted
        return None

    @api.model
    def _describe_unposted(self, gateway, row: dict, net: float, posted: float):
        """What to do about a balance transaction that isn't in the ledger as it is.

        :param dict row: The balance transaction.
        :param float net: Its net amount, in the gateway's currency.
        :param float posted: What is posted of it.
        :return: The movement, if there is one, and a sentence.
        """
        movement = self.env["checkout.movement"].search(
            [("balance_transaction_id", "=", row["id"])], limit=1
        )
        if movement:
            return movement, self._describe_rounded(gateway, row, net, posted)
        sentence = self.env._(
            "Stripe reports %(amount)s for %(id)s (%(kind)s), but the ledger doesn't "
            "match. %(why)s",
            amount=gateway.currency_id._format_exact(net),
            id=row["id"],
            kind=row["type"],
            why=self._explain_unposted(gateway, row),
        )
        return None, sentence

    @api.model
    def _describe_rounded(self, gateway, row: dict, net: float, posted: float):
        """What to do about an amount that was rounded when it was posted."""
        currency = gateway.currency_id
        return self.env._(
            "Stripe reports %(amount)s for %(id)s, but %(posted)s is posted. Post the "
            "difference of %(difference)s with a journal entry between the account of "
            "the Stripe journal and that of this transaction.",
            amount=currency._format_exact(net),
            id=row["id"],
            posted=currency._format_exact(posted),
            difference=currency._format_exact(net - posted),
        )

    @api.model
    def _explain_unposted(self, gateway, row: dict):
        """Why a balance transaction isn't posted."""
        if not gateway._may_sync():
            return self.env._("It waits for your choice about the shared account.")
        event = self.env["checkout.event"]._find_waiting(gateway, row["source"])
        if event:
            return self.env._("Its Stripe object can't be read: %s", event.error)
        return self.env._("It is new. Check again to post it.")


class CheckoutGateway(models.Model):
    """Checking the balance from a gateway's form."""

    _inherit = "checkout.gateway"

    # === ACTION METHODS === #

    def action_check_agreement(self):
        """Compare the journal with Stripe now; what differs is read and posted first.

        :raise UserError: if Stripe can't be read.
        """
        self.ensure_one()
        self.env["checkout.link"].check_access("write")  # not read-only users
        self.check_access("read")
        with self._take_merchants_turn():
            state = self._check_agreement(Budget.of_request())
        kinds = {"green": "success", "red": "danger"}
        return self._notify(kinds.get(state, "warning"), self._describe_agreement())

    def action_view_difference(self):
        """Open the first thing that differs, saying what to do about it.

        :raise UserError: if Stripe can't be read.
        """
        self.ensure_one()
        self.check_access("read")
        gateway_sudo = self._as_superuser(self.env)  # the key is out of reach
        agreement_sudo = gateway_sudo.env["checkout.agreement"]
        with self._take_merchants_turn():
            record, sentence = agreement_sudo._find_difference(gateway_sudo)
        if not record:
            return self._notify("warning", sentence)
        notice = self._notify("warning", sentence)
        action = record.with_env(self.env)._get_records_action(name=sentence)
        notice["params"]["next"] = action
        return notice

    # === BUSINESS METHODS === #

    def _check_agreement(self, budget):
        agreement_sudo = self.env["checkout.agreement"].sudo()
        state = agreement_sudo._check_fully(
            self.sudo(), budget
        )  # the key is out of reach
        self.invalidate_recordset()
        return state
