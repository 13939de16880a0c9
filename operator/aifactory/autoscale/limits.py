"""What keeps the law from the replicas that the signals ask for."""

from collections.abc import Iterator
from math import ceil

from aifactory.api.scaling import ScalingBehavior, ScalingSpec
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import ServiceReadings, State

from .decision import DecisionReason
from .fleet import Fleet
from .memory import Memory
from .ratios import Measure

Limit = tuple[int, DecisionReason]


def ceiling(scaling: ScalingSpec, fleet: Fleet, memory: Memory, now: float) -> Limit:
    """The most replicas allowed now, at least the present ones, and which limit that is."""
    return min(_ceilings(scaling, fleet, memory, now), key=lambda limit: limit[0])


def _ceilings(scaling: ScalingSpec, fleet: Fleet, memory: Memory, now: float) -> Iterator[Limit]:
    current, up = fleet.replicas, scaling.behavior.scale_up
    yield max(current, scaling.max_replicas), DecisionReason.AT_MAXIMUM
    if gpu_shortage(scaling.behavior, memory, now):
        yield max(current, fleet.ready + fleet.loading + 1), DecisionReason.GPU_SHORTAGE
    if fleet.refused or fleet.futile:
        yield current, DecisionReason.PODS_NOT_STARTING
    if memory.stalled_since is not None:
        yield max(current, memory.stalled_replicas + 1), DecisionReason.ENGINE_STALLED
    added = memory.changed(up.period.total_seconds(), now, +1)
    step = max(up.max_replicas, ceil((current - added) * up.max_percent / 100))
    yield current + max(0, step - added), DecisionReason.SCALE_UP_PERIOD


def gpu_shortage(behavior: ScalingBehavior, memory: Memory, now: float) -> bool:
    """Pods wait for GPUs, or did until just now: one at a time is asked for, until it is clear that it gets a node."""
    return memory.shortage_at is not None and now - memory.shortage_at < 2 * behavior.gpu_shortage_after.total_seconds()


def refusal(
    scaling: ScalingSpec,
    fleet: Fleet,
    readings: ServiceReadings | None,
    measures: tuple[Measure, ...],
    memory: Memory,
    now: float,
) -> DecisionReason | None:
    """Why no replica may be removed now, however quiet the signals are.

    During a canary, whose replicas may carry less than what was learned, none leaves after one had to be taken back.
    """
    window = memory.knowledge.window(scaling.behavior)
    offline = any(one.signal is Signal.BACKLOG for one in measures)
    unlike = fleet.mixed and memory.regret is not None
    silenced = readings is not None and readings.silenced
    stalls = silenced or memory.stalled_since is not None or len(memory.stuck) > fleet.stuck
    waits_for_gpu = fleet.unschedulable > 0 and memory.shortage_at != now
    causes = {
        blindness(readings, measures): memory.knowledge.unread(measures, readings),
        DecisionReason.PODS_NOT_SCRAPED: readings is None or fleet.unseen(readings.pods),
        DecisionReason.ROLLOUT_IN_PROGRESS: fleet.rolling_out or unlike,
        DecisionReason.SCALING_IN_PROGRESS: fleet.loading > 0 or waits_for_gpu,
        DecisionReason.PANIC: now < memory.panic_until,
        DecisionReason.ENGINE_STALLED: stalls,
        DecisionReason.STARTUP_WINDOW: now - memory.watched_since < window,
        DecisionReason.ARRIVALS_UNKNOWN: offline and bool(memory.backlog.in_flight) and not memory.backlog.watched,
    }
    return next((reason for reason, applies in causes.items() if applies), None)


def floor(scaling: ScalingSpec, fleet: Fleet, memory: Memory, now: float) -> int:
    """The fewest replicas that the rate of scale-down allows now."""
    down = scaling.behavior.scale_down
    removed = memory.changed(down.period.total_seconds(), now, -1)
    step = max(down.max_replicas, (fleet.replicas + removed) * down.max_percent // 100)
    return max(scaling.min_replicas, fleet.replicas - max(0, step - removed))


def blindness(readings: ServiceReadings | None, measures: tuple[Measure, ...]) -> DecisionReason:
    """What to call it when signals are not known."""
    states = [measure.state for measure in measures]
    if readings is not None:
        states += [counter.state for counter in readings.counters]
    failed = readings is None or bool(readings.error) or State.ERROR in states
    return DecisionReason.METRICS_ERROR if failed else DecisionReason.NO_DATA


def stuck(behavior: ScalingBehavior, memory: Memory, now: float) -> tuple[str, ...]:
    """Pods that have been stuck for so long that they are not counted on."""
    return tuple(pod for pod, since in memory.stuck.items() if now - since >= behavior.stall_after.total_seconds())


def stalled(behavior: ScalingBehavior, memory: Memory, now: float) -> bool:
    """Requests have been waiting without a single token for so long that the engine must be stuck."""
    since = memory.stalled_since
    return since is not None and now - since >= behavior.stall_after.total_seconds()
