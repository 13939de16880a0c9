"""Argo CD, Flux and kstatus tell of a service what is really going on, and agree, at every step of its life."""

import yaml
from aifactory.api.status import InferenceServiceStatus
from aifactory.observed import Workload
from aifactory.status.report import rejected

from tests.unit.status.scene import SCALING, Life, pod, serving, stuck, without_node, workload
from tests.unit.status.tools import HEALTH_LUA, WELL, argo_cd, health, kstatus

PULL = stuck("ErrImagePull", "not found", name="b", template_hash="two", created_at=1e10)
LOADING = ("Progressing", "InProgress", "InProgress")
BROKEN = ("Degraded", "Failed", "Failed")
FROZEN = ("Suspended", "Current", "Current")


def rolling(**more) -> Workload:
    return workload(1, 1, **({"updated": 1, "total": 2} | more))


def test_tools_follow_a_service_from_its_creation_to_an_invalid_spec() -> None:
    life = Life()
    assert health(life) == LOADING, "created, the operator has not seen it"
    life.look()
    assert health(life) == LOADING, "nothing exists yet"
    life.look(workload(1, 0), pod())
    assert health(life) == LOADING, "the model loads"
    life.look(workload(1), *serving("a"))
    assert health(life) == WELL

    life.edit(runtime={"engine": "vllm", "image": "vllm:2"})
    assert health(life) == LOADING, "edited, the operator has not seen it"
    life.look(workload(1, generation=2, observed_generation=1), *serving("a"))
    assert health(life) == LOADING, "the Deployment's controller has not seen it"
    life.look(rolling(), *serving("a"), pod("b", template_hash="two", created_at=1e10))
    assert health(life) == LOADING, "rolling out"
    life.look(workload(1), *serving("b", template_hash="two"))
    assert health(life) == WELL

    life.edit(runtime={"engine": "vllm", "image": "vllm:nonesuch"})
    life.look(rolling(), *serving("a"), PULL)
    assert health(life) == BROKEN
    assert argo_cd(life.stored)[1].startswith("pod b: not found; check spec.runtime.image")
    life.edit(runtime={"engine": "vllm", "image": "vllm:3"})
    assert health(life) == LOADING, "corrected, the operator has not seen it"
    life.look(rolling(total=3), *serving("a"), PULL, pod("c", template_hash="three", created_at=2e10))
    assert health(life) == LOADING, "the correction rolls out"
    life.look(workload(1), *serving("c", template_hash="three"))
    assert health(life) == WELL

    life.edit(mode="Paused", replicas=3)
    assert health(life) == LOADING, "the operator has not seen it"
    life.look(workload(1), *serving("c"))
    assert health(life) == FROZEN
    life.edit(replicas=3)
    life.look(workload(3, 1), *serving("c"), pod("d"), pod("e"))
    assert health(life) == LOADING, "resumed"
    life.look(workload(3), *serving("c", "d", "e"))
    assert health(life) == WELL

    life.edit()
    generation = life.service.metadata.generation
    life.status = rejected(life.status, generation, "replicas: set replicas or scaling, not both", life.now)
    assert health(life) == BROKEN
    assert argo_cd(life.stored)[1] == "replicas: set replicas or scaling, not both"


def test_nothing_is_waited_for_where_nothing_will_be_created() -> None:
    life = Life()
    life.edit(mode="Plan")
    life.look()
    argo, _, by_expression = health(life)
    assert (argo, by_expression) == ("Suspended", "Current")


def test_a_frozen_service_that_breaks_is_not_called_suspended() -> None:
    life = Life()
    life.look(workload(1), *serving())
    life.edit(mode="Paused")
    life.look(workload(1, 0), stuck("CrashLoopBackOff", restarts=4))
    assert health(life) == BROKEN


def test_scaling_changes_no_health() -> None:
    life = Life(**SCALING)
    life.look(workload(1), *serving("a"))
    life.look(workload(2, 1), *serving("a"), pod("b"))
    assert health(life) == WELL


def test_a_lack_of_gpus_is_shown_at_once_and_waited_for() -> None:
    life = Life()
    life.look(workload(1, 0), without_node())
    assert health(life) == ("Degraded", "InProgress", "InProgress")
    assert "Insufficient nvidia.com/gpu" in argo_cd(life.stored)[1]


def test_an_object_that_is_being_deleted_is_neither_ready_nor_broken() -> None:
    life = Life()
    life.look(workload(1), *serving())
    obj = life.stored
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    assert kstatus(obj) == "Terminating"


def test_argo_cd_waits_for_a_first_status() -> None:
    life = Life()
    obj = life.stored
    del obj["status"]
    assert argo_cd(obj)[0] == "Progressing"
    obj["status"] = {"observedGeneration": 1}
    assert argo_cd(obj)[0] == "Progressing"
    life.status = InferenceServiceStatus(observed_generation=1)
    life.look(workload(1), *serving())
    obj = life.stored
    obj["status"]["conditions"] = [each for each in obj["status"]["conditions"] if each["type"] != "Ready"]
    assert argo_cd(obj)[0] == "Progressing"


def test_the_patch_for_argo_cd_carries_the_script() -> None:
    patch = yaml.safe_load((HEALTH_LUA.parent / "argocd-cm.yaml").read_text())
    kinds = ("InferenceService", "ModelCache")
    assert patch["data"] == {
        f"resource.customizations.health.aifactory.dev_{kind}": HEALTH_LUA.read_text() for kind in kinds
    }
