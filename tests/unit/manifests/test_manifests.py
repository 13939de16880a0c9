"""What `kubectl apply -k manifests/` installs: least privilege, restricted pods, and only files that exist."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from aifactory.api import GROUP
from aifactory.cache import labels as cache_labels
from aifactory.cache.job import METRICS_PORT_NAME
from aifactory.cluster.kinds import CHILDREN
from aifactory.controller import lease
from aifactory.lint import problems
from aifactory.manifest import read_documents
from aifactory.render import endpoint_picker, labels
from aifactory.runtimes import dynamo
from aifactory.settings import Settings

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "manifests"
KUSTOMIZATIONS = [MANIFESTS, *(MANIFESTS / name for name in ("prometheus", "monitoring", "dynamo"))]
# Contents of ConfigMaps.
DATA = {"prometheus.yml", "dashboard.json"}
PATCHES = {MANIFESTS / "argocd" / "argocd-cm.yaml"}
FORBIDDEN_VERBS = {"*", "escalate", "bind", "impersonate", "deletecollection"}
FORBIDDEN_RESOURCES = {
    "*",
    "secrets",
    "pods/exec",
    "pods/attach",
    "pods/portforward",
    "pods/ephemeralcontainers",
    "nodes",
}


def files(folder: Path) -> Iterator[Path]:
    """The YAML files that a kustomization brings in, through others as well."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for resource in kustomization.get("resources", []):
        path = (folder / resource).resolve()
        if path.is_dir():
            yield from files(path)
        else:
            yield path
    for generator in kustomization.get("configMapGenerator", []):
        yield from (folder / name for name in generator.get("files", []))


@cache
def installed() -> list[dict[str, Any]]:
    """Every object that the kustomizations install."""
    paths = {path for folder in KUSTOMIZATIONS for path in files(folder) if path.name not in DATA}
    return [document for path in sorted(paths) for document in yaml.safe_load_all(path.read_text())]


def objects(kind: str) -> list[dict[str, Any]]:
    """Those of a kind."""
    return [document for document in installed() if document["kind"] == kind]


def rules(role: str) -> list[dict[str, Any]]:
    return [rule for kind in ("ClusterRole", "Role") for each in objects(kind) if each["metadata"]["name"] == role
            for rule in each["rules"]]  # fmt: skip


def verbs(group: str, resource: str) -> set[str]:
    """What the operator may do with a resource."""
    matching = [
        rule for rule in rules("aifactory-operator") if group in rule["apiGroups"] and resource in rule["resources"]
    ]
    return {verb for rule in matching for verb in rule["verbs"]}


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_file_of_an_installation_exists_and_is_yaml(folder: Path) -> None:
    paths = list(files(folder))
    assert paths
    assert all(list(yaml.safe_load_all(path.read_text())) for path in paths)


def test_every_manifest_is_part_of_an_installation() -> None:
    used = {path for folder in KUSTOMIZATIONS for path in files(folder)}
    written = {path for path in MANIFESTS.rglob("*.y*ml") if {"samples", "presets"}.isdisjoint(path.parts)}
    assert {path for path in written - used if path.name != "kustomization.yaml"} == PATCHES


@pytest.mark.parametrize("role", ["aifactory-operator", "aifactory-prometheus"])
def test_nobody_is_given_secrets_wildcards_or_ways_to_more_rights(role: str) -> None:
    assert rules(role)
    for rule in rules(role):
        assert FORBIDDEN_VERBS.isdisjoint(rule["verbs"])
        assert FORBIDDEN_RESOURCES.isdisjoint(rule["resources"])
        assert "*" not in rule["apiGroups"]
        if "rbac.authorization.k8s.io" in rule["apiGroups"]:
            # In one namespace, and by Kubernetes' own check nothing that the operator may not do itself.
            assert set(rule["resources"]) == {"roles", "rolebindings"}
            assert role == "aifactory-operator"


def test_the_operator_may_do_itself_what_it_lets_pods_do() -> None:
    for rule in (*endpoint_picker.RULES, *dynamo.DISCOVERY.rules):
        for group, resource in product(rule["apiGroups"], rule["resources"]):
            assert set(rule["verbs"]) <= verbs(group, resource), f"{resource} of {group!r}"


def test_the_operator_reads_services_and_writes_nothing_of_them_but_status() -> None:
    for plural in ("inferenceservices", "modelcaches"):
        assert verbs(GROUP, plural) == {"get", "list", "watch"}
        assert verbs(GROUP, f"{plural}/status") == {"patch"}


def test_the_operator_only_reads_the_aifactory() -> None:
    assert verbs(GROUP, "aifactories") == {"get"}
    assert verbs(GROUP, "aifactories/status") == set()


@pytest.mark.parametrize("kind", CHILDREN)
def test_the_operator_may_keep_every_kind_of_child_and_delete_all_but_weights(kind: str) -> None:
    child = CHILDREN[kind]
    deleting = set() if kind == "PersistentVolumeClaim" else {"delete"}
    assert verbs(child.group, child.plural) == {"get", "list", "watch", "create", "patch", *deleting}


def test_the_operator_may_hold_its_lease_and_no_other() -> None:
    named = [
        rule for rule in rules("aifactory-operator") if rule["resources"] == ["leases"] and "update" in rule["verbs"]
    ]
    assert [rule["resourceNames"] for rule in named] == [[lease.NAME]]


def test_no_generated_name_is_rewritten_inside_a_role() -> None:
    """Kustomize adds its hash to any resourceName that equals the name of a generated ConfigMap."""
    kustomizations = [yaml.safe_load(path.read_text()) for path in MANIFESTS.rglob("kustomization.yaml")]
    generated = {each["name"] for file in kustomizations for each in file.get("configMapGenerator", [])}
    named = {name for rule in rules("aifactory-operator") for name in rule.get("resourceNames", [])}
    assert generated
    assert named.isdisjoint(generated)


def test_the_namespace_admits_restricted_pods_only() -> None:
    (namespace,) = objects("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("deployment", objects("Deployment"), ids=lambda each: each["metadata"]["name"])
def test_pods_are_restricted_bounded_and_probed(deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 10000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}
        assert {"livenessProbe", "readinessProbe"} <= set(container)


def test_every_network_policy_selects_pods_that_are_installed() -> None:
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in objects("Deployment")]
    for policy in objects("NetworkPolicy"):
        assert policy["spec"]["podSelector"]["matchLabels"] in pods


def test_the_operator_asks_the_prometheus_that_is_installed_beside_it() -> None:
    (service,) = (each for each in objects("Service") if each["metadata"]["name"] == "prometheus")
    address = f"http://{service['metadata']['name']}.aifactory-system.svc:{service['spec']['ports'][0]['port']}"
    (generator,) = yaml.safe_load((MANIFESTS / "operator" / "kustomization.yaml").read_text())["configMapGenerator"]
    assert f"AIFACTORY_PROMETHEUS_URL={address}" in generator["literals"]
    assert Settings().prometheus_url == address


def test_activators_find_the_operator_where_it_listens_and_is_let_in() -> None:
    (service,) = (each for each in objects("Service") if each["metadata"]["name"] == "aifactory-operator")
    (deployment,) = (each for each in objects("Deployment") if each["metadata"]["name"] == "aifactory-operator")
    (policy,) = (each for each in objects("NetworkPolicy") if each["metadata"]["name"] == "aifactory-operator")
    template, (port,) = deployment["spec"]["template"], service["spec"]["ports"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    reached = {each["name"]: each["containerPort"] for each in template["spec"]["containers"][0]["ports"]}
    assert {"port": reached[port["targetPort"]], "protocol": "TCP"} in policy["spec"]["ingress"][0]["ports"]
    address = f"http://{service['metadata']['name']}.aifactory-system.svc:{port['port']}"
    (generator,) = yaml.safe_load((MANIFESTS / "operator" / "kustomization.yaml").read_text())["configMapGenerator"]
    assert f"AIFACTORY_OPERATOR_URL={address}" in generator["literals"]
    assert Settings().operator_url == address


def test_downloads_run_the_operators_own_image() -> None:
    (generator,) = yaml.safe_load((MANIFESTS / "operator" / "kustomization.yaml").read_text())["configMapGenerator"]
    (operator,) = [each for each in objects("Deployment") if each["metadata"]["name"] == "aifactory-operator"]
    image = operator["spec"]["template"]["spec"]["containers"][0]["image"]
    assert f"AIFACTORY_DOWNLOAD_IMAGE={image}" in generator["literals"]
    assert Settings().download_image == image


def test_the_scrape_job_of_downloads_finds_pods_as_they_are_rendered() -> None:
    job = yaml.safe_load((MANIFESTS / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][1]
    assert job["kubernetes_sd_configs"][0]["selectors"] == [{"role": "pod", "label": cache_labels.CACHE}]
    sources = {rule.get("target_label"): rule["source_labels"][0] for rule in job["relabel_configs"]}
    meta = str.maketrans("./-", "___")
    assert sources["modelcache"] == f"__meta_kubernetes_pod_label_{cache_labels.CACHE.translate(meta)}"
    assert {"namespace", "pod"} <= set(sources)
    (kept,) = [rule for rule in job["relabel_configs"] if rule.get("action") == "keep"]
    assert (kept["source_labels"], kept["regex"]) == (["__meta_kubernetes_pod_container_port_name"], METRICS_PORT_NAME)


def test_the_scrape_job_finds_pods_as_they_are_rendered() -> None:
    job = yaml.safe_load((MANIFESTS / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert job["kubernetes_sd_configs"][0]["selectors"] == [{"role": "pod", "label": labels.SERVICE}]
    sources = {rule.get("target_label"): rule["source_labels"][0] for rule in job["relabel_configs"]}
    meta = str.maketrans("./-", "___")
    assert sources["inferenceservice"] == f"__meta_kubernetes_pod_label_{labels.SERVICE.translate(meta)}"
    assert sources["__metrics_path__"] == f"__meta_kubernetes_pod_annotation_{labels.METRICS_PATH.translate(meta)}"
    assert {"namespace", "pod", "track"} <= set(sources)
    assert sources["pod_template_hash"] == "__meta_kubernetes_pod_label_pod_template_hash"
    (kept,) = [rule for rule in job["relabel_configs"] if rule.get("action") == "keepequal"]
    assert kept["source_labels"] == ["__meta_kubernetes_pod_container_port_name"]
    assert kept["target_label"] == f"__meta_kubernetes_pod_annotation_{labels.METRICS_PORT.translate(meta)}"


@pytest.mark.parametrize("sample", sorted((MANIFESTS / "samples").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_sample_has_no_problem(sample: Path) -> None:
    documents = list(read_documents(sample.name, sample.read_text()))
    assert documents
    assert [problem for document in documents for problem in problems(document.data)] == []
