"""Odoo's own runner runs the modules that the addon's test package imports."""

import ast

from tools import project

FOLDER = project.ADDON_FOLDER / "tests"


def test_every_test_module_is_imported():
    package = ast.parse((FOLDER / "__init__.py").read_text())
    imported = [
        alias.name
        for node in ast.walk(package)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    ]
    assert sorted(imported) == sorted(path.stem for path in FOLDER.glob("test_*.py"))
