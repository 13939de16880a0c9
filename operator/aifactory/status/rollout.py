"""`status.rollout`: where the canary is, written so that the next process can go on from there."""

from collections.abc import Iterator
from math import ceil

from aifactory.api.conditions import ConditionType, Reason
from aifactory.api.meta import format_percent
from aifactory.api.rollout import CanarySpec, RolloutPhase, RolloutStatus, TrackAttainment, TrackStatus
from aifactory.canary import Rollout, Staged

from .conditions import Verdict
from .numbers import epoch, percent, timestamp
from .transitions import Event

_REASONS = {
    RolloutPhase.PROGRESSING: Reason.CANARY_PROGRESSING,
    RolloutPhase.PROMOTING: Reason.CANARY_PROMOTING,
    RolloutPhase.ROLLED_BACK: Reason.CANARY_ROLLED_BACK,
    RolloutPhase.WITHDRAWN: Reason.CANARY_WITHDRAWN,
}
_EVENTS = {
    RolloutPhase.PROGRESSING: "CanaryStarted",
    RolloutPhase.PROMOTING: "CanaryPromoting",
    RolloutPhase.PROMOTED: "CanaryPromoted",
    RolloutPhase.ROLLED_BACK: "CanaryRolledBack",
    RolloutPhase.WITHDRAWN: "CanaryWithdrawn",
}


def recalled(status: RolloutStatus | None) -> Rollout | None:
    """Where the canary was when the status was written."""
    if status is None:
        return None
    return Rollout(
        phase=status.phase,
        template=status.template,
        step=(status.step or 1) - 1,
        since=epoch(status.since),
        finished=epoch(status.finished),
        message=status.message,
    )


def told(canary: CanarySpec | None, staged: Staged, before: RolloutStatus | None) -> RolloutStatus | None:
    """The status to write; what was seen in this step stays while nothing newer is read."""
    at = staged.rollout
    if at is None:
        return None
    same = before is not None and (before.phase, before.template, before.step) == (at.phase, at.template, _step(at))
    kept = before if same else None
    progressing = at.phase is RolloutPhase.PROGRESSING and canary is not None
    return RolloutStatus(
        phase=at.phase,
        template=at.template,
        step=_step(at),
        of=len(canary.steps) if progressing and canary else kept and kept.of,
        share=format_percent(canary.steps[at.step]) if progressing and canary else kept and kept.share,
        since=timestamp(ceil(at.since)) if at.since is not None else None,
        finished=timestamp(at.finished) if at.finished is not None else None,
        replicas=TrackStatus(stable=staged.split.stable, canary=staged.split.canary),
        requests=TrackStatus(stable=at.requests[0], canary=at.requests[1]) if at.requests else kept and kept.requests,
        attainment=_attainment(at) or (list(kept.attainment) if kept else []),
        message=at.message,
    )


def verdicts(rollout: RolloutStatus | None) -> Iterator[Verdict]:
    """Conditions while the spec is not, or not yet, what all replicas run; `Ready` comes first."""
    if rollout is None or rollout.phase not in _REASONS:
        return
    reason, message = _REASONS[rollout.phase], sentence(rollout)
    back = rollout.phase is RolloutPhase.ROLLED_BACK
    yield Verdict(ConditionType.READY, False if back else None, reason, message)
    yield Verdict(ConditionType.PROGRESSING, not back, reason, message)
    yield Verdict(ConditionType.STALLED if back else ConditionType.RECONCILING, True, reason, message)


def events(before: RolloutStatus | None, after: RolloutStatus | None) -> Iterator[Event]:
    """What happened to the canary between two statuses."""
    if after is None:
        return
    known = before if before is not None and before.template == after.template else None
    if known is None or known.phase is not after.phase:
        kind = "Warning" if after.phase is RolloutPhase.ROLLED_BACK else "Normal"
        yield Event(kind, _EVENTS[after.phase], sentence(after))
    elif after.phase is RolloutPhase.PROGRESSING and known.step != after.step:
        yield Event("Normal", "CanaryStep", sentence(after))


def sentence(rollout: RolloutStatus) -> str:
    """For people."""
    match rollout.phase:
        case RolloutPhase.PROGRESSING:
            return f"canary step {rollout.step} of {rollout.of} ({rollout.share}): {rollout.message}"
        case RolloutPhase.ROLLED_BACK:
            return f"the spec from before serves; the canary was taken back: {rollout.message}"
    return rollout.message


def _step(at: Rollout) -> int | None:
    return at.step + 1 if at.phase in (RolloutPhase.PROGRESSING, RolloutPhase.ROLLED_BACK) else None


def _attainment(at: Rollout) -> list[TrackAttainment]:
    return [
        TrackAttainment(
            objective=one.signal, stable=percent(one.stable.share) or "", canary=percent(one.canary.share) or ""
        )
        for one in at.compared
    ]
