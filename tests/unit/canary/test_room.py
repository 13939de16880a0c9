"""From an edit to its promotion in a cluster that has GPUs for one pod more than serve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from aifactory.api.rollout import RolloutPhase
from aifactory.observed import Group, Observed, Pod, Workload
from aifactory.render.template import given
from aifactory.signals.tracks import TrackReadings

from .scene import SERVERS, World

STABLE, CANARY = "llama", "llama-canary"
OLD, NEW, NEWER = ["--seed=1"], ["--seed=2"], ["--seed=3"]
STARTED = 600.0


@dataclass(eq=False, slots=True)
class Running:
    """A pod: without a node, loading, ready, then leaving, which takes its GPU a minute longer."""

    owner: str
    template: str
    placed: bool = False
    ready: bool = False
    leaving: bool = False


class Cluster(World):
    """Controllers of Deployments, a scheduler and kubelets, which take a step a minute."""

    def __init__(
        self, gpus: int, replicas: int, pace: Mapping[str, int | str], steps: Sequence[str] = ("50%",)
    ) -> None:
        self.gpus, self.pace, self.steps = gpus, pace, steps
        self.pods: list[Running] = []
        super().__init__(replicas=replicas, args=OLD)
        template = given(self.observed.children["Deployment", STABLE])
        self.pods = [Running(STABLE, template, placed=True, ready=True) for _ in range(replicas)]

    @property
    def serving(self) -> int:
        return sum(pod.ready and not pod.leaving for pod in self.pods)

    def minute(self) -> None:
        """The operator looks twice, the second time before the Deployments' controllers saw what it wrote."""
        self.now += 1000.0
        self.readings = TrackReadings(self.now, STARTED, (), {})
        self.do()
        self._look(lagging=True)
        self.do()
        self.pods = [pod for pod in self.pods if not pod.leaving]
        for name in (STABLE, CANARY):
            self._control(name)
        for pod in self.pods:
            pod.ready = pod.placed and not pod.leaving
        for pod in self.pods:
            pod.placed = pod.placed or sum(one.placed for one in self.pods) < self.gpus
        self._look()

    def _control(self, name: str) -> None:
        """As a Deployment's controller: to its number of replicas first, then from one template to the other."""
        deployment, mine = self.observed.children.get(("Deployment", name)), self._of(name)
        count = deployment["spec"]["replicas"] if deployment else 0
        template, pace = given(deployment) if deployment else "", self.service.spec.rollout.pace(count)
        new = [pod for pod in mine if pod.template == template]
        old = [pod for pod in mine if pod.template != template]
        _leave(new or old, len(new or old) - count)
        more = min(count - len(new), count + pace.surge - len(self._of(name)))
        self.pods += [Running(name, template) for _ in range(more)]
        waiting = [pod for pod in self._of(name) if pod.template == template and not pod.ready]
        spare = len(self._of(name)) - len(waiting) - (count - pace.unavailable)
        _leave(old, min(spare, sum(not pod.leaving for pod in old)))

    def _look(self, lagging: bool = False) -> None:
        stable, canary = self._seen(STABLE, lagging), self._seen(CANARY, lagging)
        self.observed = Observed(self.observed.children, {SERVERS: stable}, canary)

    def _seen(self, name: str, lagging: bool) -> Group:
        deployment = self.observed.children.get(("Deployment", name))
        if deployment is None:
            return Group()
        mine, template = self._of(name), given(deployment)
        updated, ready = sum(pod.template == template for pod in mine), sum(pod.ready for pod in mine)
        workload = Workload(deployment["spec"]["replicas"], 2, 1 if lagging else 2, updated, ready, ready, len(mine))
        pods = (Pod(f"{name}-{n}", 0.0, ready=one.ready, template=one.template) for n, one in enumerate(mine))
        return Group(workload, tuple(pods))

    def _of(self, name: str) -> list[Running]:
        return [pod for pod in self.pods if pod.owner == name and not pod.leaving]


def _leave(pods: list[Running], count: int) -> None:
    """Those that do not serve first."""
    for pod in sorted((one for one in pods if not one.leaving), key=lambda one: one.ready)[: max(0, count)]:
        pod.leaving = True


@pytest.mark.parametrize("steps", [("10%",), ("50%",), ("99%",), ("10%", "50%")], ids="-".join)
@pytest.mark.parametrize(
    "pace",
    [{}, {"maxSurge": 0, "maxUnavailable": 1}, {"maxSurge": "50%"}, {"maxUnavailable": 1}],
    ids=["surge", "no-surge", "half", "both"],
)
@pytest.mark.parametrize("total", [1, 2, 3, 5])
def test_a_promotion_ends_with_room_for_one_pod_more(
    total: int, pace: Mapping[str, int | str], steps: Sequence[str]
) -> None:
    """No fewer serve meanwhile than `maxUnavailable` says, and never none."""
    cluster = Cluster(total + 1, total, pace, steps)
    cluster.edit(replicas=total, args=NEW)
    fewest = max(1, total - cluster.service.spec.rollout.pace(total).unavailable)
    for _ in range(20 * total):
        cluster.minute()
        assert cluster.serving >= fewest
        if cluster.rollout and cluster.rollout.phase is RolloutPhase.PROMOTED:
            break
    assert cluster.rollout is not None
    assert cluster.rollout.phase is RolloutPhase.PROMOTED
    assert (cluster.serving, cluster.argument(STABLE)) == (total, NEW[0])
    assert ("Deployment", CANARY) not in cluster.observed.children


@pytest.mark.parametrize("minutes", range(6))
@pytest.mark.parametrize("pace", [{}, {"maxSurge": 0, "maxUnavailable": 1}], ids=["surge", "no-surge"])
def test_a_spec_that_changes_while_the_only_replica_is_replaced_is_tried_after_that(
    pace: Mapping[str, int | str], minutes: int
) -> None:
    cluster = Cluster(2, 1, pace)
    cluster.edit(replicas=1, args=NEW)
    while cluster.rollout is None or cluster.rollout.phase is not RolloutPhase.PROMOTING:
        cluster.minute()
    for _ in range(minutes):
        cluster.minute()
    cluster.edit(replicas=1, args=NEWER)
    tried, said = False, set[str]()
    for _ in range(30):
        cluster.minute()
        assert cluster.serving >= 1
        assert cluster.rollout is not None
        said.add(cluster.rollout.message)
        if cluster.rollout.phase is RolloutPhase.PROGRESSING:
            tried = True
            assert (cluster.argument(STABLE), cluster.argument(CANARY)) == (NEW[0], NEWER[0])
    assert tried
    assert not any("is not tried" in message for message in said)
    assert cluster.rollout.phase is RolloutPhase.PROMOTED
    assert (cluster.serving, cluster.argument(STABLE)) == (1, NEWER[0])
