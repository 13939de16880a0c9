"""Where the canary of a service is, and where it goes next."""

from dataclasses import dataclass, replace

from aifactory.api.meta import format_duration, format_percent
from aifactory.api.rollout import CanarySpec, RolloutPhase, Track
from aifactory.signals.readings import State
from aifactory.signals.tracks import TrackReadings

from .judgement import EARLY_Z, FINAL_Z, Comparison, comparisons
from .split import Side, Split, share_of

RETRY = "change the spec to try again; another annotation in spec.podTemplate.annotations is enough"
_STARTING = "its replicas are starting"
# One sentence for both: replicas that take its place at the end are not ready for a moment, again and again.
_PROMOTING = "the canary held: the stable replicas are replaced while it serves on, then it goes"
_UNTRIED = "the changed spec is not tried: the stable replicas are replaced while the canary serves on, then it goes"
_NEXT = "; the spec that has changed since is tried after that"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A canary: `template` is the fingerprint of what is tried, `step` counts from 0.

    `since` is when all replicas of the step served, `finished` when it was promoted or rolled back (epoch seconds).
    `requests` are those that the stable replicas and the canary answered in this step.
    """

    phase: RolloutPhase
    template: str
    step: int = 0
    since: float | None = None
    finished: float | None = None
    message: str = ""
    requests: tuple[int, int] | None = None
    compared: tuple[Comparison, ...] = ()

    @property
    def measured_since(self) -> float | None:
        """When the step in progress began to be measured (epoch seconds); None when nothing is measured."""
        return self.since if self.phase is RolloutPhase.PROGRESSING else None


@dataclass(frozen=True, slots=True)
class Deployed:
    """A Deployment: the fingerprint of its pod template, its replicas, and whether all its pods have that template."""

    template: str
    side: Side
    settled: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What the next step depends on.

    `wanted` is the fingerprint of the template that the spec asks for, `total` the replicas that scaling asks for.
    `failure` says why canary pods cannot serve until something is changed, `shortage` why no node takes them; those of
    the stable replicas may be `stuck` likewise. `overtaken` says that the spec asks for another template by now.
    """

    wanted: str
    total: int
    stable: Deployed
    canary: Deployed | None = None
    failure: str = ""
    shortage: str = ""
    stuck: bool = False
    overtaken: bool = False
    readings: TrackReadings | None = None

    @property
    def replaced(self) -> bool:
        """All stable replicas run what the spec asks for, and one serves if any is wanted."""
        current = self.stable.template == self.wanted and self.stable.settled
        return current and self.stable.side.ready >= min(1, self.total)

    @property
    def complete(self) -> bool:
        """The stable replicas are replaced, and all serve."""
        return self.replaced and self.stable.side.ready >= self.stable.side.replicas


def pursued(canary: CanarySpec | None, before: Rollout | None, seen: Seen) -> Seen:
    """With the template that is being promoted in place of one that the spec asks for since, which is tried afterwards.

    That is where the canary serves alone meanwhile: the new template could not be compared, and would take its place.
    """
    if canary is None or before is None or before.phase is not RolloutPhase.PROMOTING:
        return seen
    alone = seen.total == 1 or (seen.total > 0 and not seen.stable.side.ready)
    if not alone or seen.stuck or before.template != seen.stable.template:
        return seen
    return replace(seen, wanted=before.template, overtaken=before.template != seen.wanted)


def advance(canary: CanarySpec | None, before: Rollout | None, seen: Seen, now: float) -> Rollout | None:
    """What to do with the template that the spec asks for; None when there is nothing to try.

    `canary` is None where a changed template is rolled out at once, as is done too where no stable replica serves that
    could be compared. A template that was rolled back stays so until the spec asks for another one.
    """
    known = before if before is not None and before.template == seen.wanted else None
    if seen.stable.template == seen.wanted:
        return _arrived(known, seen, now)
    if known and known.phase is RolloutPhase.PROMOTING:
        return _promoting(seen)
    if canary is not None and known and known.phase is RolloutPhase.ROLLED_BACK:
        return known
    begun = known if known and known.phase is RolloutPhase.PROGRESSING else None
    if canary is None or seen.total == 0 or (begun is None and not seen.stable.side.ready):
        return _promoting(seen) if seen.canary else None
    known = begun or Rollout(RolloutPhase.PROGRESSING, seen.wanted)
    step = min(known.step, len(canary.steps) - 1)
    return _progressing(canary, replace(known, step=step), seen, now)


def goal(canary: CanarySpec | None, at: Rollout | None, seen: Seen) -> Split:
    """The replicas of either side that the canary asks for where it is; `shift` leads there."""
    if at is not None and canary is not None and at.phase is RolloutPhase.PROGRESSING:
        return share_of(canary.steps[at.step], seen.total)
    promoting = at is not None and at.phase is RolloutPhase.PROMOTING
    if promoting and not seen.replaced and seen.canary and seen.total > 0:
        return _replacing(seen, seen.canary.side)
    return Split(seen.total, 0)


def _replacing(seen: Seen, canary: Side) -> Split:
    """The canary's replicas that serve stay until the stable ones are replaced, and stand in for as many of them.

    So the stable Deployment has room for its own surge within that of the service. Where one replica is wanted, its
    place is needed for its successor: it leaves before that one starts, and only the canary serves meanwhile.
    """
    stable, side = seen.stable, seen.stable.side
    begun = stable.template == seen.wanted
    kept = min(canary.replicas if begun else min(canary.ready, canary.replicas), max(1, seen.total - 1))
    # Replicas that took the canary's place already stay while they load.
    loading = min(max(side.replicas, int(stable.settled)), seen.total) if begun else 0
    return Split(max(seen.total - kept, loading), kept)


def _arrived(known: Rollout | None, seen: Seen, now: float) -> Rollout | None:
    """The stable Deployment has the template that the spec asks for."""
    if seen.canary is not None and seen.canary.template != seen.wanted:
        message = "the spec asks again for what the stable replicas run; the canary goes"
        return Rollout(RolloutPhase.WITHDRAWN, seen.wanted, message=message)
    promoting = known is not None and known.phase is RolloutPhase.PROMOTING
    if seen.canary is not None or (promoting and not seen.complete):
        return _promoting(seen)
    if promoting:
        return Rollout(RolloutPhase.PROMOTED, seen.wanted, finished=now, message="all replicas run the new spec")
    return known if known is not None and known.phase is RolloutPhase.PROMOTED else None


def _promoting(seen: Seen) -> Rollout:
    tried = seen.canary is None or seen.canary.template == seen.wanted
    message = f"{_PROMOTING if tried else _UNTRIED}{_NEXT * seen.overtaken}"
    return Rollout(RolloutPhase.PROMOTING, seen.wanted, message=message)


def _progressing(canary: CanarySpec, at: Rollout, seen: Seen, now: float) -> Rollout:
    if seen.failure:
        return _rolled_back(at, seen.failure, now)
    serves = _serves(canary, at, seen)
    if at.since is None:
        started = replace(at, since=now, message=_measuring(canary, None))
        return started if serves else replace(at, message=_starting(seen))
    readings = seen.readings if seen.readings and seen.readings.begins >= at.since else None
    if readings:
        requests = int(readings.requests.get(Track.STABLE, 0)), int(readings.requests.get(Track.CANARY, 0))
        at = replace(at, requests=requests, compared=comparisons(readings))
    over = now - (at.since or now) >= canary.step_duration.total_seconds()
    if worse := _worse(canary, at, FINAL_Z if over else EARLY_Z):
        return _rolled_back(at, worse, now)
    if not over:
        return replace(at, message=_measuring(canary, readings))
    waits = _lacks(canary, at, readings) if serves else _starting(seen)
    return replace(at, message=waits) if waits else _next_step(canary, at, seen)


def _serves(canary: CanarySpec, at: Rollout, seen: Seen) -> bool:
    """All canary replicas of this step run the template that is tried, and serve."""
    if seen.canary is None or seen.canary.template != seen.wanted or not seen.canary.settled:
        return False
    return seen.canary.side.ready >= share_of(canary.steps[at.step], seen.total).canary


def _worse(canary: CanarySpec, at: Rollout, z: float) -> str:
    """The first objective that suffers, in words; empty if none does, or the canary answered too few requests."""
    if at.requests is None or at.requests[1] < canary.min_requests:
        return ""
    for one in at.compared:
        if one.worse_by(z) > canary.tolerance:
            return (
                f"{one.signal} held for {100 * one.canary.share:.1f}% of {one.canary.total:.0f} requests on the canary "
                f"and for {100 * one.stable.share:.1f}% of {one.stable.total:.0f} on the stable replicas, with "
                f"spec.rollout.canary.tolerance {format_percent(canary.tolerance)}"
            )
    return ""


def _lacks(canary: CanarySpec, at: Rollout, readings: TrackReadings | None) -> str:
    """What a step that has lasted long enough waits for; empty if it can be judged, or nothing can be measured."""
    if readings is None:
        return "waits for signals: Prometheus has not answered since the step began"
    served = at.requests[1] if at.requests else 0
    if any(one.state is State.ERROR for one in readings.objectives):
        return "waits for signals: Prometheus does not answer"
    if readings.measured and served < canary.min_requests:
        return f"waits for requests: the canary has answered {served} of {canary.min_requests}"
    if readings.measured and not at.compared:
        return "waits for requests: no objective was observed on both the canary and the stable replicas"
    return ""


def _next_step(canary: CanarySpec, at: Rollout, seen: Seen) -> Rollout:
    if at.step + 1 < len(canary.steps):
        return Rollout(at.phase, at.template, at.step + 1, message=_STARTING)
    return _promoting(seen)


def _rolled_back(at: Rollout, cause: str, now: float) -> Rollout:
    return replace(at, phase=RolloutPhase.ROLLED_BACK, finished=now, message=f"{cause}; {RETRY}")


def _starting(seen: Seen) -> str:
    return f"waits for a node: {seen.shortage}" if seen.shortage else _STARTING


def _measuring(canary: CanarySpec, readings: TrackReadings | None) -> str:
    blind = readings is not None and not readings.measured
    how = ", by readiness and restarts alone: the engine measures none of its objectives" if blind else ""
    return f"is measured for {format_duration(canary.step_duration)}{how}"
