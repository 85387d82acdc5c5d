"""Packages of Debian, fetched and unpacked without installing them.

The mirror is the one that the machine's own apt settings name. A private set of
package lists is used, so the system's lists stay as they are, and apt verifies
Debian's signature over everything that it fetches. Nothing here needs root.
"""

import os
import subprocess
from pathlib import Path

from tools.command import find, run
from tools.console import Problem

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SUITES = ("unstable", "stable")


class Archive:
    """Debian's unstable and stable packages, through a private apt state.

    :param folder: Where the package lists and downloads go.
    :raise Problem: if this machine has no Debian mirror in its settings, or none
        that answers.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._options = self._private_state()

    def _private_state(self) -> list[str]:
        sources = self._folder / "sources.list"
        for name in ("lists/partial", "cache/archives/partial"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        mirror = _mirror()
        sources.write_text(
            "".join(
                f"deb [signed-by={_KEYRING}] {mirror} {suite} main\n"
                for suite in _SUITES
            )
        )
        return [
            f"-oDir::State::Lists={self._folder / 'lists'}",
            f"-oDir::Cache={self._folder / 'cache'}",
            f"-oDir::Etc::sourcelist={sources}",
            "-oDir::Etc::sourceparts=-",
            "-oDir::Etc::preferencesparts=-",
            "-oAPT::Sandbox::User=root",
            "-oAcquire::Languages=none",
            "-oAcquire::Retries=2",
        ]

    def update(self) -> None:
        """Fetch the package lists."""
        run(
            "apt-get",
            *self._options,
            "--error-on=any",
            "update",
            failure="Debian's package lists cannot be fetched: is there a network?",
        )

    def download(self, *packages: str) -> list[Path]:
        """Fetch packages, each named ``name/suite``, and return their files."""
        run(
            "apt-get",
            *self._options,
            "download",
            *packages,
            cwd=self._folder,
            failure="A Debian package cannot be fetched.",
        )
        return sorted(self._folder.glob("*.deb"))


def _mirror() -> str:
    if not find("apt-get") or not _KEYRING.exists():
        raise Problem("This machine has no Debian package tools.")
    listing = run(
        "apt-get",
        "indextargets",
        "--format",
        "$(SITE) $(COMPONENT) $(CREATED_BY)",
        failure="apt's own settings cannot be read.",
    )
    sites = [
        line.split()[0]
        for line in listing.splitlines()
        if line.endswith(" main Packages") and "security" not in line
    ]
    if not sites:
        raise Problem("apt's settings name no Debian mirror.")
    return sites[0]


def unpack(package: Path, target: Path, leave_out: tuple[str, ...] = ()) -> None:
    """Unpack a package's files into a folder, except paths that match a pattern."""
    excluded = [f"--exclude={pattern}" for pattern in leave_out]
    contents = subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE
    )
    extract = ["tar", "-x", "--no-same-owner", "-C", target, *excluded]
    done = subprocess.run(extract, stdin=contents.stdout, stderr=subprocess.PIPE)
    contents.stdout.close()
    if contents.wait() or done.returncode:
        reason = done.stderr.decode(errors="replace")[-300:]
        raise Problem(f"{package.name} cannot be unpacked to {target}: {reason}")


def install(*packages: str) -> None:
    """Install packages into the system; only root can.

    :raise Problem: if this is not root's process, saying what to install.
    """
    names = " ".join(packages)
    if os.geteuid() != 0 or not find("apt-get"):
        raise Problem(
            f"This needs {names}, and only root can install it. On Debian or Ubuntu:"
            f" sudo apt-get install {names}"
        )
    failure = f"{names} cannot be installed."
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "-q", "update", failure=failure, env=env)
    run(
        "apt-get",
        "-q",
        "-y",
        "--no-install-recommends",
        "install",
        *packages,
        failure=failure,
        env=env,
    )
