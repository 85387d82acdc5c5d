"""What is wrong with a wheel is found by looking into it."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from tools import project, wheel

STRIPE = "stripe>=16.1,<17"
INSIDE = f"odoo/addons/{project.ADDON}"


def addon_files():
    return [
        path.relative_to(project.ADDON_FOLDER).as_posix()
        for path in project.files()
        if project.ADDON_FOLDER in path.parents and path.name != "pyproject.toml"
    ]


@pytest.fixture
def pack(tmp_path):
    """Makes a wheel of those files that requires those packages."""

    def make(names, requirements=()) -> Path:
        path = tmp_path / "addon.whl"
        with ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(f"{INSIDE}/{name}", "")
            lines = [f"Requires-Dist: {requirement}" for requirement in requirements]
            text = "\n".join(["Name: addon", *lines, "", "Requires-Dist: in a text"])
            archive.writestr("addon-1.dist-info/METADATA", text)
        return path

    return make


def test_wheel_with_all_files_is_complete(pack):
    assert wheel.find_file_problems(pack(addon_files())) == []


@pytest.mark.parametrize(
    "name",
    [
        "__manifest__.py",
        "README.rst",
        "data/neutralize.sql",
        f"i18n/{project.ADDON}.pot",
        "security/ir.model.access.csv",
        "static/description/icon.png",
        "static/src/pay/pay.css",
        "views/pay_templates.xml",
    ],
)
def test_missing_file_is_named(pack, name):
    names = addon_files()
    names.remove(name)
    (problem,) = wheel.find_file_problems(pack(names))
    assert f"lacks {INSIDE}/{name}" in problem


def test_file_that_is_not_of_the_addon_is_named(pack):
    (problem,) = wheel.find_file_problems(pack([*addon_files(), "pyproject.toml"]))
    assert f"should not have {INSIDE}/pyproject.toml" in problem


def test_right_requirements_are_called_right(pack):
    made = pack([], [STRIPE, "odoo==19.0.*"])
    assert wheel.find_requirement_problems(made) == []


@pytest.mark.parametrize(
    "requirements",
    [[], ["odoo==19.0.*"], ["odoo==19.0.*", "stripe"], ["odoo==18.0.*", STRIPE]],
    ids="none odoo_alone any_stripe older_odoo".split(),
)
def test_other_requirements_are_named(pack, requirements):
    (problem,) = wheel.find_requirement_problems(pack([], requirements))
    assert STRIPE in problem and "odoo==19.0.*" in problem
