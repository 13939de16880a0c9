"""What was asked for lately: fewer replicas leave only when nothing asks for more for the whole window."""

from dataclasses import dataclass, replace

MOST_ENTRIES = 64
"""Of what is remembered in the order of time."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """Those that still count: (epoch seconds until which it does, replicas), so that the first is the highest.

    Since `fewer_since` (epoch seconds, None if not) fewer than the `current` replicas were agreed on in every tick.
    """

    entries: tuple[tuple[float, int], ...] = ()
    current: int = 0
    fewer_since: float | None = None

    def at(self, now: float) -> "Recommended":
        """Without those that no longer count."""
        return replace(self, entries=tuple(one for one in self.entries if one[0] >= now))

    def added(self, replicas: int, until: float, current: int, now: float) -> "Recommended":
        """With one more; others that are neither higher nor count for longer no longer matter."""
        higher = [one for one in self.entries if one[1] > replicas]
        longer = [one for one in self.entries if one[0] > until and one[1] <= replicas]
        entries = [*higher, (until, replicas), *longer]
        if len(entries) > MOST_ENTRIES:
            entries[-2:] = [(max(entries[-2][0], entries[-1][0]), entries[-2][1])]
        found = Recommended(tuple(entries), current)
        if found.highest >= current:
            return found
        goes_on = current == self.current and self.fewer_since is not None
        return replace(found, fewer_since=self.fewer_since if goes_on else now)

    def fewer_for(self, now: float) -> float:
        """Seconds for which fewer were agreed on; 0 if they are not."""
        return 0.0 if self.fewer_since is None else now - self.fewer_since

    @property
    def highest(self) -> int:
        """The highest in the window; 0 if there was none."""
        return self.entries[0][1] if self.entries else 0
