"""An InferenceService under test, and everything a user can see of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .install import GPU
from .kube import Kube, KubeError, Object, path
from .load import FOLDER, Burst, Load
from .waiting import PATIENCE, History, T, hold_true, wait_until

SERVICE_LABEL = "aifactory.dev/inferenceservice"
SYSTEM = "aifactory-system"
IMAGE = "aifactory/modelserver:dev"
MODEL = "simulated"
CHILDREN = {
    "deployments": "{}",
    "services": "{}",
    "networkpolicies": "{}",
    "poddisruptionbudgets": "{}",
    "serviceaccounts": "{}-server",
}
"""Plural of every child's kind, and its name for a service `{}`."""

FAST_LAW = {
    "averagingWindow": "4s",
    "gpuShortageAfter": "6s",
    "scaleUp": {"period": "6s", "maxReplicas": 1, "maxPercent": 1, "panicHold": "5s"},
    "scaleDown": {"stabilizationWindow": "15s", "period": "5s", "maxReplicas": 1},
}
"""spec.scaling.behavior of a service whose tests should not take minutes."""

TTFT_ONLY = {"workload": "offline", "objectives": {"timeToFirstToken": {"percentile": 95, "target": "2500ms"}}}
"""Far above what a machine short of CPU adds to a quiet server's latency, far below what a queue adds."""

LENIENT = TTFT_ONLY | {"attainment": "50%"}
"""The same where requests are made to queue: a promise that is broken keeps replicas for long."""

PATIENT = {"workload": "offline", "objectives": {"timeToFirstToken": {"percentile": 95, "target": "2m"}}}
"""A target that no queue of a test misses: replicas come because of the queue, and go soon after it."""


def scaling(least: int, most: int, **behavior: Any) -> Object:
    """`spec.scaling` with the fast law."""
    return {"minReplicas": least, "maxReplicas": most, "behavior": FAST_LAW | behavior}


def runtime(engine: str = "vllm", image: str = IMAGE, args: tuple[str, ...] = (), **env: Any) -> Object:
    """`spec.runtime` of a simulated server that loads for a second and obeys `/fault/`."""
    settings = {"MODELSERVER_STARTUP_SECONDS": 1, "MODELSERVER_FAULTS": 1} | env
    variables = [{"name": name, "value": str(value)} for name, value in settings.items()]
    return {"engine": engine, "image": image, "env": variables} | ({"args": list(args)} if args else {})


class Service:
    """One service; `kubectl get -w` on it and its Deployment runs along from the beginning."""

    def __init__(self, kube: Kube, namespace: str, name: str, spec: Mapping[str, Any]) -> None:
        self.kube = kube
        self.namespace = namespace
        self.name = name
        self._where = path(namespace, "inferenceservices", name)
        self._loads: list[Load] = []
        self._bursts = 0
        self.statuses = History(kube.watch(path(namespace, "inferenceservices"), name))
        self.sizes = History(kube.watch(path(namespace, "deployments"), name))
        manifest = {"apiVersion": "aifactory.dev/v1alpha1", "kind": "InferenceService", "metadata": {"name": name}}
        defaults = {
            "model": {"name": MODEL},
            "runtime": runtime(),
            "accelerator": {"resourceName": GPU},
            "drain": {"timeout": "10s"},
        }
        kube.apply(self._where, {**manifest, "spec": {**defaults, **spec}})

    def edit(self, spec: Mapping[str, Any]) -> int:
        """Merge into the spec; the answer is the new generation."""
        self.kube.merge(self._where, {"spec": spec})
        return int(self.stored["metadata"]["generation"])

    def delete(self) -> None:
        """Delete the object."""
        self.kube.delete(self._where)

    @property
    def stored(self) -> Object:
        """The object as stored."""
        return self.kube.get(self._where)

    @property
    def gone(self) -> bool:
        """The object does not exist."""
        return self.kube.find(self._where) is None

    @property
    def status(self) -> Object:
        """Its status."""
        found: Object = self.stored.get("status") or {}
        return found

    def condition(self, kind: str) -> Object:
        """A condition, empty while it is absent."""
        return condition(self.stored, kind)

    def is_(self, kind: str, status: str, reason: str = "") -> bool:
        """Whether a condition of the newest generation has this status, and this reason if one is given."""
        obj = self.stored
        found = condition(obj, kind)
        current = found.get("observedGeneration") == obj["metadata"]["generation"]
        return current and found["status"] == status and reason in ("", found["reason"])

    def child(self, plural: str) -> Object | None:
        """A child object, None while it is missing."""
        return self.kube.find(self.child_path(plural))

    def child_path(self, plural: str) -> str:
        """Where a child is."""
        return path(self.namespace, plural, CHILDREN[plural].format(self.name))

    @property
    def replicas(self) -> int:
        """What the Deployment is asked for, as far as seen; 0 before it exists."""
        return self.steps[-1] if self.steps else 0

    @property
    def pods(self) -> list[Object]:
        """Pods that are not leaving, the oldest first."""
        found = self.kube.items(f"{path(self.namespace, 'pods')}?labelSelector={SERVICE_LABEL}%3D{self.name}")
        staying = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return sorted(staying, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def completes(self) -> bool:
        """Whether one completion is answered now."""
        proxy = path(self.namespace, "services", f"{self.name}:http", "proxy/v1/completions")
        try:
            answer = json.loads(self.kube.send("POST", proxy, {"model": MODEL, "prompt": "hello", "max_tokens": 2}))
        except KubeError:
            return False
        return bool(answer["choices"][0]["text"])

    def fault(self, pod: Object, name: str, on: bool) -> None:
        """Switch a fault of the simulated server of one pod."""
        proxy = path(self.namespace, "pods", f"{pod['metadata']['name']}:8000", f"proxy/fault/{name}")
        self.kube.send("POST" if on else "DELETE", proxy)

    def load(self, shape: str, *options: str, url: str = "") -> Load:
        """Start sending requests to the service, or to `url`; `shape` is such as `2@20s,8@60s`, in requests/s."""
        return self._send(url or f"http://{self.name}", ("--shape", shape, *options), {})

    def replay(self, trace: str, *options: str) -> Load:
        """Start sending the requests of a trace (CSV) to the service."""
        files = {"trace.csv": trace}
        return self._send(f"http://{self.name}", ("--trace", f"{FOLDER}/trace.csv", *options), files)

    def _send(self, url: str, options: Sequence[str], files: Mapping[str, str]) -> Load:
        load = Load(self.kube, self.namespace, f"load-{len(self._loads)}", url, options, files)
        self._loads.append(load)
        return load

    def burst(self, count: int) -> Burst:
        """Send so many requests at once."""
        self._bursts += 1
        return Burst(self.kube, self.namespace, f"burst-{self._bursts}", f"http://{self.name}", count)

    def wait(self, what: str, check: Callable[[], T], seconds: float = PATIENCE) -> T:
        """`wait_until` with an explanation."""
        return wait_until(what, check, seconds, self.explain)

    def wait_ready(self) -> None:
        """Until Ready is True for the newest generation."""
        self.wait("Ready", lambda: self.is_("Ready", "True"))

    def hold(self, what: str, check: Callable[[], object], seconds: float) -> None:
        """`hold_true` with an explanation."""
        hold_true(what, check, seconds, self.explain)

    @property
    def steps(self) -> list[int]:
        """The numbers of replicas that the Deployment was asked for, in their order."""
        return self.sizes.path(lambda deployment: int(deployment["spec"]["replicas"]))

    def conditions(self, kind: str) -> list[tuple[str, str]]:
        """Status and reason that a condition went through; ("", "") where it was absent."""
        return self.statuses.path(lambda obj: _short(condition(obj, kind)))

    def explain(self) -> str:
        """Everything that helps to see why a service is not as expected."""
        obj = self.kube.find(self._where) or {}
        pods = [_pod_line(pod) for pod in self.kube.items(path(self.namespace, "pods"))]
        events = sorted(self.kube.items(path(self.namespace, "events")), key=_when)
        lines = [
            f"{_when(event)} {event['involvedObject']['name']} {event['reason']}: {event['message']}"
            for event in events
        ]
        parts = {
            "status": json.dumps(obj.get("status"), indent=1),
            "Ready": self.conditions("Ready"),
            "replicas": self.steps,
            "decisions": "\n".join(self.statuses.path(_decision)[-40:]),
            "pods": "\n".join(pods),
            "events": "\n".join(lines[-25:]),
            "logs of pods that are not ready": logs(self.kube, [one for one in self.pods if not _ready(one)], 40),
            "load": "\n".join(load.tail() for load in self._loads),
            "operator": operator_log(self.kube),
        }
        return "\n".join(f"--- {title}\n{text}" for title, text in parts.items())

    def close(self) -> None:
        """Stop watching."""
        self.statuses.stop()
        self.sizes.stop()


def condition(obj: Object, kind: str) -> Object:
    """A condition of an object, empty while it is absent."""
    return next((item for item in (obj.get("status") or {}).get("conditions", []) if item["type"] == kind), {})


def operator_pods(kube: Kube) -> list[Object]:
    """Pods of the operator that are not leaving."""
    found = kube.items(f"{path(SYSTEM, 'pods')}?labelSelector=app.kubernetes.io/name%3Daifactory-operator")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def operator_log(kube: Kube, lines: int = 30) -> str:
    """The end of the log of every operator pod."""
    return logs(kube, operator_pods(kube), lines)


def logs(kube: Kube, pods: list[Object], lines: int) -> str:
    """The end of the log of each pod."""
    found = []
    for pod in pods:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        try:
            found.append(f"{name}:\n{kube.send('GET', path(namespace, 'pods', name, f'log?tailLines={lines}'))}")
        except KubeError as error:
            found.append(f"{name}: {error}")
    return "\n".join(found)


def _ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def _decision(obj: Object) -> str:
    scaling = (obj.get("status") or {}).get("scaling", {})
    signals = [
        f"{item['signal']}={item.get('ratio')}->{item.get('replicas')}" for item in scaling.get("recommendations", [])
    ]
    decision = scaling.get("decision", {})
    return f"{decision.get('from')}->{decision.get('to')} {decision.get('reason')} {' '.join(signals)}"


def _short(found: Object) -> tuple[str, str]:
    return found.get("status", ""), found.get("reason", "")


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])


def _pod_line(pod: Object) -> str:
    status = pod["status"]
    conditions = {item["type"]: item["status"] for item in status.get("conditions", [])}
    states = [container.get("state") for container in status.get("containerStatuses", [])]
    leaving = " leaving" if "deletionTimestamp" in pod["metadata"] else ""
    return f"{pod['metadata']['name']} {status.get('phase')} ready={conditions.get('Ready')}{leaving} {states}"
