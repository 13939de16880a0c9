"""A picture of a run: load, replicas and latency over time. Needs matplotlib, of the extra `simulate`."""

from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path

from .record import Answer
from .run import Result
from .scenario import Scenario

_BIN_SECONDS = 30.0


class NoPlotError(RuntimeError):
    """A picture cannot be drawn; the message says what to install."""


def draw(path: Path, scenario: Scenario, results: Mapping[str, Result]) -> None:
    """Write a PNG or any other format that the name of the file ends in.

    Raises:
        NoPlotError: without matplotlib, or if the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NoPlotError("--plot needs matplotlib: pip install 'aifactory-operator[simulate]'") from error
    parts = scenario.parts
    figure = Figure(figsize=(12, 6 + 3 * len(parts)), layout="constrained")
    load, *replicas, latency = figure.subplots(2 + len(parts), 1, sharex=True)
    load.plot(*_rates(scenario), color="black", linewidth=1)
    load.set_ylabel("requests/s")
    for name, result in results.items():
        (line,) = latency.plot(*_slowest(result.record.answers), label=name, linewidth=1)
        for axes, one in zip(replicas, result.record.scaled, strict=True):
            minutes = [moment.time / 60 for moment in one.moments]
            style = {"where": "post", "color": line.get_color()}
            axes.step(minutes, [moment.ready for moment in one.moments], label=name, **style)
            axes.step(minutes, [moment.replicas for moment in one.moments], linestyle=":", **style)
    for axes, part in zip(replicas, parts, strict=True):
        title = f"{part.role.name} replicas:\n" if len(parts) > 1 else "replicas: "
        axes.set_ylabel(f"{title}serving, asked for (dotted)")
        axes.legend(loc="upper right")
    latency.set_ylabel("p95 time to first token, s")
    latency.set_yscale("log")
    latency.set_xlabel("minutes")
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise NoPlotError(f"--plot {path}: {error}") from error


def _rates(scenario: Scenario) -> tuple[list[float], list[float]]:
    counts = [0] * (int(scenario.end // _BIN_SECONDS) + 1)
    for request in scenario.requests:
        counts[int(request.at // _BIN_SECONDS)] += 1
    return [index * _BIN_SECONDS / 60 for index in range(len(counts))], [count / _BIN_SECONDS for count in counts]


def _slowest(answers: list[Answer]) -> tuple[list[float], list[float]]:
    """Minutes, and the 95th percentile of the time to first token of the requests that arrived in each bin."""
    served = sorted((answer.arrived_at, answer.first_token) for answer in answers if answer.first_token is not None)
    times = [at for at, _ in served]
    minutes, values = [], []
    for index in range(int(times[-1] // _BIN_SECONDS) + 1 if times else 0):
        low, high = (bisect_left(times, (index + step) * _BIN_SECONDS) for step in (0, 1))
        found = sorted(seconds for _, seconds in served[low:high])
        if found:
            minutes.append(index * _BIN_SECONDS / 60)
            values.append(found[int(0.95 * (len(found) - 1))])
    return minutes, values
