"""Whoever cannot be connected is told which file or server it is about, and what to do."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aifactory.cli import app
from aiohttp.test_utils import unused_port
from kubernetes.aio.config import kube_config
from typer.testing import CliRunner

KUBECONFIG = """
current-context: a
clusters: [{{name: a, cluster: {{server: "{server}"{more}}}}}]
contexts: [{{name: a, context: {{cluster: a, user: a}}}}]
users: [{{name: a, user: {{token: secret}}}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kubeconfig"
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return path


def explain() -> tuple[int, str]:
    result = CliRunner().invoke(app, ["explain", "chat/llama"])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"", "this is not a kubeconfig"),
        (b"hello", "this is not a kubeconfig"),
        (b"clusters: []", "Expected key current-context"),
        (b"a: [", "while parsing a flow node expected the node content"),
        (b"\xff\xfe\xfd", "can't decode"),
        (
            KUBECONFIG.format(server="https://localhost", more=", certificate-authority-data: aGVsbG8=").encode(),
            "no certificate or crl found",
        ),
    ],
)
def test_a_broken_kubeconfig_is_named_with_its_trouble(kubeconfig: Path, content: bytes, trouble: str) -> None:
    kubeconfig.write_bytes(content)
    code, output = explain()
    assert code == 2
    assert f"error: kubeconfig {kubeconfig}: " in output
    assert trouble in output
    assert output.endswith("; set KUBECONFIG to the file of a cluster\n")


def test_a_kubeconfig_that_is_not_there_is_named(kubeconfig: Path) -> None:
    code, output = explain()
    assert code == 2
    assert f"error: kubeconfig {kubeconfig}: there is no such file; set KUBECONFIG" in output


def test_an_api_server_that_does_not_answer_is_named_with_the_kubeconfig(kubeconfig: Path) -> None:
    server = f"http://127.0.0.1:{unused_port()}"
    kubeconfig.write_text(KUBECONFIG.format(server=server, more=""))
    code, output = explain()
    assert code == 2
    assert f"error: no answer from the API server {server}: " in output
    assert f"check that it runs and can be reached from here, and that kubeconfig {kubeconfig} is of" in output


def operator(kubeconfig: Path, **settings: str) -> tuple[int, str]:
    """A process of its own: it changes how its process logs and collects garbage."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), **settings}
    command = [sys.executable, "-m", "aifactory", "run"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return result.returncode, result.stderr


def test_an_operator_without_a_cluster_says_what_to_do(kubeconfig: Path) -> None:
    said = f"error: kubeconfig {kubeconfig}: there is no such file; set KUBECONFIG to the file of a cluster\n"
    assert operator(kubeconfig) == (2, said)


def test_an_operator_whose_port_is_taken_names_the_setting(kubeconfig: Path) -> None:
    kubeconfig.write_text(KUBECONFIG.format(server="http://127.0.0.1:9", more=""))
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        code, output = operator(kubeconfig, AIFACTORY_PORT=str(port))
    assert code == 2
    assert output.startswith(f"error: AIFACTORY_PORT: port {port} cannot be used: ")
    assert output.count("\n") == 1
