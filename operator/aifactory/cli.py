"""The command line: `aifactory run | crds | render | lint | version`."""

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer
import yaml

from aifactory.api.schema import crds as all_crds

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
    output.mkdir(parents=True, exist_ok=True)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(documents),
    }
    for name, text in (documents | {"kustomization.yaml": _dump(kustomization)}).items():
        (output / name).write_text(text)


@app.command()
def version() -> None:
    """Print the version of the operator."""
    typer.echo(installed_version("aifactory-operator"))


def _dump(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)
