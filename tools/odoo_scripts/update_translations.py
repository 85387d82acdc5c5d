"""Bring the addon's translations up to its template: where words are, and which are no
longer used. polib is among what Odoo needs, so this runs with Odoo's Python.

``python update_translations.py TEMPLATE`` changes the ``.po`` files beside it.
"""

import sys
from pathlib import Path

import polib


def update(translation: Path, template: polib.POFile) -> None:
    """Keep the words that the template has, at the places that it names."""
    before = {entry.msgid: entry for entry in polib.pofile(str(translation))}
    after = polib.pofile(str(translation), wrapwidth=78)
    after.clear()
    for entry in template:
        if entry.msgid in before:
            entry = polib.POEntry(
                msgid=entry.msgid,
                msgstr=before[entry.msgid].msgstr,
                occurrences=entry.occurrences,
                comment=entry.comment,
            )
            after.append(entry)
    after.save(str(translation))


if __name__ == "__main__":
    place = Path(sys.argv[1])
    for path in sorted(place.parent.glob("*.po")):
        update(path, polib.pofile(str(place)))
