"""Who answers the requests of a service that may have no replica: model servers, or an activator that holds them."""

from dataclasses import dataclass

from aifactory.observed import Observed
from aifactory.render.activator import activator_id
from aifactory.runtimes import Role

# Once replicas serve, requests that an activator still holds reach them within a second. It stays longer than that
# when it is no longer asked for.
FAREWELL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Holding:
    """Whether there is an `activator`, and whether requests go to it because the service is `asleep`."""

    activator: bool = False
    asleep: bool = False


def holding(model: Role, observed: Observed, wanted: int, now: float) -> Holding:
    """For a service whose requests are answered by `model`, of which `wanted` replicas are asked for.

    An activator that is no longer asked for stays until replicas serve what it holds. `now` is epoch seconds.
    """
    serving = (*observed.group(model.name).serving_pods, *observed.canary.serving_pods)
    if model.spec.may_sleep:
        return Holding(True, not wanted or not serving)
    if activator_id(model.service.metadata.name) not in observed.children:
        return Holding()
    settled = any(now - (pod.ready_at or pod.created_at) >= FAREWELL_SECONDS for pod in serving)
    return Holding(not settled, not serving)
