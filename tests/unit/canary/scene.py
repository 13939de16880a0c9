"""A service with a canary, in a cluster that holds what was planned for it."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.canary import Rollout, Staged
from aifactory.decide import Plan, plan
from aifactory.observed import Group, Observed, Pod, Workload
from aifactory.render import OPTIONAL, labels
from aifactory.render.template import given
from aifactory.runtimes import roles
from aifactory.signals.tracks import TrackReadings
from aifactory.staging import stage

SERVERS = RoleName.MODEL_SERVER


class World:
    """A service whose four replicas serve, and a cluster that holds what was planned for it."""

    now = 1000.0
    readings: TrackReadings | None = None
    steps: Sequence[str] = ("25%",)
    pace: Mapping[str, int | str] = MappingProxyType({})

    def __init__(self, canary: bool = True, **runtime: Any) -> None:
        self.rollout: Rollout | None = None
        self.observed = Observed()
        self.canary = canary
        self.edit(**runtime)
        self.do()
        self.serve()

    def edit(
        self, engine: str = "vllm", replicas: int = 4, accelerator: dict[str, Any] | None = None, **runtime: Any
    ) -> None:
        """A user changes the spec."""
        self.replicas = replicas
        self.service = InferenceService.model_validate(
            {
                "metadata": {"name": "llama", "namespace": "chat", "uid": "uid-1"},
                "spec": {
                    "model": {"name": "meta/llama"},
                    "runtime": {"engine": engine, **runtime},
                    "replicas": replicas,
                    "accelerator": accelerator or {},
                    "rollout": {**self.pace, "canary": {"steps": [*self.steps]}} if self.canary else {},
                },
            }
        )

    def stage(self) -> Staged:
        """Where the canary goes."""
        (role,) = roles(self.service)
        return stage(role, self.observed, self.replicas, self.rollout, self.readings, self.now)

    def plan(self, staged: Staged, **in_flight: float) -> Plan:
        return plan(
            self.service, self.observed, {SERVERS: self.replicas}, in_flight, served=OPTIONAL[:1], staged=staged
        )

    def do(self) -> Plan:
        """One round: what is planned is done."""
        staged = self.stage()
        todo, self.rollout = self.plan(staged), staged.rollout
        children = {**self.observed.children}
        for child in todo.apply:
            children[child["kind"], child["metadata"]["name"]] = copy.deepcopy(child)
        for workload, count in todo.replicas.items():
            children[workload]["spec"]["replicas"] = count
        for name, count in todo.both.items():
            children["Deployment", name]["metadata"]["annotations"][labels.REPLICAS] = str(count)
        for child in todo.delete:
            del children[child["kind"], child["metadata"]["name"]]
        self.observed = replace(self.observed, children=children)
        return todo

    def serve(self, canary: bool = True) -> None:
        """Every pod that is asked for serves, those of the canary only if told so."""
        stable = self._group("llama", ready=True)
        self.observed = Observed(self.observed.children, {SERVERS: stable}, self._group("llama-canary", ready=canary))

    def _group(self, name: str, ready: bool) -> Group:
        deployment = self.observed.children.get(("Deployment", name))
        if deployment is None:
            return Group()
        count = deployment["spec"]["replicas"]
        pods = [Pod(f"{name}-{n}", 0.0, ready=ready, template=given(deployment)) for n in range(count)]
        both = deployment["metadata"]["annotations"].get(labels.REPLICAS)
        workload = Workload(count, 1, 1, count, count * ready, count * ready, count, both=int(both) if both else None)
        return Group(workload, tuple(pods))

    def argument(self, name: str) -> str:
        """The last argument of a Deployment's container."""
        template = self.observed.children["Deployment", name]["spec"]["template"]
        last: str = template["spec"]["containers"][0]["args"][-1]
        return last
