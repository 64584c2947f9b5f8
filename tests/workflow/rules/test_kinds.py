"""What is told of the values of a schema, held against values that fit it: it may be too little, never wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.words.schemas import is_valid
from runner.workflow.rules import kinds
from runner.workflow.rules.fit import misfit
from runner.workflow.rules.schema_path import kind_of

KEYS = st.sampled_from(["a", "b", "c"])
PLAIN = st.sampled_from([None, True, False, 0, 1, 2, 1.5, "", "a", "b", "yes"])
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "array", "object", "null"])


def schemas_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    return (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(
            lambda first, items: {"type": "array", "prefixItems": first, "items": items}, some, inner | st.just(False)
        )
        | st.builds(
            lambda parts, required, rest: {
                "type": "object",
                "properties": parts,
                "required": required,
                "additionalProperties": rest,
            },
            st.dictionaries(KEYS, inner, max_size=2),
            st.lists(KEYS, max_size=1),
            inner | st.booleans(),
        )
        | st.builds(lambda parts: {"patternProperties": {"^a": parts}}, inner)
        | st.builds(lambda options: {"anyOf": options}, some)
        | st.builds(lambda options: {"allOf": options}, some)
        | st.builds(
            lambda one, kind: {"anyOf": [one, {"type": kind}], "type": ["object", "array", "null"]}, inner, TYPES
        )
    )


SCHEMAS = st.recursive(
    st.just({})
    | st.builds(lambda kind: {"type": kind}, TYPES)
    | st.builds(lambda some: {"type": some}, st.lists(TYPES, min_size=1, max_size=2, unique=True))
    | st.builds(lambda value: {"const": value}, VALUES)
    | st.builds(lambda values: {"enum": values}, st.lists(VALUES, min_size=1, max_size=3)),
    schemas_of,
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, VALUES)
def test_what_fits_a_schema_is_what_is_told_of_it(schema: Any, value: Any) -> None:
    if not is_valid(schema, value):
        return
    kind = kind_of(value)
    assert {kind} & kinds.kinds(schema) or (
        kind in {"integer", "number"} and kinds.kinds(schema) & {"integer", "number"}
    )
    values = kinds.known_values(schema)
    assert values is None or value is None or value in values
    assert kinds.can_be_equal(schema, {"const": value})
    assert misfit(kinds.literal(value), schema) is None
    assert is_valid(kinds.literal(value), value)
    if isinstance(value, dict):
        for key, item in value.items():
            assert is_valid(kinds.part(schema, (key,)), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            assert is_valid(kinds.part(schema, (index,)), item)
            assert is_valid(kinds.item_of(schema), item)
            assert is_valid(kinds.list_items(schema), item)


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, SCHEMAS, VALUES)
def test_what_fits_two_schemas(one: Any, other: Any, value: Any) -> None:
    union = kinds.union((one, other))
    if is_valid(one, value) or is_valid(other, value):
        assert is_valid(union, value)
    if is_valid(one, value) and is_valid(other, value):
        assert kinds.can_be_equal(one, other)
        if value not in ([], {}):  # a list is judged as if it had items
            assert misfit(one, other) is None or any(part in ([], {}) for part in parts(value))


def parts(value: Any) -> list[Any]:
    """A value and everything in it."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(part for item in inner for part in parts(item))]
