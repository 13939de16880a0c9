"""A changed spec is tried on a few replicas: what a user reads, and what happens to the replicas, from edit to end."""

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.bench.reconcile.prometheus import serve
from tests.e2e.kube import path
from tests.kind.controlplane import ControlPlane
from tests.operator_process import OperatorProcess

from .conftest import OPERATOR, new_operator
from .kube import Kube
from .service import Object, Service
from .test_life import UNSCHEDULABLE
from .test_plan import diff

NAMESPACE = "canaries"
OLD, NEW = ("--seed", "1"), ("--seed", "2")
# The shortest step there is; it takes a minute of requests, of which the test tells the operator at once.
CANARY = {"steps": ["30%"], "stepDuration": "15s", "minRequests": 50}
# A step that does not end while a test looks at it.
LASTING = {"rollout": {"maxSurge": 1, "canary": {**CANARY, "stepDuration": "1h"}}}


class Tracks:
    """A Prometheus that knows, of each track, how many requests of how many were within the target of 500 ms."""

    def __init__(self) -> None:
        self.seen: Mapping[str, tuple[int, int]] = {"stable": (100, 100), "canary": (100, 100)}
        self.service = ""

    def answer(self, query: str) -> bytes:
        """Attainment for the queries by track, nothing else."""
        vector = [sample for track in self.seen for sample in self._samples(query, track)]
        return json.dumps({"status": "success", "data": {"resultType": "vector", "result": vector}}).encode()

    def _samples(self, query: str, track: str) -> Iterator[Object]:
        within, total = self.seen[track]
        if "track, le)" in query and "time_to_first_token" in query:
            for edge, count in {"0.5": within, "+Inf": total}.items():
                yield self._sample(count, track=track, le=edge)
        elif "track)" in query:
            yield self._sample(total, track=track)

    def _sample(self, value: int, **labels: str) -> Object:
        of = {"namespace": NAMESPACE, "inferenceservice": self.service, **labels}
        return {"metric": of, "value": [0, str(value)]}


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return Tracks()


@pytest.fixture(scope="module")
def operator_with_signals(api: ControlPlane, kube: Kube, tracks: Tracks) -> Iterator[OperatorProcess]:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    kube.apply(path("", "namespaces", NAMESPACE), namespace)
    with serve(tracks) as url, new_operator(api, NAMESPACE, AIFACTORY_PROMETHEUS_URL=url) as process:
        yield process


@pytest.fixture
def chat(api: ControlPlane, kube: Kube, tracks: Tracks, operator_with_signals: OperatorProcess) -> Iterator[Service]:
    """Three replicas that serve, with a canary for what comes."""
    tracks.__init__()  # type: ignore[misc]
    tracks.service = f"chat-{uuid.uuid4().hex[:6]}"
    service = Service(api, kube, NAMESPACE, tracks.service)
    edit(service, OLD)
    service.wait("three pods exist", lambda: len(service.pods()) == 3)
    service.load_model()
    service.wait_for("Ready", "True", "Available")
    yield service
    service.delete()


def edit(service: Service, args: tuple[str, ...], **spec: Any) -> None:
    """As a user who changes an argument of the engine."""
    rollout = {"maxSurge": 1, "canary": CANARY}
    service.apply({"replicas": 3, "runtime": {"args": list(args)}, "rollout": rollout, **spec})


def canary(service: Service) -> Object:
    """The canary's Deployment, empty while there is none."""
    return service.kube.find(path(NAMESPACE, "deployments", f"{service.name}-canary")) or {}


def args(deployment: Object) -> tuple[str, ...]:
    """The last arguments of its containers."""
    return tuple(deployment["spec"]["template"]["spec"]["containers"][0]["args"][-2:])


def sizes(service: Service) -> tuple[int, int]:
    """Replicas asked for: stable, canary."""
    return service.deployment()["spec"]["replicas"], canary(service).get("spec", {}).get("replicas", 0)


def rollout(service: Service) -> Object:
    """Where the canary is, empty while there is none."""
    found: Object = service.status().get("rollout") or {}
    return found


def measured(service: Service) -> None:
    """Until the canary serves beside two of the three stable replicas, in a step that is long enough to see it."""
    begun(service)
    service.wait("one stable replica left", lambda: sizes(service) == (2, 1))


def begun(service: Service) -> None:
    """Until the canary serves, and is measured."""
    service.wait("a pod of the canary exists", lambda: service.pods("canary"))
    service.load_model()
    service.wait("the step is measured", lambda: rollout(service).get("since"))


def events(service: Service) -> list[str]:
    """Reasons of the Events about it."""
    found = service.kube.send("GET", path(NAMESPACE, "events"))["items"]
    return [event["reason"] for event in found if event["involvedObject"]["name"] == service.name]


def test_a_changed_spec_is_tried_beside_what_serves_behind_the_same_address(chat: Service) -> None:
    edit(chat, NEW, **LASTING)
    said = chat.wait_for("Ready", "Unknown", "CanaryProgressing")
    assert said["message"] == "canary step 1 of 1 (30%): its replicas are starting"
    assert chat.condition("Reconciling")["reason"] == "CanaryProgressing"
    assert sizes(chat) == (3, 1), "none of those that serve goes before the canary serves"
    assert (args(chat.deployment()), args(canary(chat))) == (OLD, NEW)
    measured(chat)
    selector = chat.child("services")["spec"]["selector"]  # type: ignore[index]
    assert all(selector.items() <= pod["metadata"]["labels"].items() for pod in chat.pods())
    assert chat.status()["replicas"]["desired"] == 3
    assert rollout(chat)["replicas"] == {"stable": 2, "canary": 1}


def test_a_canary_that_holds_is_promoted_and_goes(chat: Service) -> None:
    edit(chat, NEW)
    begun(chat)
    chat.wait("all replicas get the new spec", lambda: args(chat.deployment()) == NEW)
    chat.wait_for("Ready", "Unknown", "CanaryPromoting")
    assert canary(chat)["spec"]["replicas"] == 1, "it serves until they are replaced"

    def promoted() -> bool:
        chat.load_model()
        return rollout(chat).get("phase") == "Promoted"

    chat.wait("it is promoted", promoted)
    chat.wait_for("Ready", "True", "Available")
    assert canary(chat) == {}
    assert chat.deployment()["spec"]["replicas"] == 3
    chat.wait("Events tell", lambda: {"CanaryStarted", "CanaryPromoting", "CanaryPromoted"} <= set(events(chat)))


def test_a_canary_that_misses_the_objective_is_taken_back_and_not_tried_again(chat: Service, tracks: Tracks) -> None:
    tracks.seen = {"stable": (200, 200), "canary": (20, 100)}
    edit(chat, NEW)
    begun(chat)
    said = chat.wait_for("Ready", "False", "CanaryRolledBack")
    assert "timeToFirstToken held for 20.0% of 100 requests on the canary and for 100.0% of 200" in said["message"]
    assert "change the spec to try again" in said["message"]
    assert chat.condition("Stalled")["reason"] == "CanaryRolledBack"

    def gone() -> bool:
        chat.load_model()
        return canary(chat) == {}

    chat.wait("the canary goes", gone)
    assert rollout(chat)["attainment"] == [{"objective": "timeToFirstToken", "stable": "100.0%", "canary": "20.0%"}]
    edit(chat, NEW, replicas=4)
    chat.wait("the number of replicas is another matter", lambda: sizes(chat) == (4, 0))
    assert args(chat.deployment()) == OLD
    edit(chat, OLD)
    chat.wait_for("Ready", "True", "Available")
    assert rollout(chat) == {}


def test_a_canary_that_cannot_start_is_taken_back_without_any_request(chat: Service) -> None:
    edit(chat, NEW)
    chat.wait("a pod of the canary exists", lambda: chat.pods("canary"))
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "vllm/nowhere:1"'}
    container = {"name": "model-server", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    chat.play_kubelet({"containerStatuses": [{**container, "state": {"waiting": waiting}}]}, "canary")
    assert "spec.runtime.image" in chat.wait_for("Ready", "False", "CanaryRolledBack")["message"]
    chat.wait("the canary goes at once", lambda: sizes(chat) == (3, 0))
    assert args(chat.deployment()) == OLD


def test_a_canary_without_a_gpu_waits_and_says_so_until_a_start_should_have_been_done(chat: Service) -> None:
    edit(chat, NEW)
    chat.wait("a pod of the canary exists", lambda: chat.pods("canary"))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    chat.play_kubelet({"conditions": [{**UNSCHEDULABLE, "lastTransitionTime": now}]}, "canary")
    chat.wait("the reason is told", lambda: "Insufficient nvidia.com/gpu" in rollout(chat).get("message", ""))
    chat.wait_for("Ready", "Unknown", "CanaryProgressing")
    assert sizes(chat) == (3, 1)
    chat.play_kubelet({"conditions": [UNSCHEDULABLE]}, "canary")
    assert "found no node in 40m" in chat.wait_for("Ready", "False", "CanaryRolledBack")["message"]
    chat.wait("the canary goes at once", lambda: sizes(chat) == (3, 0))


def test_another_spec_replaces_the_canary_and_the_old_one_ends_it(chat: Service) -> None:
    edit(chat, NEW, **LASTING)
    measured(chat)
    edit(chat, ("--seed", "3"), **LASTING)
    chat.wait("the canary is another", lambda: args(canary(chat)) == ("--seed", "3"))
    assert args(chat.deployment()) == OLD
    edit(chat, OLD)

    def gone() -> bool:
        chat.play_kubelet({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, "stable")
        return canary(chat) == {}

    chat.wait("the canary goes", gone)
    chat.wait_for("Ready", "True", "Available")


def test_a_new_operator_goes_on_where_the_last_one_was(chat: Service, operator_with_signals: OperatorProcess) -> None:
    edit(chat, NEW)
    begun(chat)
    operator_with_signals.kill()
    operator_with_signals.start()
    chat.wait("all replicas get the new spec", lambda: args(chat.deployment()) == NEW)
    assert events(chat).count("CanaryStarted") == 1


def test_a_paused_canary_stays_where_it_is(chat: Service) -> None:
    edit(chat, NEW, **LASTING)
    measured(chat)
    edit(chat, OLD, mode="Paused", **LASTING)
    chat.wait_for("Ready", "True", "Paused")
    assert (sizes(chat), args(canary(chat)), rollout(chat)["phase"]) == ((2, 1), NEW, "Progressing")


def test_what_a_canary_would_add_can_be_read_before(chat: Service, api: ControlPlane, tmp_path: Path) -> None:
    manifest = chat.manifest({"replicas": 3, "runtime": {"args": list(NEW)}, "rollout": {"canary": CANARY}})
    code, shown = diff(api.kubeconfig_for(OPERATOR), manifest, tmp_path / "chat.yaml")
    assert code == 1
    added = [line.strip() for line in shown.splitlines() if line.strip().startswith(("+", "~", "-"))]
    assert added == [f"+ NetworkPolicy/{chat.name}-canary", f"+ Deployment/{chat.name}-canary"], shown
