"""What is served, how well, and how much of it."""

from collections.abc import Iterator

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.inferenceservice import InferenceService
from aifactory.api.meta import format_percent
from aifactory.api.status import Condition, InferenceServiceStatus, ObjectiveStatus, ReplicasStatus
from aifactory.preview import told as planned
from aifactory.signals.objectives import Signal
from aifactory.signals.readings import State

from .words import counted, overdrawn, unread

_READY = {"True": "It is ready", "False": "It is not ready", "Unknown": "It is not ready yet"}


def serving(status: InferenceServiceStatus, service: InferenceService | None, generation: int) -> Iterator[str]:
    """What is served where, and whether it is; `generation` is that of the spec."""
    ready = next((one for one in status.conditions if one.type == ConditionType.READY), None)
    if ready is None:
        yield "The operator has not looked at it yet: see that it runs, leads and serves this namespace."
        return
    if status.observed_generation != generation:
        yield (
            f"This is about generation {status.observed_generation} of the spec; generation {generation} "
            "has not been looked at yet."
        )
    if status.resolved is not None:
        gpus = f", {status.resolved.accelerator} a replica" if status.resolved.accelerator else ""
        serves = "serves" if _serves(ready, status, service) else "is to serve"
        at = f", at {status.url}" * (ready.reason != Reason.NAME_TAKEN)
        yield f"It {serves} {status.model} with {status.engine}{gpus}{at}."
    yield _ready(ready)
    if status.plan is not None and status.plan.changes:
        yield from planned("It is a plan. Mode Active would make these changes:", status.plan)
    elif status.plan is not None:
        yield "It is a plan: mode Active would change nothing."
    if status.replicas is not None:
        yield f"{_replicas(status.replicas)}."
    yield from (f"{role.name}: {_replicas(role.replicas)}." for role in status.roles)


def _serves(ready: Condition, status: InferenceServiceStatus, service: InferenceService | None) -> bool:
    """A replica of every role answers, or the next request brings one back."""
    if ready.status == "True" and ready.reason == Reason.SCALED_TO_ZERO:
        return service is None or service.spec.wakes
    counts = [role.replicas for role in status.roles] or [status.replicas or ReplicasStatus()]
    return all(one.ready for one in counts)


def objectives(status: InferenceServiceStatus, service: InferenceService | None) -> Iterator[str]:
    """Target and what is seen of each objective."""
    within = status.resolved.objectives.get("completeWithin") if status.resolved else None
    if within:
        yield f"Objective: each request is completed within {within}, waiting included"
    if not status.slo:
        return
    goal = f"{format_percent(service.spec.slo.attainment)} within target over an hour" if service else ""
    if not within:
        yield f"Objectives: {goal} is asked for" if goal else "Objectives"
    yield from (f"  {one.objective} {one.target}{_while(one)}: {_objective(one)}" for one in status.slo)


def load(status: InferenceServiceStatus) -> Iterator[str]:
    """Rates, as far as they are known."""
    seen = status.throughput
    if seen is None:
        return
    facts = (
        (seen.offered_requests_per_second, "requests/s arrive"),
        (seen.requests_per_second, "requests/s are completed"),
        (seen.running, "requests run"),
        (seen.waiting, "requests wait"),
        (seen.input_tokens_per_second, "prompt tokens/s"),
        (seen.output_tokens_per_second, "output tokens/s"),
    )
    known = [f"{value} {what}" for value, what in facts if value is not None]
    if known:
        yield f"Load: {', '.join(known)}."


def _ready(condition: Condition) -> str:
    reason = "" if condition.status == "True" else f" ({condition.reason})"
    return f"{_READY.get(condition.status, condition.status)}{reason}: {condition.message.rstrip('.')}."


def _replicas(counts: ReplicasStatus) -> str:
    told = [f"{counted(counts.desired, 'replica')} wanted", f"{counts.ready} ready"]
    told += [f"{counts.pending} starting"] * bool(counts.pending)
    told += [f"{counts.unschedulable} without a node"] * bool(counts.unschedulable)
    return ", ".join(told)


def _while(one: ObjectiveStatus) -> str:
    return " while requests wait" * (one.objective == Signal.THROUGHPUT)


def _objective(one: ObjectiveStatus) -> str:
    shares = [(one.attainment5m, "the last 5 minutes"), (one.attainment1h, "the last hour")]
    within = ", ".join(f"{share} of {when}" for share, when in shares if share)
    unit = " tokens/s" * (one.objective == Signal.THROUGHPUT)
    told = [f"now {one.observed}{unit}" if one.state == State.OK and one.observed else unread(one.state)]
    told += [f"within target {within}"] * bool(within)
    told += [_budget(one.error_budget)] if one.error_budget else []
    return "; ".join(told)


def _budget(left: str) -> str:
    much = overdrawn(left)
    return f"error budget overdrawn by {much}" if much else f"error budget left {left}"
