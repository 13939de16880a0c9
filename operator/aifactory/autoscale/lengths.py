"""How long requests are, and with it the load that is asked for.

The tokens of a prompt are counted when its request begins to be served, the request when it is completed. While
requests pile up there are too many tokens for each completion, and too few while a queue is worked off; over minutes
there are as many as a request has.
"""

from dataclasses import dataclass
from math import exp

from aifactory.signals.readings import ServiceReadings

_SECONDS = 300.0
# Nothing that is measured over a window tells of faster growth.
_MOST_GROWTH = 10.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """Exponential averages of tokens and of completed requests, both per second, as of `time` (epoch seconds)."""

    time: float = 0.0
    tokens: float = 0.0
    completed: float = 0.0

    def seen(self, readings: ServiceReadings) -> "Lengths":
        """With one tick; engines that do not count completed requests say nothing."""
        tokens, completed, now = readings.tokens, readings.completed.usable, readings.time
        if not tokens or not completed:
            return self
        keep = exp(-max(0.0, now - self.time) / _SECONDS) if self.completed else 0.0
        return Lengths(now, keep * self.tokens + (1 - keep) * tokens, keep * self.completed + (1 - keep) * completed)

    @property
    def each(self) -> float:
        """Tokens of a request; 0 as long as that is not known."""
        return self.tokens / self.completed if self.completed else 0.0

    def asked(self, readings: ServiceReadings) -> float | None:
        """Tokens per second that are asked for: those that come out, but more while requests pile up and wait.

        By the usual length of those that come, but no more than piles up: the usual length is that of minutes ago. And
        fewer while a queue is worked off: what comes out then was asked for before.
        """
        tokens, offered, completed = readings.tokens, readings.offered.usable, readings.completed.usable or 0.0
        if not tokens or not offered or not self.each or not readings.waiting.usable:
            return tokens
        come, piling = offered * self.each, (offered - completed) * self.each
        return min(tokens, come) if piling < 0 else min(_MOST_GROWTH * tokens, max(tokens, min(come, tokens + piling)))
