"""The command line: `aifactory run | crds | render | lint | diff | explain | simulate | version`."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Collection
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml

from aifactory import given
from aifactory.api.factory import KIND as FACTORY_KIND
from aifactory.api.factory import NO_MIRRORS, AIFactory, Mirrors
from aifactory.api.inferenceservice import KIND, InferenceService
from aifactory.api.modelcache import KIND as CACHE_KIND
from aifactory.api.modelcache import ModelCache
from aifactory.api.schema import crds as all_crds
from aifactory.cache.children import render as render_cache
from aifactory.preview import told
from aifactory.render import OPTIONAL
from aifactory.render import render as render_children
from aifactory.runtimes.activator import ACTIVATOR_METRICS_PORT, ACTIVATOR_PORT

Files = Annotated[
    list[str], typer.Option("-f", "--filename", metavar="FILE", help="Manifest, or - for stdin; may be repeated.")
]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """An operator that turns InferenceService objects into GPU model servers that scale on live latency."""


@app.command()
def crds(
    output: Annotated[Path | None, typer.Option(help="Folder to write to, one file each, instead of stdout.")] = None,
) -> None:
    """Print the CustomResourceDefinitions."""
    documents = {name: _dump(crd) for name, crd in all_crds().items()}
    if output is None:
        typer.echo("---\n".join(documents.values()), nl=False)
        return
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(documents),
    }
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in (documents | {"kustomization.yaml": _dump(kustomization)}).items():
            (output / name).write_text(text)
    except OSError as error:
        given.fail(f"--output {output}: {error.strerror}")


@app.command()
def render(
    filename: Files,
    pod_monitor: Annotated[bool, typer.Option(help="As in a cluster with the Prometheus Operator.")] = False,
) -> None:
    """Print the objects that the operator makes of each of ours, without a cluster."""
    documents = given.documents(filename)
    given.refuse(documents)
    served = {kind for kind in OPTIONAL if pod_monitor or kind != "PodMonitor"}
    factories = [AIFactory.model_validate(one.data) for one in documents if one.data["kind"] == FACTORY_KIND]
    mirrors = factories[-1].spec.mirrors if factories else NO_MIRRORS
    children: list[dict[str, Any]] = []
    for document in documents:
        children += _children(document.data, served, mirrors)
    if not children:
        typer.echo(f"note: an {FACTORY_KIND} has no objects of its own", err=True)
    typer.echo("---\n".join(map(_dump, children)), nl=False)


def _children(manifest: dict[str, Any], served: Collection[str], mirrors: Mirrors) -> list[dict[str, Any]]:
    if manifest["kind"] == FACTORY_KIND:
        return []
    if manifest["kind"] == CACHE_KIND:
        image = given.settings().download_image
        return render_cache(ModelCache.model_validate(manifest), image, served=served, mirrors=mirrors)
    service = InferenceService.model_validate(manifest)
    activation = given.settings().activation if service.spec.may_sleep else None
    return render_children(service, {}, served=served, activation=activation)


@app.command()
def lint(filename: Files) -> None:
    """Check objects of ours as strictly as the API server does, without a cluster; exit 1 on any problem."""
    documents = given.documents(filename)
    given.refuse(documents)
    counts = Counter(document.data["kind"] for document in documents)
    told = ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items())
    typer.echo(f"{told}: no problems", err=True)


@app.command()
def diff(filename: Files) -> None:
    """Show what applying InferenceServices would change in the cluster of the kubeconfig; changes nothing.

    Exit code as of kubectl diff: 0 without differences, 1 with some, 2 when a file or the cluster cannot be read.
    """
    from aifactory.cluster.compare import compare  # the Kubernetes client takes a second to import
    from aifactory.cluster.connect import CannotConnectError, connected

    manifests = given.services(filename, given.TROUBLE)
    activation = given.settings().activation
    try:
        found = asyncio.run(connected(lambda client: compare(client, manifests, time.time(), activation)))
    except CannotConnectError as error:
        given.fail(str(error), given.TROUBLE)
    for (namespace, name), planned in found.items():
        typer.echo("\n".join(told(f"{KIND} {namespace}/{name}", planned)))
    raise typer.Exit(any(planned.changes for planned in found.values()))


@app.command()
def explain(
    service: Annotated[str, typer.Argument(help="NAMESPACE/NAME of an InferenceService.", metavar="NAMESPACE/NAME")],
) -> None:
    """Say in sentences why a service in the cluster of the kubeconfig is as it is: load, objectives, replicas, trouble.

    Exit code 1 when there is no such service, 2 when none is named or the cluster cannot be read.
    """
    from aifactory.cluster.connect import CannotConnectError, connected  # as for diff
    from aifactory.cluster.single import NotFoundError
    from aifactory.cluster.single import service as read
    from aifactory.explain import explain as explained

    named = re.fullmatch(_KEY, service)
    if named is None:
        given.fail(f"{service!r} is not NAMESPACE/NAME, such as default/llama", given.TROUBLE)
    try:
        found = asyncio.run(connected(lambda client: read(client, (named[1], named[2]))))
    except NotFoundError as error:
        given.fail(str(error))
    except CannotConnectError as error:
        given.fail(str(error), given.TROUBLE)
    typer.echo(explained(found, time.time()))


@app.command()
def simulate(
    filename: Files,
    trace: Annotated[
        Path, typer.Option(help="CSV of seconds,input_tokens,output_tokens or seconds,requests_per_second, or Azure's.")
    ],
    policy: Annotated[list[str] | None, typer.Option(metavar="NAMES", help="Some, with commas. Default: all.")] = None,
    more_policies: Annotated[list[str] | None, typer.Argument(metavar="NAMES", help="More of --policy.")] = None,
    engine: Annotated[str, typer.Option(help="Simulated engine; an unknown name lists them.")] = "llama-3.1-8b-h100",
    startup: Annotated[str, typer.Option(help="Mean time from creation of a pod until it serves.")] = "90s",
    seed: Annotated[int, typer.Option(help="Of everything random: starts, routing, scrapes, made-up arrivals.")] = 0,
    rate_scale: Annotated[float, typer.Option(help="So many times the load, over the same time.")] = 1.0,
    input_tokens: Annotated[int | None, typer.Option(help="Of each request, for a trace of rates.")] = None,
    output_tokens: Annotated[int | None, typer.Option(help="Of each request, for a trace of rates.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Also draw load, replicas and latency to this file.")] = None,
    scrape_interval: Annotated[str, typer.Option(help="Of Prometheus.")] = "15s",
    tick: Annotated[str, typer.Option(help="Time between two decisions of the operator, AIFACTORY_TICK.")] = "15s",
    metrics_window: Annotated[str, typer.Option(help="Of its rates, AIFACTORY_METRICS_WINDOW.")] = "60s",
    initial_replicas: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Of each role, serving at the start. Default: enough for 5 minutes."),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of the cluster. Default: enough for every replica.")
    ] = None,
) -> None:
    """Replay a trace against a simulated service: the operator's decisions beside those of other autoscalers."""
    from aifactory.simulate import command, report  # what `run` and the other commands do not need

    services = given.services(filename)
    if len(services) != 1:
        given.fail(f"{len(services)} {KIND}s in {', '.join(filename)}; give one")
    options = command.Options(
        trace=trace,
        policies=policy or [],
        more_policies=more_policies or [],
        engine=engine,
        startup=startup,
        seed=seed,
        rate_scale=rate_scale,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        plot=plot,
        scrape_interval=scrape_interval,
        tick=tick,
        metrics_window=metrics_window,
        initial_replicas=initial_replicas,
        gpus=gpus,
    )
    try:
        service = InferenceService.model_validate(services[0])
        for warning in command.warnings(service, options):
            typer.echo(f"note: {warning}", err=True)
        results, oracle = command.simulate(service, options)
    except command.SimulateError as error:
        given.fail(str(error))
    if as_json:
        typer.echo(json.dumps(report.as_json(results, oracle)))
    else:
        from rich.console import Console  # 2 MiB that the operator need not hold

        Console(width=max(Console().width, report.WIDTH)).print(report.table(results, oracle))


@app.command()
def run() -> None:
    """Start the operator; settings come from environment variables AIFACTORY_*.

    Exit code 2 when a setting, the kubeconfig or the port is of no use.
    """
    from aifactory.cluster.connect import CannotConnectError
    from aifactory.controller.run import CannotListenError  # kopf takes a second to import
    from aifactory.controller.run import run as run_operator

    try:
        run_operator(given.settings())
    except (CannotConnectError, CannotListenError) as error:
        given.fail(str(error), given.TROUBLE)


@app.command(hidden=True)
def download(
    step: Annotated[Literal["plan", "fetch"], typer.Argument(help="plan lists and checks, fetch fetches.")],
    order: Annotated[str, typer.Option(help="What to fetch, as JSON.")],
    volume: Annotated[Path, typer.Option(help="Where the volume is mounted.")],
    message: Annotated[Path, typer.Option(help="Where the outcome goes.")] = Path("/dev/termination-log"),
) -> None:
    """The program of a ModelCache's download pod."""
    from aifactory.api.download import Order
    from aifactory.download.program import run as run_download

    raise typer.Exit(run_download(step, Order.model_validate_json(order), volume, message))


@app.command(hidden=True)
def activate(
    upstream: Annotated[str, typer.Option(help="URL of the replicas.")],
    wake: Annotated[str, typer.Option(help="URL where the operator is asked for a replica.")],
    max_held: Annotated[int, typer.Option(help="Most requests that wait.")],
    max_hold: Annotated[float, typer.Option(help="Longest wait of a request, in seconds.")],
    drain: Annotated[float, typer.Option(help="Time for requests to end when the process is told to, in seconds.")],
    model: Annotated[list[str], typer.Option(help="Name of a model that replicas serve.")],
    health: Annotated[list[str], typer.Option(help="Path that replicas answer health checks on.")],
    ready: Annotated[
        str | None, typer.Option(help="Path by which one that serves is known; else an open port.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of requests.")] = ACTIVATOR_PORT,
    metrics_port: Annotated[int, typer.Option(help="Port of /metrics and /healthz.")] = ACTIVATOR_METRICS_PORT,
) -> None:
    """The program of a service's activator pod."""
    from aifactory.activator.program import Options  # aiohttp is of no use to the rest
    from aifactory.activator.program import run as run_activator

    run_activator(
        Options(
            upstream=upstream,
            wake=wake,
            max_held=max_held,
            max_hold=max_hold,
            drain=drain,
            models=model,
            health=health,
            port=port,
            metrics_port=metrics_port,
            ready=ready,
        )
    )


@app.command()
def version() -> None:
    """Print the version of the operator."""
    typer.echo(installed_version("aifactory-operator"))


_KEY = r"([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)/([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)"


def _dump(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)
