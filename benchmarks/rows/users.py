"""What users do, and the scheduler, with few and with many payments in the database."""

import ast
import inspect
import json
import time
import urllib.request
from collections.abc import Callable

from lxml import etree

from benchmarks import canned, fill
from benchmarks.kit import Bench, median, medians, timed
from benchmarks.results import Section, milliseconds, ratio, verdict
from benchmarks.rows import entries
from benchmarks.rows.memory import get_memory, reset_peak
from tools.console import say

GOAL, OTHERS_GOAL = 1.5, 1.2  # times as long
MEMORY_GOAL = 150  # MiB
NOISE = 0.005  # seconds by which two figures may differ without a meaning
PAGE = 80  # records of a list that Odoo's web client asks for
ROWS = 40  # and of a list in a form
RETURNS = 20


def measure(bench: Bench) -> Section:
    """The same tasks in a small and in a large database."""
    few, many = (50, 200) if bench.quick else (1_000, 100_000)
    many = 1_000_000 if bench.million else many
    smalls, large = [_measure(bench, few)], _measure(bench, many)
    if not bench.quick:
        smalls.append(_measure(bench, few))  # in turns: the machine may have changed
    section = Section(
        f"tasks with {few:,} and with {many:,} payments in the database",
        (
            *("task", f"{few:,}", f"{many:,}", "growth", "goal", "reached"),
            *("memory", "answer"),
        ),
        notes=(
            "95 % of the payments are on one link, the rest on twenty; all are posted,"
            f" spread over {fill.DAYS} days, each of a contact of its own.",
            "Others' own work: in the large database; the first figure is without rows"
            f" in the addon's tables (goal <= {OTHERS_GOAL}x).",
            f"Memory: the peak of the task, in the larger database (goal <="
            f" {MEMORY_GOAL} MiB). Answer: what goes to the browser, as JSON. Less"
            f" than {milliseconds(NOISE)} more count as none.",
        ),
    )
    for task, now in large["tasks"].items():
        before = medians([small["tasks"][task] for small in smalls])
        _add(section, task, before, now, GOAL)
    for task, pair in large["others"].items():
        _add(section, f"{task}, others' own work", *pair, OTHERS_GOAL)
    return section


def _add(section: Section, task: str, before: dict, now: dict, goal: float) -> None:
    fast = now["seconds"] <= max(goal * before["seconds"], before["seconds"] + NOISE)
    lean = now["memory"] <= before["memory"] + MEMORY_GOAL
    section.add(
        task,
        milliseconds(before["seconds"]),
        milliseconds(now["seconds"]),
        ratio(now["seconds"], before["seconds"]),
        f"<= {goal}x",
        verdict(fast and lean),
        f"{now['memory']:.0f} MiB",
        f"{now['answer']:,}" if now["answer"] else "-",
    )


def _measure(bench: Bench, payments: int) -> dict:
    with bench.database("users") as name, bench.stripe() as stripe:
        bench.inside(name, fill_database, payments=payments)
        say(f"users: {payments:,} payments are there")
        sizes = {"payments": payments, "rounds": 1 if bench.quick else 3}
        found = bench.inside(name, do_tasks, stripe, url=stripe.url, **sizes)
        with bench.server(name, stripe) as server:
            seconds = _open_return_page(server.url + found.pop("return_path"))
        page = {"seconds": seconds, "memory": 0, "answer": 0}
        found["tasks"] = {"return page": page, **found["tasks"]}
    return found


def _open_return_page(url: str) -> float:
    def open_it() -> None:
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert answer.status == 200
            assert b"Payment received" in answer.read()

    open_it()
    return median(timed(open_it) for _ in range(RETURNS))


# -- inside Odoo ----------------------------------------------------------------------


def fill_database(env, payments: int) -> None:
    """Have so many payments, all posted."""
    fill.add_posted(env, payments)
    count = env["checkout.payment"].search_count([("paid_at", "!=", False)])
    assert count == payments + 1, count
    posted = env["checkout.movement"].search_count([("state", "=", "posted")])
    assert posted == 2 * count, posted
    others = env["checkout.gateway"].search([]) - fill.get_link(env).gateway_id
    others.active = False
    env.cr.commit()


def do_tasks(env, url: str, payments: int, rounds: int) -> dict:
    """Seconds, memory and the answer's size of each task."""
    gateway = fill.get_link(env).gateway_id
    stripe = canned.Stripe(url)
    stripe.configure(balance={"usd": _get_cents(env, gateway)})
    accountant = env.ref("account.group_account_manager")
    env.ref("base.user_admin").group_ids += accountant
    env.cr.commit()
    admin = env(user=env.ref("base.user_admin"), su=False)
    tasks = Tasks(admin, payments, rounds)
    found = {
        "first daily check, closes months; for 1,000 payments": tasks.close_months()
    }
    found |= {name: tasks.do(work) for name, work in tasks.get_all().items()}
    found["new payment, event to entries"] = tasks.post_some(stripe, 0)
    age = (fill.DAYS - 10) * 24 * 3600
    found["new payment, of the oldest month"] = tasks.post_some(stripe, age)
    others = tasks.compare_others()
    found["delete the link"] = tasks.do(fill.get_link(tasks.env).unlink, rounds=1)
    token, number = fill.get_link(env).access_token, payments // 2 + 1
    path = f"/checkout/{token}/return?session_id=cs_test_bench{number:010d}"
    return {"tasks": found, "others": others, "return_path": path}


def _get_cents(env, gateway) -> int:
    """Stripe's balance, if the ledger is right."""
    env.cr.execute(
        "SELECT SUM(amount_currency) FROM account_move_line"
        " WHERE account_id = %s AND parent_state = 'posted'",
        [gateway.journal_id.default_account_id.id],
    )
    return round(env.cr.fetchone()[0] * 100)


class Tasks:
    """What an accountant does in the web client, by the calls that it makes."""

    def __init__(self, env, payments: int, rounds: int):
        self.env = env
        self._payments, self._rounds = payments, rounds
        self._link = fill.get_link(env)
        self._gateway = self._link.gateway_id

    def get_all(self) -> dict[str, Callable]:
        """By name: each changes nothing, or is undone."""
        email = f"payer{self._payments // 3 + 1:010d}@example.com"
        return {
            "links: list": self._list("checkout.link"),
            "link: form, 95 % of the payments": self._form(self._link),
            "gateway: form": self._form(self._gateway),
            "payments: list": self._list("checkout.payment"),
            "payments: search by e-mail": self._search("checkout.payment", email),
            "transactions: list": self._list("checkout.movement"),
            "events: list": self._list("checkout.event"),
            "payment: form": self._form(self._link.payment_ids[:1]),
            "contact: form": self._form(self._find_partner(email)),
            "dashboard card": self._show_card,
            "link: Journal Entries": self._show_entries,
            "Show Difference": self._gateway.action_view_difference,
            "sync, nothing new": self._gateway.action_sync,
            "balance check, nothing new": self._check,
            "daily check, nothing new": self._check_daily,
            "pruning": self._prune,
        }

    def do(self, work: Callable, rounds: int = 0, before: Callable = bool) -> dict:
        """Its median, its memory and the size of its answer; undone afterwards.

        :param before: Done each time before, and undone too.
        """
        rounds = rounds or self._rounds
        self._undo()
        if rounds > 1:
            work()  # what Odoo loads at first is loaded
            self._undo()
        memory = reset_peak()
        times, answer = [], None
        for _round in range(rounds):
            before()
            started = time.perf_counter()
            answer = work()
            self.env.flush_all()
            times.append(time.perf_counter() - started)
            self._undo()
        size = len(json.dumps(answer, default=str)) if answer else 0
        peak = get_memory()["VmHWM"] - memory
        return {"seconds": median(times), "memory": max(peak, 0), "answer": size}

    def _undo(self) -> None:
        self.env.cr.rollback()
        self.env.invalidate_all()

    # -- views ------------------------------------------------------------------------

    def _list(self, model: str, domain: list = ()) -> Callable:
        spec = _make_spec(self.env, model, "list")
        options = {"limit": PAGE, "count_limit": 10_001}
        return lambda: _filled(
            self.env[model].web_search_read(list(domain), spec, **options)
        )

    def _form(self, record) -> Callable:
        assert len(record) == 1, record
        spec = _make_spec(self.env, record._name, "form")
        return lambda: record.web_read(spec)

    def _search(self, model: str, text: str) -> Callable:
        """What is typed in the search box, without choosing where."""
        from odoo.tools.safe_eval import safe_eval

        views = self.env[model].get_views([(False, "search")])
        tree = etree.fromstring(views["views"]["search"]["arch"])
        domain = tree.xpath("//field[@filter_domain]/@filter_domain")[0]
        return self._list(model, safe_eval(domain, {"self": text}))

    def _find_partner(self, email: str):
        return self.env["res.partner"].search([("email", "=", email)])

    # -- buttons and the scheduler ----------------------------------------------------

    def _show_card(self):
        return self._gateway.journal_id.read(["kanban_dashboard"])

    def _show_entries(self):
        action = self._link.action_view_moves()
        domain = action["domain"]
        domain = ast.literal_eval(domain) if isinstance(domain, str) else domain
        return [action, self._list(action["res_model"], domain)()]

    def _check(self) -> None:
        self._gateway.action_check_agreement()
        state = self._gateway.agreement_state
        assert state == "green", (state, self._gateway.agreement_difference)

    def _check_daily(self) -> None:
        """What the scheduler does: it also counts the totals of links again."""
        self.env(user=1, su=True)["checkout.agreement"]._cron_check()
        self._undo()
        assert self._gateway.agreement_state == "green"

    def close_months(self) -> dict:
        """The first daily check, for a thousand payments."""
        found = self.do(self._check_daily, rounds=1)
        assert self._gateway.closed_until
        on_others = self._payments // 20
        assert self._link.payment_count == self._payments - on_others + 1
        return {**found, "seconds": found["seconds"] * 1000 / self._payments}

    def _prune(self) -> None:
        for name in self.env:
            if name.startswith("checkout."):
                model = self.env[name].sudo()
                for method, _ in inspect.getmembers(type(model), _is_autovacuum):
                    getattr(model, method)()

    def post_some(self, stripe: canned.Stripe, age: int) -> dict:
        """New payers' payments: from the event to both entries, one after the other.

        :param age: Seconds since they were made.
        """
        env = self.env(user=1, su=True)
        times, memory = [], reset_peak()
        env.cr.execute("SELECT count(*) FROM checkout_payment")
        first = 2 * self._payments + env.cr.fetchone()[0]
        for number in range(first, first + 3):
            fill.add_waiting(env, number, 1)
            stripe.configure(first=number, count=1, age=age)
            times.append(timed(lambda: entries.process(env)))
            env.cr.rollback()
            env.invalidate_all()
            entries.check(env, number, 1)
        peak = get_memory()["VmHWM"] - memory
        return {"seconds": median(times), "memory": max(peak, 0), "answer": 0}

    # -- others' own work -------------------------------------------------------------

    def compare_others(self) -> dict:
        """Each task without and with rows in the addon's tables, in turns."""
        invoice, entry = self._make_invoice(), self._make_entry()
        tasks = {
            "open an invoice": self._form(invoice),
            "open a journal entry": self._form(entry),
            "reset an invoice to draft": invoice.button_draft,
            "reset a journal entry to draft": entry.button_draft,
            "list of journal entries": self._list("account.move"),
        }
        return {
            name: [self.do(work, before=self._empty_tables), self.do(work)]
            for name, work in tasks.items()
        }

    def _empty_tables(self) -> None:
        """Leave nothing in the tables of payments, transactions and events."""
        self.env.cr.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND (relname LIKE ANY("
            "ARRAY['checkout_movement%', 'checkout_payment%', 'checkout_event%']))"
        )
        names = ", ".join(name for (name,) in self.env.cr.fetchall())
        count = "SELECT count(*) FROM account_move"
        self.env.cr.execute(count)
        before = self.env.cr.fetchone()
        self.env.cr.execute(f"TRUNCATE {names} CASCADE")
        self.env.cr.execute(count)
        assert self.env.cr.fetchone() == before

    def _make_invoice(self):
        line = {"name": "Consulting", "price_unit": 500, "quantity": 1}
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.env.company.partner_id.id,
                "invoice_line_ids": [(0, 0, line)],
            }
        )
        return self._post(invoice)

    def _make_entry(self):
        accounts = self.env["account.account"].search(
            [("account_type", "in", ("expense", "asset_current"))], limit=2
        )
        items = [
            {"account_id": accounts[0].id, "debit": 10},
            {"account_id": accounts[1].id, "credit": 10},
        ]
        values = {"move_type": "entry", "line_ids": [(0, 0, item) for item in items]}
        return self._post(self.env["account.move"].create(values))

    def _post(self, move):
        move.action_post()
        self.env.cr.commit()
        return move


def _is_autovacuum(member) -> bool:
    return callable(member) and hasattr(member, "_autovacuum")


def _filled(answer: dict) -> dict:
    assert answer["records"], "an empty list"
    return answer


def _make_spec(env, model: str, view_type: str) -> dict:
    """The fields that the web client reads for a model's default view."""
    views = env[model].get_views([(False, view_type)])
    tree = etree.fromstring(views["views"][view_type]["arch"])
    return _read_spec(env, env[model], tree)


def _read_spec(env, model, tree) -> dict:
    level = tree.xpath("count(ancestor::field)")
    nodes = tree.xpath(f".//field[count(ancestor::field) = {level}]")
    return {
        node.get("name"): _read_node(env, model._fields[node.get("name")], node)
        for node in nodes
    }


def _read_node(env, field, node) -> dict:
    if field.type == "many2one":
        return {"fields": {"display_name": {}}}
    if field.type not in ("one2many", "many2many"):
        return {}
    if "tags" in (node.get("widget") or ""):
        return {"fields": {"display_name": {}}}
    inline = node.xpath("./list | ./kanban")
    if inline:
        fields = _read_spec(env, env[field.comodel_name], inline[0])
    else:
        fields = {"display_name": {}}
    return {"fields": fields, "limit": ROWS}
