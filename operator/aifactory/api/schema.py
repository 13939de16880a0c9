"""CustomResourceDefinitions from the pydantic models.

A structural schema (Kubernetes' subset of OpenAPI v3 for custom resources) knows neither references nor null nor
untagged unions. What pydantic says in those words is rewritten; what cannot be rewritten is refused.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from . import GROUP, VERSION, factory, inferenceservice, modelcache
from .checks import EXTENSION
from .meta import CheckedModel, Model

Json = dict[str, Any]
_KEYWORDS = frozenset(
    "type description format default enum pattern minLength maxLength minimum maximum exclusiveMinimum "
    "exclusiveMaximum multipleOf items minItems maxItems properties required additionalProperties minProperties "
    f"maxProperties x-kubernetes-int-or-string x-kubernetes-list-type x-kubernetes-list-map-keys "
    f"{EXTENSION}".split()
)
_BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


class StructuralSchemaError(TypeError):
    """A model says something that a structural schema cannot express."""


class _Generator(GenerateJsonSchema):
    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """An optional field is absent, never null."""
        return self.generate_inner(schema["schema"])


def structural_schema(model: type[Model], defaults: bool = True) -> Json:
    """The OpenAPI v3 schema of `model` as a CustomResourceDefinition takes it.

    Args:
        model: its fields, by alias, become properties.
        defaults: whether the API server is to fill in defaults.

    Raises:
        StructuralSchemaError: names the field and the keyword that Kubernetes refuses.
    """
    # Serialization mode writes defaults as a user would: `500ms`, not seconds.
    raw = model.model_json_schema(mode="serialization", schema_generator=_Generator)
    return _Inliner(raw.pop("$defs", {}), defaults).node(raw, "", ())


class _Inliner:
    """Copies a JSON schema, replaces references by what they refer to, and keeps to structural keywords."""

    def __init__(self, definitions: Json, defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def node(self, schema: Json, path: str, parents: tuple[str, ...]) -> Json:
        if reference := schema.get("$ref"):
            name = reference.removeprefix("#/$defs/")
            if name in parents:
                raise StructuralSchemaError(f"{path}: {name} contains itself; a structural schema is finite")
            siblings = {key: value for key, value in schema.items() if key != "$ref"}
            return self.node(self._definitions[name] | siblings, path, (*parents, name))
        result: Json = {}
        for keyword, value in schema.items():
            result |= self._keyword(keyword, value, path, parents)
        return _with_default_told(result)

    def _keyword(self, keyword: str, value: Any, path: str, parents: tuple[str, ...]) -> Json:
        match keyword, value:
            case "title", _:
                return {}
            case "default", _:
                return {} if value is None or not self._defaults else {"default": without_nulls(value)}
            case "properties", _:
                return {
                    "properties": {name: self.node(each, f"{path}.{name}", parents) for name, each in value.items()}
                }
            case "items", dict():
                return {"items": self.node(value, f"{path}[]", parents)}
            case "additionalProperties", dict():
                return {"additionalProperties": self.node(value, f"{path}[*]", parents)}
            case "additionalProperties", True:
                raise StructuralSchemaError(f"{path}: fields of any shape may be nested deeper than can be read back")
            case (("exclusiveMinimum" | "exclusiveMaximum"), _):
                return {_BOUNDS[keyword]: value, keyword: True}
            case ("type", "null") | ("type", list()):
                raise StructuralSchemaError(f"{path}: a structural schema has no null and no list of types")
        if keyword not in _KEYWORDS:
            raise StructuralSchemaError(f"{path}: a structural schema has no {keyword!r}")
        return {keyword: value}


def _with_default_told(schema: Json) -> Json:
    """Descriptions are all that `kubectl explain` shows: it leaves out defaults."""
    default, description = schema.get("default"), schema.get("description", "")
    if not isinstance(default, str | int) or "default" in description.lower():
        return schema
    value = default if isinstance(default, str) else json.dumps(default)
    return schema | {"description": f"{description} Default {value}.".lstrip()}


def without_nulls(value: Any) -> Any:
    """Drop fields that are null, as the API server does."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def _column(name: str, path: str, kind: str = "string", wide: bool = False) -> Json:
    return {"name": name, "type": kind, "jsonPath": path} | ({"priority": 1} if wide else {})


@dataclass(frozen=True, slots=True)
class Definition:
    """A kind of ours; `model` has the fields spec and, if the operator tells anything of it, status."""

    kind: str
    plural: str
    short_name: str
    description: str
    model: type[CheckedModel]
    columns: tuple[Json, ...]
    namespaced: bool = True

    @property
    def has_status(self) -> bool:
        return "status" in self.model.model_fields


_READY = (
    _column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
    _column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
)
_AGE = _column("Age", ".metadata.creationTimestamp", "date")
INFERENCE_SERVICE = Definition(
    kind=inferenceservice.KIND,
    plural=inferenceservice.PLURAL,
    short_name="infsvc",
    description="A model, the engine that serves it, its GPUs, its objectives and its scaling.",
    model=inferenceservice.InferenceService,
    columns=(
        _column("Engine", ".spec.runtime.engine"),
        *_READY,
        _column("Replicas", ".status.replicas.ready", "integer"),
        _column("Desired", ".status.replicas.desired", "integer"),
        _column("SLO", ".status.sloAttainment"),
        _column("Tokens/s", ".status.throughput.outputTokensPerSecond"),
        _column("Cost/Mtok", ".status.cost.perMillionTokens"),
        _AGE,
        _column("URL", ".status.url", wide=True),
        _column("Model", ".spec.model.name", wide=True),
        _column("Tok/W", ".status.energy.tokensPerWatt", wide=True),
    ),
)
MODEL_CACHE = Definition(
    kind=modelcache.KIND,
    plural=modelcache.PLURAL,
    short_name="mc",
    description="The weights of a model, fetched once into a volume that services share.",
    model=modelcache.ModelCache,
    columns=(
        *_READY,
        _column("Size", ".status.size"),
        _column("Progress", ".status.progress.percent"),
        _column("Speed", ".status.progress.speed"),
        _AGE,
        _column("Left", ".status.progress.remaining", wide=True),
        _column("Source", ".status.source", wide=True),
        _column("Claim", ".status.claim", wide=True),
    ),
)
AI_FACTORY = Definition(
    kind=factory.KIND,
    plural=factory.PLURAL,
    short_name="aif",
    description="What all of a cluster has in common: mirrors for model caches, prices of GPUs. Its name is default.",
    model=factory.AIFactory,
    columns=(
        _column("HuggingFace", ".spec.mirrors.huggingFace"),
        _column("S3", ".spec.mirrors.s3"),
        _column("OCI", ".spec.mirrors.oci"),
        _column("NGC", ".spec.mirrors.ngc"),
        _AGE,
    ),
    namespaced=False,
)
DEFINITIONS = {definition.kind: definition for definition in (INFERENCE_SERVICE, MODEL_CACHE, AI_FACTORY)}


def object_schema(definition: Definition) -> Json:
    """The whole object as the API server checks it."""
    fields = definition.model.model_fields
    # Until the operator writes: generic tools take a status without observedGeneration for a settled one.
    unseen = {"default": {"observedGeneration": -1}}
    status = structural_schema(_class(fields["status"]), defaults=False) | unseen if definition.has_status else None
    return {
        "description": definition.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": structural_schema(_class(fields["spec"])),
            **({"status": status} if status else {}),
        },
        EXTENSION: [check.rule() for check in definition.model.checks],
    }


def _class(field: FieldInfo) -> type[Model]:
    if not isinstance(field.annotation, type) or not issubclass(field.annotation, Model):
        raise StructuralSchemaError(f"{field.annotation} is no model")
    return field.annotation


def crd(definition: Definition) -> Json:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{definition.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if definition.namespaced else "Cluster",
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                "shortNames": [definition.short_name],
                "categories": ["aifactory"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    **({"subresources": {"status": {}}} if definition.has_status else {}),
                    "additionalPrinterColumns": list(definition.columns),
                    "schema": {"openAPIV3Schema": object_schema(definition)},
                }
            ],
        },
    }


def crds() -> dict[str, Json]:
    """Every CustomResourceDefinition by its file name."""
    return {f"{GROUP}_{one.plural}.yaml": crd(one) for one in DEFINITIONS.values()}
