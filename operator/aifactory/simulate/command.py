"""`aifactory simulate`: from its options to results."""

import gc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf
from pathlib import Path

from aifactory.api.inferenceservice import InferenceService
from aifactory.api.meta import parse_duration

from . import plot, trace
from .capacity import profile
from .engine.models import ENGINES, EngineModel
from .notes import notes
from .prometheus import KEPT_SECONDS
from .record import Figures
from .registry import LATENCY_POLICIES, ORACLE, POLICIES, WHOLE_POLICIES
from .report import needed_policies
from .run import Result, run_policies
from .scenario import ScenarioError, Watch, scenario


class SimulateError(ValueError):
    """Something that was asked for cannot be simulated; the message says what would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As given on the command line; lengths are tokens, for traces that have none; durations are such as 90s.

    `more_policies` are arguments that follow those of --policy.
    """

    trace: Path
    policies: Sequence[str]
    more_policies: Sequence[str]
    engine: str
    startup: str
    seed: int
    rate_scale: float
    input_tokens: int | None
    output_tokens: int | None
    plot: Path | None
    scrape_interval: str
    tick: str
    metrics_window: str
    initial_replicas: int | None
    gpus: int | None


def warnings(service: InferenceService, options: Options) -> list[str]:
    """Sentences about what will be simulated otherwise than the service is.

    Raises:
        SimulateError: if there is no such engine.
    """
    return notes(service, _engine(options))


def simulate(service: InferenceService, options: Options) -> tuple[dict[str, Result], Figures]:
    """The results of the policies that were asked for, all of them by default, and the figures of the oracle.

    Raises:
        SimulateError: if an option, the trace or the service cannot be used.
    """
    asked = _policies(service, options)
    engine = _engine(options)
    if not 0 < options.rate_scale <= 1000:
        raise SimulateError(f"--rate-scale must be above 0 and at most 1000, not {options.rate_scale:g}")
    startup = _duration("--startup", options.startup, least=0.0)
    watch = _watch(options)
    try:
        if options.plot:
            plot.check(options.plot)
        requests = trace.read(options.trace, _lengths(options), options.seed)
        requests = trace.scaled(requests, options.rate_scale, options.seed)
        found = scenario(
            service,
            engine,
            requests,
            startup=startup,
            seed=options.seed,
            watch=watch,
            initial=options.initial_replicas,
            gpus=options.gpus,
        )
        if found.end <= 0:
            raise SimulateError(f"{options.trace}: all requests come at one time; a trace has to last for a while")
        gc.freeze()  # the requests stay to the end; looking through them again and again takes 7 % of a run
        results = run_policies(needed_policies(asked), found, *map(profile, found.parts))
        shown = {name: results[name] for name in asked}
        if options.plot:
            plot.draw(options.plot, found, shown)
    except (trace.TraceError, ScenarioError, plot.NoPlotError) as error:
        raise SimulateError(str(error)) from error
    return shown, results[ORACLE].figures


def _engine(options: Options) -> EngineModel:
    return ENGINES[_known("--engine", options.engine, ENGINES)]


def _policies(service: InferenceService, options: Options) -> tuple[str, ...]:
    """Those that were asked for, or all that suit the service."""
    if options.more_policies and not options.policies:
        raise SimulateError(f"unexpected argument {options.more_policies[0]!r}; a manifest is given with -f")
    each = (name.strip() for text in (*options.policies, *options.more_policies) for name in text.split(","))
    asked = tuple(dict.fromkeys(_known("--policy", name, POLICIES) for name in each))
    unsuited: dict[str, str] = {}
    if service.spec.slo.may_take is not None:
        unsuited |= dict.fromkeys(LATENCY_POLICIES, "follows latency objectives, and an offline service has none")
    if service.spec.topology.disaggregated is not None:
        unsuited |= dict.fromkeys(
            WHOLE_POLICIES, "is for equal replicas, and this service has prefill and decode apart"
        )
    for name in asked:
        if name in unsuited:
            raise SimulateError(f"--policy {name!r} {unsuited[name]}")
    return asked or tuple(name for name in POLICIES if name not in unsuited)


def _watch(options: Options) -> Watch:
    """Rates take two samples at least; Prometheus forgets samples after a while."""
    scrape = _duration("--scrape-interval", options.scrape_interval, least=0.1, most=KEPT_SECONDS / 2)
    tick = _duration("--tick", options.tick, least=0.1)
    window = _duration("--metrics-window", options.metrics_window, least=0.0, most=KEPT_SECONDS)
    if window < 2 * scrape:
        raise SimulateError(
            f"--metrics-window must be at least twice --scrape-interval, {2 * scrape:g}s, not {options.metrics_window}"
        )
    return Watch(scrape, tick, window)


def _duration(option: str, text: str, least: float, most: float = inf) -> float:
    """Seconds."""
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError as error:
        raise SimulateError(f"{option}: {error}") from error
    if seconds < least:
        raise SimulateError(f"{option} must be at least {least:g}s, not {text}")
    if seconds > most:
        raise SimulateError(f"{option} must be at most {most:g}s, not {text}")
    return seconds


def _lengths(options: Options) -> trace.Lengths | None:
    prompt, answer = options.input_tokens, options.output_tokens
    if prompt is None and answer is None:
        return None
    if prompt is None or answer is None or not all(1 <= tokens <= trace.MOST_TOKENS for tokens in (prompt, answer)):
        raise SimulateError(
            f"--input-tokens and --output-tokens belong together and are at least 1 and at most {trace.MOST_TOKENS:,}"
        )
    return trace.Lengths(prompt, answer)


def _known(option: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    if name in names:
        return name
    close = [one for one in names if name and one.startswith(name)] or get_close_matches(name, names, 1)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(names)}"
    raise SimulateError(f"{option} {name!r} is unknown; {hint}")
