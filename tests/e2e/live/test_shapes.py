"""Live shapes of load against what `aifactory simulate` predicts for the same trace, service and engine."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
from aifactory.api.inferenceservice import InferenceService

from tests.e2e.conftest import fresh_namespace
from tests.e2e.kube import Kube
from tests.e2e.lives import Lives
from tests.e2e.service import SERVICE_LABEL, Service
from tests.e2e.shapes import ITL, SHAPES, TTFT, Outcome, Shape, predict, requests
from tests.e2e.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.load import Load


@dataclass(frozen=True, slots=True)
class Live:
    """What happened: the load generator's summary, replicas, and what was predicted from the start-ups measured."""

    summary: dict[str, Any]
    outcome: Outcome
    predicted: Outcome
    explanation: str


class Run:
    """A shape on its way: `prepare`, `start`, `wait`, `compare`."""

    def __init__(self, kube: Kube, namespace: str, shape: Shape, folder: Path) -> None:
        self._folder = folder
        self._csv = shape.csv()
        self._lives = Lives(kube, namespace, SERVICE_LABEL)
        self._service = Service(kube, namespace, shape.name, shape.spec)
        self._load: Load | None = None
        self._summary: dict[str, Any] = {}

    def prepare(self) -> None:
        """Until the service is ready and scraped."""
        self._service.wait_ready()
        self._service.wait("metrics", lambda: self._service.is_("MetricsAvailable", "True"), 60)

    def start(self) -> None:
        """Send the requests."""
        self._load = self._service.replay(self._csv, "--slo-ttft", TTFT, "--slo-itl", ITL)

    def wait(self) -> None:
        """Until all requests are answered."""
        assert self._load is not None
        self._summary = self._load.summary(420)

    def compare(self) -> Live:
        """With what is predicted for pods that start as those did that were added."""
        load, began = requests(self._csv, self._folder), self._summary["began"]
        end = began + load[-1].at
        startups = self._lives.startups(began) or self._lives.startups(0.0)
        live = Outcome(self._lives.replica_seconds(began, end), self._summary["attainment"], self._changes(began, end))
        predicted = predict(InferenceService.model_validate(self._service.stored), load, fmean(startups), began)
        explanation = f"{self._summary}\nstarted in {startups}\nlive {live}\npredicted {predicted}"
        return Live(self._summary, live, predicted, f"{explanation}\n{self._service.explain()}")

    def close(self) -> None:
        """Stop watching."""
        self._service.close()
        self._lives.stop()

    def _changes(self, began: float, end: float) -> list[tuple[int, int]]:
        sizes = [(at, int(obj["spec"]["replicas"])) for at, _, obj in self._service.sizes.seen if at <= end]
        return [(round(at - began), after) for (_, before), (at, after) in pairwise(sizes) if before != after]


@pytest.fixture
def lives(kube: Kube, tmp_path: Path) -> Iterator[dict[str, Live]]:
    """Every shape on a service of its own, all at the same time."""
    with ExitStack() as stack:
        runs = {}
        for shape in SHAPES:
            namespace, folder = stack.enter_context(fresh_namespace(kube)), tmp_path / shape.name
            folder.mkdir()
            runs[shape.name] = run = Run(kube, namespace, shape, folder)
            stack.callback(run.close)
        for run in runs.values():
            run.prepare()
        # The law knows the highest load of each minute of the clock: a fall near the end of one may cost another.
        wait_until("a minute begins", lambda: time.time() % 60 < 1, 61, str)
        for run in runs.values():
            run.start()
        for run in runs.values():
            run.wait()
        yield {name: run.compare() for name, run in runs.items()}


def test_live_shapes_cost_and_attain_what_the_simulator_predicts(
    lives: dict[str, Live], subtests: pytest.Subtests
) -> None:
    for shape, live in lives.items():
        why = live.explanation
        with subtests.test(f"{shape} costs"):
            assert live.outcome.replica_seconds == pytest.approx(live.predicted.replica_seconds, rel=0.10), why
        with subtests.test(f"{shape} attains"):
            assert live.outcome.attainment == pytest.approx(live.predicted.attainment, abs=0.02), why
        with subtests.test(f"no request of {shape} fails when replicas leave"):
            assert live.summary["failed"] == 0, why
    with subtests.test("replicas leave while requests are sent"):
        assert sum(live.outcome.falls for live in lives.values()) >= 1
