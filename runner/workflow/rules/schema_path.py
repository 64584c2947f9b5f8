"""Following a path into a JSON Schema: can a value that fits it have something there?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from runner.words.noun import noun
from runner.words.suggest import nearest

_MOST_BRANCHES = 64
_COMBINING = ("$ref", "allOf", "anyOf", "oneOf")


@noun
class Answer:
    """``yes``; ``maybe`` (neither named nor forbidden); ``no`` with ``reason`` in words.

    ``depth`` is how many parts of the path could be followed, ``near`` the most similar of the named properties.
    """

    verdict: Literal["yes", "maybe", "no"]
    depth: int = 0
    reason: str = ""
    near: str | None = None


_YES = Answer(verdict="yes")
_RANK = {"yes": 0, "maybe": 1, "no": 2}


def follow(schema: Any, path: tuple[str | int, ...]) -> Answer:
    """Whether a value that fits ``schema`` can have something at ``path``."""
    return _follow(schema, path, 0, schema)


def _follow(schema: Any, path: tuple[str | int, ...], depth: int, root: Any) -> Answer:
    if depth == len(path):
        return _YES
    answers = [_step_into(branch, path, depth, root) for branch in _branches(schema, root)]
    return min(answers, key=lambda answer: (_RANK[answer.verdict], -answer.depth), default=_YES)


def _branches(schema: Any, root: Any) -> list[Mapping[str, Any]]:
    """The ways in which a value can fit, each as one schema: references followed, ``allOf`` merged."""
    if not isinstance(schema, dict):
        return [{}]
    if not any(key in schema for key in _COMBINING):
        return [schema]
    found: list[Mapping[str, Any]] = []
    for branch in _alternatives(schema, root, 0):
        found.append(branch)
        if len(found) > _MOST_BRANCHES:
            return [{}]  # too many to judge: say nothing rather than something wrong
    return found


def _alternatives(schema: Any, root: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if not isinstance(schema, dict) or depth > 16:
        yield {}
        return
    own = {key: value for key, value in schema.items() if key not in _COMBINING}
    parts = [own] if own else []
    together = [*(schema.get("allOf") or ()), *([_resolve(schema["$ref"], root)] if "$ref" in schema else ())]
    choices = schema.get("anyOf") or schema.get("oneOf") or ()
    bases: list[Mapping[str, Any]] = [_merge(parts)]
    for part in together:
        bases = [_merge([base, more]) for base in bases for more in _alternatives(part, root, depth + 1)][
            :_MOST_BRANCHES
        ]
    if not choices:
        yield from bases
        return
    for choice in choices:
        for more in _alternatives(choice, root, depth + 1):
            yield from (_merge([base, more]) for base in bases)


def _merge(schemas: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One schema that asks for all of them, as far as paths go."""
    if len(schemas) == 1:
        return schemas[0]
    merged: dict[str, Any] = {}
    for schema in schemas:
        for key, value in schema.items():
            both = key in {"properties", "patternProperties"} and isinstance(merged.get(key), dict)
            merged[key] = {**merged[key], **value} if both else value
    return merged


def _resolve(reference: Any, root: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return {}
    value = root
    for part in reference[1:].strip("/").split("/") if reference != "#" else ():
        key = part.replace("~1", "/").replace("~0", "~")
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _step_into(schema: Mapping[str, Any], path: tuple[str | int, ...], depth: int, root: Any) -> Answer:
    key = path[depth]
    kinds = _kinds(schema)
    if isinstance(key, int) and "object" not in kinds:
        return _item(schema, kinds, path, depth, root)
    if "object" not in kinds:
        return Answer(verdict="no", depth=depth, reason=f"is {_words(kinds)}, which has no `{key}`")
    return _property(schema, str(key), path, depth, root)


def _property(schema: Mapping[str, Any], key: str, path: tuple[str | int, ...], depth: int, root: Any) -> Answer:
    named: Mapping[str, Any] = schema.get("properties") or {}
    if key in named:
        return _follow(named[key], path, depth + 1, root)
    for pattern, inner in (schema.get("patternProperties") or {}).items():
        if _matches(pattern, key):
            return _follow(inner, path, depth + 1, root)
    near = next(iter(nearest(key, named, 1)), None)
    rest = schema.get("additionalProperties", True)
    if rest is False:
        has = ", ".join(f"`{name}`" for name in list(named)[:8])
        return Answer(
            verdict="no", depth=depth, near=near, reason=f"has no `{key}` ({f'it has {has}' if has else 'it is empty'})"
        )
    if isinstance(rest, dict) and rest:
        return _follow(rest, path, depth + 1, root)
    return Answer(verdict="maybe", depth=depth, near=near)


def _item(
    schema: Mapping[str, Any], kinds: frozenset[str], path: tuple[str | int, ...], depth: int, root: Any
) -> Answer:
    if "string" in kinds:
        return _YES  # a character of a text
    if "array" not in kinds:
        return Answer(verdict="no", depth=depth, reason=f"is {_words(kinds)}, which has no items")
    index = path[depth]
    first = schema.get("prefixItems")
    if isinstance(first, list) and isinstance(index, int) and index < len(first):
        return _follow(first[index], path, depth + 1, root)
    if schema.get("items") is False:
        return Answer(verdict="no", depth=depth, reason=f"has no item {index}")
    return _follow(schema.get("items", {}), path, depth + 1, root)


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


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    if "const" in schema or "enum" in schema:
        return frozenset(_kind(value) for value in (schema.get("enum") or [schema.get("const")]))
    said = schema.get("type")
    if isinstance(said, str):
        return frozenset((said,))
    return frozenset(said) if isinstance(said, list) else _ALL


def _kind(value: Any) -> str:
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
