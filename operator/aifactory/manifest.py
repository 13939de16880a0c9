"""YAML manifests as documents that know on which line each field stands."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer

Location = tuple[str | int, ...]
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
# A document whose anchors make it longer by more values than these is no manifest but an attack, or a mistake.
_MOST_REPEATED = 100_000


class ManifestError(ValueError):
    """Text that is not a YAML manifest; the message begins with source and line."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a manifest.

    Attributes:
        source: name of the file, or `-`.
        data: the object as plain values.
        node: the YAML that it was read from.
    """

    source: str
    data: dict[str, Any]
    node: yaml.Node

    def line(self, location: Location) -> int:
        """The line, from 1, of the field at `location`, or of the nearest one around it that exists."""
        node, line = self.node, self.node.start_mark.line
        for step in location:
            children = dict(_children(node))
            if step not in children:
                break
            key, node = children[step]
            line = key.start_mark.line
        return line + 1


def read_manifest(name: str) -> Iterator[Document]:
    """The objects in a file, or on stdin where the name is `-`; as `read_documents`, and for files that cannot be read.

    Raises:
        ManifestError: if it cannot be read, or is no manifest.
    """
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text()
    except OSError as error:
        raise ManifestError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{name}: not UTF-8 text: {error}") from error
    return read_documents(name, text)


def read_documents(source: str, text: str) -> Iterator[Document]:
    """The objects of a manifest, those inside a `List` one by one; empty documents are left out.

    Raises:
        ManifestError: if the text is not YAML, gives a key twice, repeats anchors without end, or holds anything but
            objects.
    """
    try:
        for node in _composed(text):
            yield from _documents(source, node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}" if mark else source
        raise ManifestError(f"{place}: not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ManifestError(f"{source}:{line}: not text: the character U+{error.character:04X} is in it") from error
    except RecursionError as error:
        raise ManifestError(f"{source}: nested too deeply, or an anchor that contains itself") from error


def _composed(text: str) -> list[yaml.Node]:
    """By libyaml. What that refuses PyYAML reads by itself, which takes longer but says better what is wrong.

    Raises:
        YAMLError: if the text is not YAML.
    """
    try:
        return list(yaml.compose_all(text, _Composer))
    except (yaml.YAMLError, UnicodeEncodeError):
        return list(yaml.compose_all(text, yaml.SafeLoader))


def _documents(source: str, node: yaml.Node) -> Iterator[Document]:
    _check(source, node)
    children = dict(_children(node))
    if "kind" in children and children["kind"][1].value == "List" and "items" in children:
        for _, (_, item) in _children(children["items"][1]):
            yield from _documents(source, item)
        return
    data = _construct(node)
    if isinstance(data, dict):
        yield Document(source, data, node)
    elif data is not None:
        raise ManifestError(f"{source}:{node.start_mark.line + 1}: not an object; begin with apiVersion and kind")


def _construct(node: yaml.Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Composer(Composer, yaml.CSafeLoader):
    """What libyaml reads, made into nodes in Python: its own way ends the process where they are nested too deeply."""

    def __init__(self, stream: str) -> None:
        yaml.CSafeLoader.__init__(self, stream)
        Composer.__init__(self)


class _Loader(yaml.SafeLoader):
    """Keys are as they are written, as all keys of our objects are words; values that cannot be have a line."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep) for key, value in node.value}

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error

    def construct_number(self, node: yaml.ScalarNode) -> Any:
        """As kubectl, which knows no numbers of base 60: `20:00` is a time of day."""
        if ":" in node.value:
            return node.value
        return self.construct_yaml_int(node) if node.tag == _INT else self.construct_yaml_float(node)


for _tag in (_INT, _FLOAT):
    _Loader.add_constructor(_tag, _Loader.construct_number)


def _children(node: yaml.Node) -> Iterator[tuple[str | int, tuple[yaml.Node, yaml.Node]]]:
    """Key or index of each child, with the node that shows its line and the node of its value."""
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value, (key, value)) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from ((index, (item, item)) for index, item in enumerate(node.value))


def _check(source: str, document: yaml.Node) -> None:
    known: set[int] = set()
    repeated = 0

    def look(node: yaml.Node) -> None:
        nonlocal repeated
        repeated += id(node) in known
        if repeated > _MOST_REPEATED:
            line = document.start_mark.line + 1
            raise ManifestError(f"{source}:{line}: its anchors repeat more than {_MOST_REPEATED:,} values")
        known.add(id(node))
        seen: set[str | int] = set()
        for name, (key, value) in _children(node):
            if not isinstance(name, str | int):
                raise ManifestError(f"{source}:{key.start_mark.line + 1}: a key must be a word")
            if name in seen:
                raise ManifestError(f"{source}:{key.start_mark.line + 1}: the key {name!r} is given twice; keep one")
            seen.add(name)
            look(value)

    look(document)
