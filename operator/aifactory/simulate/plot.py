"""A picture of a run: load, replicas and latency over time. Needs matplotlib, of the extra `simulate`."""

from collections.abc import Mapping
from pathlib import Path

from .record import BIN_SECONDS
from .run import Result
from .scenario import Scenario


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
    figure = Figure(figsize=(12, 6 + 3 * len(parts)), layout="constrained")
    load, *replicas, latency = figure.subplots(2 + len(parts), 1, sharex=True)
    load.plot(*_rates(scenario), color="black", linewidth=1)
    load.set_ylabel("requests/s")
    for name, result in results.items():
        (line,) = latency.plot(*result.slowest, label=name, linewidth=1)
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
        reason = error.strerror if isinstance(error, OSError) else error
        raise NoPlotError(f"--plot {path}: {reason}") from error


def _rates(scenario: Scenario) -> tuple[list[float], list[float]]:
    counts = [0] * (int(scenario.end // BIN_SECONDS) + 1)
    for request in scenario.requests:
        counts[int(request.at // BIN_SECONDS)] += 1
    return [index * BIN_SECONDS / 60 for index in range(len(counts))], [count / BIN_SECONDS for count in counts]
