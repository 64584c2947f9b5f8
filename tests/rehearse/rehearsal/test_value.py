"""Values made up from schemas: they fit, they are always the same, and they reach both sides of what decides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.rehearse.rehearsal.value import Hints, least, made_up
from runner.words.schemas import is_valid

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "below": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    ("schema", "first"),
    [
        ({"const": 7}, 7),
        ({"enum": ["merge", "change"]}, "merge"),
        ({"type": "string"}, "verdict"),
        ({"type": "string", "default": "as usual"}, "as usual"),
        ({"type": "string", "examples": ["like this"]}, "like this"),
        ({"type": "string", "default": 3}, "verdict"),
        ({"type": "string", "minLength": 10}, "verdictxxx"),
        ({"type": "string", "maxLength": 3}, "ver"),
        ({"type": "string", "pattern": "^BR[0-9]{3}$"}, "BR777"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 4, "maximum": 9}, 4),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "number", "minimum": 0.25, "maximum": 0.5}, 0.25),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "string"]}, None),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "minItems": 2, "items": {"enum": ["a", "b"]}, "uniqueItems": True}, ["a", "b"]),
        ({"type": "array", "maxItems": 0}, []),
        (
            {"type": "array", "prefixItems": [{"const": 1}, {"type": "string"}], "items": False, "minItems": 2},
            [1, "verdict"],
        ),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({"type": "object", "required": ["free"]}, {"free": "free"}),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({"oneOf": [{"type": "object", "required": ["a"]}, {"type": "null"}]}, {"a": "a"}),
        ({"allOf": [{"required": ["a"]}, {"properties": {"a": {"const": 2}}}]}, {"a": 2}),
        ({"type": "object", "properties": {"a": True}}, {"a": "a"}),
        (TREE, {"name": "name", "below": []}),
    ],
)
def test_the_first_value_is_the_most_usual_one(schema: dict[str, Any], first: Any) -> None:
    assert made_up(schema, "verdict")[0] == first


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {}},
        {"enum": []},
        {"type": "string", "pattern": "^(?=.*7)(?=.*q)[a-z0-9]{9}$"},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "object", "required": ["a"], "properties": {"a": {"enum": []}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"$ref": "https://example.org/schema.json"},
    ],
)
def test_where_nothing_fits_nothing_is_made_up(schema: dict[str, Any]) -> None:
    assert made_up(schema, "x") == ()


def test_both_sides_of_what_expressions_compare_with_are_there() -> None:
    hints = Hints(texts=("approved",), numbers=(8,))
    schema = {
        "type": "object",
        "required": ["score", "word", "list"],
        "properties": {
            "score": {"type": "integer", "minimum": 0, "maximum": 10},
            "word": {"type": "string"},
            "list": {"type": "array"},
        },
    }
    values = made_up(schema, "x", hints)
    assert {7, 8, 9} <= {value["score"] for value in values}
    assert "approved" in {value["word"] for value in values}
    assert {0, 8, 9} <= {len(value["list"]) for value in values}


def test_what_is_not_required_is_left_out_where_that_fits() -> None:
    schema = {"required": ["a"], "properties": {"a": {}, "b": {}}}
    assert least(schema, {"a": 1, "b": 2}) == {"a": 1}
    assert least({**schema, "minProperties": 2}, {"a": 1, "b": 2}) == {"a": 1, "b": 2}
    assert least({"type": "string"}, "text") == "text"


SCHEMAS = st.recursive(
    st.one_of(
        st.builds(
            lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
            st.integers(),
            st.integers(0, 9),
        ),
        st.builds(lambda n: {"type": "string", "minLength": n, "maxLength": n + 3}, st.integers(0, 30)),
        st.builds(
            lambda values: {"enum": values}, st.lists(st.integers() | st.text(max_size=5), min_size=1, max_size=4)
        ),
        st.sampled_from([{"type": "boolean"}, {"type": "null"}, {}]),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items, n: {"type": "array", "items": items, "minItems": n}, inner, st.integers(0, 3)),
        st.builds(
            lambda parts: {"type": "object", "properties": parts, "required": sorted(parts)[::2]},
            st.dictionaries(st.sampled_from("abcdef"), inner, max_size=4),
        ),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(SCHEMAS)
def test_every_value_fits_and_there_is_one(schema: dict[str, Any]) -> None:
    values = made_up(schema, "name")
    assert values
    assert [value for value in values if not is_valid(schema, value)] == []
    assert made_up(schema, "name") == values
