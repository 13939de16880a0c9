"""The CRD that the models turn into."""

from collections.abc import Iterator
from typing import Any

import pytest
from aifactory.api.meta import Model
from aifactory.api.schema import (
    AI_FACTORY,
    INFERENCE_SERVICE,
    MODEL_CACHE,
    StructuralSchemaError,
    object_schema,
    structural_schema,
)
from aifactory.api.spec import InferenceServiceSpec
from pydantic import Field

SPEC = object_schema(INFERENCE_SERVICE)["properties"]["spec"]
STATUS = object_schema(INFERENCE_SERVICE)["properties"]["status"]
CACHE_SPEC = object_schema(MODEL_CACHE)["properties"]["spec"]
FACTORY_SPEC = object_schema(AI_FACTORY)["properties"]["spec"]
CACHE_STATUS = object_schema(MODEL_CACHE)["properties"]["status"]


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if word in schema:
            yield from nodes(schema[word], f"{path}[]")


def has_bound(schema: dict[str, Any]) -> bool:
    match schema.get("type"):
        case "boolean":
            return True
        case "string":
            return "maxLength" in schema or "enum" in schema
        case "array":
            return "maxItems" in schema
        case "object":
            return "properties" in schema or "maxProperties" in schema
        case "integer":
            return "minimum" in schema and "maximum" in schema
    return "maxLength" in schema


@pytest.mark.parametrize("spec", [SPEC, CACHE_SPEC, FACTORY_SPEC])
def test_every_list_map_and_string_of_the_spec_has_a_bound_so_that_rules_stay_cheap(spec: dict[str, Any]) -> None:
    assert [path for path, schema in nodes(spec, "spec") if not has_bound(schema)] == []


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (SPEC, "spec"),
        (STATUS, "status"),
        (CACHE_SPEC, "spec"),
        (CACHE_STATUS, "status"),
        (FACTORY_SPEC, "spec"),
    ],
)
def test_every_field_has_a_description(schema: dict[str, Any], name: str) -> None:
    assert [path for path, node in nodes(schema, name) if "[]" not in path and not node.get("description")] == []


def test_every_rule_has_a_message() -> None:
    rules = [
        rule
        for _, schema in nodes(object_schema(INFERENCE_SERVICE), "")
        for rule in schema.get("x-kubernetes-validations", [])
    ]
    assert len(rules) > 20
    assert all(rule["message"] for rule in rules)


def test_defaults_are_written_as_a_user_would() -> None:
    behavior = SPEC["properties"]["scaling"]["properties"]["behavior"]
    assert behavior["default"]["averagingWindow"] == "45s"
    assert behavior["default"]["scaleDown"] == {
        "threshold": "60%",
        "stabilizationWindow": "2m30s",
        "maxPercent": 50,
        "maxReplicas": 1,
        "period": "1m",
    }
    assert SPEC["properties"]["slo"]["default"] == {"workload": "interactive", "attainment": "99%"}


@pytest.mark.parametrize("spec", [SPEC, CACHE_SPEC, FACTORY_SPEC])
def test_descriptions_tell_defaults_as_kubectl_explain_shows_nothing_else(spec: dict[str, Any]) -> None:
    plain = [(path, node) for path, node in nodes(spec, "spec") if isinstance(node.get("default"), str | int)]
    assert [path for path, node in plain if "efault" not in node["description"]] == []


class Defaulted(Model):
    share: str = Field(default="99%", description="How many.")
    hidden: bool = Field(default=False, description="Whether.")
    told: int = Field(default=3, description="Default 3 where there is room.")


def test_a_default_is_told_once_as_a_user_would_write_it() -> None:
    told = structural_schema(Defaulted)["properties"]
    assert told["share"]["description"] == "How many. Default 99%."
    assert told["hidden"]["description"] == "Whether. Default false."
    assert told["told"]["description"] == "Default 3 where there is room."


@pytest.mark.parametrize("status", [STATUS, CACHE_STATUS])
def test_a_new_object_says_that_nobody_looked_at_it_yet(status: dict[str, Any]) -> None:
    assert status["default"] == {"observedGeneration": -1}


def test_the_api_server_fills_in_nothing_else_in_the_status() -> None:
    assert [path for path, schema in nodes(STATUS, "status") if "default" in schema] == ["status"]


def test_conditions_merge_by_type() -> None:
    conditions = STATUS["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


def test_the_smallest_spec_needs_a_model_and_an_engine_only() -> None:
    assert SPEC["required"] == ["model", "runtime"]
    assert SPEC["properties"]["model"]["required"] == ["name"]
    assert SPEC["properties"]["runtime"]["required"] == ["engine"]


class Tree(Model):
    children: list["Tree"] = Field(default=[])


class Untagged(Model):
    value: int | str


class Pair(Model):
    both: tuple[int, str]


class Shapeless(Model):
    extra: dict[str, Any]


class Distinct(Model):
    names: set[str]


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Tree, r"\.children\[\]: Tree contains itself"),
        (Untagged, r"\.value: a structural schema has no 'anyOf'"),
        (Pair, r"\.both: a structural schema has no 'prefixItems'"),
        (Shapeless, r"\.extra: fields of any shape may be nested"),
        (Distinct, r"\.names: a structural schema has no 'uniqueItems'"),
    ],
)
def test_what_kubernetes_refuses_is_refused_with_its_path(model: type[Model], says: str) -> None:
    with pytest.raises(StructuralSchemaError, match=says):
        structural_schema(model)


class Ratio(Model):
    value: float = Field(gt=0)
    note: str | None = None


def test_what_kubernetes_says_otherwise_is_rewritten() -> None:
    properties = structural_schema(Ratio)["properties"]
    assert properties["value"] == {"type": "number", "minimum": 0.0, "exclusiveMinimum": True}
    assert properties["note"] == {"type": "string"}


def test_a_spec_read_back_from_its_own_dump_is_the_same() -> None:
    spec = InferenceServiceSpec.model_validate(
        {"model": {"name": "m"}, "runtime": {"engine": "nim"}, "scaling": {"maxReplicas": 3}}
    )
    dumped = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert InferenceServiceSpec.model_validate(dumped) == spec
