"""What ``make bench`` writes, without measuring anything."""

from benchmarks import results
from benchmarks.canned import Answers
from benchmarks.results import Section
from benchmarks.rows import ROWS

MACHINE = "Machine: two cores."
FIRST, SECOND = list(ROWS)[:2]


def render(name: str, value: str) -> str:
    section = Section("a title", ("what", "measured"), notes=("a note",))
    section.add("x", value)
    return section.render(name, "today")


def test_a_section_replaces_its_last_measurement_and_keeps_the_others():
    text = results.merge("", SECOND, render(SECOND, "1 ms"), MACHINE)
    text = results.merge(text, FIRST, render(FIRST, "2 ms"), MACHINE)
    text = results.merge(text, SECOND, render(SECOND, "3 ms"), "Machine: another.")
    assert "1 ms" not in text
    assert text.index("2 ms") < text.index("3 ms"), "the order is that of the rows"
    assert text.count("Machine:") == 1
    assert "Machine: another." in text


def test_canned_sessions_differ_in_what_is_a_payment_s_own():
    session = {"id": "cs_test_of_ada", "metadata": {"checkout_payment": "an uuid"}}
    answers = Answers(
        {
            "tokens": {"cs_test_of_ada": "cs_test_bench{}", "an uuid": "uuid-{}"},
            "paid": session,
            "open": session,
            "account": {},
        }
    )
    answers.settings |= {"first": 1, "count": 3}
    one = answers.answer("GET", "/v1/checkout/sessions/cs_test_bench0000000007", {})
    assert "cs_test_bench0000000007" in one
    assert "uuid-0000000007" in one
    page = answers.answer("GET", "/v1/checkout/sessions", {"limit": "2"})
    assert page.index("bench0000000003") < page.index("bench0000000002")
    assert '"has_more": true' in page
    after = {"limit": "2", "starting_after": "cs_test_bench0000000002"}
    rest = answers.answer("GET", "/v1/checkout/sessions", after)
    assert "bench0000000001" in rest
    assert '"has_more": false' in rest
