"""What is remembered over time that nobody watched, or that a clock made up: as if it had not passed."""

from dataclasses import replace

from .memory import Memory

# Nobody watched when a tick comes so many times later than the one before did, and by so many seconds.
_LATE = 4.0
_LATE_SECONDS = 60.0


def resumed(memory: Memory, now: float) -> Memory:
    """What is remembered at `now` (epoch seconds); after a gap or a jump of the clock, in either direction, less.

    What was learned stays as old as it was. Nothing that was under way, such as a window or a period, seems to be over
    or to last for longer: it begins anew. A backlog judges gaps by itself.
    """
    if memory.decided_at is None:
        return memory
    passed = now - memory.decided_at
    if 0 <= passed <= max(_LATE_SECONDS, _LATE * memory.tick):
        return replace(memory, tick=passed)
    return Memory(
        tick=abs(passed),
        replicas=memory.replicas,
        asked=memory.asked,
        base=memory.base,
        knowledge=memory.knowledge.later(passed),
        regret=memory.regret and replace(memory.regret, time=memory.regret.time + passed),
        left_work=memory.left_work,
        backlog=memory.backlog,
    )
