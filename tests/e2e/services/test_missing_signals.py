"""What is not known never removes a replica."""

from tests.e2e.conftest import Serve
from tests.e2e.service import TTFT_ONLY, scaling

LONGER_THAN_ANY_WINDOW = 30


def test_replicas_are_held_while_one_pod_is_not_scraped(serve: Serve) -> None:
    service = serve(scaling=scaling(2, 2), slo=TTFT_ONLY)
    service.wait_ready()
    service.wait("metrics of both", lambda: service.is_("MetricsAvailable", "True"))
    silent = service.pods[0]
    service.fault(silent, "metrics-off", on=True)
    service.wait("the gap is reported", lambda: service.is_("MetricsAvailable", "False", "PodsNotScraped"))
    assert silent["metadata"]["name"] in service.condition("MetricsAvailable")["message"]

    service.edit({"scaling": {"minReplicas": 1}})
    service.hold("two replicas", lambda: service.replicas == 2, LONGER_THAN_ANY_WINDOW)
    assert service.is_("ScalingActive", "False", "Holding"), service.explain()
    assert service.is_("Ready", "True")

    service.fault(silent, "metrics-off", on=False)
    service.wait("an idle replica is removed", lambda: service.replicas == 1)
    assert service.steps == [2, 1]
