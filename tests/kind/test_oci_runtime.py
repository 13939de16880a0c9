"""A privileged container starts although the host lacks a capability."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.kind.paths import FILES

IMPOSSIBLE = "CAP_NOT_OF_THIS_KERNEL"


@pytest.fixture
def runtime(tmp_path: Path) -> list[str]:
    """The runtime wrapper around a runc that prints its arguments."""
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\necho "$@"\n')
    runc.chmod(0o755)
    return ["env", f"PATH={tmp_path}:{os.environ['PATH']}", str(FILES / "oci-runtime")]


def _run(runtime: list[str], *args: str | Path) -> str:
    return subprocess.run([*runtime, *map(str, args)], check=True, capture_output=True, text=True).stdout.strip()


def test_create_asks_only_for_capabilities_that_the_host_has(runtime: list[str], tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"process": {"capabilities": {"bounding": [IMPOSSIBLE]}, "cwd": "/"}}))

    output = _run(runtime, "--root", "/run", "create", "--bundle", tmp_path, "name")

    assert output == f"--root /run create --bundle {tmp_path} name"
    assert json.loads(config.read_text()) == {"process": {"capabilities": {"bounding": []}, "cwd": "/"}}


def test_exec_asks_only_for_capabilities_that_the_host_has(runtime: list[str], tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"capabilities": {"effective": [IMPOSSIBLE]}, "args": ["sh"]}))

    _run(runtime, "exec", f"--process={process}", "--detach", "name")

    assert json.loads(process.read_text()) == {"capabilities": {"effective": []}, "args": ["sh"]}


def test_other_commands_reach_runc_unchanged(runtime: list[str]) -> None:
    assert _run(runtime, "state", "name") == "state name"
