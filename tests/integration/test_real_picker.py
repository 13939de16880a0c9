"""A real endpoint picker, started as the Deployment says and with the rights that it was given, chooses among replicas.

The replicas are simulated vLLM servers on addresses of loopback; a small program plays the Gateway and asks.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.e2e.kube import path
from tests.e2e.waiting import PATIENCE, wait_until
from tests.kind import binaries
from tests.kind.controlplane import ControlPlane
from tests.kind.paths import ROOT
from tests.kind.processes import free_ports
from tests.operator_process import OperatorProcess

from .kube import Kube
from .service import Service

MODEL = "meta/llama"
ADDRESSES = ("127.0.0.2", "127.0.0.3")
LONG_PROMPT = "A prefix that a replica keeps in its cache is worth going back to. " * 40


@dataclass(frozen=True)
class Picker:
    """A picker that runs, and the port that replicas listen on."""

    port: int
    replicas_port: int
    log: Path

    def choice(self, prompt: str) -> str:
        """Address of the replica that is to answer; empty while none can be named."""
        ask = binaries.ensure_picker() / "ask"
        body = json.dumps({"model": MODEL, "prompt": prompt}).encode()
        asked = subprocess.run([ask, f"127.0.0.1:{self.port}"], input=body, capture_output=True, check=False)
        return asked.stdout.decode().strip().removesuffix(f":{self.replicas_port}")


@pytest.fixture(scope="module")
def service(complete_api: ControlPlane) -> Iterator[Service]:
    """A llm-d service, whose replicas listen on a free port."""
    complete_api.kubectl("apply", "--server-side", "-k", str(ROOT / "manifests"))
    kubeconfig = complete_api.kubeconfig_for_service_account("aifactory-system", "aifactory-operator")
    made = Service(complete_api, Kube(complete_api), "default", "picked")
    with OperatorProcess(kubeconfig, free_ports(1)[0]):
        made.apply({"runtime": {"engine": "llmd", "port": free_ports(1)[0]}, "replicas": len(ADDRESSES)})
        made.wait("all pods", lambda: len(made.pods()) == len(ADDRESSES) + 1)
        made.wait("a pool", lambda: made.child("inferencepools"))
        yield made
        made.delete()


@pytest.fixture(scope="module")
def replicas(service: Service) -> Iterator[int]:
    """Port of simulated servers, which are the pods that the pool selects; each serves one request at a time."""
    port = service.get()["spec"]["runtime"]["port"]
    workers = [pod for pod in service.pods() if pod["metadata"]["labels"]["aifactory.dev/role"] == "model-server"]
    with ExitStack() as stack:
        for pod, address in zip(workers, ADDRESSES, strict=True):
            stack.enter_context(simulated(address, port))
            status = {
                "phase": "Running",
                "podIP": address,
                "podIPs": [{"ip": address}],
                "conditions": [{"type": "Ready", "status": "True"}],
            }
            service.kube.merge(path("default", "pods", pod["metadata"]["name"], "status"), {"status": status})
        yield port


@contextmanager
def simulated(address: str, port: int) -> Iterator[None]:
    flags = ["--dialect", "vllm", "--model", MODEL, "--host", address, "--port", str(port), "--startup-seconds", "0"]
    server = subprocess.Popen(
        [sys.executable, "-m", "modelserver", *flags, "--max-num-seqs", "1", "--decode-seconds", "0.1"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests" / "modelserver")},
    )
    try:
        wait_until(f"a server at {address}", lambda: healthy(address, port), PATIENCE, lambda: "")
        yield
    finally:
        server.kill()
        server.wait()


def healthy(address: str, port: int) -> bool:
    with suppress(requests.RequestException):
        return requests.get(f"http://{address}:{port}/health", timeout=5).ok
    return False


@pytest.fixture(scope="module")
def picker(service: Service, replicas: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Picker]:
    """The program with the arguments and the identity of its pod, on free ports."""
    deployment = service.kube.send("GET", path("default", "deployments", f"{service.name}-epp"))
    pod = deployment["spec"]["template"]["spec"]
    kubeconfig = service.api.kubeconfig_for_service_account("default", pod["serviceAccountName"])
    flags = ("--grpc-port", "--grpc-health-port", "--metrics-port")
    ports = dict(zip(flags, free_ports(len(flags)), strict=True))
    arguments = [*pod["containers"][0]["args"], *(str(word) for pair in ports.items() for word in pair)]
    made = Picker(ports["--grpc-port"], replicas, tmp_path_factory.mktemp("picker") / "log")
    with made.log.open("wb") as log:
        program = subprocess.Popen(
            [binaries.ensure_picker() / "epp", *arguments],
            env=os.environ | {"KUBECONFIG": str(kubeconfig)},
            stdout=log,
            stderr=log,
        )
    try:
        wait_until("both replicas are known", lambda: knows_both(made), PATIENCE, made.log.read_text)
        yield made
    finally:
        program.kill()
        program.wait()


def knows_both(picker: Picker) -> bool:
    """New prompts are nobody's, so that idle replicas take turns by chance."""
    return {picker.choice(f"{number}") for number in range(12)} >= set(ADDRESSES)


def test_the_picker_was_never_refused_anything(picker: Picker) -> None:
    assert picker.choice("Hello") in ADDRESSES
    assert "forbidden" not in picker.log.read_text()


def test_requests_with_the_same_long_prefix_go_to_the_same_replica(picker: Picker) -> None:
    first = picker.choice(f"{LONG_PROMPT} first")
    assert {picker.choice(f"{LONG_PROMPT} {number}") for number in range(8)} == {first}


def test_a_replica_where_requests_wait_is_avoided(picker: Picker) -> None:
    busy, idle = ADDRESSES
    url = f"http://{busy}:{picker.replicas_port}/v1/completions"
    body = {"model": MODEL, "prompt": "Hello", "max_tokens": 4000}
    sessions = [threading.Thread(target=hold, args=(url, body), daemon=True) for _ in range(4)]
    for session in sessions:
        session.start()
    wait_until("requests wait", lambda: waiting(busy, picker.replicas_port) > 0, PATIENCE, lambda: "")
    wait_until("the picker saw it", lambda: choices(picker) == {idle}, PATIENCE, picker.log.read_text)


def choices(picker: Picker) -> set[str]:
    return {picker.choice(os.urandom(8).hex()) for _ in range(6)}


def hold(url: str, body: object) -> None:
    """Ends with the server."""
    with suppress(requests.RequestException):
        requests.post(url, json=body, timeout=300)


def waiting(address: str, port: int) -> float:
    page = requests.get(f"http://{address}:{port}/metrics", timeout=30).text
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith("vllm:num_requests_waiting{"))
