"""YAML manifests as documents that know on which line each field stands."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]


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
        ManifestError: if the text is not YAML, gives a key twice, or holds anything but objects.
    """
    try:
        for node in yaml.compose_all(text, yaml.SafeLoader):
            yield from _documents(source, node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}" if mark else source
        raise ManifestError(f"{place}: not YAML: {error.problem}") from error
    except RecursionError as error:
        raise ManifestError(f"{source}: nested too deeply, or an anchor that contains itself") from error


def _documents(source: str, node: yaml.Node) -> Iterator[Document]:
    _refuse_duplicates(source, node)
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
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _children(node: yaml.Node) -> Iterator[tuple[str | int, tuple[yaml.Node, yaml.Node]]]:
    """Key or index of each child, with the node that shows its line and the node of its value."""
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value, (key, value)) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from ((index, (item, item)) for index, item in enumerate(node.value))


def _refuse_duplicates(source: str, node: yaml.Node) -> None:
    seen: set[str | int] = set()
    for name, (key, value) in _children(node):
        if not isinstance(name, str | int):
            raise ManifestError(f"{source}:{key.start_mark.line + 1}: a key must be a word")
        if name in seen:
            raise ManifestError(f"{source}:{key.start_mark.line + 1}: the key {name!r} is given twice; keep one")
        seen.add(name)
        _refuse_duplicates(source, value)
