"""The stable replicas and the canary of a service, side by side, since a step of the canary began."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aifactory.api.rollout import Track

from .objectives import Signal
from .readings import State

# Seconds. A few lengths, so that services whose steps began at different times share their queries.
WINDOWS = (15, 30, 60, 120, 300, 600, 1800, 3600, 21_600, 86_400)


def window_within(seconds: float) -> int | None:
    """The longest window that is not longer than the time since a step began, in seconds; None before the first."""
    return max((window for window in WINDOWS if window <= seconds), default=None)


@dataclass(frozen=True, slots=True)
class Tally:
    """Observations of one objective on one track, requests or tokens, and how many were surely within the target."""

    within: float = 0.0
    total: float = 0.0

    @property
    def share(self) -> float:
        """0 to 1; 0 without observations."""
        return self.within / self.total if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class TrackObjective:
    """One latency objective on both tracks.

    The state is OK, ERROR (the query failed) or UNSUPPORTED (the engine has no such histogram, or no edge of it is low
    enough to tell).
    """

    signal: Signal
    state: State
    stable: Tally = Tally()
    canary: Tally = Tally()


@dataclass(frozen=True, slots=True)
class TrackReadings:
    """Both tracks in the `window_seconds` before `time` (epoch seconds); `requests` are those completed."""

    time: float
    window_seconds: int
    objectives: tuple[TrackObjective, ...] = ()
    requests: Mapping[Track, float] = field(default_factory=dict)

    @property
    def begins(self) -> float:
        """Epoch seconds of the oldest sample that counts."""
        return self.time - self.window_seconds

    @property
    def measured(self) -> bool:
        """The engine measures at least one objective."""
        return any(one.state is not State.UNSUPPORTED for one in self.objectives)
