"""What commands are given, files and settings: where it is of no use, the program ends with a sentence."""

from typing import Any, NoReturn

import typer
from pydantic import ValidationError

from aifactory.api import GROUP
from aifactory.api.factory import KIND as FACTORY_KIND
from aifactory.api.inferenceservice import KIND
from aifactory.api.modelcache import KIND as CACHE_KIND
from aifactory.api.schema import DEFINITIONS
from aifactory.lint import is_ours, must, problems, repeated
from aifactory.manifest import Document, ManifestError, read_manifest
from aifactory.settings import ENVIRONMENT, Settings

TROUBLE = 2
"""Exit code of commands where 1 is an answer."""


def documents(filenames: list[str], code: int = 1) -> list[Document]:
    """The objects of ours in some files; ends the program with `code` if one cannot be read or none is in them."""
    try:
        found = [document for name in filenames for document in read_manifest(name) if is_ours(document.data)]
    except ManifestError as error:
        fail(str(error), code)
    if not found:
        *kinds, last = DEFINITIONS
        fail(f"no {', '.join(kinds)} or {last} of {GROUP} in {', '.join(filenames)}", code)
    return found


def services(filenames: list[str], code: int = 1) -> list[dict[str, Any]]:
    """The InferenceServices in some files; ends the program with `code` when one is wrong or there is none."""
    found = documents(filenames, code)
    ours = [document for document in found if document.data.get("kind") not in (CACHE_KIND, FACTORY_KIND)]
    if not ours:
        fail(f"no {KIND} in {', '.join(filenames)}", code)
    refuse(ours, code)
    return [document.data for document in ours]


def refuse(documents: list[Document], code: int = 1) -> None:
    """End the program with `code` and a line for each problem, if there is any."""
    found = [(document, problem) for document in documents for problem in problems(document.data)]
    found += repeated(documents)
    lines = [f"{document.source}:{document.line(problem.location)}: {problem}" for document, problem in found]
    if lines:
        typer.echo("\n".join(lines))
        raise typer.Exit(code)


def settings() -> Settings:
    """Those of the environment; ends the program if one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        fail(f"{ENVIRONMENT}{str(wrong['loc'][0]).upper()}: {must(wrong)}", TROUBLE)


def fail(message: str, code: int = 1) -> NoReturn:
    """End the program with `code` and a sentence."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)
