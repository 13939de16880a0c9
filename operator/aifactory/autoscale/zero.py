"""No replica while nobody asks: when the last one goes, and what brings it back.

The law itself knows services with one replica and more. It is told that one stays, and this module takes the last one
away, or says why not. A service without replicas has no signals: it sleeps until an activator, which holds its
requests, says that there are some.
"""

from dataclasses import dataclass, replace

from aifactory.api.scaling import ScalingSpec
from aifactory.signals.readings import ServiceReadings

from . import sentences
from .decision import Decision, DecisionReason
from .fleet import Fleet

# Without anybody to hold requests for this long, they would be refused: a replica has to be there then.
UNATTENDED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rest:
    """What is remembered of a service that may have no replica. Epoch seconds.

    It has been idle from `idle_since` to `idle_at` without an interruption that anybody saw; no activator has been
    there since `unattended_since`.
    """

    idle_since: float | None = None
    idle_at: float = 0.0
    unattended_since: float | None = None

    def seen(self, fleet: Fleet, readings: ServiceReadings | None, now: float) -> "Rest":
        """After a tick with at least one replica.

        Counters, of tokens where requests are not counted, tell of requests that came and went between two readings no
        further apart than their window.
        """
        if readings is None or now - readings.time > readings.window_seconds or _unclear(readings, fleet):
            return self
        if not readings.idle or readings.prompt_tokens.value or readings.generation_tokens.value:
            return Rest()
        unbroken = self.idle_since is not None and now - self.idle_at <= readings.window_seconds
        return Rest(self.idle_since if unbroken else now, now)

    def unattended(self, fleet: Fleet, now: float) -> "Rest":
        """After a tick without replicas."""
        since = self.unattended_since
        return Rest(unattended_since=None if fleet.activator else now if since is None else since)


def awake(scaling: ScalingSpec) -> ScalingSpec:
    """The bounds that the law goes by: it never takes the last replica."""
    return scaling if scaling.min_replicas else scaling.model_copy(update={"min_replicas": 1})


def asleep(scaling: ScalingSpec, fleet: Fleet) -> bool:
    """Signals have nothing to say: there are no replicas, and there need be none."""
    return scaling.to_zero is not None and fleet.replicas == 0


def sleeping(rest: Rest, now: float) -> Decision:
    """No replica, until somebody asks, or until nobody is there to hold the requests of those who do."""
    since = rest.unattended_since
    if since is not None and now - since >= UNATTENDED_SECONDS:
        return _decision(0, 1, DecisionReason.ACTIVATOR_NOT_READY)
    return _decision(0, 0, DecisionReason.SCALED_TO_ZERO)


def activated() -> Decision:
    """The first replica, for requests that wait."""
    return _decision(0, 1, DecisionReason.ACTIVATED)


def last_replica(scaling: ScalingSpec, fleet: Fleet, decision: Decision, rest: Rest, now: float) -> Decision:
    """The law's `decision`, or, of a last replica that nobody has asked for long enough, that it goes."""
    wanted = scaling.to_zero
    if wanted is None or fleet.replicas != 1 or decision.to != 1:
        return decision
    long_enough = rest.idle_since is not None and now - rest.idle_since >= wanted.after.total_seconds()
    if long_enough and rest.idle_at == now:
        refused = _refusal(fleet)
        to, reason = (0, DecisionReason.SCALED_TO_ZERO) if refused is None else (1, refused)
        limited_by = refused
    elif decision.reason is DecisionReason.AT_MINIMUM:
        to, reason, limited_by = 1, DecisionReason.LAST_REPLICA, None
    else:
        return decision
    return replace(decision, to=to, reason=reason, limited_by=limited_by, message=_message(1, to, reason))


def _unclear(readings: ServiceReadings, fleet: Fleet) -> bool:
    """Some signal is not known, or some ready replica does not report: nobody can say that it is idle."""
    signals = [readings.running, readings.waiting, readings.completed, readings.kv_cache_usage]
    signals += [objective.observed for objective in readings.objectives]
    reporting = 0 < fleet.ready <= len(readings.pods)
    return bool(readings.error) or not reporting or any(one.state.unknown for one in signals)


def _refusal(fleet: Fleet) -> DecisionReason | None:
    """Why the last replica stays although nobody asks."""
    causes = {
        DecisionReason.ROLLOUT_IN_PROGRESS: fleet.rolling_out,
        DecisionReason.SCALING_IN_PROGRESS: fleet.pending > 0 or fleet.overdue > 0 or fleet.ready != 1,
        DecisionReason.ACTIVATOR_NOT_READY: not fleet.activator,
    }
    return next((reason for reason, applies in causes.items() if applies), None)


def _decision(from_: int, to: int, reason: DecisionReason) -> Decision:
    return Decision(from_, to, reason, _message(from_, to, reason))


def _message(from_: int, to: int, reason: DecisionReason) -> str:
    return sentences.message(from_, to, reason, None, ())
