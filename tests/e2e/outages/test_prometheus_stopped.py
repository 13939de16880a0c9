"""Prometheus goes away at peak and comes back."""

from tests.e2e.conftest import Serve
from tests.e2e.kube import Kube
from tests.e2e.outages.conftest import Scaled
from tests.e2e.service import PATIENT, scaling
from tests.e2e.waiting import PATIENCE

LONGER_THAN_ANY_WINDOW = 35


def test_replicas_are_held_without_prometheus_even_when_nobody_asks_and_follow_again_when_it_is_back(
    kube: Kube, serve: Serve, scaled: Scaled
) -> None:
    service = serve(scaling=scaling(1, 3), slo=PATIENT)
    service.wait_ready()
    peak = service.load("18@900s", "--timeout", "300", "--max-in-flight", "2000")
    service.wait("all replicas are added", lambda: service.replicas == 3)

    with scaled("prometheus", 0):
        service.wait(
            "the outage is reported",
            lambda: service.is_("MetricsAvailable", "False", "PrometheusUnreachable"),
        )
        assert service.is_("ScalingActive", "False", "Holding"), service.explain()
        peak.stop()
        service.hold("replicas", lambda: service.replicas == 3, LONGER_THAN_ANY_WINDOW)
        assert service.is_("Ready", "True")

    service.wait("metrics are read again", lambda: service.is_("MetricsAvailable", "True"), 2 * PATIENCE)
    service.wait("idle replicas are removed", lambda: service.replicas == 1, 2 * PATIENCE)
    assert service.steps == [1, 2, 3, 2, 1], service.explain()
