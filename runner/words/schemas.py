"""JSON Schema: is a value as asked, and if not, what is wrong with it. The only door to jsonschema and jsonschema_rs.

jsonschema_rs judges (5 ms for a file of 2,000 steps, where jsonschema takes 350 ms); only what it rejects is shown to
jsonschema, which tells more. Both are imported when first needed. Nothing is ever fetched: a ``$ref`` that leaves its
schema is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runner.words.complaint import STRUCTURAL, Complaint, KeyMiss, Miss, describe, word
from runner.words.spans import Path

if TYPE_CHECKING:
    import jsonschema
    import jsonschema_rs

__all__ = ["Complaint", "canonical", "check_schema", "complaints", "complaints_by", "is_valid"]

JsonSchema = Mapping[str, Any] | bool
_DATA_KEYWORDS = frozenset({"enum", "const", "default", "examples"})  # what they hold is data, not schema
_MAPS_OF_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class _IllegalSchemaError(ValueError):
    """A schema that cannot judge anything; the text says why."""


def is_valid(schema: JsonSchema, value: Any) -> bool:
    """Whether the value is as the schema asks. False as well if the schema itself is not legal."""
    return not complaints(schema, value)


def complaints(schema: JsonSchema, value: Any) -> tuple[Complaint, ...]:
    """All that the value misses, in the order of the value. A schema that is not legal is one complaint (``$schema``).

    Drafts by ``$schema``, 2020-12 without one; ``format`` is not judged.
    """
    try:
        source = canonical(schema)
    except _IllegalSchemaError as error:
        return _cannot_judge(error)
    return complaints_by(source, value)


def complaints_by(source: str, value: Any) -> tuple[Complaint, ...]:
    """As ``complaints``, by a ``canonical`` schema: for a large one that judges many values."""
    try:
        judge = _judge(source)
    except _IllegalSchemaError as error:
        return _cannot_judge(error)
    try:
        if judge.is_valid(value):
            return ()
    except ValueError as error:  # keys that are no texts, objects that are no JSON
        return (Complaint(path=(), schema_path=(), message=f"is not JSON: {error}", keyword="type"),)
    worded = (complaint for miss in _misses(source, judge, value) for complaint in word(miss))
    return tuple(sorted(_unique(worded), key=lambda complaint: _rank(value, complaint)))


def _cannot_judge(error: _IllegalSchemaError) -> tuple[Complaint, ...]:
    message = f"cannot be checked, its schema is not legal: {error}"
    return (Complaint(path=(), schema_path=(), message=message, keyword="$schema"),)


def check_schema(schema: Any) -> tuple[Complaint, ...]:
    """What keeps a value from being a legal JSON Schema that needs nothing from outside; paths lead into it."""
    if isinstance(schema, bool):
        return ()
    if not isinstance(schema, Mapping):
        message = f"expected a mapping, got {describe(schema)}"
        return (Complaint(path=(), schema_path=(), message=message, keyword="type", expected="object"),)
    try:
        _judge(canonical(schema))
    except _IllegalSchemaError as error:
        found = tuple(_foreign_references(schema, ())) or _against_metaschema(schema)
        said = Complaint(path=_path_of(error), schema_path=(), message=str(error), keyword="$schema")
        return found or (said,)
    return ()


def canonical(schema: JsonSchema) -> str:
    """The one spelling of a schema, for ``complaints_by``.

    Raises:
        ValueError: it holds what JSON has not.
    """
    try:
        return json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise _IllegalSchemaError(str(error)) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


@lru_cache(maxsize=256)
def _judge(source: str) -> jsonschema_rs.Validator:
    import jsonschema_rs

    schema = json.loads(source)
    for complaint in _foreign_references(schema, ()):
        raise _IllegalSchemaError(complaint.message)
    try:
        return jsonschema_rs.validator_for(schema, offline=True)
    except jsonschema_rs.ValidationError as error:
        illegal = _IllegalSchemaError(error.message)
        illegal.__cause__ = error
        raise illegal from error
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise _IllegalSchemaError(str(error)) from error


def _path_of(error: _IllegalSchemaError) -> Path:
    return tuple(getattr(error.__cause__, "instance_path", ()))


@lru_cache(maxsize=64)
def _explainer(source: str) -> jsonschema.protocols.Validator:
    import jsonschema
    import referencing

    schema = json.loads(source)
    dialect = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    return dialect(schema, registry=referencing.Registry())


def _misses(source: str, judge: jsonschema_rs.Validator, value: Any) -> list[Miss]:
    """What jsonschema finds; where it finds nothing, or cannot read the schema, what the judge said."""
    try:
        found = [_miss(error) for error in _explainer(source).iter_errors(value)]
    except Exception:  # a regular expression that Python lacks, endless recursion: the judge knows more
        found = []
    return found or [_miss_of_judge(error, json.loads(source)) for error in judge.iter_errors(value)]


def _miss(error: jsonschema.ValidationError) -> Miss:
    path, schema_path = tuple(error.absolute_path), tuple(error.absolute_schema_path)
    keyword = "false" if error.validator is None else str(error.validator)
    if _is_about_a_key(schema_path):
        return Miss(
            path=path,
            schema_path=schema_path,
            keyword="propertyNames",
            expected=error.validator_value,
            instance=error.instance,
        )
    if keyword in {"additionalProperties", "unevaluatedProperties"}:
        return KeyMiss(
            path=path,
            schema_path=schema_path,
            keyword=keyword,
            expected=error.validator_value,
            instance=error.instance,
            names=_unknown_keys(error),
        )
    inner = tuple((int(found.schema_path[0]), _miss(found)) for found in error.context or ())
    return Miss(
        path=path,
        schema_path=schema_path,
        keyword=keyword,
        expected=error.validator_value,
        instance=error.instance,
        inner=inner,
    )


def _is_about_a_key(schema_path: Path) -> bool:
    """Whether ``propertyNames`` is on the way as a keyword, not as the name of a property."""
    names = False
    for part in schema_path:
        if part == "propertyNames" and not names:
            return True
        names = not names and part in _MAPS_OF_SCHEMAS
    return False


def _unknown_keys(error: jsonschema.ValidationError) -> tuple[str, ...]:
    import re

    schema = error.schema if isinstance(error.schema, Mapping) else {}
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    instance: Any = error.instance
    keys = (key for key in instance if key not in known)
    return tuple(key for key in keys if not any(re.search(pattern, key) for pattern in patterns))


def _miss_of_judge(error: jsonschema_rs.ValidationError, schema: Any) -> Miss:
    """A miss that only the judge sees; ``expected`` is read off the schema where its path leads there."""
    schema_path = tuple(error.schema_path)
    keyword = next((part for part in reversed(schema_path) if isinstance(part, str)), "false")
    path = tuple(error.instance_path)
    expected: Any = schema
    for part in schema_path:
        try:
            expected = expected[part]
        except (KeyError, IndexError, TypeError):
            keyword = f"{keyword} "  # unknown to the wording: the general sentence is said
            break
    if keyword in STRUCTURAL:
        keyword = f"{keyword} "
    return Miss(path=path, schema_path=schema_path, keyword=keyword, expected=expected, instance=error.instance)


def _unique(found: Iterator[Complaint]) -> list[Complaint]:
    """Without repetitions (one missing key is reported once per missing key of its list)."""
    return list({(complaint.path, complaint.keyword, complaint.message): complaint for complaint in found}.values())


def _rank(value: Any, complaint: Complaint) -> tuple[int, ...]:
    """Where a complaint stands in the value, as positions from the top; a key's complaint stands at the key."""
    ranks: list[int] = []
    about_key = complaint.names and complaint.keyword != "required"
    for part in (*complaint.path, complaint.names[0]) if about_key else complaint.path:
        if isinstance(value, Mapping) and part in value:
            ranks.append(next(index for index, key in enumerate(value) if key == part))
        elif isinstance(part, int):
            ranks.append(part)
        else:
            break
        value = value[part]
    return tuple(ranks)


def _foreign_references(schema: Any, path: Path) -> Iterator[Complaint]:
    """``$ref`` of all kinds that lead out of the schema. Iterative: a schema may be deep."""
    todo: list[tuple[Any, Path]] = [(schema, path)]
    while todo:
        held, where = todo.pop()
        if isinstance(held, Mapping):
            for keyword in _REFERENCES:
                target = held.get(keyword)
                if isinstance(target, str) and not target.startswith("#"):
                    message = f"`{keyword}` leads out of the schema, to `{target}`; only `#/…` is followed"
                    yield Complaint(
                        path=(*where, keyword), schema_path=(), message=message, keyword=keyword, expected=target
                    )
            todo.extend((item, (*where, key)) for key, item in held.items() if key not in _DATA_KEYWORDS)
        elif isinstance(held, list | tuple):
            todo.extend((item, (*where, index)) for index, item in enumerate(held))


def _against_metaschema(schema: Any) -> tuple[Complaint, ...]:
    import jsonschema

    try:
        dialect = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        found = [_miss(error) for error in dialect(dialect.META_SCHEMA).iter_errors(schema)]
    except Exception:  # whatever stops the explanation, the judge's own words remain
        return ()
    worded = (complaint for miss in found for complaint in word(miss))
    return tuple(sorted(_unique(worded), key=lambda complaint: _rank(schema, complaint)))
