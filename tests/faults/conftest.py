"""A shop that is broken on purpose, and the table of what came of it."""

import pytest

from tests.faults import crowd, injection
from tests.kit import open_shop
from tools import server

_FIGURES: list[crowd.Figures] = []


@pytest.fixture(scope="session")
def broken_shop(odoo):
    """A shop of its own, in a server with worker processes as in production."""
    with open_shop(odoo, "broken", server.multi_process(2)) as shop:
        injection.prepare_writes(shop)
        yield shop


@pytest.fixture
def shop(broken_shop):
    """The shop, where nothing is broken yet."""
    broken_shop.end_troubles()
    return broken_shop


@pytest.fixture
def payers(shop, request):
    """Payers of a link of their own; at the end, the figures of their payments."""
    fault = request.node.name.removeprefix("test_")
    payers = crowd.Crowd(shop, shop.make_link(fault))
    yield payers
    figures = crowd.count(shop, fault, payers, crowd.recover(shop))
    _FIGURES.append(figures)
    assert figures.good, figures


def pytest_terminal_summary(terminalreporter):
    """Print the table of figures."""
    line = "{:48} {:>5} {:>5} {:>7} {:>10} {:>9} {:>10}  {}"
    head = ("Fault", "Paid", "Lost", "Double", "Explained", "Oldest", "Recovered")
    terminalreporter.write_line(line.format(*head, "Payers met"))
    for row in _FIGURES:
        terminalreporter.write_line(
            line.format(
                row.fault.replace("_", " "),
                row.paid,
                row.lost,
                row.double,
                f"{row.explained:.0f} %",
                f"{row.oldest:.0f} s",
                f"{row.seconds:.0f} s",
                row.answers or "",
            )
        )
