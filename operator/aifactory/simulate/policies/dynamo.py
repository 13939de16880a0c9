"""The planner of NVIDIA Dynamo: a predicted floor, and a reactive answer above it."""

from collections.abc import Callable, Sequence
from math import ceil, inf

from aifactory.api.role import RoleName
from aifactory.signals.objectives import Signal
from aifactory.simulate.scenario import Scenario

from .base import Asked, Choice, EngineLoad, Seen

LOAD_SECONDS = 5.0
THROUGHPUT_SECONDS = 180.0
SENSITIVITY = 0.8


class Kalman:
    """Level and trend, one step ahead (core/load/predictors.py, KalmanPredictor: q_level 1, q_trend 0.1, r 10)."""

    def __init__(self, q_level: float = 1.0, q_trend: float = 0.1, r: float = 10.0) -> None:
        self._noise, self._r = (q_level, q_trend), r
        self._level: float | None = None
        self._trend = 0.0
        self._variance = (1000.0, 0.0, 1000.0)  # of the level, of both, of the trend

    def next(self, value: float) -> float:
        """Take the value of an interval in and forecast the next; 0 at the beginning is not a load yet."""
        if self._level is None:
            if value:
                self._level = value
            return value
        level, both, trend = self._variance
        level, both, trend = level + 2 * both + trend + self._noise[0], both + trend, trend + self._noise[1]
        expected = self._level + self._trend
        gain = level / (level + self._r), both / (level + self._r)
        error = value - expected
        self._level, self._trend = expected + gain[0] * error, self._trend + gain[1] * error
        self._variance = ((1 - gain[0]) * level, (1 - gain[0]) * both, trend - gain[1] * both)
        return max(0.0, self._level + self._trend)


class Model:
    """The planner's performance models (core/perf_model), their regressions replaced by the engine's true timing.

    Times in seconds. `context` is the mean number of cached tokens of a decoding sequence. `prefills` is 1 for an
    engine that computes prompts beside what it decodes, 0 for one that only decodes.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.timing = scenario.engine.timing
        self.limits = scenario.engine.limits
        self._ttft = scenario.targets.get(Signal.TTFT, float("inf"))
        self._itl = scenario.targets.get(Signal.ITL, float("inf"))
        self.prefills = 1.0 if scenario.prefill is None else 0.0
        self._decodes = scenario.role.name is not RoleName.PREFILL

    def iteration(self, prefill_tokens: float, kv_tokens: float, context: float) -> float:
        """How long an iteration takes."""
        timing, decodes = self.timing, kv_tokens / max(1.0, context)
        return (
            timing.base
            + timing.per_decode * decodes
            + timing.per_prefill_token * prefill_tokens
            + timing.per_kv_token * (kv_tokens + prefill_tokens)
        )

    def first_token(self, queued_tokens: float, prompt: float, kv_tokens: float, context: float) -> float:
        """Time to first token of a request behind a queue: iterations full of prefill."""
        total, most, seconds = queued_tokens + prompt, self.limits.max_num_batched_tokens, 0.0
        while total > 0:
            seconds += self.iteration(min(total, most), kv_tokens, context)
            total -= most
        return seconds

    def best_rate(self, prompt: float, answer: float) -> float:
        """Requests per second of the largest batch within the objectives (find_best_engine_agg_rps, _decode_rps).

        Of an engine that only prefills, prompts one after the other (find_best_engine_prefill_rps).
        """
        context, most = prompt + answer / 2, self.limits.max_num_batched_tokens
        if not self._decodes:
            return 1 / self.first_token(0.0, prompt, 0.0, context)
        rate = 0.0
        for batch in range(1, self._largest_batch(prompt, answer, context) + 1):
            prefill = min(self.prefills * batch * prompt / max(1.0, answer), most)
            seconds = self.iteration(prefill, batch * context, context)
            first = self.first_token(prefill, prompt, batch * context, context)
            if (seconds > self._itl or first > self._ttft) and batch > 1:
                break
            rate = batch / (answer * seconds)
            if seconds > self._itl or first > self._ttft:
                break
        return rate

    def fewest(self, prompt: float) -> int:
        """Engines that a prompt takes which misses its objective even alone (_compute_prefill_replicas); else 1."""
        alone = 0.0 if self._decodes else self.first_token(0.0, prompt, 0.0, 1.0)
        return max(1, ceil(alone / self._ttft))

    def _largest_batch(self, prompt: float, answer: float, context: float) -> int:
        """Bounded by the cache, by sequences, and by prefill keeping up with decoding."""
        most = self.limits.max_num_batched_tokens
        balanced = answer * most / (prompt + answer) if self.prefills else inf
        return max(1, int(min(self.limits.kv_tokens / context, self.limits.max_num_seqs, most - 1, balanced)))


class Dynamo:
    """Planner of Dynamo 1.x, mode agg or disagg, optimization target sla (components/src/dynamo/planner/core).

    Every 180 s the load of the next interval is forecast and turned into a floor by the performance model; every 5 s
    each engine's latencies are estimated from its queue: one replica more when all engines are above an objective, one
    fewer when for all of them the load x N/(N-1) is predicted within 80 % of the objective (of TTFT, of what the
    request's own prefill leaves). Prefill and decode apart have a floor and an answer each, from the one objective
    that is theirs. Nothing while a replica starts, of either. Defaults of its PlannerConfig, but for the predictor: the
    default, `arima`, chooses its order from the first five intervals and keeps it, and its source says that `kalman`,
    which is used here, suits bursty load better. What the planner has to learn, the iteration times, it knows exactly
    here, and it sees engines and frontend without delay. Until the first floor there is no reactive answer here either:
    lengths of the first requests would only make it give replicas up sooner.
    """

    every = LOAD_SECONDS
    initial: int | None = None

    def __init__(self, scenario: Scenario) -> None:
        self._model = Model(scenario)
        self._objectives = scenario.targets
        self._fewest = scenario.scaling.min_replicas
        self._predictors = (Kalman(), Kalman(), Kalman())
        self._before = Asked()
        self._due = THROUGHPUT_SECONDS
        self._floor = 0
        self._prompt = self._answer = 0.0

    def decide(self, seen: Seen) -> Choice:
        """One load tick, before it a throughput tick if one is due."""
        if seen.now >= self._due:
            self._due += THROUGHPUT_SECONDS
            self._predict(seen.asked)
        engines = list(seen.engines().values())
        current = seen.replicas
        if not seen.settled or not engines or not self._prompt:
            return Choice(current)
        return Choice(max(self._reactive(engines, current), self._floor, self._fewest))

    def _predict(self, asked: Asked) -> None:
        interval, self._before = asked.since(self._before), asked
        values = (float(interval.requests), *interval.lengths)
        requests, prompt, answer = (one.next(value) for one, value in zip(self._predictors, values, strict=True))
        self._prompt, self._answer = prompt, answer
        if prompt <= 0 or answer <= 0:
            return
        rate = self._model.best_rate(prompt, answer)
        self._floor = max(ceil(requests / THROUGHPUT_SECONDS / rate), self._model.fewest(prompt))

    def _reactive(self, engines: Sequence[EngineLoad], current: int) -> int:
        answers = [
            self._answered(engines, current, self._objectives[signal], estimate, fits)
            for signal, estimate, fits in (
                (Signal.TTFT, self._first_token, self._first_token_fits),
                (Signal.ITL, self._between_tokens, self._between_tokens_fits),
            )
            if signal in self._objectives
        ]
        return max(answers, default=current)

    def _answered(
        self,
        engines: Sequence[EngineLoad],
        current: int,
        target: float,
        estimate: Callable[[EngineLoad], float],
        fits: Callable[[EngineLoad, float], bool],
    ) -> int:
        if all(estimate(engine) > target for engine in engines):
            return current + 1
        if current > 1 and all(fits(engine, current / (current - 1)) for engine in engines):
            return current - 1
        return current

    @property
    def _context(self) -> float:
        return self._prompt + self._answer / 2

    def _first_token(self, engine: EngineLoad) -> float:
        return self._model.first_token(
            engine.queued_prefill_tokens, self._prompt, engine.decode_kv_tokens, self._context
        )

    def _first_token_fits(self, engine: EngineLoad, more: float) -> bool:
        kv = engine.decode_kv_tokens * more
        own = self._model.first_token(0.0, self._prompt, kv, self._context)
        later = self._model.first_token(engine.queued_prefill_tokens * more, self._prompt, kv, self._context)
        return later - own < (self._objectives[Signal.TTFT] - own) * SENSITIVITY

    def _between_tokens(self, engine: EngineLoad) -> float:
        prompts = self._model.prefills * self._prompt
        prefill = prompts / max(1.0, self._answer) * max(1.0, engine.decode_kv_tokens / self._context)
        return self._model.iteration(prefill, engine.decode_kv_tokens + self._context, self._context)

    def _between_tokens_fits(self, engine: EngineLoad, more: float) -> bool:
        combined = (engine.decode_kv_tokens + engine.queued_prefill_tokens) * more
        if combined >= self._model.limits.kv_tokens:
            return False
        prefill = self._model.prefills * self._prompt / max(1.0, self._answer) * combined / self._context
        seconds = self._model.iteration(prefill, combined + self._context, self._context)
        return seconds < self._objectives[Signal.ITL] * SENSITIVITY
