"""The frontends of a service on Dynamo: they measure whole requests."""

from collections.abc import Sequence

from .cluster import Deployment
from .engine.counters import TOKENS, Counters, Sample

NAME = "frontend"
# Of the engines' histograms. Frontends observe each time between two tokens, not the mean of a request.
_HISTOGRAMS = {
    "time_to_first_token": "time_to_first_token",
    "inter_token_latency": TOKENS,
    TOKENS: TOKENS,
    "end_to_end_latency": "end_to_end_latency",
}


def sample(deployments: Sequence[Deployment], in_flight: int, now: float) -> Sample:
    """What /metrics of all frontends together say at `now`; every token that clients get comes from the last role.

    `in_flight` are the requests without an answer. None waits for a worker to be chosen: that is done at once.
    """
    counted = deployments[-1].counters
    return Sample(
        time=now,
        histograms={name: _sum(counted, of) for name, of in _HISTOGRAMS.items()},
        completed=sum(one.completed for one in counted),
        prompt_tokens=sum(one.prompt_tokens for one in counted),
        generation_tokens=sum(one.generation_tokens for one in counted),
        running=in_flight,
        waiting=0,
        kv_cache_usage=0.0,
    )


def _sum(counted: Sequence[Counters], name: str) -> tuple[tuple[int, ...], float]:
    found = [one.histograms[name] for one in counted]
    return tuple(map(sum, zip(*(one.counts for one in found), strict=True))), sum(one.total for one in found)
