"""What a JSON Schema says, as rows of a table: every key by its path, however deep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
Row = tuple[str, str, str, str, str]
"""Path, type, ``required`` or the default, bounds, meaning."""


def rows(schema: Schema, before: str = "") -> Iterator[Row]:
    """Of all keys of an object: ``messages[].role`` is the key ``role`` of each item of the list ``messages``."""
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        path = f"{before}{name}"
        default = "required" if name in required else _default(one)
        yield path, kind(one), default, bounds(one), one.get("description", "")
        for form in _forms(one):
            if "items" in form:
                for inner in _forms(form["items"]):
                    yield from rows(inner, f"{path}[].")
            yield from rows(form, f"{path}.")


def kind(schema: Schema) -> str:
    """Its type, in JSON's own terms."""
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(one) for one in schema["anyOf"]))
    types = schema.get("type", "any")
    return " or ".join(_with_parts(one, schema) for one in ([types] if isinstance(types, str) else types))


def _with_parts(name: str, schema: Schema) -> str:
    parts = {"array": schema.get("items"), "object": schema.get("additionalProperties")}.get(name)
    return f"{name} of {kind(parts)}" if isinstance(parts, Mapping) and parts else name


def bounds(schema: Schema) -> str:
    """What it demands beyond the type, in a few words; empty if nothing."""
    return "; ".join(dict.fromkeys(_bounds(schema)))


def _bounds(schema: Schema) -> Iterator[str]:
    least, most, above = (schema.get(name) for name in ("minimum", "maximum", "exclusiveMinimum"))
    yield from _between(least, most, "", above)
    if schema.get("minLength") == 1:
        yield "not empty"
    yield from _between(schema.get("minItems"), schema.get("maxItems"), " items")
    if "pattern" in schema:
        yield f"`{schema['pattern']}`"
    for form in schema.get("anyOf", ()):
        yield from _bounds(form)
    for parts in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(parts, Mapping):
            yield from (f"each {words}" for words in _bounds(parts))


def _between(least: float | None, most: float | None, unit: str, above: float | None = None) -> Iterator[str]:
    if least is not None and most is not None:
        yield f"{least:,} to {most:,}{unit}"
    elif above is not None:
        yield f"more than {above:,}{unit}" + ("" if most is None else f", at most {most:,}")
    elif least is not None:
        yield f"at least {least:,}{unit}" if (least, unit) != (1, " items") else "not empty"
    elif most is not None:
        yield f"at most {most:,}{unit}"


def _forms(schema: Schema) -> Iterator[Schema]:
    """The forms that a value may have."""
    yield from schema.get("anyOf", (schema,))


def _default(schema: Schema) -> str:
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else ""
