"""Where Odoo 19 comes from.

In this order: the folder that ``ODOO_SRC`` names, an ``odoo`` that this Python can
import, Debian's package, a git clone of the 19.0 branch. Odoo itself is not on the
Python package index.
"""

import importlib.util
import os
import shutil
import tarfile
from pathlib import Path

from tools import cache, debian
from tools.command import run
from tools.console import Problem, say, step

SERIES = "19.0"
_GIT = "https://github.com/odoo/odoo.git"
_DIST_PACKAGES = "usr/lib/python3/dist-packages"

# Debian takes these out of the package and links to them, relatively to /usr/share.
# Font Awesome is stable's 4.7: the 7.x of unstable has other files.
_LINKED_PACKAGES = (
    "libjs-jquery/unstable",
    "libjs-jquery-form/unstable",
    "libjs-underscore/unstable",
    "fonts-roboto-unhinted/unstable",
    "fonts-montserrat/unstable",
    "fonts-ocr-b/unstable",
    "fonts-font-awesome/stable",
)
# A partial second copy of the addons, and documents.
_LEFT_OUT = (f"./{_DIST_PACKAGES}/addons", f"./{_DIST_PACKAGES}/doc", "./etc")

# The one file that the package lacks; without it every backend page logs an error.
_MISSING_SCRIPT = "mail/static/lib/selfie_segmentation/selfie_segmentation.js"
_NPM_PACKAGE = "@mediapipe/selfie_segmentation@0.1.1675465747"


def locate() -> Path:
    """The folder that holds the ``odoo`` Python package, fetched if need be.

    :raise Problem: if no source of Odoo 19 is available.
    """
    return _named() or _importable() or _cached() or _fetched()


def addons_paths(source: Path) -> list[Path]:
    """Addons folders of that source beside ``odoo/addons``, which Odoo adds itself."""
    beside = source / "addons"
    if (source / "odoo/addons/account").exists() or not beside.exists():
        return []
    return [beside]


def version(source: Path) -> str:
    """Something that changes when that source is another one."""
    stamp = (source / "odoo/release.py").stat()
    return f"{source} {stamp.st_mtime_ns} {stamp.st_size}"


def _named() -> Path | None:
    named = os.environ.get("ODOO_SRC")
    if not named:
        return None
    source = Path(named).expanduser().resolve()
    if not _is_right_series(source):
        raise Problem(
            f"ODOO_SRC is {source}, but that folder holds no Odoo {SERIES}: it must"
            " be the folder with odoo/release.py in it. Correct or unset ODOO_SRC."
        )
    return source


def _is_right_series(source: Path) -> bool:
    release = source / "odoo/release.py"
    return release.exists() and "version_info = (19, 0" in release.read_text()


def _importable() -> Path | None:
    found = importlib.util.find_spec("odoo")
    for location in (found and found.submodule_search_locations) or ():
        source = Path(location).parent
        if _is_right_series(source):
            return source
    return None


def _cached() -> Path | None:
    if cache.is_complete(_debian_tree()):
        return _debian_tree() / _DIST_PACKAGES
    return _git_tree() if cache.is_complete(_git_tree()) else None


def _debian_tree() -> Path:
    return cache.folder() / f"odoo-{SERIES}-debian"


def _git_tree() -> Path:
    return cache.folder() / f"odoo-{SERIES}-git"


def _fetched() -> Path:
    try:
        with step("Odoo 19: fetching Debian's package (123 MB)"):
            return cache.build(_debian_tree(), _fetch_debian) / _DIST_PACKAGES
    except Problem as problem:
        say(f"Odoo 19: not from Debian. {problem}")
    return cache.build(_git_tree(), _clone)


def _fetch_debian(target: Path) -> None:
    downloads = target / "downloads"
    downloads.mkdir()
    archive = debian.Archive(downloads)
    archive.update()
    for package in archive.download("odoo-19/unstable", *_LINKED_PACKAGES):
        debian.unpack(package, target, _LEFT_OUT)
    _add_missing_script(target / _DIST_PACKAGES / "odoo/addons", downloads)
    shutil.rmtree(downloads)


def _add_missing_script(addons: Path, downloads: Path) -> None:
    script = addons / _MISSING_SCRIPT
    if script.exists():
        return
    run(
        "npm",
        "pack",
        "--silent",
        _NPM_PACKAGE,
        cwd=downloads,
        failure=f"The npm package {_NPM_PACKAGE} cannot be fetched.",
    )
    (packed,) = downloads.glob("*.tgz")
    script.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(packed) as archive:
        content = archive.extractfile(f"package/{script.name}")
        script.write_bytes(content.read())


def _clone(target: Path) -> None:
    with step("Odoo 19: cloning its git repository"):
        run(
            "git",
            "clone",
            "--quiet",
            "--depth=1",
            f"--branch={SERIES}",
            _GIT,
            target,
            failure=(
                "Odoo 19 is available neither from Debian's mirror nor from git. Check"
                " the network, or set ODOO_SRC to a folder with Odoo's source."
            ),
        )
