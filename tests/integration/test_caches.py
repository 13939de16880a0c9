"""A ModelCache on a real API server, from its creation to a service that reads it; the kubelet is played."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from aifactory.cluster.kinds import CHILDREN as KINDS
from aifactory.render.drift import holds

from tests.e2e.kube import Object, path

from .cache import CHILDREN, PLANNED, Cache
from .conftest import SHARED_NAMESPACE
from .kube import Kube
from .service import Service

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "caches" / "rendered").glob("*.yaml"))


@pytest.fixture
def cache(kube: Kube, shared_operator: object) -> Iterator[Cache]:
    """A cache, not yet created, that the shared operator looks after."""
    made = Cache(kube, SHARED_NAMESPACE, f"weights-{uuid.uuid4().hex[:6]}")
    yield made
    made.delete()


def reading(cache: Cache, **more: object) -> Object:
    """Spec of a service that reads the cache."""
    return {"model": {"name": "meta/llama", "source": {"modelCache": {"name": cache.name}}}, **more}


def test_a_cache_is_ready_when_its_job_has_fetched_everything(cache: Cache) -> None:
    cache.apply()
    cache.wait("the claim exists", lambda: cache.child("persistentvolumeclaims"))
    cache.wait_for("Ready", "Unknown", "WaitingForVolume")
    cache.bind()
    cache.wait_for("Ready", "Unknown", "CheckingSource")
    cache.play("Running", plan=PLANNED)
    assert "10.0GiB in 4 files" in cache.wait_for("Ready", "Unknown", "Downloading")["message"]
    assert cache.status()["progress"]["bytesTotal"] == 10 * 2**30
    cache.fill()
    assert cache.status()["content"]["revision"] == "abc"
    assert cache.status()["size"] == "10.0GiB"
    assert "progress" not in cache.status()
    assert cache.condition("Reconciling") == {}


def test_a_download_that_failed_for_good_says_why_and_a_correction_begins_it_anew(cache: Cache) -> None:
    cache.apply({"source": {"huggingFace": {"repo": "acme/gated", "tokenSecret": "hf"}}})
    cache.play("Failed", plan={"reason": "Unauthorized", "message": "https://hub answers 401"})
    failed = cache.wait_for("Ready", "False", "Unauthorized")
    assert failed["message"].startswith("https://hub answers 401; check the Secret named in spec.source")
    assert cache.condition("Stalled")["status"] == "True"
    (first,) = cache.listed("jobs")
    cache.apply({"source": {"huggingFace": {"repo": "acme/gated", "tokenSecret": "right"}}})
    cache.wait_for("Ready", "Unknown", "WaitingForVolume")
    cache.wait("the failed Job is gone", lambda: len(cache.listed("jobs")) == 1)
    assert cache.listed("jobs")[0]["metadata"]["name"] != first["metadata"]["name"]
    cache.wait("its pod as well", lambda: len(cache.listed("pods")) == 1)


def test_weights_that_do_not_fit_have_a_condition_of_their_own(cache: Cache) -> None:
    cache.apply()
    said = "30.00GiB are needed and spec.storage.size is 20.00GiB; raise spec.storage.size"
    cache.play("Failed", plan={"reason": "StorageTooSmall", "message": said})
    cache.wait_for("Ready", "False", "StorageTooSmall")
    assert cache.condition("StorageTooSmall")["message"].startswith(said)


@pytest.mark.parametrize("plural", [plural for plural in CHILDREN if plural != "persistentvolumeclaims"])
def test_a_child_deleted_by_hand_comes_back(cache: Cache, plural: str) -> None:
    cache.apply()
    uid = cache.wait("it exists", lambda: cache.child(plural))["metadata"]["uid"]  # type: ignore[index]
    cache.kube.delete(cache.child_path(plural))
    cache.wait("recreated", lambda: (cache.child(plural) or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid)


def test_a_finished_job_deleted_by_hand_does_not_come_back(cache: Cache) -> None:
    cache.fill()
    (job,) = cache.listed("jobs")
    cache.kube.delete(path(cache.namespace, "jobs", job["metadata"]["name"]) + "?propagationPolicy=Background")
    cache.kube.delete(cache.child_path("networkpolicies"))
    cache.wait("the operator has looked", lambda: cache.child("networkpolicies"))
    assert cache.listed("jobs") == []
    assert cache.condition("Ready")["status"] == "True"


def test_children_are_left_alone_once_all_is_in_place(cache: Cache) -> None:
    cache.fill()
    before = {plural: (cache.child(plural) or {})["metadata"]["resourceVersion"] for plural in CHILDREN}
    cache.apply({"endpoint": "http://mirror"})
    cache.wait("the edit was seen", lambda: cache.condition("Ready").get("observedGeneration") == 2)
    after = {plural: (cache.child(plural) or {})["metadata"]["resourceVersion"] for plural in CHILDREN}
    assert after == before


def test_a_service_waits_for_its_cache_and_starts_when_it_is_ready(cache: Cache, service: Service) -> None:
    cache.apply()
    cache.bind()
    cache.play("Running", plan=PLANNED)
    cache.wait_for("Ready", "Unknown", "Downloading")
    service.apply(reading(cache))
    waiting = service.wait_for("ModelReady", "False", "ModelCacheNotReady")
    assert waiting["message"].startswith(f"ModelCache {cache.name}: 10.0GiB in 4 files")
    service.wait_for("Ready", "Unknown", "ModelCacheNotReady")
    assert service.deployment() == {}, "no GPU waits for weights"
    cache.fill()
    service.wait("a Deployment exists", service.deployment)
    pod = service.deployment()["spec"]["template"]["spec"]
    (volume,) = [one for one in pod["volumes"] if one["name"] == "aifactory-model"]
    assert volume["persistentVolumeClaim"] == {"claimName": f"{cache.name}-weights", "readOnly": True}
    (mount,) = [one for one in service.container()["volumeMounts"] if one["name"] == "aifactory-model"]
    assert (mount["mountPath"], mount["subPath"]) == ("/models", cache.status()["content"]["folder"])
    assert mount["readOnly"] is True
    service.become_ready()


def test_a_service_may_be_there_before_its_cache(cache: Cache, service: Service) -> None:
    service.apply(reading(cache))
    assert "create it" in service.wait_for("Ready", "False", "ModelCacheMissing")["message"]
    service.wait_for("ModelReady", "False", "ModelCacheMissing")
    cache.fill()
    service.wait("a Deployment exists", service.deployment)


def test_a_service_that_no_longer_names_the_cache_waits_no_more(cache: Cache, service: Service) -> None:
    service.apply(reading(cache))
    service.wait_for("Ready", "False", "ModelCacheMissing")
    service.apply()
    service.become_ready()


def test_a_service_says_why_its_cache_failed(cache: Cache, service: Service) -> None:
    cache.apply()
    cache.play("Failed", plan={"reason": "SourceNotFound", "message": "https://hub answers 404"})
    cache.wait_for("Ready", "False", "SourceNotFound")
    service.apply(reading(cache))
    assert "https://hub answers 404" in service.wait_for("Ready", "False", "ModelCacheFailed")["message"]


def test_a_service_serves_on_when_its_cache_is_deleted_or_fetched_anew(cache: Cache, service: Service) -> None:
    cache.fill()
    folder = cache.status()["content"]["folder"]
    service.apply(reading(cache))
    service.become_ready()
    cache.apply({"source": {"huggingFace": {"repo": "acme/other"}}})
    cache.wait_for("Ready", "Unknown", "CheckingSource")
    service.apply(reading(cache, replicas=2))
    service.wait("still looked after", lambda: service.deployment()["spec"]["replicas"] == 2)
    assert service.container()["volumeMounts"][-1]["subPath"] == folder
    cache.fill()
    other = cache.status()["content"]["folder"]
    assert other != folder
    service.wait("rolled out", lambda: service.container()["volumeMounts"][-1]["subPath"] == other)
    cache.delete()
    service.apply(reading(cache, replicas=1))
    service.wait("still looked after", lambda: service.deployment()["spec"]["replicas"] == 1)
    assert service.container()["volumeMounts"][-1]["subPath"] == other


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.stem)
def test_rendered_objects_are_stored_as_written_and_their_pods_admitted(
    kube: Kube, restricted: str, golden: Path
) -> None:
    for child in yaml.safe_load_all(golden.read_text()):
        if child["kind"] == "PodMonitor":
            continue
        child["metadata"] |= {"namespace": restricted}
        child["metadata"].pop("ownerReferences")
        where = path(restricted, KINDS[child["kind"]].plural, child["metadata"]["name"])
        tried = f"{where}?fieldManager=test&dryRun=All"
        stored = kube.send("PATCH", tried, child, "application/apply-patch+yaml")
        assert holds(stored, child), f"{child['kind']} would be written again and again"
        if child["kind"] == "ServiceAccount":
            kube.apply(where, child)
        if child["kind"] == "Job":
            template = child["spec"]["template"]
            pod = {"metadata": {"name": "pod", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
            kube.send("POST", f"{path(restricted, 'pods')}?dryRun=All", pod)
