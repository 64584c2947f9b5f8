"""What a JSON Schema says of the values that fit it: their kinds, their parts, their items, the values themselves.

Everything here errs on one side: what is not understood may be anything. The schemas hold no ``$ref``: ``inlined``
takes them out. ``{}`` is what nothing is known of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.words.complaint import name_types
from runner.workflow.rules.schema_path import branches, inner_schema, kinds_of_branch, resolve

Kinds = frozenset[str]
"""Types of JSON Schema: ``string``, ``array`` …"""

ANYTHING: Mapping[str, Any] = {}
TEXT: Mapping[str, Any] = {"type": "string"}
BOOLEAN: Mapping[str, Any] = {"type": "boolean"}
INTEGER: Mapping[str, Any] = {"type": "integer"}
NUMBER: Mapping[str, Any] = {"type": "number"}
NULL: Mapping[str, Any] = {"type": "null"}
NUMBERS: Kinds = frozenset(("number", "integer", "boolean"))
"""Kinds that compare with each other: ``true`` is 1."""

_MOST_OPTIONS = 64
_MOST_INLINED = 5_000
_DATA = frozenset(("enum", "const", "default", "examples"))
_ORDER = ("string", "number", "integer", "boolean", "array", "object", "null")


def kinds(schema: Any) -> Kinds:
    """The kinds of the values that may fit."""
    return frozenset().union(*map(kinds_of_branch, branches(schema)))


def kind_words(schema: Any) -> str:
    """``a text or a list``; null is left out where anything else is possible."""
    found = kinds(schema)
    named = [kind for kind in _ORDER if kind in found and (kind != "null" or len(found) == 1)]
    return name_types([kind for kind in named if not (kind == "integer" and "number" in named)])


def known_values(schema: Any) -> tuple[Any, ...] | None:
    """All values that fit, without null; None if they are not written down."""
    found: list[Any] = []
    for branch in branches(schema):
        values = branch_values(branch)
        if values is None:
            return None
        found += [value for value in values if value is not None and value not in found]
    return tuple(found)


def branch_values(branch: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The values of one way to fit; None if they are not written down."""
    if "enum" in branch:
        return tuple(branch["enum"]) if isinstance(branch["enum"], list | tuple) else None
    if "const" in branch:
        return (branch["const"],)
    return {frozenset(("null",)): (None,), frozenset(("boolean",)): (True, False)}.get(kinds_of_branch(branch))


def union(schemas: Iterable[Any]) -> Mapping[str, Any]:
    """What fits one of them."""
    words: dict[tuple[type, Any], Any] = {}
    options: list[Mapping[str, Any]] = []
    for schema in schemas:
        for option in schema["anyOf"] if isinstance(schema, dict) and schema.keys() == {"anyOf"} else (schema,):
            if not isinstance(option, Mapping) or not option or len(options) > _MOST_OPTIONS:
                return ANYTHING
            values = _words(option)
            if values is not None:
                words.update(((type(value), value), value) for value in values)
            elif option not in options:
                options.append(option)
    if words:
        options.append({"enum": list(words.values())})
    return options[0] if len(options) == 1 else {"anyOf": options} if options else ANYTHING


def _words(option: Mapping[str, Any]) -> Sequence[Any] | None:
    """The values of an option that is nothing but a list of plain ones."""
    if option.keys() == {"const"}:
        values: Sequence[Any] = [option["const"]]
    elif option.keys() == {"enum"} and isinstance(option["enum"], list):
        values = option["enum"]
    else:
        return None
    return None if any(isinstance(value, dict | list) for value in values) else values


def literal(value: Any) -> Mapping[str, Any]:
    """The schema of a value that is written out."""
    if isinstance(value, Mapping):
        return object_of({key: literal(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return list_of(union(literal(item) for item in value))
    return {"const": value}


def list_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """A list of such items."""
    return {"type": "array", "items": item} if item else {"type": "array"}


def object_of(parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A mapping that has these keys and no others."""
    return {"type": "object", "properties": dict(parts), "required": list(parts), "additionalProperties": False}


def part(schema: Any, path: Sequence[str | int]) -> Mapping[str, Any]:
    """What stands at the end of a path; ``{}`` as well if nothing can stand there."""
    for key in path:
        found = [inner_schema(branch, key) for branch in branches(schema)]
        schema = union(one for one in found if one is not None)
    return schema if isinstance(schema, Mapping) else ANYTHING


def item_of(schema: Any) -> Mapping[str, Any]:
    """The items of the lists that fit, the characters of the texts."""
    return union(item for branch in branches(schema) for item in _items(branch))


def _items(branch: Mapping[str, Any]) -> Iterable[Any]:
    found = kinds_of_branch(branch)
    if "string" in found or "object" in found:
        yield TEXT
    if "array" in found:
        first = branch.get("prefixItems")
        yield from first if isinstance(first, list) else ()
        if branch.get("items") is not False:
            yield branch.get("items", ANYTHING)


def list_items(schema: Any) -> Mapping[str, Any]:
    """The items of the lists that fit, whatever else may fit."""
    return union(
        item
        for branch in branches(schema)
        if "array" in kinds_of_branch(branch)
        for item in _items({**branch, "type": "array"})
    )


def can_be_equal(one: Any, other: Any) -> bool:
    """Whether a value of the one may be equal to a value of the other."""
    return any(_meet(some, more) for some in branches(one) for more in branches(other))


def _meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    mine, yours = branch_values(one), branch_values(other)
    if mine is not None and yours is not None:
        return any(value in yours for value in mine)
    return not comparable(kinds_of_branch(one)).isdisjoint(comparable(kinds_of_branch(other)))


def comparable(found: Kinds) -> Kinds:
    """The kinds with every number and boolean taken as one."""
    return frozenset("number" if kind in NUMBERS else kind for kind in found)


def inlined(schema: Any) -> Any:
    """The schema with what its references lead to in their place; where one leads back into itself, anything."""
    return _Inlining(schema).of(schema, ()) if _refers(schema) else schema


def _refers(schema: Any) -> bool:
    todo = [schema]
    while todo:
        held = todo.pop()
        if isinstance(held, dict):
            if "$ref" in held:
                return True
            todo.extend(value for key, value in held.items() if key not in _DATA)
        elif isinstance(held, list):
            todo.extend(held)
    return False


class _Inlining:
    __slots__ = ("left", "root")

    def __init__(self, root: Any) -> None:
        self.root = root
        self.left = _MOST_INLINED

    def of(self, held: Any, inside: tuple[str, ...]) -> Any:
        self.left -= 1
        if self.left < 0:
            return {}
        if isinstance(held, list):
            return [self.of(item, inside) for item in held]
        if not isinstance(held, dict):
            return held
        target = held.get("$ref")
        rest = {
            key: value if key in _DATA else self.of(value, inside)
            for key, value in held.items()
            if key != "$defs" and not (key == "$ref" and isinstance(value, str))
        }
        if not isinstance(target, str):
            return rest
        found = {} if target in inside else self.of(resolve(target, self.root), (*inside, target))
        return {"allOf": [found, rest]} if rest else found
