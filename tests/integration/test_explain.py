"""`aifactory explain` reads a service from a real API server, or says what is missing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kind.controlplane import ControlPlane

from .commands import aifactory
from .service import Service


def explain(kubeconfig: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    return aifactory(kubeconfig, "explain", *arguments)


@pytest.fixture
def bare_api() -> Iterator[ControlPlane]:
    """A cluster without anything of ours."""
    with ControlPlane() as plane:
        yield plane


def test_a_service_is_explained(service: Service, kubeconfig: Path) -> None:
    service.apply({"scaling": {"minReplicas": 1, "maxReplicas": 4}})
    service.become_ready()
    service.wait_for("ScalingActive", "False", "Holding")
    code, text = explain(kubeconfig, f"{service.namespace}/{service.name}")
    assert code == 0, text
    assert text.startswith(f"InferenceService {service.namespace}/{service.name}\n")
    assert "It is ready: all required replicas serve." in text
    assert re.search(r"Scaling: 1 to 4 replicas, mode Apply\n  \w+, since \S+ \(\S+ ago\): 1 replica: ", text)
    assert "-> set AIFACTORY_PROMETHEUS_URL" in text


def test_a_service_that_is_not_there_is_told_with_those_that_are(service: Service, kubeconfig: Path) -> None:
    service.apply()
    code, text = explain(kubeconfig, f"{service.namespace}/lama")
    assert code == 1
    assert f"error: no InferenceService lama in namespace {service.namespace}: there are " in text
    assert service.name in text


def test_a_namespace_without_services_is_told(namespace: str, kubeconfig: Path) -> None:
    expected = f"error: no InferenceService llama in namespace {namespace}: the namespace has none\n"
    assert explain(kubeconfig, f"{namespace}/llama") == (1, expected)


def test_a_namespace_that_does_not_exist_is_told(service: Service, kubeconfig: Path) -> None:
    expected = "error: no InferenceService llama: there is no namespace nons\n"
    assert explain(kubeconfig, "nons/llama") == (1, expected)


def test_a_cluster_without_the_kind_is_told_what_to_install(bare_api: ControlPlane) -> None:
    code, text = explain(bare_api.kubeconfig, "chat/llama")
    assert code == 1
    assert "the cluster has no InferenceServices: install the operator" in text


@pytest.mark.parametrize("name", ["llama", "chat/", "/llama", "a/b/c", "chat/../llama", "Chat/llama"])
def test_a_service_is_named_with_its_namespace(name: str, tmp_path: Path) -> None:
    code, text = explain(tmp_path / "none", name)
    assert code == 2
    assert "is not NAMESPACE/NAME, such as default/llama" in text


def test_without_a_cluster_it_says_what_to_set(tmp_path: Path) -> None:
    code, text = explain(tmp_path / "none", "chat/llama")
    assert code == 2
    assert text.startswith("error: kubeconfig ")
    assert "set KUBECONFIG" in text
