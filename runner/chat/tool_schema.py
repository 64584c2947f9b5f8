"""Tool schemas as local servers can take them.

Servers built on llama.cpp compile the schemas of all offered tools into one grammar; a single pattern, format or large
length in any of them makes the whole request fail ("failed to parse grammar"). So models see a reduced schema, with the
lost hints kept as words; arguments are still judged by the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DROPPED = frozenset(
    ("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "default", "examples", "pattern",
     "format", "minLength", "maxLength", "readOnly", "writeOnly", "deprecated", "contentMediaType", "contentEncoding")
)  # fmt: skip
_KEPT_IN_MINIMAL = ("type", "description", "enum")
_MAX_DEPTH = 12
_SUBSCHEMAS = ("properties", "patternProperties", "dependentSchemas")


def offered_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The reduced schema: an object with ``properties``, local references inlined, nothing a grammar chokes on.

    Recursive references end in ``{}`` (anything) after twelve levels.
    """
    reduced = _reduce(schema, schema, 0)
    reduced["type"] = "object"
    if not isinstance(reduced.get("properties"), dict):
        reduced["properties"] = {}
    return reduced


def minimal_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What of a schema no grammar was ever refused for: types, names of properties, required, enum; and descriptions,
    which no grammar sees. Everything else means "anything".
    """
    return _minimal(_reduce(schema, schema, 0))


def _minimal(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        return {}
    kept = {key: schema[key] for key in _KEPT_IN_MINIMAL if key in schema}
    if "const" in schema:
        kept.setdefault("enum", [schema["const"]])
    if isinstance(kept.get("type"), list):
        types = [name for name in kept.pop("type") if name != "null"]
        kept |= {"type": types[0]} if len(types) == 1 else {}
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and properties:
        kept |= {"type": "object", "properties": {name: _minimal(sub) for name, sub in properties.items()}}
        required = schema.get("required")
        kept["required"] = [name for name in required if name in properties] if isinstance(required, list) else []
    if kept.get("type") == "array":
        kept["items"] = _minimal(schema.get("items"))
    return kept


def _reduce(schema: Any, root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH or not isinstance(schema, Mapping):
        return {}
    if "$ref" in schema:
        return _reduce(_follow(schema, root), root, depth + 1)
    nullable = _without_null(schema)
    if nullable is not None:
        return _reduce(nullable, root, depth + 1)
    reduced: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _DROPPED:
            continue
        reduced[key] = _reduce_keyword(key, value, root, depth)
    _keep_hint(schema, reduced)
    if reduced.get("type") == "array" and "items" not in reduced:
        reduced["items"] = {}
    return reduced


def _reduce_keyword(key: str, value: Any, root: Mapping[str, Any], depth: int) -> Any:
    if key in _SUBSCHEMAS and isinstance(value, Mapping):
        return {name: _reduce(sub, root, depth + 1) for name, sub in value.items()}
    if key in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, list):
        return [_reduce(sub, root, depth + 1) for sub in value]
    if key in ("items", "not", "contains", "propertyNames") or (
        key == "additionalProperties" and isinstance(value, Mapping)
    ):
        return _reduce(value, root, depth + 1)
    return value


def _follow(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a local reference points at, with the words that stand beside it; ``{}`` for any other reference."""
    target: Any = root
    reference = schema["$ref"]
    if not isinstance(reference, str) or not reference.startswith("#"):
        return {}
    for part in reference[1:].strip("/").split("/"):
        if part:
            target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
    beside = {k: v for k, v in schema.items() if k != "$ref"}
    return {**target, **beside} if isinstance(target, Mapping) else beside


def _without_null(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """``anyOf: [X, null]`` as X: the model leaves the argument out instead of sending null."""
    branches = schema.get("anyOf")
    if not isinstance(branches, list) or len(branches) != 2:
        return None
    kept = [b for b in branches if not (isinstance(b, Mapping) and b.get("type") == "null")]
    if len(kept) != 1 or not isinstance(kept[0], Mapping):
        return None
    return {**kept[0], **{k: v for k, v in schema.items() if k != "anyOf"}}


def _keep_hint(schema: Mapping[str, Any], reduced: dict[str, Any]) -> None:
    """Say in the description what a dropped keyword asked for."""
    hints = [f"{key} {schema[key]}" for key in ("format", "pattern") if isinstance(schema.get(key), str)]
    if hints and len(hints[0]) < 200:
        reduced["description"] = f"{schema.get('description', '')} ({'; '.join(hints)})".strip()
