"""Argo CD and everything that follows kstatus tell of a cache what is really going on."""

from aifactory.api.conditions import Reason
from aifactory.api.schema import MODEL_CACHE, object_schema
from aifactory.status.report import dump, rejected

from tests.unit.status.tools import argo_cd, kstatus

from .scene import FETCHED, NOON, PLANNED, Life, failure


def health(life: Life) -> tuple[str, str]:
    """By Argo CD and kstatus."""
    status = dump(life.status) or object_schema(MODEL_CACHE)["properties"]["status"]["default"]
    obj = {"kind": "ModelCache", "metadata": {"generation": life.generation}, "status": status}
    return argo_cd(obj)[0], kstatus(obj)


LOADING = ("Progressing", "InProgress")
WELL = ("Healthy", "Current")
BROKEN = ("Degraded", "Failed")


def test_tools_follow_a_cache_from_its_creation_to_another_source() -> None:
    life = Life()
    assert health(life) == LOADING, "created, the operator has not seen it"
    life.look()
    assert health(life) == LOADING
    life.pod(planned=PLANNED)
    life.look()
    assert health(life) == LOADING, "downloading"
    life.pod(planned=PLANNED, fetched=FETCHED)
    life.end(succeeded=True)
    life.look()
    assert health(life) == WELL
    life.edit(source={"huggingFace": {"repo": "acme/other"}})
    assert health(life) == LOADING, "edited, the operator has not seen it"
    life.look()
    assert health(life) == LOADING
    life.pod(failed=failure(Reason.UNAUTHORIZED), terminating=True)
    life.look()
    assert health(life) == LOADING, "the Job tries again"
    life.end(failed_at=life.now)
    life.look()
    assert health(life) == BROKEN
    life.edit()
    life.status = rejected(life.status, life.generation, "storage.size: is required", life.now)
    assert health(life) == BROKEN


def test_a_claim_that_waits_for_its_volume_is_shown_at_once_and_waited_for() -> None:
    life = Life()
    life.look()
    life.pod(unschedulable_since=NOON, unschedulable_message="unbound")
    life.look()
    assert health(life) == ("Degraded", "InProgress")
