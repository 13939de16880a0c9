"""Offline validation: the problems that the API server would find in an object of ours, and how to mend them."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aifactory.api import API_VERSION, GROUP
from aifactory.api.schema import DEFINITIONS, INFERENCE_SERVICE, Definition, object_schema, without_nulls
from aifactory.manifest import Document, Location

_LONGEST_VALUE = 60
_NAME = ("metadata", "name")
# Errors whose messages are our own.
_SPEAKING = ("rule", "value_error")
_BY_CACHE = "is fetched by a ModelCache: make one and name it in modelCache"
# Fields that users look for where they are not.
_ELSEWHERE = {("spec", "model", "source", name): _BY_CACHE for name in ("s3", "oci")}


@dataclass(frozen=True, slots=True)
class Problem:
    """A wrong field and what must be so instead."""

    location: Location
    message: str

    @property
    def path(self) -> str:
        """The field as the API server writes it, such as `spec.runtime.env[0].name`."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.location).lstrip(".")

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def is_ours(manifest: dict[str, Any]) -> bool:
    """Whether it is, or means to be, of our group, also of a kind that is not there; others share files with ours."""
    version = str(manifest.get("apiVersion") or GROUP)
    known = str(manifest.get("kind", INFERENCE_SERVICE.kind)) in DEFINITIONS
    return version.startswith(f"{GROUP}/") or (known and version.startswith(GROUP))


def problems(manifest: dict[str, Any]) -> list[Problem]:
    """Everything wrong with a manifest, as strict as `kubectl apply`; empty when it is good.

    One that does not say its kind is taken for an InferenceService; of an unknown kind nothing else is checked.
    """
    manifest = without_nulls(manifest)
    if "kind" in manifest and str(manifest["kind"]) not in DEFINITIONS:
        return [Problem(("kind",), _unknown("kind", manifest["kind"], list(DEFINITIONS)))]
    definition = DEFINITIONS.get(str(manifest.get("kind")), INFERENCE_SERVICE)
    found = [
        Problem((field,), f"must be {expected}, not {manifest.get(field)!r}")
        for field, expected in (("apiVersion", API_VERSION), ("kind", definition.kind))
        if manifest.get(field) != expected
    ]
    found += _unknown_fields(manifest, _schema(definition), ())
    try:
        definition.model.model_validate_json(json.dumps(manifest, default=str), strict=True)
    except ValidationError as error:
        found += explain(error, definition)
    return found


def repeated(documents: Iterable[Document]) -> Iterator[tuple[Document, Problem]]:
    """Objects whose kind, namespace and name an earlier one has: only one of them can be in a cluster."""
    known: dict[tuple[str, ...], Document] = {}
    for document in documents:
        kind, metadata = str(document.data.get("kind")), document.data.get("metadata")
        if not isinstance(metadata, dict) or "name" not in metadata:
            continue
        namespace, name = str(metadata.get("namespace") or ""), str(metadata["name"])
        first = known.setdefault((kind, namespace, name), document)
        if first is not document:
            place = f"{first.source}:{first.line(_NAME)}"
            what = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
            yield document, Problem(_NAME, f"{what} is given twice, first at {place}; keep one, or rename it")


def explain(error: ValidationError, definition: Definition = INFERENCE_SERVICE) -> list[Problem]:
    """The problems behind an error of `model_validate` of a kind."""
    return [
        Problem(details["loc"], _message(details, _schema(definition))) for details in error.errors(include_url=False)
    ]


def _message(details: ErrorDetails, schema: dict[str, Any]) -> str:
    purpose = _schema_at(schema, details["loc"]).get("description", "")
    if details["type"] == "missing":
        return f"is required. {purpose}".rstrip()
    if details["type"] in _SPEAKING:
        return must(details)
    return f"{must(details)}. {purpose}".rstrip(". ") + "."


def must(details: ErrorDetails) -> str:
    """What must be so of a value, such as `must be a valid integer, not 'x'`."""
    text, value = re.sub(r"^\w+ should", "must", details["msg"].removeprefix("Value error, ")), details["input"]
    short = isinstance(value, str | int | float) and len(repr(value)) <= _LONGEST_VALUE
    return f"{text}, not {value!r}" if short and details["type"] not in _SPEAKING else text


def _schema(definition: Definition) -> dict[str, Any]:
    return _schema_of(definition.kind)


@cache
def _schema_of(kind: str) -> dict[str, Any]:
    return object_schema(DEFINITIONS[kind])


def _schema_at(schema: dict[str, Any], location: Location) -> dict[str, Any]:
    for step in location:
        schema = schema.get("items", {}) if isinstance(step, int) else _property(schema, step)
    return schema


def _property(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = schema.get("properties", {}).get(name) or schema.get("additionalProperties", {})
    return found


def _unknown_fields(value: Any, schema: dict[str, Any], location: Location) -> Iterator[Problem]:
    if location == ("metadata",):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_fields(item, schema.get("items", {}), (*location, index))
    elif isinstance(value, dict):
        known = schema.get("properties")
        for name, each in value.items():
            if known is not None and name not in known:
                where = (*location, name)
                yield Problem(where, _ELSEWHERE.get(where) or _unknown("field", name, list(known)))
            else:
                yield from _unknown_fields(each, _property(schema, name), (*location, name))


def _unknown(what: str, name: str, known: list[str]) -> str:
    if close := get_close_matches(str(name), known, 1):
        return f"unknown {what}; did you mean {close[0]}?"
    return f"unknown {what}; known here: {', '.join(known)}"
