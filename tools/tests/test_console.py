"""What the person at the terminal reads."""

import pytest

from tools import console


@pytest.mark.parametrize(("long", "lines"), [(0, 2), (3600, 1)])
def test_only_a_long_step_says_how_long_it_took(monkeypatch, capsys, long, lines):
    monkeypatch.setattr(console, "_LONG", long)
    with console.step("Bread: baking"):
        pass
    assert capsys.readouterr().out.count("Bread: baking") == lines
