"""`python -m tests.kind`: the test cluster from the command line."""

import shutil
from typing import Annotated

import typer

from tests.kind import binaries as programs
from tests.kind import docker
from tests.kind.cluster import DEFAULT_GPUS, Cluster
from tests.kind.host import GIB
from tests.kind.paths import KUBECONFIG, cache_dir
from tests.kind.progress import StepFailedError, fail, note

app = typer.Typer(
    help="A kind cluster with simulated GPUs, also where no image registry answers.", no_args_is_help=True
)


@app.command()
def up(
    gpus: Annotated[int | None, typer.Option(min=0, help=f"GPUs of the node (new: {DEFAULT_GPUS}).")] = None,
) -> None:
    """Bring the cluster up; nothing happens when it is up already."""
    Cluster().up(gpus)


@app.command()
def down() -> None:
    """Delete the cluster and everything it made; build products stay in the cache."""
    Cluster().down()


@app.command()
def binaries() -> None:
    """Build the programs of the plain-process control plane and of the cluster, and those of other projects."""
    others = (programs.ensure_prometheus("promtool").parent, programs.ensure_picker(), programs.ensure_lws().parent)
    folders = (programs.ensure(), *others)
    note(f"Programs are in {', '.join(map(str, folders))}")


@app.command()
def images() -> None:
    """Build the operator, the model server and Prometheus, and load into the cluster what changed."""
    for tag in Cluster().up().load_images():
        note(f"{tag} is new in the cluster")


@app.command()
def kubeconfig() -> None:
    """Print the path of the cluster's kubeconfig."""
    print(KUBECONFIG)


@app.command()
def status() -> None:
    """Say what is there: programs, Docker, cluster, disk."""
    cluster, lacking = Cluster(), programs.missing(*programs.PACKAGES)
    gpus = cluster.offered_gpus()
    readiness = "not ready" if gpus is None else f"ready with {gpus} GPUs"
    size = sum(path.stat().st_size for path in cache_dir().rglob("*") if path.is_file())
    print(f"programs    {len(programs.PACKAGES) - len(lacking)} of {len(programs.PACKAGES)} in {programs.folder()}")
    print(f"docker      {docker.server_version() or 'no daemon answers'}")
    print(f"cluster     {f'{state}, {readiness}' if (state := cluster.state()) else 'none'}")
    print(f"kubeconfig  {cluster.kubeconfig if cluster.kubeconfig.exists() else 'none'}")
    print(f"cache       {size / GIB:.1f} GiB in {cache_dir()}")


@app.command()
def clean_cache() -> None:
    """Remove the cluster and all build products; Go's own caches stay (`go clean -cache -modcache`)."""
    Cluster().down(remove_images=True)
    shutil.rmtree(cache_dir(), ignore_errors=True)
    note(f"Removed {cache_dir()}")


def main() -> None:
    """Runs a command; a failed step ends with its message and exit status 1."""
    try:
        app()
    except StepFailedError as error:
        fail(error)
        raise SystemExit(1) from None


main()
