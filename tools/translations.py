"""``make pot``: the addon's translation template."""

import re

from tools import cache, database, project
from tools.console import say
from tools.ground import Odoo

_TEMPLATE = project.ADDON_FOLDER / f"i18n/{project.ADDON}.pot"
_DATE = re.compile(r'^"(?:POT-Creation|PO-Revision)-Date: .*\n', re.MULTILINE)


def write_template(odoo: Odoo) -> None:
    """Write it from an installed database; as it was, if only its date would change.

    :raise Problem: if Odoo fails.
    """
    before = _TEMPLATE.read_text() if _TEMPLATE.exists() else ""
    _export(odoo)
    name = _TEMPLATE.relative_to(project.ROOT)
    if without_dates(before) != without_dates(_TEMPLATE.read_text()):
        say(f"Translations: {name} has changed")
        return
    _TEMPLATE.write_text(before)
    say(f"Translations: {name} is up to date")


def _export(odoo: Odoo) -> None:
    """Odoo writes into the addon's own folder."""
    with database.passing(odoo, "pot") as name:
        odoo.run(
            *("i18n", "export", f"--database={name}", "--languages=pot"),
            project.ADDON,
            log=cache.log_file(name),
        )


def without_dates(template: str) -> str:
    """The words of a template, and where they are."""
    return _DATE.sub("", template)
