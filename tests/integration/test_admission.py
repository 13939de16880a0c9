"""The API server refuses what is wrong, at the field that is wrong, and fills in what was left out."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aifactory.api.schema import DEFINITIONS

from tests.bad_objects import OF_THE_CLUSTER, PLURALS, Bad, Good
from tests.bad_objects.bad import BAD
from tests.bad_objects.good import GOOD
from tests.bad_objects.server import Admission
from tests.e2e.kube import path
from tests.kind.controlplane import ControlPlane

from .kube import Kube


@pytest.fixture(scope="module")
def admission(api: ControlPlane) -> Admission:
    return Admission(api.kubeconfig)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.case)
def test_a_bad_object_is_refused_with_the_path_of_its_field(admission: Admission, bad: Bad) -> None:
    refusal = admission.refusal(bad.manifest)
    assert bad.path in refusal
    assert (bad.server_says or bad.says) in refusal


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.case)
def test_a_good_object_is_accepted(admission: Admission, good: Good) -> None:
    assert admission.refusal(good.manifest) == ""


@pytest.fixture(params=GOOD, ids=lambda good: good.case)
def applied(kube: Kube, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A good object as a GitOps tool applies it, and as it is then stored."""
    manifest = request.param.manifest
    where = _path(manifest)
    kube.apply(where, manifest)
    yield manifest, kube.send("GET", where)
    kube.delete(where)


def test_the_stored_object_means_what_the_operator_reads_offline(applied: Any) -> None:
    manifest, stored = applied
    model = DEFINITIONS[manifest["kind"]].model
    assert model.model_validate(stored).spec == model.model_validate(manifest).spec  # type: ignore[attr-defined]


def test_the_manifest_has_no_diff_once_applied(kube: Kube, applied: Any) -> None:
    manifest, stored = applied
    again = kube.apply(_path(manifest), manifest)
    # The first write after the creation stores the default of the status, which was shown before.
    assert _without_version(again) == _without_version(stored)
    assert _covers(stored["spec"], manifest["spec"])


def test_a_new_object_is_known_to_wait_for_the_operator(applied: Any) -> None:
    manifest, stored = applied
    # An AIFactory waits for nothing: without a status, tools take it for settled.
    assert stored.get("status") == (None if manifest["kind"] == "AIFactory" else {"observedGeneration": -1})


def test_a_field_without_a_default_stays_absent(api: ControlPlane) -> None:
    smallest = GOOD[0].manifest
    shown = api.kubectl("create", "--dry-run=server", "-f", "-", "-o", "json", stdin=json.dumps(smallest))
    spec = json.loads(shown)["spec"]
    assert {"replicas", "scaling", "podTemplate"}.isdisjoint(spec)
    assert {"source"}.isdisjoint(spec["model"])
    assert spec["accelerator"] == {"resourceName": "nvidia.com/gpu", "count": 1, "nodes": 1}


def test_kubectl_get_shows_the_columns_of_a_service(api: ControlPlane) -> None:
    api.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(GOOD[0].manifest))
    header = api.kubectl("get", "infsvc", "-o", "wide").splitlines()[0].split()
    api.kubectl("delete", "infsvc", "chat")
    assert header == [
        "NAME",
        "ENGINE",
        "READY",
        "REASON",
        "REPLICAS",
        "DESIRED",
        "SLO",
        "TOKENS/S",
        "COST/MTOK",
        "AGE",
        "URL",
        "MODEL",
        "TOK/W",
    ]


def test_kubectl_get_shows_the_columns_of_a_cache(api: ControlPlane) -> None:
    cache = next(good for good in GOOD if good.kind == "ModelCache").manifest
    api.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(cache))
    header = api.kubectl("get", "mc", "-o", "wide").splitlines()[0].split()
    api.kubectl("delete", "mc", cache["metadata"]["name"])
    assert header == ["NAME", "READY", "REASON", "SIZE", "PROGRESS", "SPEED", "AGE", "LEFT", "SOURCE", "CLAIM"]


def test_kubectl_get_shows_the_mirrors(api: ControlPlane) -> None:
    factory = next(good for good in GOOD if good.kind == "AIFactory").manifest
    api.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(factory))
    header, row = (line.split() for line in api.kubectl("get", "aif").splitlines())
    api.kubectl("delete", "aif", "default")
    assert header == ["NAME", "HUGGINGFACE", "S3", "OCI", "NGC", "AGE"]
    assert row[:2] == ["default", "https://ngc.mirror.example.com"]


def _path(manifest: Any) -> str:
    namespace = "" if manifest["kind"] in OF_THE_CLUSTER else "default"
    return path(namespace, PLURALS[manifest["kind"]], manifest["metadata"]["name"])


def _without_version(stored: Any) -> Any:
    return {**stored, "metadata": {**stored["metadata"], "resourceVersion": ""}}


def _covers(stored: Any, manifest: Any) -> bool:
    """Whether everything in the manifest is stored as it was written."""
    if isinstance(manifest, dict):
        return all(_covers(stored[key], value) for key, value in manifest.items())
    if isinstance(manifest, list):
        return len(stored) == len(manifest) and all(map(_covers, stored, manifest))
    return bool(stored == manifest)
