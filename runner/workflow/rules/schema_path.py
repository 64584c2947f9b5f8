"""Following a path into a JSON Schema: can a value that fits it have something there?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from runner.words.noun import noun
from runner.words.suggest import nearest

_MOST_BRANCHES = 64
_DEEPEST = 64  # schemas within a schema, references among them
_ANYTHING: Mapping[str, Any] = {}
_COMBINING = ("$ref", "allOf", "anyOf", "oneOf")


@noun
class Answer:
    """``yes``; ``maybe`` (neither named nor forbidden); ``no`` with ``reason`` in words.

    ``depth`` is how many parts of the path could be followed, ``near`` the most similar of the named properties;
    ``kinds`` are those of a value that is no mapping, and of which a property is read.
    """

    verdict: Literal["yes", "maybe", "no"]
    depth: int = 0
    reason: str = ""
    near: str | None = None
    kinds: frozenset[str] = frozenset()


_YES = Answer(verdict="yes")
_RANK = {"yes": 0, "maybe": 1, "no": 2}


def _merit(answer: Answer) -> tuple[int, int, bool]:
    """Of several ways the one that leads farthest, or at least knows what was meant."""
    return _RANK[answer.verdict], -answer.depth, answer.near is None


def follow(schema: Any, path: tuple[str | int, ...]) -> Answer:
    """Whether a value that fits ``schema`` can have something at ``path``."""
    return _Walk(schema, path).follow(schema, 0)


def branches(schema: Any) -> Sequence[Mapping[str, Any]]:
    """The ways in which a value can fit, each as one schema without ``$ref``, ``allOf``, ``anyOf``, ``oneOf``."""
    return _Walk(schema, ()).branches(schema, 0)


def inner_schema(branch: Mapping[str, Any], key: str | int) -> Any:
    """The schema of what stands at ``key`` in a value that fits a branch; None if nothing can."""
    kinds = kinds_of_branch(branch)
    if isinstance(key, int) and not kinds.isdisjoint(("array", "string")) and "object" not in kinds:
        return _inner_item(branch, kinds, key)
    if "object" not in kinds:
        return None
    if kinds == _ALL:
        return _ANYTHING
    named = branch.get("properties") or {}
    patterns = (
        inner for pattern, inner in (branch.get("patternProperties") or {}).items() if _matches(pattern, str(key))
    )
    found = named.get(key, next(patterns, branch.get("additionalProperties", _ANYTHING)))
    return None if found is False else found


def _inner_item(branch: Mapping[str, Any], kinds: frozenset[str], index: int) -> Any:
    if "string" in kinds:
        return {"type": "string"} if "array" not in kinds else _ANYTHING
    first = branch.get("prefixItems")
    if isinstance(first, list) and index < len(first):
        return first[index]
    found = branch.get("items", _ANYTHING)
    return None if found is False else found


class _Walk:
    """One path through one schema. What was found out is kept: alternatives that refer to each other multiply."""

    __slots__ = ("answers", "known", "path", "root")

    def __init__(self, root: Any, path: tuple[str | int, ...]) -> None:
        self.root = root
        self.path = path
        self.answers: dict[tuple[int, int], Answer] = {}
        """By the identity of a part of ``root`` (all of them live as long as it does), and the depth in the path."""
        self.known: dict[int, list[Mapping[str, Any]]] = {}

    def follow(self, schema: Any, depth: int) -> Answer:
        """Whether a value that fits ``schema`` can have what is left of the path from ``depth`` on."""
        if depth == len(self.path):
            return _YES
        place = (id(schema), depth)
        if place not in self.answers:
            found = [self._step_into(branch, depth) for branch in self.branches(schema, 0)]
            self.answers[place] = min(found, key=_merit, default=_YES)
        return self.answers[place]

    def branches(self, schema: Any, nested: int) -> list[Mapping[str, Any]]:
        """As the function of that name."""
        if not isinstance(schema, dict) or nested > _DEEPEST:
            return [_ANYTHING]
        if not any(key in schema for key in _COMBINING):
            return [schema]
        if id(schema) not in self.known:
            self.known[id(schema)] = [_ANYTHING]  # what a schema that holds itself learns from itself
            self.known[id(schema)] = self._combined(schema, nested + 1)
        return self.known[id(schema)]

    def _combined(self, schema: Mapping[str, Any], nested: int) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = [{key: value for key, value in schema.items() if key not in _COMBINING}]
        together = list(schema.get("allOf") or ())
        if "$ref" in schema:
            together.append(resolve(schema["$ref"], self.root))
        for part in together:
            found = _each_with_each(found, self.branches(part, nested))
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            found = _each_with_each(found, [one for choice in choices for one in self.branches(choice, nested)])
        return found

    def _step_into(self, schema: Mapping[str, Any], depth: int) -> Answer:
        key = self.path[depth]
        kinds = kinds_of_branch(schema)
        if isinstance(key, int) and "object" not in kinds:
            return self._item(schema, kinds, key, depth)
        if "object" not in kinds:
            reason = f"is {_words(kinds)}, which has no `{key}`"
            return Answer(verdict="no", depth=depth, reason=reason, kinds=kinds)
        return self._property(schema, str(key), depth)

    def _property(self, schema: Mapping[str, Any], key: str, depth: int) -> Answer:
        named: Mapping[str, Any] = schema.get("properties") or {}
        if key in named:
            return self.follow(named[key], depth + 1)
        for pattern, inner in (schema.get("patternProperties") or {}).items():
            if _matches(pattern, key):
                return self.follow(inner, depth + 1)
        near = next(iter(nearest(key, named, 1)), None)
        rest = schema.get("additionalProperties", True)
        if rest is False:
            has = ", ".join(f"`{name}`" for name in list(named)[:8])
            reason = f"has no `{key}` ({f'it has {has}' if has else 'it is empty'})"
            return Answer(verdict="no", depth=depth, near=near, reason=reason)
        if isinstance(rest, dict) and rest:
            return self.follow(rest, depth + 1)
        return Answer(verdict="maybe", depth=depth, near=near)

    def _item(self, schema: Mapping[str, Any], kinds: frozenset[str], index: int, depth: int) -> Answer:
        if "string" in kinds:
            return _YES  # a character of a text
        if "array" not in kinds:
            return Answer(verdict="no", depth=depth, reason=f"is {_words(kinds)}, which has no items")
        first = schema.get("prefixItems")
        if isinstance(first, list) and index < len(first):
            return self.follow(first[index], depth + 1)
        if schema.get("items") is False:
            return Answer(verdict="no", depth=depth, reason=f"has no item {index}")
        return self.follow(schema.get("items", _ANYTHING), depth + 1)


def _each_with_each(some: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if len(some) * len(others) > _MOST_BRANCHES:
        return [_ANYTHING]  # too many to judge: say nothing rather than something wrong
    return [_merge((one, other)) for one in some for other in others]


def _merge(schemas: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One schema that asks for all of them, as far as paths go."""
    merged: dict[str, Any] = {}
    for schema in schemas:
        for key, value in schema.items():
            both = key in {"properties", "patternProperties"} and isinstance(merged.get(key), dict)
            merged[key] = {**merged[key], **value} if both else value
    return merged


def resolve(reference: Any, root: Any) -> Any:
    """What a local ``$ref`` leads to; ``{}`` for one that leads out of the schema, None where there is nothing."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return {}
    value = root
    for part in reference[1:].strip("/").split("/") if reference != "#" else ():
        key = part.replace("~1", "/").replace("~0", "~")
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _matches(pattern: str, key: str) -> bool:
    try:
        return re.search(pattern, key) is not None
    except re.error:
        return True


_ALL = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
_NOUNS = {
    "array": "a list", "string": "a text", "number": "a number", "integer": "a whole number", "boolean": "a boolean",
    "null": "null",
}  # fmt: skip


def kinds_of_branch(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types of the values that fit one way to fit."""
    if "const" in schema or "enum" in schema:
        return frozenset(kind_of(value) for value in (schema.get("enum") or [schema.get("const")]))
    said = schema.get("type")
    if isinstance(said, str):
        return frozenset((said,))
    return frozenset(said) if isinstance(said, list) else _ALL


def kind_of(value: Any) -> str:
    """The type of a value, in the words of JSON Schema."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((dict, "object"), (list, "array"), (str, "string"), (int, "integer")):
        if isinstance(value, kind):
            return name
    return "number"


def _words(kinds: frozenset[str]) -> str:
    nouns = [_NOUNS[kind] for kind in _NOUNS if kind in kinds and (kind != "null" or len(kinds) == 1)]
    return " or ".join(nouns) or "a value"
