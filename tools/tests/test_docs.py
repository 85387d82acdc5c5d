"""What the documentation quotes exists: labels, messages, names, pages and pictures.

In it *emphasis* is for labels of the interface and "double quotes" are for messages,
where … stands for what differs or is left out. Neither is used for anything else.
"""

import re
from functools import cache

import polib
import pytest
from docutils import nodes
from docutils.core import publish_doctree

from tools import project

PAGES = [project.ROOT / "README.rst", *sorted((project.ROOT / "docs").glob("*.rst"))]
FRAGMENTS = sorted((project.ADDON_FOLDER / "readme").glob("*.rst"))
ADDON_README = project.ADDON_FOLDER / "README.rst"
ALL = [*PAGES, ADDON_README]
# Labels of Odoo's own interface and of the Stripe Dashboard.
LABELS_OF_OTHERS = {
    "Languages",
    "Translate",
    "Translations",
    *("Add API Key", "Apps", "Configuration", "Configure Document Layout"),
    *("Currencies", "Customers", "Edit subscription", "Invoicing", "Journals", "New"),
    *("My Preferences", "Security", "Settings", "Stripe", "Update Apps List"),
    *("API keys", "Branding", "Business", "Customer emails", "Developers"),
    *("Payment methods", "Payments", "Refunds", "Successful payments"),
}


def ids(path):
    return str(path.relative_to(project.ROOT))


@cache
def template():
    """The texts of the translation template, each on one line."""
    entries = polib.pofile(str(project.ADDON_FOLDER / f"i18n/{project.ADDON}.pot"))
    return {" ".join(entry.msgid.split()) for entry in entries}


def read(path):
    settings = {"report_level": 5, "halt_level": 5, "input_encoding": "utf-8"}
    return publish_doctree(
        path.read_bytes(), source_path=str(path), settings_overrides=settings
    )


def labels(path):
    for node in read(path).findall(nodes.emphasis):
        yield from " ".join(node.astext().split()).split(" › ")


def messages(path):
    for block in read(path).findall(nodes.TextElement):
        if not isinstance(block, (nodes.literal_block, nodes.Inline)):
            yield from re.findall(r'"([^"]+)"', _text_of(block))


def _text_of(block):
    """Its text on one line, without literals."""
    texts = [
        text.astext()
        for text in block.findall(nodes.Text)
        if not isinstance(text.parent, nodes.literal)
    ]
    return " ".join("".join(texts).split())


def is_quoted_right(message):
    parts = [re.escape(part.strip()) for part in message.split("…")]
    pattern = re.compile(".*".join(parts))
    return any(pattern.search(text) for text in template())


@pytest.mark.parametrize("path", ALL, ids=ids)
def test_page_is_well_formed(path):
    problems = [node.astext() for node in read(path).findall(nodes.system_message)]
    assert not problems


@pytest.mark.parametrize("path", ALL, ids=ids)
def test_each_label_exists(path):
    unknown = set(labels(path)) - template() - LABELS_OF_OTHERS
    assert not unknown


@pytest.mark.parametrize("path", ALL, ids=ids)
def test_each_message_exists(path):
    unknown = [text for text in messages(path) if not is_quoted_right(text)]
    assert not unknown


def test_troubleshooting_quotes_messages():
    assert len(list(messages(project.ROOT / "docs/troubleshooting.rst"))) > 80


@pytest.mark.parametrize("path", PAGES, ids=ids)
def test_each_page_and_picture_exists(path):
    tree = read(path)
    targets = [node["uri"] for node in tree.findall(nodes.image)]
    targets += [node.get("refuri", "") for node in tree.findall(nodes.reference)]
    local = [target for target in targets if not re.match(r"https?:|mailto:|$", target)]
    assert not [name for name in local if not (path.parent / name).exists()]
    assert all(node.get("alt") for node in tree.findall(nodes.image))


@pytest.mark.parametrize("name", ["extending", "from_other_programs"])
def test_each_name_that_programs_rely_on_exists(name):
    literals = read(project.ROOT / f"docs/{name}.rst").findall(nodes.literal)
    words = " ".join(node.astext() for node in literals)
    names = set(re.findall(r"\b_?[a-z]+(?:_[a-z]+)+\b|\b[a-z]+(?=\()", words))
    assert len(names) > 10
    unknown = {word for word in names if not re.search(rf"\b{word}\b", code())}
    assert not unknown


@cache
def code():
    """What names may be of: the addon, the stand-in for Stripe, the example."""
    folders = (project.ADDON_FOLDER, project.ROOT / "docs/examples")
    paths = [path for folder in folders for path in folder.rglob("*.*")]
    texts = [path.read_text() for path in paths if path.suffix in (".py", ".xml")]
    return "\n".join([*texts, *(path.parent.name for path in paths)])


def test_each_file_that_contributors_are_sent_to_exists():
    text = (project.ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`((?:kantivo|tests|docs)\w*/[\w./]+)`", text)
    assert len(named) > 20
    assert not [name for name in named if not (project.ROOT / name).exists()]
    methods = set(re.findall(r"`(\w+)\(\)`", text))
    assert methods
    standin = (project.ROOT / "stripe_standin/control_client.py").read_text()
    known = code() + standin
    assert not {name for name in methods if f"def {name}(" not in known}


def test_description_for_the_store_has_labels_that_exist():
    page = (project.ADDON_FOLDER / "static/description/index.html").read_text()
    found = [label.split(" › ") for label in re.findall(r"<em>(.*?)</em>", page)]
    assert found
    known = template() | LABELS_OF_OTHERS
    assert not {part for parts in found for part in parts} - known


def test_readme_of_the_addon_has_each_fragment():
    readme = ADDON_README.read_text()
    assert len(FRAGMENTS) >= 6
    assert not [path.name for path in FRAGMENTS if path.read_text() not in readme]
