"""Rules about words in a JSON Schema that mean nothing there: BR246."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from runner.words.complaint import listed, quoted
from runner.words.diagnostics import Diagnostic
from runner.words.spans import Path
from runner.words.suggest import did_you_mean
from runner.workflow.rules.view import View, schema_file

_MAPS: Final = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_ONES: Final = (
    "items", "additionalItems", "unevaluatedItems", "contains", "additionalProperties", "unevaluatedProperties",
    "propertyNames", "not", "if", "then", "else", "contentSchema",
)  # fmt: skip
KEYWORDS: Final = frozenset((
    *_MAPS, *_LISTS, *_ONES, "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains",
    "minContains", "maxProperties", "minProperties", "required", "dependentRequired", "dependencies", "title",
    "description", "default", "deprecated", "readOnly", "writeOnly", "examples", "format", "contentEncoding",
    "contentMediaType", "$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef",
    "$recursiveAnchor", "$vocabulary", "$comment", "id",
))  # fmt: skip
"""All of draft 2020-12 and of the drafts before it."""
_ELSEWHERE: Final[Mapping[str, str]] = {
    "nullable": "write `type: [string, 'null']`, or whatever type it is",
    "optional": "leave its name out of `required`",
    "example": "write `examples`, a list",
    "values": "write `enum`",
    "options": "write `enum`",
    "fields": "write `properties`",
    "min": "write `minimum`, `minLength` or `minItems`",
    "max": "write `maximum`, `maxLength` or `maxItems`",
}
"""What other tools write there."""


def br246_unknown_keyword(view: View) -> Iterable[Diagnostic]:
    """What a schema says in words that JSON Schema does not know judges nothing."""
    for step in view.steps:
        schema, path = step.data.get("output"), (*step.path, "output")
        if not isinstance(schema, Mapping) or schema_file(schema) is not None:
            continue
        if schema and not any(map(_is_known, schema)):
            yield _names_alone(view, path, schema)
            continue
        for place, name in _unknown(schema, path):
            ways = _ELSEWHERE.get(name) or did_you_mean(name, KEYWORDS) or "see json-schema.org, draft 2020-12"
            message = f"JSON Schema has no keyword {quoted(name)}: nothing is judged by it"
            yield view.finding("BR246", message, view.key_span((*place, name)), help=ways, level="warning")


def _names_alone(view: View, path: Path, schema: Mapping[str, Any]) -> Diagnostic:
    names = listed([quoted(str(name)) for name in list(schema)[:3]], "and") + (", …" if len(schema) > 3 else "")
    message = f"this `output` would let every answer pass: {names} {'are' if len(schema) > 1 else 'is'} no JSON Schema"
    ways = "write `type: object`, put the names under `properties`, and under `required` those that have to be there"
    return view.finding("BR246", message, view.key_span((*path, next(iter(schema)))), help=ways)


def _unknown(schema: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every unknown keyword with the place of the mapping that has it; of a schema that is legal or not."""
    if not isinstance(schema, Mapping):
        return
    yield from ((path, name) for name in schema if isinstance(name, str) and not _is_known(name))
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, Mapping):
            for name, below in value.items():
                yield from _unknown(below, (*path, key, name))
        elif isinstance(value, list) and (key in _LISTS or key == "items"):
            for index, below in enumerate(value):
                yield from _unknown(below, (*path, key, index))
        elif key in _ONES:
            yield from _unknown(value, (*path, key))


def _is_known(name: Any) -> bool:
    return not isinstance(name, str) or name in KEYWORDS or name.startswith("x-")
