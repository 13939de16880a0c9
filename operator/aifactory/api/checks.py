"""Rules told twice: in CEL for the API server, in Python for everything that reads objects offline."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.alias_generators import to_snake
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

EXTENSION = "x-kubernetes-validations"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Check:
    """A rule on one value. As `Annotated` metadata it is about a field; in `CheckedModel.checks` about all of it.

    Args:
        cel: CEL expression on `self`, true when the value is good. It sees the object after defaulting.
        holds: the same in Python, on the parsed value.
        message: what must be so, for people.
        field: where below the value the error is shown, such as `runtime.args`.
        told: what to say of a value that is not good in place of the message, which does not know the value.
        told_cel: the same in CEL.
        admission: an object that is stored already goes on although the rule, which came later, does not hold for it.
    """

    cel: str
    holds: Callable[[Any], bool]
    message: str
    field: str = ""
    told: Callable[[Any], str] | None = None
    told_cel: str = ""
    admission: bool = False

    def problem(self, value: Any) -> InitErrorDetails | None:
        """The error for `value`, or None when the rule holds."""
        if self.holds(value):
            return None
        message = self.told(value) if self.told else self.message
        error = PydanticCustomError("rule", "{message}", {"message": message, "rule": self.message})
        return InitErrorDetails(type=error, loc=tuple(self.field.split(".")) if self.field else (), input=value)

    def rule(self) -> dict[str, str]:
        """The rule as an entry of `x-kubernetes-validations`."""
        told = {"messageExpression": self.told_cel} if self.told_cel else {}
        rule = {"rule": self.cel, "message": self.message} | told
        return rule | {"fieldPath": f".{self.field}"} if self.field else rule

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(lambda value: verify(value, (self,)), handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        schema.setdefault(EXTENSION, []).append(self.rule())
        return schema


@dataclass(frozen=True, slots=True)
class Unique:
    """`Annotated` metadata of a list whose items differ, in the field `key` or, without one, as a whole.

    Server-side apply then merges the list item by item.
    """

    key: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._verify, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kind = {"x-kubernetes-list-type": "map" if self.key else "set"}
        return handler(core) | kind | ({"x-kubernetes-list-map-keys": [self.key]} if self.key else {})

    def _verify(self, items: list[Any]) -> list[Any]:
        names = [getattr(item, self.key) if self.key else item for item in items]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"items must differ{self.key and f' in {self.key}'}; {repeated[0]!r} is there twice")
        return items


_attribute = cache(to_snake)


def at(spec: Any, path: str) -> Any:
    """The value at a path of field names, None where one on the way is absent."""
    return reduce(lambda value, name: value and getattr(value, _attribute(name)), path.split("."), spec)


def has(path: str) -> str:
    """CEL for: the field at a path below `self`, and all optional ones on the way to it, are there."""
    names = path.split(".")
    return " && ".join(f"has(self.{'.'.join(names[:length])})" for length in range(2, len(names) + 1))


FLAG = "a.split('=')[0].replace('_', '-')"
"""CEL for `flag` of `a`."""


def flag(word: str) -> str:
    """What a word of a command line is about, as an engine reads it: without its value, `_` the same as `-`."""
    return word.split("=")[0].replace("_", "-")


def count_set(*values: object) -> int:
    """How many of `values` are there."""
    return sum(value is not None for value in values)


def all_different(values: Iterable[object]) -> bool:
    """Whether no value comes twice."""
    seen = list(values)
    return len(set(seen)) == len(seen)


def verify(value: T, checks: tuple[Check, ...]) -> T:
    """Return `value` if every check holds.

    Raises:
        pydantic.ValidationError: names each check that does not.
    """
    problems = [problem for check in checks if (problem := check.problem(value))]
    if problems:
        raise ValidationError.from_exception_data(type(value).__name__, problems)
    return value
