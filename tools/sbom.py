"""What the addon's wheel is made of and needs, as a CycloneDX document beside it.

https://cyclonedx.org/docs/1.6/json/
"""

import hashlib
import json
import re
import uuid
from email.message import Message
from pathlib import Path

from tools import odoo_source

_PINNED = Path(__file__).parent / "requirements.txt"
# What `stripe` needs to run; it names them as requirements of its own.
_OF_STRIPE = ("requests", "typing-extensions")
_OF_REQUESTS = ("certifi", "charset-normalizer", "idna", "urllib3")
_NAMESPACE = uuid.UUID("b5a4f5d1-6a56-5c3e-9d0c-3b1f6a2f7c10")


def write(wheel: Path, metadata: Message) -> Path:
    """Write the document of a wheel next to it; the same wheel gives the same text.

    :param metadata: The wheel's own.
    :return: Its path.
    """
    path = wheel.with_suffix(".cdx.json")
    path.write_text(json.dumps(describe(wheel, metadata), indent=2) + "\n")
    return path


def describe(wheel: Path, metadata: Message) -> dict:
    """The document, with the versions that this project is tested with."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    versions = _read_pinned()
    addon = {
        **_describe_package(metadata["Name"], metadata["Version"]),
        "type": "application",
        "licenses": [{"license": {"name": metadata["License"]}}],
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }
    names = ("stripe", *_OF_STRIPE, *_OF_REQUESTS)
    packages = {name: _describe_package(name, versions[name]) for name in names}
    odoo = {
        "type": "framework",
        "bom-ref": "odoo",
        "name": "odoo",
        "version": odoo_source.SERIES,
    }
    needs = {
        addon["bom-ref"]: ["odoo", packages["stripe"]["bom-ref"]],
        packages["stripe"]["bom-ref"]: [packages[n]["bom-ref"] for n in _OF_STRIPE],
        packages["requests"]["bom-ref"]: [packages[n]["bom-ref"] for n in _OF_REQUESTS],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest)}",
        "version": 1,
        "metadata": {"component": addon},
        "components": [odoo, *packages.values()],
        "dependencies": [{"ref": ref, "dependsOn": on} for ref, on in needs.items()],
    }


def _describe_package(name: str, version: str) -> dict:
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    }


def _read_pinned() -> dict[str, str]:
    lines = re.findall(r"^([\w.-]+)==([\w.]+)", _PINNED.read_text(), re.MULTILINE)
    return dict(lines)
