"""What a user reads of a cache while it is filled, and what is written for it."""

from dataclasses import replace
from typing import Any

import pytest
from aifactory.api.cachestatus import ModelCacheStatus
from aifactory.api.conditions import Reason
from aifactory.cache.observed import Claim
from aifactory.cache.plan import RETRY_SECONDS
from aifactory.signals.downloads import DownloadReading
from aifactory.status.pods import Trouble
from aifactory.status.report import dump

from .scene import FETCHED, GIB, NOON, PLANNED, Life, failure


def test_a_cache_is_ready_when_its_copy_is_complete_and_not_before() -> None:
    life = Life()
    assert life.look() == "Unknown Creating"
    assert life.has("Reconciling")
    life.pod()
    assert life.look() == "Unknown WaitingForVolume"
    life.bind()
    assert life.look() == "Unknown CheckingSource"
    life.pod(planned=PLANNED)
    assert life.look() == "Unknown Downloading"
    life.pod(planned=PLANNED, fetched=FETCHED, terminating=True)
    life.end(succeeded=True)
    assert life.look() == "True Downloaded"
    assert life.message == "10.0GiB in 4 files, revision abc"
    assert not life.has("Reconciling")
    assert life.status.content is not None
    assert life.status.content.folder == life.folder
    assert (life.status.size, life.status.progress) == ("10.0GiB", None)
    assert [event.reason for event in life.events] == ["Ready"]


@pytest.mark.parametrize("other", [{"progress": {"bytes": "many"}}, {"conditions": {}}, {"failures": "x"}])
def test_what_another_version_wrote_in_the_status_does_not_make_a_copy_be_fetched_anew(other: dict[str, Any]) -> None:
    life = Life()
    life.complete()
    life.lose_download()
    life.status = ModelCacheStatus.of({"status": dump(life.status) | other})
    assert life.look() == "True Downloaded"


def test_progress_has_share_speed_and_time_left() -> None:
    life = Life()
    life.look()
    life.bind()
    life.pod(planned=PLANNED)
    life.look(DownloadReading(bytes=4 * GIB, files=1, speed=100.0 * 2**20))
    assert life.message == "40% of 10.0GiB in 4 files, 100.0MiB/s, 1m1s left"
    found = life.status.progress
    assert found is not None
    assert (found.files, found.files_total, found.bytes, found.bytes_total) == (1, 4, 4 * GIB, 10 * GIB)
    assert (found.percent, found.speed, found.remaining) == ("40%", "100.0MiB/s", "1m1s")


def test_progress_that_nobody_measures_is_not_made_up() -> None:
    life = Life()
    life.look()
    life.pod(planned=PLANNED)
    life.look()
    assert life.message.startswith("10.0GiB in 4 files; how far it is will be known")
    assert life.status.progress is not None
    assert life.status.progress.percent is None


def test_a_resumed_download_counts_what_was_there() -> None:
    life = Life()
    life.look()
    life.pod(planned=PLANNED.model_copy(update={"bytes": 5 * GIB, "files": 2}))
    life.look()
    assert life.message == "50% of 10.0GiB in 4 files"


def test_an_attempt_that_failed_is_told_while_the_job_goes_on() -> None:
    life = Life()
    life.look()
    life.pod("one", failed=failure(Reason.SOURCE_UNREACHABLE, "hub: connection refused"), terminating=True)
    assert life.look() == "Unknown SourceUnreachable"
    assert "hub: connection refused; check spec.endpoint" in life.message
    assert life.has("Reconciling")
    life.pod("two", planned=PLANNED)
    assert life.look() == "Unknown Downloading"


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (Reason.UNAUTHORIZED, "check the Secret named in spec.source"),
        (Reason.SOURCE_NOT_FOUND, "check spec.source and spec.endpoint"),
        (Reason.CHECKSUM_MISMATCH, "alters the files"),
        (Reason.UNSAFE_FILE_NAME, "not fetched"),
    ],
)
def test_a_download_that_failed_says_why_and_what_to_do(reason: Reason, says: str) -> None:
    life = Life()
    life.look()
    life.pod(failed=failure(reason), terminating=True)
    life.end(failed_at=life.now, failure="BackoffLimitExceeded")
    assert life.look() == f"False {reason}"
    assert life.message.startswith("it went wrong; ")
    assert says in life.message
    assert life.condition("Stalled").status == "True"
    assert [(event.type, event.reason) for event in life.events] == [("Warning", reason)]


def test_a_download_without_last_words_says_what_the_job_says() -> None:
    life = Life()
    life.look()
    life.end(failed_at=life.now, failure="Job has reached the specified backoff limit")
    assert life.look() == "False DownloadFailed"
    assert "backoff limit" in life.message


def test_weights_that_do_not_fit_have_a_condition_until_the_claim_grows() -> None:
    life = Life()
    life.look()
    said = "30.00GiB are needed and spec.storage.size is 20.00GiB; raise spec.storage.size"
    life.pod(failed=failure(Reason.STORAGE_TOO_SMALL, said), terminating=True)
    life.end(failed_at=life.now)
    assert life.look() == "False StorageTooSmall"
    assert life.condition("StorageTooSmall").message.startswith(said)
    failed = life.job
    life.edit(storage={"size": "40Gi"})
    assert life.look() == "Unknown Creating"
    assert not life.has("StorageTooSmall")
    assert life.job != failed
    assert list(life.downloads) == [life.job]


def test_a_failed_download_is_begun_anew_after_a_while() -> None:
    life = Life()
    life.look()
    life.pod(failed=failure(Reason.UNAUTHORIZED), terminating=True)
    life.end(failed_at=life.now)
    life.look()
    assert life.todo.empty
    life.now += RETRY_SECONDS
    life.look()
    assert [child["kind"] for child in life.todo.delete] == ["Job"]
    assert life.look() == "Unknown Creating"
    assert [child["kind"] for child in life.todo.apply] == ["Job"]


def test_a_missing_secret_is_named_while_the_pod_waits() -> None:
    life = Life()
    life.look()
    life.pod(waiting_reason="CreateContainerConfigError", waiting_message='secret "hf" not found')
    assert life.look() == "False SecretNotFound"
    assert 'secret "hf" not found; create the Secret in the cache\'s namespace' in life.message


def test_a_pod_that_its_node_does_not_start_is_told_after_a_while() -> None:
    life = Life()
    life.look()
    life.bind()
    life.pod(scheduled=True, unstarted_since=life.now)
    assert life.look() == "Unknown CheckingSource"
    life.look()
    assert life.look() == "False PodNotStarting"
    assert "its node cannot start its containers" in life.message
    assert "spec.download.egress.caBundle" in life.message


def test_a_pod_whose_volume_is_still_being_made_is_waited_for() -> None:
    """The scheduler says nothing until it is there, where volumes are made for the node of a pod."""
    life = Life()
    life.look()
    life.pod(unstarted_since=life.now)
    for _ in range(3):
        assert life.look() == "Unknown WaitingForVolume"


def test_a_claim_without_a_volume_names_the_usual_cause() -> None:
    life = Life()
    life.look()
    life.pod(unschedulable_since=NOON, unschedulable_message="pod has unbound immediate PersistentVolumeClaims")
    assert life.look() == "False WaitingForVolume"
    assert "claim tiny-weights has no volume yet" in life.message
    assert "not every storage class offers ReadWriteMany" in life.message
    assert not life.has("Stalled")
    assert life.has("Reconciling")


def test_a_pod_without_a_node_shows_the_schedulers_words() -> None:
    life = Life(storage={"size": "20Gi", "accessMode": "ReadWriteOnce"})
    life.look()
    life.bind()
    life.pod(unschedulable_since=NOON, unschedulable_message="0/3 nodes are available")
    assert life.look() == "False Unschedulable"
    assert "0/3 nodes" in life.message


def test_a_refused_child_is_told() -> None:
    life = Life()
    refused = Trouble(Reason.APPLY_REJECTED, "the API server refuses a child object: forbidden")
    assert life.look(refused=refused) == "False ApplyRejected"
    assert life.has("Stalled")


def test_nothing_is_written_when_all_is_in_place() -> None:
    life = Life()
    life.look()
    life.look()
    assert life.todo.empty
    life.complete()
    life.look()
    assert life.todo.empty


def test_a_complete_copy_needs_no_job() -> None:
    life = Life()
    life.complete()
    finished = life.job
    del life.children["Job", finished], life.downloads[finished]
    assert life.look() == "True Downloaded"
    assert life.todo.empty


def test_a_newer_operator_does_not_fetch_a_complete_copy_again() -> None:
    life = Life()
    life.complete()
    life.edit(download={"image": "aifactory/operator:2"})
    assert life.look() == "True Downloaded"
    assert life.todo.empty


def test_a_lost_claim_is_filled_again() -> None:
    life = Life()
    life.complete()
    life.lose_claim()
    assert life.look() == "Unknown Creating"
    life.look()
    assert {child["kind"] for child in life.todo.apply} >= {"Job"} or life.downloads
    life.look()
    life.pod(planned=PLANNED, fetched=FETCHED)
    life.end(succeeded=True)
    assert life.look() == "True Downloaded"


def test_a_claim_that_was_replaced_is_filled_again() -> None:
    life = Life()
    life.complete()
    finished = life.job
    life.now += 60
    life.claim = Claim("another", life.now, bound=True)
    assert life.look() == "Unknown Creating"
    assert [child["metadata"]["name"] for child in life.todo.delete] == [finished]
    assert life.status.content is None
    life.look()
    assert list(life.downloads) == [finished], "made anew"
    assert not life.downloads[finished].succeeded


def test_a_copy_whose_volume_is_gone_is_not_offered_until_somebody_replaces_the_claim() -> None:
    life = Life()
    life.complete()
    assert life.claim is not None
    life.claim = replace(life.claim, bound=False, lost=True)
    assert life.look() == "False VolumeLost"
    assert "delete the claim" in life.message
    assert life.condition("Stalled").status == "True"
    assert life.status.content is None
    life.look()
    assert (life.todo.empty, life.downloads) == (True, {}), "no pod waits for a volume that never comes"
    life.lose_claim()
    assert life.look() == "Unknown Creating"


def test_a_claim_is_never_deleted() -> None:
    life = Life()
    life.complete()
    life.edit(source={"huggingFace": {"repo": "acme/other"}})
    for _ in range(3):
        life.look()
        assert "PersistentVolumeClaim" not in {child["kind"] for child in life.todo.delete}


def test_another_source_is_fetched_beside_the_copy_that_services_read() -> None:
    life = Life()
    life.complete()
    first = life.folder
    life.edit(source={"huggingFace": {"repo": "acme/other"}})
    assert life.look(in_use=("copy-paused",)) == "Unknown Creating"
    assert life.status.content is not None
    assert life.status.content.folder == first
    (job,) = [child for child in life.todo.apply if child["kind"] == "Job"]
    order = job["spec"]["template"]["spec"]["containers"][0]["args"][3]
    assert f'"keep":["copy-paused","{first}"]' in order or f'"keep":["{first}","copy-paused"]' in order
    life.look()
    assert life.todo.empty, "what services read meanwhile is no reason for another Job"
    life.pod(planned=PLANNED, fetched=FETCHED)
    life.end(succeeded=True)
    assert life.look() == "True Downloaded"
    assert life.status.content.folder == life.folder != first


def test_another_secret_or_mirror_does_not_fetch_a_complete_copy_again() -> None:
    life = Life()
    life.complete()
    life.edit(source={"huggingFace": {"repo": "acme/tiny", "tokenSecret": "new"}}, endpoint="http://mirror")
    assert life.look() == "True Downloaded"
    assert not any(child["kind"] == "Job" for child in life.todo.apply)


def test_no_two_pods_write_the_same_files() -> None:
    life = Life()
    life.look()
    life.pod(planned=PLANNED)
    life.edit(download={"image": "aifactory/operator:2"})
    leaving = life.attempts
    assert life.look() == "Unknown Creating"
    assert [child["kind"] for child in life.todo.delete] == ["Job"]
    assert "Job" not in {child["kind"] for child in life.todo.apply}
    life.attempts = leaving
    life.look()
    assert life.message == "the pod of an earlier download is ending"
    life.attempts = ()
    life.look()
    assert [child["kind"] for child in life.todo.apply] == ["Job"]


@pytest.mark.parametrize("spec", [{}, {"download": {"image": "aifactory/operator:2"}}])
def test_a_pod_whose_node_is_gone_is_named_as_nothing_else_may_write_meanwhile(spec: dict[str, Any]) -> None:
    life = Life()
    life.look()
    life.pod(planned=PLANNED, terminating=True, overdue_since=life.now)
    leaving = life.attempts
    life.edit(**spec)
    assert life.look().startswith("Unknown")
    life.attempts = leaving
    life.look()
    assert life.look() == "False PodsStuck"
    assert life.message.endswith(f"kubectl delete pod {leaving[0].pod.name} --force")


def test_a_corrected_secret_begins_a_failed_download_at_once() -> None:
    life = Life()
    life.look()
    life.end(failed_at=life.now)
    life.look()
    life.edit(source={"huggingFace": {"repo": "acme/tiny", "tokenSecret": "new"}})
    assert life.look() == "Unknown Creating"
    assert list(life.downloads) == [life.job]


def test_the_same_bucket_at_another_endpoint_is_another_bucket() -> None:
    life = Life(source={"s3": {"bucket": "models"}}, endpoint="http://one")
    first = life.folder
    life.edit(endpoint="http://two")
    assert life.folder != first
