"""From what a model wrote as arguments to what a tool gets: parsed, gently coerced, judged by the tool's schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.words.json_text import read_json
from runner.words.schemas import complaints
from runner.words.spans import show_path


def read_arguments(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the tool's own schema wants them.

    Small models write numbers, booleans and lists as text, and null where they mean "not given"; what the schema
    plainly asks for is made of them, everything else is left as it came and judged.

    Raises:
        ValueError: not a JSON object, or it breaks the schema; the message is fit for the model that wrote it.
    """
    arguments = _parse(text)
    coerced = {
        name: _coerce(value, _property(schema, name))
        for name, value in arguments.items()
        if not (value is None and _droppable(schema, name))
    }
    found = complaints(schema, coerced)
    if found:
        lines = [f"- {show_path(c.path) or 'arguments'}: {c.message}" for c in found[:10]]
        raise ValueError("the arguments do not fit the tool:\n" + "\n".join(lines))
    return coerced


def typed(value: str, schema: Mapping[str, Any], name: str) -> Any:
    """A value that was written without a type, as the tool's schema wants the argument of that name."""
    return _coerce(value, _property(schema, name))


def _parse(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        value = read_json(text)
        if isinstance(value, str):  # JSON inside JSON, a common slip
            value = read_json(value) if value.strip() else {}
    except ValueError as error:
        raise ValueError(f"the arguments are not valid JSON: {error}") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"the arguments must be a JSON object, not {type(value).__name__}")  # noqa: TRY004  one kind
    return value


def _property(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    properties = schema.get("properties")
    found = properties.get(name) if isinstance(properties, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that a property admits; of ``anyOf`` branches all together; empty = anything."""
    declared = schema.get("type")
    if isinstance(declared, str):
        return frozenset((declared,))
    if isinstance(declared, list):
        return frozenset(t for t in declared if isinstance(t, str))
    branches = schema.get("anyOf") or schema.get("oneOf") or ()
    found: set[str] = set()
    for branch in branches:
        types = _types(branch) if isinstance(branch, Mapping) else frozenset()
        if not types:
            return frozenset()
        found |= types
    return frozenset(found)


def _droppable(schema: Mapping[str, Any], name: str) -> bool:
    """Whether a null for this property means that it was left out."""
    types = _types(_property(schema, name))
    return bool(types) and "null" not in types and name not in (schema.get("required") or ())


def _coerce(value: Any, schema: Mapping[str, Any]) -> Any:
    types = _types(schema)
    if not types:
        return value
    if isinstance(value, str) and "string" not in types:
        value = _from_text(value.strip(), types, value)
        if isinstance(value, str):
            return value
    if isinstance(value, float) and value.is_integer() and "integer" in types and "number" not in types:
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and types == {"string"}:
        return json.dumps(value)
    if types == {"array"} and not isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [value] if _fits(value, _types(schema["items"])) else value
    return value


def _from_text(text: str, types: frozenset[str], original: Any) -> Any:
    """A text as one of the wanted types, if it plainly is one."""
    try:
        value = read_json(text)
    except ValueError:
        lowered = text.casefold()
        if "boolean" in types and lowered in ("true", "false"):
            return lowered == "true"
        return [original] if types == {"array"} and not text.startswith(("[", "{")) else original
    return value if _fits(value, types) else original


def _fits(value: Any, types: frozenset[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    if isinstance(value, int):
        return bool(types & {"integer", "number"})
    if isinstance(value, float):
        return "number" in types or ("integer" in types and value.is_integer())
    if value is None:
        return "null" in types
    name = "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
    return name in types
