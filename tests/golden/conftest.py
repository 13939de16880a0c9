"""Every file of cases/, manifests/samples/ and manifests/presets/; rendered/ holds what becomes of its first service.

A case is one role of such a service.

`pytest tests/golden --update-golden` writes rendered/ anew; read the difference before committing it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from aifactory.api.engine import Engine
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.role import RoleName
from aifactory.render import OPTIONAL, render
from aifactory.runtimes import Activation, Role, roles

HERE = Path(__file__).parent
MANIFESTS = HERE.parents[1] / "manifests"
UID = "3f2a9c1e-0b7d-4e6f-8a5b-9c0d1e2f3a4b"
REPLICAS = 2


@dataclass(frozen=True)
class Case:
    """A service as it applies to one of its roles, and the children of all roles; clients call the `first`."""

    name: str
    role: Role
    first: bool
    children: tuple[dict[str, Any], ...]

    @property
    def service(self) -> InferenceService:
        return self.role.service

    @property
    def golden(self) -> Path:
        return HERE / "rendered" / f"{self.name}.yaml"

    def child(self, kind: str) -> dict[str, Any]:
        """The only child of this kind that belongs to the role."""
        (found,) = (child for child in self.own if child["kind"] == kind)
        return found

    @property
    def own(self) -> list[dict[str, Any]]:
        """Children that belong to the role."""
        return [child for child in self.children if _role(child) == self.role.name]

    @property
    def entry(self) -> dict[str, Any]:
        """The Service that clients call."""
        services = {child["metadata"]["name"]: child for child in self.children if child["kind"] == "Service"}
        return services[self.service.metadata.name]

    def of_picker(self, kind: str) -> dict[str, Any] | None:
        """The child of this kind that belongs to the endpoint picker, if there is one."""
        return next((child for child in self.children if child["kind"] == kind and _of_picker(child)), None)

    @property
    def templates(self) -> list[dict[str, Any]]:
        """Of all pods."""
        specs = [child["spec"] for child in self.children if "spec" in child]
        groups = [spec["leaderWorkerTemplate"] for spec in specs if "leaderWorkerTemplate" in spec]
        found = [spec["template"] for spec in specs if "template" in spec]
        return [*found, *(group[name] for group in groups for name in ("leaderTemplate", "workerTemplate"))]

    @property
    def pods(self) -> list[dict[str, Any]]:
        """Specs of all pods."""
        return [template["spec"] for template in self.templates]

    @property
    def pod(self) -> dict[str, Any]:
        """Spec of the pods."""
        spec: dict[str, Any] = self.child("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.pod["containers"]
        found: dict[str, Any] = container
        return found


def _of_picker(child: dict[str, Any]) -> bool:
    return _role(child) == RoleName.ENDPOINT_PICKER


def _role(child: dict[str, Any]) -> str:
    return str(child["metadata"]["labels"]["aifactory.dev/role"])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden/rendered anew")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden", default=False))


def _files() -> Iterator[tuple[str, Path]]:
    yield from ((path.stem, path) for path in sorted((HERE / "cases").glob("*.yaml")))
    for kind in ("sample", "preset"):
        paths = sorted((MANIFESTS / f"{kind}s").glob("*.yaml"))
        yield from ((f"{kind}-{path.stem}", path) for path in paths if _first(path).get("kind") == "InferenceService")


@cache
def _first(path: Path) -> dict[str, Any]:
    first: dict[str, Any] = next(yaml.safe_load_all(path.read_text()))
    return first


def _engine(path: Path) -> str:
    return str(_first(path)["spec"]["runtime"]["engine"])


@cache
def _cases(name: str, path: Path) -> list[Case]:
    manifest = _first(path)
    service = InferenceService.model_validate(manifest | {"metadata": manifest["metadata"] | {"uid": UID}})
    served = [kind for kind in OPTIONAL if kind != "LeaderWorkerSet" or not name.endswith(NATIVE)]
    activation = Activation() if service.spec.may_sleep else None
    children = tuple(render(service, dict.fromkeys(RoleName, REPLICAS), served=served, activation=activation))
    return [Case(name, role, number == 0, children) for number, role in enumerate(roles(service))]


NATIVE = "-by-stateful-sets"
_ONE_POD = [(name, path) for name, path in _files() if _first(path)["spec"].get("accelerator", {}).get("nodes", 1) == 1]
_SEVERAL_PODS = [
    (f"{name}{form}", path) for name, path in _files() if (name, path) not in _ONE_POD for form in ("", NATIVE)
]


def _params(files: Iterable[tuple[str, Path]], engines: Collection[str] = tuple(Engine)) -> Iterator[Any]:
    for name, path in files:
        for case in _cases(name, path) if _engine(path) in engines else ():
            yield pytest.param(case, id=name if case.first else f"{name}-{case.role.name}")


@pytest.fixture(params=_params(_ONE_POD))
def case(request: pytest.FixtureRequest) -> Case:
    """A role whose replicas are single pods."""
    found: Case = request.param
    return found


@pytest.fixture(params=_params(_SEVERAL_PODS))
def several(request: pytest.FixtureRequest) -> Case:
    """A role whose replicas have several pods, with a LeaderWorkerSet and without."""
    found: Case = request.param
    return found


@pytest.fixture(params=_params([file for file in _SEVERAL_PODS if file[0].endswith(NATIVE)]))
def by_stateful_sets(request: pytest.FixtureRequest) -> Case:
    """A role whose replicas have several pods, without LeaderWorkerSets."""
    found: Case = request.param
    return found


@pytest.fixture(params=_params((*_ONE_POD, *_SEVERAL_PODS)))
def every(request: pytest.FixtureRequest) -> Case:
    """Any role."""
    found: Case = request.param
    return found


@pytest.fixture(params=_params(_ONE_POD, [Engine.LLMD]))
def pooled(request: pytest.FixtureRequest) -> Case:
    """Those with an endpoint picker."""
    found: Case = request.param
    return found


@dataclass(frozen=True)
class Sleeper:
    """A service that may have no replica: its children while it is awake, and while it sleeps, by kind and name."""

    service: InferenceService
    awake: Mapping[tuple[str, str], dict[str, Any]]
    asleep: Mapping[tuple[str, str], dict[str, Any]]


@pytest.fixture
def sleeper() -> Sleeper:
    (case,) = _cases("vllm-scale-to-zero", HERE / "cases" / "vllm-scale-to-zero.yaml")
    replicas = {RoleName.MODEL_SERVER: 0}
    asleep = render(case.service, replicas, served=OPTIONAL, activation=Activation(), asleep=True)
    return Sleeper(case.service, _by_id(case.children), _by_id(asleep))


def _by_id(children: Iterable[dict[str, Any]]) -> Mapping[tuple[str, str], dict[str, Any]]:
    return {(child["kind"], child["metadata"]["name"]): child for child in children}


@pytest.fixture
def canary() -> list[dict[str, Any]]:
    """What the canary of the smallest service has of its own."""
    (smallest,) = _cases("vllm-smallest", HERE / "cases" / "vllm-smallest.yaml")
    service = smallest.service
    children = render(service, {RoleName.MODEL_SERVER: REPLICAS}, served=OPTIONAL, canary=1)
    return [child for child in children if child["metadata"]["name"].endswith("-canary")]


@pytest.fixture
def all_names() -> set[str]:
    return {name for name, _ in (*_ONE_POD, *_SEVERAL_PODS)}
