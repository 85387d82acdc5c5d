"""The addon's translation template: ``make pot`` writes it, CI compares it.

``make pot`` brings the translations up to it as well; a test of the addon says what
they lack.
"""

import re
from pathlib import Path

from tools import cache, database, project
from tools.command import run
from tools.console import say
from tools.ground import Odoo

_TEMPLATE = project.ADDON_FOLDER / f"i18n/{project.ADDON}.pot"
_NAME = _TEMPLATE.relative_to(project.ROOT)
_UPDATE = Path(__file__).parent / "odoo_scripts/update_translations.py"
_DATE = re.compile(r'^"(?:POT-Creation|PO-Revision)-Date: .*\n', re.MULTILINE)


def write_template(odoo: Odoo) -> None:
    """Write it from an installed database, and what follows from it.

    :raise Problem: if Odoo fails.
    """
    text = _export(odoo)
    if _is_template(text):  # or only its date would change
        say(f"Translations: {_NAME} is up to date")
    else:
        _TEMPLATE.write_text(text)
        say(f"Translations: {_NAME} has changed")
    failure = "The translations cannot be updated."
    run(odoo.python, _UPDATE, _TEMPLATE, failure=failure)


def is_current(odoo: Odoo) -> bool:
    """Whether the template has the words of the code, and say so.

    :raise Problem: if Odoo fails.
    """
    current = _is_template(_export(odoo))
    say(f"Translations: {_NAME} {'passed' if current else 'FAILED: run make pot'}")
    return current


def _is_template(text: str) -> bool:
    before = _TEMPLATE.read_text() if _TEMPLATE.exists() else ""
    return without_dates(before) == without_dates(text)


def _export(odoo: Odoo) -> str:
    with database.passing(odoo, "pot") as name:
        log = cache.log_file(name)
        output = log.with_suffix(".pot")
        odoo.run(
            *("i18n", "export", f"--database={name}", "--languages=pot"),
            *(f"--output={output}", project.ADDON),
            log=log,
        )
    return _take(output)


def _take(path: Path) -> str:
    text = path.read_text()
    path.unlink()
    return text


def without_dates(template: str) -> str:
    """The words of a template, and where they are."""
    return _DATE.sub("", template)
