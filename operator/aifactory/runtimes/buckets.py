"""Edges of latency histograms that suit the objectives.

An engine's own edges are the same for all models. Between two of them a histogram does not tell, so that attainment is
counted at the edge below a target, and a latency that nears its target is seen late.
"""

from collections.abc import Mapping

from aifactory.api.slo import LatencyObjective
from aifactory.api.spec import InferenceServiceSpec, LatencyBuckets

# Close to one another from a quarter of the target on, where scaling decides; 64 times the target is as bad as more.
_SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1, 5 / 4, 3 / 2, 2, 4, 8, 16, 64)
_DECIMALS = 9


def edges(spec: InferenceServiceSpec) -> Mapping[str, tuple[float, ...]]:
    """Rising edges in seconds by latency, named as the fields of `Objectives`; none unless the spec asks for them.

    One of them is the target.
    """
    if spec.runtime.latency_buckets is not LatencyBuckets.OBJECTIVES:
        return {}
    asked, within = spec.slo.in_force, spec.slo.may_take
    latencies = {
        "time_to_first_token": asked.time_to_first_token,
        "inter_token_latency": asked.inter_token_latency,
        "end_to_end_latency": LatencyObjective(target=within) if within else asked.end_to_end_latency,
    }
    return {name: _around(objective) for name, objective in latencies.items() if objective}


def _around(objective: LatencyObjective) -> tuple[float, ...]:
    target = objective.target.total_seconds()
    return tuple(round(share * target, _DECIMALS) for share in _SHARES)
