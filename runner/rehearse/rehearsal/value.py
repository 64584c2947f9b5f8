"""Values made up from a JSON Schema: what a model might answer, without a model. Always the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice
from typing import Any

from runner.rehearse.rehearsal.pattern import texts_for
from runner.words.noun import noun
from runner.words.schemas import is_valid

Schema = Mapping[str, Any]
_MOST = 48
"""Values of one schema; branches that need others are told to be out of reach."""
_DEPTH = 12
_FORMATS: Mapping[str, str] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.org/",
    "uri-reference": "/page",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "regex": ".*",
}


@noun
class Hints:
    """What expressions compare values with: only such texts and numbers decide a branch."""

    texts: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()


@noun
class _Place:
    """Where in a schema something is made up: ``name`` of the property, ``root`` for ``$ref``."""

    root: Schema
    hints: Hints
    name: str
    depth: int = 0
    seen: frozenset[str] = field(default_factory=frozenset)


def made_up(schema: Schema, name: str, hints: Hints | None = None) -> tuple[Any, ...]:
    """Values that fit the schema, the most usual first; empty if none was found.

    ``name`` is the text that stands where any text would do. What the schema itself offers (``const``, ``default``,
    ``examples``, the first of ``enum``) comes before what is made up.
    """
    place = _Place(root=schema, hints=hints or Hints(), name=name)
    fitting = (value for value in islice(_values(schema, place), _MOST * 4) if is_valid(schema, value))
    return tuple(islice(_unique(fitting), _MOST))


def _unique(values: Iterable[Any]) -> Iterator[Any]:
    kept: list[str] = []
    for value in values:
        key = repr(value)  # 1, 1.0 and True are told apart
        if key not in kept:
            kept.append(key)
            yield value


def _values(schema: Any, place: _Place) -> Iterator[Any]:
    if schema is True or schema == {}:
        yield place.name
        return
    if not isinstance(schema, Mapping) or place.depth > _DEPTH:
        return
    if "const" in schema:
        yield schema["const"]
        return
    offered = [*([schema["default"]] if "default" in schema else []), *schema.get("examples", ())]
    yield from offered
    if "enum" in schema:
        yield from schema["enum"]
        return
    yield from _composed(schema, place)


def _composed(schema: Schema, place: _Place) -> Iterator[Any]:
    """Values of what the schema is put together from."""
    rest = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "anyOf", "oneOf", "if")}
    if "$ref" in schema:
        target = _target(schema["$ref"], place)
        yield from _values(_merged(target, rest), _deeper(place, place.name, seen=str(schema["$ref"])))
    elif "allOf" in schema:
        merged: Schema = rest
        for part in schema["allOf"]:
            merged = _merged(part if isinstance(part, Mapping) else {}, merged)
        yield from _values(merged, _deeper(place, place.name))
    elif "anyOf" in schema or "oneOf" in schema:
        key = "anyOf" if "anyOf" in schema else "oneOf"
        others = {**rest, **({"oneOf": schema["oneOf"]} if key == "anyOf" and "oneOf" in schema else {})}
        for branch in schema[key]:
            if isinstance(branch, Mapping):
                yield from _values(_merged(branch, others), _deeper(place, place.name))
    else:
        for kind in _types(schema):
            yield from _MAKERS[kind](schema, place)


def _target(reference: str, place: _Place) -> Schema:
    """What a ``$ref`` within the schema leads to; nothing where it goes in a circle."""
    if not reference.startswith("#") or reference in place.seen:
        return {"not": {}}
    found: Any = place.root
    for part in reference[1:].split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _merged(first: Schema, second: Schema) -> Schema:
    """Both schemas as one, as far as that is easily told; what comes of it is judged by the whole schema anyway."""
    merged = {**first, **second}
    if "properties" in first and "properties" in second:
        merged["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        merged["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    return merged


def _deeper(place: _Place, name: str, seen: str | None = None) -> _Place:
    known = place.seen if seen is None else place.seen | {seen}
    return _Place(root=place.root, hints=place.hints, name=name, depth=place.depth + 1, seen=known)


def _types(schema: Schema) -> Sequence[str]:
    said = schema.get("type")
    if isinstance(said, str):
        return [said] if said in _MAKERS else []
    if isinstance(said, list):
        return [kind for kind in said if kind in _MAKERS]
    if "not" in schema and schema["not"] == {}:
        return []
    for kind, keys in _TELLING.items():
        if any(key in schema for key in keys):
            return [kind]
    return ["string"]


_TELLING: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "contains"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Keywords that say of what type a value is meant to be, where the schema does not say it."""


def _text(schema: Schema, place: _Place) -> Iterator[str]:
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 1_000_000)
    usual = [_FORMATS[schema["format"]]] if schema.get("format") in _FORMATS else []
    if "pattern" in schema:
        usual += texts_for(schema["pattern"])
    usual.append(place.name)
    for text in (*usual, *place.hints.texts, ""):
        padded = text + "x" * (shortest - len(text))
        yield padded[:longest]


def _number(schema: Schema, place: _Place, *, whole: bool) -> Iterator[float]:
    step = schema.get("multipleOf", 1)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + step
    if high is None and "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - step
    usual = [low] if low is not None else [1, high] if high is not None else [1]
    compared = [number + more for number in place.hints.numbers for more in (0, step, -step)]
    ends = [0, high] if high is not None else [0]
    halves = [] if whole or low is None or high is None else [(low + high) / 2]
    for number in (*usual, *compared, *ends, *halves):
        if not whole or float(number).is_integer():
            yield int(number) if float(number).is_integer() else number


def _list(schema: Schema, place: _Place) -> Iterator[list[Any]]:
    fewest, most = schema.get("minItems", 0), schema.get("maxItems", 1_000_000)
    leading = [list(islice(_values(part, _deeper(place, place.name)), 1)) for part in schema.get("prefixItems", ())]
    head = [values[0] for values in leading if values]
    of_item = schema.get("items", schema.get("contains", {}))
    items = list(islice(_unique(_values(of_item, _deeper(place, _singular(place.name)))), _MOST))
    usual = max(fewest, len(head) if "prefixItems" in schema else 1)
    lengths = [int(number) + more for number in place.hints.numbers for more in (0, 1) if 0 <= number < 50]
    counts = [usual, *(n for n in (0, 2, *lengths) if fewest <= n <= most)]
    for count in dict.fromkeys(min(count, most) for count in counts):
        yield [*head[:count], *_drawn(items, count - len(head), unique=bool(schema.get("uniqueItems")))]
    for item in items[1:]:
        yield [*head, *([item] * max(usual - len(head), 1))]
    if len(items) > 1:
        yield [*head, *items[:2]]


def _drawn(items: Sequence[Any], count: int, *, unique: bool) -> list[Any]:
    if not items or count <= 0:
        return []
    if not unique:
        return [items[0]] * count
    more = (f"{items[0]}-{number}" for number in range(2, count + 2)) if isinstance(items[0], str) else ()
    return [*items, *more][:count]


def _singular(name: str) -> str:
    return name[:-1] if len(name) > 2 and name.endswith("s") and not name.endswith("ss") else name


def _mapping(schema: Schema, place: _Place) -> Iterator[dict[str, Any]]:
    """All properties at their most usual; only what is required; then one property at a time at each other value."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    required = [name for name in schema.get("required", ()) if isinstance(name, str)]
    choices: dict[str, list[Any]] = {}
    for name in dict.fromkeys([*properties, *required]):
        other = schema.get("additionalProperties", {})
        part = properties.get(name, other if isinstance(other, Mapping) else {})
        choices[name] = list(islice(_unique(_values(part, _deeper(place, name))), _MOST))
    if any(not choices[name] for name in required):
        return
    whole = {name: values[0] for name, values in choices.items() if values}
    yield whole
    for others in _turns({name: values[1:] for name, values in choices.items()}):
        yield {**whole, **others}
    yield {name: value for name, value in whole.items() if name in required}


def _turns(choices: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """One property at another value, each property in turn before any has its third."""
    longest = max((len(values) for values in choices.values()), default=0)
    for number in range(longest):
        for name, values in choices.items():
            if number < len(values):
                yield {name: values[number]}


_MAKERS: Mapping[str, Any] = {
    "string": _text,
    "integer": lambda schema, place: _number(schema, place, whole=True),
    "number": lambda schema, place: _number(schema, place, whole=False),
    "boolean": lambda _, __: iter((True, False)),
    "null": lambda _, __: iter((None,)),
    "array": _list,
    "object": _mapping,
}


def least(schema: Schema, value: Any) -> Any:
    """The mapping without what its schema does not require; the value itself where nothing can go.

    What is left out must not be missed: a model may leave it out as well.
    """
    required = schema.get("required", ())
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    short = {key: part for key, part in value.items() if key in required}
    return short if is_valid(schema, short) else value
