"""``make lint``: the hooks of ``.pre-commit-config.yaml``, on all files."""

import os
import subprocess

from tools import cache, project, venv
from tools.console import say


def run() -> bool:
    """Run all hooks, of which some repair what they find; whether all passed."""
    command = [venv.lint_python(), "-m", "pre_commit", "run", "--all-files"]
    env = {**os.environ, "PRE_COMMIT_HOME": str(cache.folder() / "pre-commit")}
    passes = subprocess.run(command, cwd=project.ROOT, env=env).returncode == 0
    say(f"Lint: {'passed' if passes else 'FAILED'}")
    return passes
