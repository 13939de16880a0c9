"""The shapes that tests send to live services: their outcome must not hang on the chance of a single run."""

from pathlib import Path
from statistics import fmean, pstdev

import pytest
from aifactory.api.inferenceservice import InferenceService

from tests.e2e.shapes import SHAPES, Shape, requests, simulate

# Of what a live run may differ from the prediction, 10 % and 2 points, a third: it is one draw of the same chance.
REPLICA_SECONDS = 0.10 / 3
ATTAINMENT = 0.02 / 3


@pytest.mark.parametrize(("startup", "began"), [(9.0, 2.0), (10.5, 6.0), (12.0, 12.0)])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_runs_of_a_shape_differ_less_than_a_live_one_may_from_their_mean(
    shape: Shape, startup: float, began: float, tmp_path: Path
) -> None:
    kind = {"apiVersion": "aifactory.dev/v1alpha1", "kind": "InferenceService"}
    spec = {"model": {"name": "simulated"}, **shape.spec}
    service = InferenceService.model_validate({**kind, "metadata": {"name": "a", "namespace": "b"}, "spec": spec})
    runs = simulate(service, requests(shape.csv(), tmp_path), startup, began)

    seconds = [run.replica_seconds for run in runs]
    assert pstdev(seconds) / fmean(seconds) < REPLICA_SECONDS, runs
    assert pstdev(run.attainment for run in runs) < ATTAINMENT, runs
