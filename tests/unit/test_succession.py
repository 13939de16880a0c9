"""One generation of Dynamo's workers follows another, and no frontend is ever without a whole one."""

import copy
from dataclasses import dataclass, field, replace
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.decide import plan
from aifactory.observed import Group, Observed, Pod, Workload
from aifactory.render import labels, naming
from aifactory.runtimes import BETWEEN
from aifactory.succession import LOST_SECONDS
from hypothesis import given, settings
from hypothesis import strategies as st

FRONTEND, PREFILL, DECODE = RoleName.FRONTEND, RoleName.PREFILL, RoleName.DECODE
WORKERS = (PREFILL, DECODE)
# A frontend holds its last requests for so long.
LEAVES = 25
TICK = 5
Delays = st.fixed_dictionaries({role: st.lists(st.integers(1, 40), min_size=1, max_size=4) for role in RoleName})


@dataclass
class Server:
    """A pod; a frontend is ready when it has found a whole generation, a worker at a time."""

    name: str
    role: RoleName
    generation: str
    created: int
    ready_after: int
    ready_at: int | None = None
    left_at: int | None = None

    def seen(self) -> Pod:
        ready = self.ready_at is not None
        return Pod(self.name, self.created, ready, self.ready_at, self.left_at is not None, generation=self.generation)


@dataclass
class Cluster:
    """The Deployments of a split service and their pods, as Kubernetes and Dynamo treat them, second by second."""

    delays: dict[RoleName, list[int]]
    replicas: dict[RoleName, int]
    now: int = 0
    args: int = 0
    made: int = 0
    children: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    pods: list[Server] = field(default_factory=list)
    limits: dict[tuple[RoleName, str], int] = field(default_factory=dict)

    def service(self) -> InferenceService:
        parts = {role.value: {"replicas": self.replicas[role]} for role in WORKERS}
        dynamo = {"backend": "mocker", "frontendReplicas": self.replicas[FRONTEND]}
        runtime = {"engine": "dynamo", "dynamo": dynamo, "args": ["--max-num-seqs", str(self.args)]}
        spec = {"model": {"name": "served"}, "runtime": runtime, "topology": {"disaggregated": parts}}
        return InferenceService.model_validate(
            {"metadata": {"name": "chat", "namespace": "n", "uid": "u"}, "spec": spec}
        )

    def deployment(self, role: RoleName) -> dict[str, Any]:
        return self.children["Deployment", naming.workload("chat", role)]["spec"]

    def generation(self, role: RoleName) -> str:
        return self.deployment(role)["template"]["metadata"]["labels"][labels.GENERATION]

    def of(self, role: RoleName, *, leaving: bool = False) -> list[Server]:
        return [pod for pod in self.pods if pod.role is role and (leaving or pod.left_at is None)]

    def whole(self, generation: str) -> bool:
        """A generation that can answer."""
        return all(
            any(pod.generation == generation and pod.ready_at is not None for pod in self.of(role)) for role in WORKERS
        )

    def known(self, frontend: Server) -> set[str]:
        """Generations that a frontend serves with."""
        known = {pod.generation for pod in self.pods} if frontend.generation == BETWEEN else {frontend.generation}
        return set(filter(self.whole, known))

    def enough(self, frontend: Server) -> bool:
        """It finds as many workers of each kind as there should be."""
        known = self.known(frontend)
        found = [pod.role for pod in self.pods if pod.generation in known and pod.ready_at and pod.left_at is None]
        return all(found.count(role) >= self.replicas[role] for role in WORKERS)

    def observed(self) -> Observed:
        groups = {}
        for role in (FRONTEND, *WORKERS) if self.children else ():
            staying, wanted = self.of(role), self.deployment(role)["replicas"]
            updated = sum(pod.generation == self.generation(role) for pod in staying)
            work = Workload(wanted, updated=updated, total=len(staying))
            groups[role] = Group(work, tuple(pod.seen() for pod in self.of(role, leaving=True)))
        return Observed(self.children, groups)

    def reconcile(self) -> None:
        todo = plan(self.service(), self.observed(), self.replicas, {}, served=(), now=self.now)
        for child in todo.apply:
            self.children[child["kind"], child["metadata"]["name"]] = copy.deepcopy(child)
        for one, count in todo.replicas.items():
            self.children[one]["spec"]["replicas"] = count

    def second(self) -> None:
        self.now += 1
        before = {pod.name: self.known(pod) for pod in self.of(FRONTEND, leaving=True) if pod.ready_at}
        self.pods = [pod for pod in self.pods if pod.left_at is None or self.now < pod.left_at + LEAVES]
        for pod in self.pods:
            starts = pod.role is not FRONTEND or self.known(pod)
            if pod.ready_at is None and self.now >= pod.created + pod.ready_after and starts:
                pod.ready_at = self.now
        for role in (FRONTEND, *WORKERS):
            self._roll(role)
        for pod in self.of(FRONTEND, leaving=True) if self.args else ():
            assert before.get(pod.name, self.known(pod)) == self.known(pod), f"{self.now}: {pod} sees others come or go"
            assert not pod.ready_at or self.enough(pod), f"{self.now}: {pod} has too few workers"

    def _roll(self, role: RoleName) -> None:
        """What the Deployment controller does with one pod more than wanted, and none less."""
        spec, generation = self.deployment(role), self.generation(role)
        self.limits[role, generation] = spec.get("minReadySeconds", 0)
        new = [pod for pod in self.of(role) if pod.generation == generation]
        old = [pod for pod in self.of(role) if pod.generation != generation]
        unready = sum(not self.available(pod) for pod in new)
        spare = len(old) + len(new) - spec["replicas"] - unready
        leaving = sorted(old, key=lambda pod: (self.available(pod), pod.created))[: max(0, spare)]
        gone = sorted(new, key=lambda pod: self.available(pod))[: max(0, len(new) - spec["replicas"])]
        for pod in (*leaving, *gone):
            pod.left_at = self.now
        if len(new) < spec["replicas"] and len(self.of(role)) < spec["replicas"] + 1:
            self.made += 1
            after = self.delays[role][self.made % len(self.delays[role])]
            self.pods.append(Server(f"{role}-{self.made}", role, generation, self.now, after))

    def available(self, pod: Server) -> bool:
        limit = self.limits.get((pod.role, pod.generation), 0)
        return pod.ready_at is not None and pod.ready_at + limit <= self.now

    def run(self, seconds: int) -> None:
        """Until all is done, if that is earlier."""
        for second in range(seconds):
            if second % TICK == 0:
                self.reconcile()
                if self.done and second:
                    return
            self.second()

    @property
    def done(self) -> bool:
        if not self.children:
            return False
        wanted = self.generation(PREFILL)
        alike = all(pod.generation == wanted and pod.ready_at is not None for pod in self.pods)
        return alike and all(len(self.of(role)) == count for role, count in self.replicas.items())


def cluster(delays: dict[RoleName, list[int]], frontends: int = 1, prefill: int = 1, decode: int = 1) -> Cluster:
    made = Cluster(delays, {FRONTEND: frontends, PREFILL: prefill, DECODE: decode})
    made.run(200)
    assert made.done
    while not all(map(made.available, made.pods)):
        made.second()
    return made


@settings(max_examples=15, deadline=None)
@given(Delays, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_a_changed_spec_leaves_no_frontend_without_a_whole_generation(delays, frontends, prefill, decode):
    found = cluster(delays, frontends, prefill, decode)
    before = {pod.name for pod in found.pods}
    found.args = 1
    found.run(900)
    assert found.done
    assert not before & {pod.name for pod in found.pods}


@settings(max_examples=15, deadline=None)
@given(Delays, st.integers(1, 3), st.integers(1, 150))
def test_nor_does_a_spec_that_changes_again_meanwhile(delays, frontends, pause):
    found = cluster(delays, frontends)
    for found.args in (1, 2):
        found.run(pause)
    found.run(900)
    assert found.done


def test_workers_are_exchanged_without_more_of_them_than_the_rollout_allows():
    found = cluster({FRONTEND: [5], PREFILL: [10], DECODE: [20]}, prefill=3, decode=2)
    found.args, most = 1, 0
    while not found.done or found.now < 60:
        found.run(1)
        most = max(most, *(len(found.of(role)) - found.replicas[role] for role in WORKERS))
    assert most == 1


def test_without_room_for_one_of_the_next_workers_the_former_serve_on():
    found = cluster({FRONTEND: [5], PREFILL: [10], DECODE: [10]})
    before, found.delays[DECODE], found.args = {pod.name for pod in found.pods}, [10_000], 1
    found.run(900)
    assert before <= {pod.name for pod in found.pods if pod.left_at is None}


def frontend_that_waits(generation: str | None = None, **of: Any) -> set[str]:
    """The frontends that begin anew at 1000 s, where one has been running since 0 s; `of` changes its decode worker."""
    found = cluster({FRONTEND: [5], PREFILL: [10], DECODE: [10]})
    seen = found.observed()
    (frontend,), (decode,) = seen.groups[FRONTEND].pods, seen.groups[DECODE].pods
    waits = replace(frontend, ready=False, began_at=0.0, generation=generation or frontend.generation)
    groups = {
        **seen.groups,
        FRONTEND: replace(seen.groups[FRONTEND], pods=(waits,)),
        DECODE: replace(seen.groups[DECODE], pods=(replace(decode, **of),)),
    }
    todo = plan(found.service(), replace(seen, groups=groups), found.replicas, {}, served=(), now=1000.0)
    assert todo.restart.keys() <= {frontend.name}
    return set(todo.restart)


def test_a_frontend_that_never_finds_its_workers_begins_anew():
    assert frontend_that_waits()
    assert frontend_that_waits(BETWEEN)


def test_one_whose_workers_load_or_are_of_another_generation_waits_for_them():
    assert not frontend_that_waits(ready=False)
    assert not frontend_that_waits(ready_at=1001.0 - LOST_SECONDS)
    assert not frontend_that_waits(terminating=True)
    assert not frontend_that_waits("another")
