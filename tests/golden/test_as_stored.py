"""Children are spelled as the API server stores them, so that an unchanged service is never written again."""

import re
from collections.abc import Iterator
from typing import Any

from aifactory.render.quantity import canonical

# Where an empty object has a meaning of its own: a scratch volume, a selector of everything.
MEANINGFUL_WHEN_EMPTY = {"emptyDir", "labelSelector"}


def walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    yield key, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from walk(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item, key)


def test_nothing_is_empty(every):
    for key, value in walk(list(every.children)):
        assert value is not None, key
        assert value not in ([], {}) or key in MEANINGFUL_WHEN_EMPTY, key


def test_only_plain_values(every):
    for key, value in walk(list(every.children)):
        assert type(value) in (dict, list, str, int, bool), f"{key}: {value!r}"


def test_every_quantity_is_canonical(case):
    resources = case.container.get("resources", {})
    limits = [volume["emptyDir"].get("sizeLimit", "0") for volume in case.pod["volumes"] if "emptyDir" in volume]
    wanted = [amount for kind in ("requests", "limits") for amount in resources.get(kind, {}).values()]
    for text in [*wanted, *limits]:
        assert text == canonical(text)


def test_names_that_must_be_unique_are(case):
    for path in (case.container["env"], case.pod["volumes"], case.container["ports"]):
        names = [item["name"] for item in path]
        assert len(names) == len(set(names))
    paths = [mount["mountPath"] for mount in case.container["volumeMounts"]]
    assert len(paths) == len(set(paths))
    assert {mount["name"] for mount in case.container["volumeMounts"]} == {item["name"] for item in case.pod["volumes"]}


def test_names_are_dns_labels(every):
    for child in every.children:
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", child["metadata"]["name"])
