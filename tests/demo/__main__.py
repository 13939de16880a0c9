"""Runs the demo; ends by itself with a summary."""

import sys
import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.e2e.install import install
from tests.e2e.kube import Kube, KubeError, path
from tests.e2e.load import Load
from tests.e2e.waiting import wait_until
from tests.kind.cluster import Cluster
from tests.kind.paths import KUBECONFIG, ROOT

from .scenario import ITL_SECONDS, NAMESPACE, SCENARIOS, TTFT_SECONDS, Scenario
from .screen import Sample, Screen

_PERIOD_SECONDS = 2.0
_PLAIN_PERIOD_SECONDS = 10.0
_LIMIT_SECONDS = 330.0


@dataclass
class Run:
    """One service while it is loaded, and what was seen of it."""

    scenario: Scenario
    load: Load
    sample: Sample
    path: list[int] = field(default_factory=list)
    decisions: dict[str, str] = field(default_factory=dict)
    summary: dict[str, Any] | None = None


def main() -> int:
    """The exit status: 0 if every request was answered."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    started = time.monotonic()
    cluster = Cluster()
    console.print("installing the operator and Prometheus")
    install(cluster, run=f"demo {time.time()}")
    kube = Kube(cluster.kubeconfig)
    _apply(cluster, kube, console)
    runs = [_start(kube, scenario) for scenario in SCENARIOS]
    _watch(kube, runs, console)
    _report(runs, console, time.monotonic() - started)
    return 0 if all(run.summary and not run.summary["failed"] for run in runs) else 1


def _apply(cluster: Cluster, kube: Kube, console: Console) -> None:
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout=120)
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    for scenario in SCENARIOS:
        console.print(f"applying InferenceService {NAMESPACE}/{scenario.name} ({scenario.engine})")
        kube.apply(path(NAMESPACE, "inferenceservices", scenario.name), scenario.manifest)
    for scenario in SCENARIOS:
        wait_until(f"{scenario.name} is ready", lambda name=scenario.name: _ready(kube, name), 120, lambda: "")
        console.print(f"{scenario.name} is ready")


def _start(kube: Kube, scenario: Scenario) -> Run:
    options = ("--model", scenario.model, "--slo-ttft", str(TTFT_SECONDS), "--slo-itl", str(ITL_SECONDS))
    name = f"load-{scenario.name}"
    load = Load(kube, NAMESPACE, name, f"http://{scenario.name}", ("--shape", scenario.shape, *options))
    return Run(scenario, load, Sample(scenario.name))


def _watch(kube: Kube, runs: list[Run], console: Console) -> None:
    started, shown = time.monotonic(), float("-inf")
    period = _PERIOD_SECONDS if console.is_terminal else _PLAIN_PERIOD_SECONDS
    with Screen(console) as screen:
        while any(run.summary is None for run in runs) and time.monotonic() - started < _LIMIT_SECONDS:
            for run in runs:
                _look(kube, run, screen)
            elapsed = time.monotonic() - started
            if elapsed - shown >= period:
                screen.show(elapsed, [run.sample for run in runs])
                shown = elapsed
            time.sleep(1)


def _look(kube: Kube, run: Run, screen: Screen) -> None:
    name = run.scenario.name
    status = kube.get(path(NAMESPACE, "inferenceservices", name)).get("status") or {}
    lines = run.load.lines()
    intervals = [line for line in lines if "summary" not in line]
    run.summary = next((line["summary"] for line in lines if "summary" in line), None)
    run.sample = Sample(name, _offered(intervals), status)
    desired = (status.get("replicas") or {}).get("desired", 0)
    if not run.path or run.path[-1] != desired:
        run.path.append(desired)
    for entry in reversed((status.get("scaling") or {}).get("history", [])):
        if entry["time"] not in run.decisions:
            change = f"{entry['from']} -> {entry['to']}"
            run.decisions[entry["time"]] = change
            screen.decided(f"{entry['time'][11:19]}  {name}  {change}  {entry['reason']}: {entry['message']}")


def _offered(intervals: list[dict[str, Any]]) -> str:
    if len(intervals) < 2:
        return ""
    last, before = intervals[-1], intervals[-2]
    return f"{last['sent'] / max(last['t'] - before['t'], 1.0):.1f}"


def _report(runs: list[Run], console: Console, seconds: float) -> None:
    table = Table(title="summary", title_justify="left")
    for column in (
        "service",
        "requests",
        "failed",
        "within both targets",
        "TTFT p95",
        "ITL p95",
        "replicas",
        "decisions",
    ):
        table.add_column(column)
    for run in runs:
        found = run.summary or {}
        table.add_row(
            run.scenario.name,
            str(found.get("requests", "-")),
            str(found.get("failed", "-")),
            f"{found['attainment'] * 100:.2f} %" if found.get("attainment") is not None else "-",
            _milliseconds(found, "ttft"),
            _milliseconds(found, "itl"),
            " ".join(map(str, run.path)),
            str(len(run.decisions)),
        )
    console.print(table)
    console.print(
        f"The demo took {seconds:.0f} s. The services stay: KUBECONFIG={KUBECONFIG.relative_to(ROOT)} "
        f"kubectl get infsvc -n {NAMESPACE}; make demo-down removes the whole cluster."
    )


def _milliseconds(found: dict[str, Any], name: str) -> str:
    value = (found.get(name) or {}).get("p95")
    return "-" if value is None else f"{value * 1000:.0f} ms"


def _ready(kube: Kube, name: str) -> bool:
    try:
        status = kube.get(path(NAMESPACE, "inferenceservices", name)).get("status") or {}
    except KubeError:
        return False
    return any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions", []))


if __name__ == "__main__":
    sys.exit(main())
