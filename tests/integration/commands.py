"""The command line as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path


def aifactory(kubeconfig: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `aifactory` with these arguments."""
    done = subprocess.run(
        [sys.executable, "-m", "aifactory", *arguments],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    return done.returncode, done.stdout + done.stderr
