"""Which keys go to Stripe, and what is said about the others."""

import pytest

from tools import check_stripe, project
from tools.command import run
from tools.console import Problem

LIVE, TEST = "sk_live_51Secret", "sk_test_51Secret"


def refusal(monkeypatch, **variables):
    """The text of the refusal of these keys."""
    for name in ("STRIPE_KEY", "STRIPE_RESTRICTED_KEY"):
        monkeypatch.setenv(name, variables.get(name, ""))
    with pytest.raises(Problem) as caught:
        check_stripe.check_keys()
    assert "51Secret" not in str(caught.value)
    return str(caught.value)


def test_a_missing_key_is_asked_for(monkeypatch):
    assert "make check-stripe STRIPE_KEY=sk_test_" in refusal(monkeypatch)


@pytest.mark.parametrize("key", [LIVE, "rk_live_51Secret", "pk_live_51Secret"])
def test_a_live_key_is_refused(monkeypatch, key):
    assert "real money" in refusal(monkeypatch, STRIPE_KEY=key)


@pytest.mark.parametrize(
    "key", ["pk_test_51Secret", "rk_test_51Secret", "sk_test_", "51Secret"]
)
def test_what_is_no_secret_key_is_refused(monkeypatch, key):
    assert "sk_test_" in refusal(monkeypatch, STRIPE_KEY=key)


def test_a_live_restricted_key_is_refused(monkeypatch):
    keys = {"STRIPE_KEY": TEST, "STRIPE_RESTRICTED_KEY": "rk_live_51Secret"}
    assert "STRIPE_RESTRICTED_KEY is a key of live mode" in refusal(monkeypatch, **keys)


def test_test_keys_are_taken(monkeypatch):
    monkeypatch.setenv("STRIPE_KEY", TEST)
    monkeypatch.setenv("STRIPE_RESTRICTED_KEY", "rk_test_51Secret")
    check_stripe.check_keys()


def test_make_prints_no_key():
    with pytest.raises(Problem) as caught:
        run(
            *("make", "check-stripe", f"STRIPE_KEY={LIVE}"),
            cwd=project.ROOT,
            failure="Refused.",
        )
    assert "live mode" in str(caught.value)
    assert "51Secret" not in str(caught.value)
