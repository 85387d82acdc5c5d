"""The list of what a wheel needs is complete, and the same for the same wheel."""

import re
from email.message import Message
from importlib.metadata import requires

import pytest

from tools import sbom


@pytest.fixture
def document(tmp_path):
    wheel = tmp_path / "addon.whl"
    wheel.write_bytes(b"addon")
    metadata = Message()
    metadata["Name"], metadata["Version"] = "odoo-addon-x", "19.0.1.0"
    metadata["License"] = "LGPL-3"
    path = sbom.write(wheel, metadata)
    assert path.read_text() == sbom.write(wheel, metadata).read_text()
    return sbom.describe(wheel, metadata)


def test_document_has_what_cyclonedx_asks_for(document):
    assert document["bomFormat"] == "CycloneDX"
    assert document["specVersion"] == "1.6"
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", document["serialNumber"])
    for component in [document["metadata"]["component"], *document["components"]]:
        assert component.keys() >= {"type", "name", "version", "bom-ref"}


def test_what_it_needs_is_listed(document):
    listed = {component["bom-ref"] for component in document["components"]}
    needed = {on for each in document["dependencies"] for on in each["dependsOn"]}
    assert needed == listed


@pytest.mark.parametrize("package", ["stripe", "requests"])
def test_requirements_of_packages_are_listed(document, package):
    found = {component["name"] for component in document["components"]}
    for requirement in requires(package):
        name, _, condition = requirement.partition(";")
        name = re.match(r"[\w-]+", name)[0].lower().replace("_", "-")
        if "extra" not in condition:
            assert name in found, requirement
