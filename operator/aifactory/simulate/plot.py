"""A picture of a run: load, replicas and latency over time. Needs matplotlib, of the extra `simulate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aifactory.signals.objectives import Signal

from .record import bin_seconds
from .run import Result
from .scenario import Scenario

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of a longer trace the axis has hours.
_MINUTES_UP_TO_SECONDS = 3 * 3600.0
_DOTS_PER_INCH = 120


class NoPlotError(RuntimeError):
    """A picture cannot be drawn; the message says what to install."""


def check(path: Path) -> None:
    """Before a run, whether there will be a picture.

    Raises:
        NoPlotError: without matplotlib, if the file has no ending that it knows, or there is no folder for it.
    """
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise NoPlotError("--plot needs matplotlib: pip install 'aifactory-operator[simulate]'") from error
    if path.suffix.lstrip(".").lower() not in FigureCanvasBase.get_supported_filetypes():
        raise NoPlotError(f"--plot {path}: the name must end in .png, .svg, .pdf or what else matplotlib can write")
    if not path.parent.is_dir():
        raise NoPlotError(f"--plot {path}: there is no folder {path.parent}")


def draw(path: Path, scenario: Scenario, results: Mapping[str, Result]) -> None:
    """Write a PNG or any other format that the name of the file ends in.

    Raises:
        NoPlotError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    parts = scenario.parts
    figure = Figure(figsize=(13, 6 + 3 * len(parts)), layout="constrained")
    load, *replicas, latency = figure.subplots(2 + len(parts), 1, sharex=True)
    name, seconds = ("minutes", 60.0) if scenario.end <= _MINUTES_UP_TO_SECONDS else ("hours", 3600.0)
    _draw_load(load, scenario, seconds)
    for axes, (rank, part) in zip(replicas, enumerate(parts), strict=True):
        _draw_replicas(axes, results, rank, seconds)
        title = f"{part.role.name} replicas" if len(parts) > 1 else "replicas"
        axes.set_ylabel(f"{title}:\nserving, asked for (dotted)")
    _draw_latency(latency, scenario, results, seconds)
    latency.set_xlabel(name)
    for axes in (load, *replicas, latency):
        axes.grid(alpha=0.3)
        axes.margins(x=0.01)
    figure.legend(*latency.get_legend_handles_labels(), loc="outside right upper")
    try:
        figure.savefig(path, dpi=_DOTS_PER_INCH)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise NoPlotError(f"--plot {path}: {reason}") from error


def _draw_load(axes: "Axes", scenario: Scenario, unit: float) -> None:
    """Requests a second in each bin; the last one, which is cut off, is left out."""
    width = bin_seconds(scenario)
    counts = [0] * (int(scenario.requests[-1].at // width) + 1)
    for request in scenario.requests:
        counts[int(request.at // width)] += 1
    whole = counts[:-1] or counts
    times = [index * width / unit for index in range(len(whole))]
    axes.step(times, [count / width for count in whole], where="post", color="black", linewidth=1)
    axes.set_ylabel("requests/s")
    axes.set_ylim(bottom=0)


def _draw_replicas(axes: "Axes", results: Mapping[str, Result], rank: int, unit: float) -> None:
    from matplotlib.ticker import MaxNLocator

    for color, result in enumerate(results.values()):
        moments = result.record.scaled[rank].moments
        times = [moment.time / unit for moment in moments]
        for values, line in (([one.ready for one in moments], "-"), ([one.replicas for one in moments], ":")):
            axes.step(times, values, line, where="post", color=f"C{color}", linewidth=1.3)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)


def _draw_latency(axes: "Axes", scenario: Scenario, results: Mapping[str, Result], unit: float) -> None:
    from matplotlib.ticker import LogLocator

    for color, (name, result) in enumerate(results.items()):
        times, seconds = result.slowest
        axes.plot([time / unit for time in times], seconds, label=name, color=f"C{color}", linewidth=1.2)
    target = scenario.promised.get(Signal.TTFT) if scenario.within is None else scenario.within
    if target is not None:
        axes.axhline(target, label="objective", color="black", linestyle="--", linewidth=1)
    axes.set_ylabel("p95 time to first token, s" if scenario.within is None else "p95 time taken, s")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
