"""What a JSON Schema allows at a place of a document: the keys of a mapping, the words of a choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.words.spans import Path

_BRANCHES = ("anyOf", "oneOf", "allOf")


def keys_at(schema: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """The keys that any branch of the schema names for the mapping at ``path``."""
    return tuple(dict.fromkeys(key for part in _parts_at(schema, path) for key in part.get("properties", ())))


def words_at(schema: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """The texts that a choice (``enum``) at ``path`` is between."""
    found = (word for part in _parts_at(schema, path) for word in part.get("enum", ()))
    return tuple(dict.fromkeys(word for word in found if isinstance(word, str)))


def _parts_at(schema: Mapping[str, Any], path: Path) -> list[Mapping[str, Any]]:
    parts = list(_spread(schema, schema))
    for key in path:
        below = [child for part in parts for child in _children(part, key)]
        parts = [part for child in below for part in _spread(schema, child)]
    return parts


def _children(part: Mapping[str, Any], key: str | int) -> Iterator[Mapping[str, Any]]:
    if isinstance(key, int):
        child = part.get("items")
    else:
        child = part.get("properties", {}).get(key, part.get("additionalProperties"))
    if isinstance(child, Mapping):
        yield child


def _spread(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A part of the schema, what it refers to, and all of its branches."""
    yield part
    if isinstance(part.get("$ref"), str):
        yield from _spread(schema, schema["$defs"][part["$ref"].rpartition("/")[2]])
    for branch in (inner for name in _BRANCHES for inner in part.get(name, ())):
        yield from _spread(schema, branch)
