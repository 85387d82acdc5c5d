"""The demo data, and the example addon of `docs/extending.rst`, really installed."""

from dataclasses import replace
from pathlib import Path

import pytest

from tools import cache, database, odoo_log, postgres, project

EXAMPLES = project.ROOT / "docs/examples"
EXAMPLE = "checkout_links_reminder"
PAID_ONCE = Path(__file__).parent / "odoo_scripts/paid_once.py"


@pytest.fixture(scope="module")
def furnished(odoo):
    """Odoo with the examples on its path, a database with demo data, and the log of
    its installation.
    """
    together = replace(odoo, addons=(*odoo.addons, EXAMPLES))
    with database.passing_without_addon(odoo, "demo_data") as name:
        _pretend_demo_data(name)
        log = cache.log_file(name)
        together.run(
            f"--database={name}",
            f"--init={project.ADDON},{EXAMPLE}",
            "--with-demo",
            *("--stop-after-init", "--no-http", "--skip-auto-install"),
            log=log,
        )
        yield together, name, log


def _pretend_demo_data(name):
    """Odoo loads an addon's demo data only where all that it depends on has some, which
    would take a minute to load; ours needs none of it.
    """
    postgres.query(
        "UPDATE ir_module_module SET demo = TRUE WHERE state = 'installed'", name
    )


def test_demo_data_are_a_gateway_without_a_key_and_three_links(furnished):
    _odoo, name, log = furnished
    assert not odoo_log.warnings(log)
    rows = postgres.query(
        "SELECT gateway.secret_key_value IS NULL, COUNT(*) FROM checkout_link"
        " JOIN checkout_gateway gateway ON gateway.id = gateway_id GROUP BY 1",
        name,
    )
    assert rows.split() == ["t|3"]


def test_example_is_called_once_for_a_payment(furnished):
    odoo, name, _log = furnished
    odoo.run_script(name, PAID_ONCE, cache.log_file(f"{name}_example"))


def test_page_shows_the_example_as_it_is():
    page = (project.ROOT / "docs/extending.rst").read_text()
    for path in sorted((EXAMPLES / EXAMPLE).glob("*.py")):
        lines = path.read_text().splitlines()
        shown = "\n".join(f"    {line}" if line else "" for line in lines)
        assert shown in page, f"docs/extending.rst shows another {path.name}"
