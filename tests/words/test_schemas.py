"""JSON Schema in words: what is missed, where, in which order; and which schemas are refused."""

from __future__ import annotations

import json
import subprocess
import sys
from types import MappingProxyType

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.words.schemas import canonical, check_schema, complaints, complaints_by, is_valid


def said(schema, value) -> list[str]:
    return [
        f"{'/'.join(map(str, complaint.path)) or '.'}: {complaint.message}" for complaint in complaints(schema, value)
    ]


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "number"}, "3", "expected a number, got the text `3`"),
        ({"type": ["string", "array"]}, 3.5, "expected a text or a list, got the number 3.5"),
        ({"type": "integer"}, None, "expected a whole number, got nothing"),
        ({"type": "object"}, True, "expected a mapping, got `true`"),
        ({"type": "boolean"}, "", "expected true or false, got an empty text"),
        ({"type": "null"}, "x" * 41, "expected nothing, got a text"),
        ({"type": "string"}, [1], "expected a text, got a list"),
        ({"type": "string"}, {}, "expected a text, got a mapping"),
        ({"enum": ["a", "b", 3]}, "c", "expected `a`, `b` or `3`, got `c`"),
        ({"const": 1}, True, "expected `1`, got `true`"),
        ({"pattern": "^a$"}, "b", "`b` does not match the pattern `^a$`"),
        ({"minimum": 3}, 2, "expected at least 3, got 2"),
        ({"maximum": 3}, 4, "expected at most 3, got 4"),
        ({"exclusiveMinimum": 3}, 3, "expected more than 3, got 3"),
        ({"exclusiveMaximum": 3}, 3, "expected less than 3, got 3"),
        ({"multipleOf": 2}, 3, "expected a multiple of 2, got 3"),
        ({"minLength": 1}, "", "expected a text that is not empty"),
        ({"minLength": 2}, "a", "expected at least 2 characters, got 1"),
        ({"maxLength": 1}, "ab", "expected at most 1 character, got 2"),
        ({"minItems": 1}, [], "expected a list that is not empty"),
        ({"maxItems": 2}, [1, 2, 3], "expected at most 2 items, got 3"),
        ({"minProperties": 1}, {}, "expected a mapping that is not empty"),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, "expected at most 1 key, got 2"),
        ({"uniqueItems": True}, [1, 1], "expected no item twice"),
        ({"contains": {"const": 1}}, [2], "no item of the list is of the kind that must be in it"),
        ({"prefixItems": [{}], "items": False}, [1, 2], "too many items: 2"),
        ({"not": {"type": "string"}}, "a", "`a` is what the schema forbids"),
        (False, 1, "nothing may stand here"),
        ({"anyOf": [{"type": "string"}, {"type": "object"}]}, 3, "expected a text or a mapping, got the number 3"),
        ({"anyOf": [{"type": ["string", "null"]}, {"type": "number"}]}, [],
         "expected a text, nothing or a number, got a list"),
        ({"anyOf": [{"const": "a"}, {"enum": ["b", "c"]}]}, "d", "expected `a`, `b` or `c`, got `d`"),
        ({"anyOf": [{"minimum": 5}, {"multipleOf": 2}]}, 3,
         "fits none of the allowed forms: expected at least 5, got 3 or expected a multiple of 2, got 3"),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, 3,
         "fits more than one of the forms that exclude each other"),
        ({"required": ["a"]}, {}, "the key `a` is missing"),
        ({"additionalProperties": False}, {"a": 1}, "unknown key `a`"),
        ({"properties": {"a": {}}, "patternProperties": {"^b": {}}, "additionalProperties": False},
         {"a": 1, "b1": 2, "c": 3, "d": 4}, "unknown keys `c` and `d`"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "`a` needs `b` beside it"),
        ({"propertyNames": {"pattern": "^a"}}, {"b": 1}, "`b` is not a legal key"),
        ({"if": {"type": "string"}, "then": {"minLength": 3}}, "ab", "expected at least 3 characters, got 2"),
        ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"b": 1}, "unknown key `b`"),
        ({"$defs": {"n": {"type": "number"}}, "$ref": "#/$defs/n"}, "x", "expected a number, got the text `x`"),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": True}, 3,
         "expected at least 3, got 3"),
    ],
)  # fmt: skip
def test_words(schema, value, message):
    assert said(schema, value) == [f".: {message}"]
    assert not is_valid(schema, value)
    assert check_schema(schema) == ()


PERSON = {
    "type": "object",
    "required": ["name", "age"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "pets": {"type": "array", "items": {"type": "object", "properties": {"kind": {"enum": ["cat", "dog"]}}}},
    },
}


def test_all_complaints_at_once_in_the_order_of_the_value():
    value = {"pets": [{"kind": "cat"}, {"kind": "cow"}, 3], "naem": "x", "age": -1}
    assert said(PERSON, value) == [
        ".: the key `name` is missing",
        "pets/1/kind: expected `cat` or `dog`, got `cow`",
        "pets/2: expected a mapping, got the number 3",
        ".: unknown key `naem`",
        "age: expected at least 0, got -1",
    ]


def test_nothing_to_complain_about():
    assert complaints(PERSON, {"name": "x", "age": 1}) == ()
    assert is_valid(PERSON, {"name": "x", "age": 1})


def test_a_complaint_says_what_programs_want_to_know():
    (complaint,) = complaints(PERSON, {"name": "x", "age": 1, "nick": 2, "pet": 3})
    assert (complaint.path, complaint.keyword, complaint.names) == ((), "additionalProperties", ("nick", "pet"))
    assert (complaint.schema_path, complaint.expected) == (("additionalProperties",), False)
    (complaint,) = complaints({"dependentRequired": {"a": ["b"]}}, {"a": 1})
    assert (complaint.keyword, complaint.names) == ("dependentRequired", ("a", "b"))
    assert [complaint.names for complaint in complaints({"required": ["a", "b"]}, {})] == [("a",), ("b",)]


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_the_branch_that_was_meant_explains(keyword):
    schema = {
        keyword: [
            {"properties": {"kind": {"const": "cat"}, "lives": {"maximum": 9}}, "required": ["kind", "lives"]},
            {"properties": {"kind": {"const": "dog"}, "tricks": {"type": "array"}}, "required": ["kind", "tricks"]},
        ]
    }
    assert said(schema, {"kind": "dog", "tricks": "sit"}) == ["tricks: expected a list, got the text `sit`"]
    assert said(schema, {"kind": "cat", "lives": 10}) == ["lives: expected at most 9, got 10"]


def test_what_only_one_of_the_two_judges_sees_is_not_swallowed():
    # Python's `$` also matches before a line break at the end, that of JSON Schema does not.
    assert said({"pattern": "^a$"}, "a\n") == [".: `a\n` does not match the pattern `^a$`"]
    assert said({"properties": {"x": {"pattern": r"^\p{L}+$"}}}, {"x": "12"}) == [
        r"x: `12` does not match the pattern `^\p{L}+$`"
    ]


@pytest.mark.parametrize(
    ("schema", "value", "rule"),
    [
        ({"patternProperties": {r"^\p{L}+$": {}}, "additionalProperties": False}, {"1": 1}, "additionalProperties"),
        ({"anyOf": [{"pattern": r"\p{L}"}, {"type": "number"}]}, "1", "anyOf"),
        ({"not": {"$ref": "#/$defs/a"}, "$defs": {"a": {"pattern": r"\p{Nd}"}}}, "1", None),
    ],
)
def test_where_only_the_judge_can_read_the_schema_the_rule_is_named(schema, value, rule):
    general = f".: breaks the rule `{rule}` of the schema" if rule else ".: `1` is what the schema forbids"
    assert said(schema, value) == [general]


def test_what_a_key_needs_beside_it_in_older_drafts():
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "dependencies": {"a": ["b"], "c": {"required": ["d"]}},
    }
    assert said(schema, {"a": 1, "c": 1}) == [".: the key `d` is missing", ".: `a` needs `b` beside it"]


def test_a_schema_that_is_no_json_judges_nothing():
    unfit = ".: cannot be checked, its schema is not legal: set is not JSON"
    assert said({"default": {1, 2}}, 3) == [unfit]
    (complaint,) = check_schema({"default": {1, 2}})
    assert (complaint.path, complaint.message) == ((), "set is not JSON")


def test_a_schema_may_be_any_mapping():
    assert said(MappingProxyType({"properties": MappingProxyType({"a": {"type": "string"}})}), {"a": 3}) == [
        "a: expected a text, got the number 3"
    ]


def test_a_schema_by_its_spelling():
    assert [c.message for c in complaints_by(canonical({"type": "string"}), 3)] == ["expected a text, got the number 3"]
    (refused,) = complaints_by('{"$ref":"x.json"}', 3)
    assert refused.message.startswith("cannot be checked, its schema is not legal: `$ref` leads out of the schema")


def test_what_is_no_json():
    assert said({"type": "object"}, {1: 2}) == [".: is not JSON: Dict key must be str or str enum. Got 'int'"]


def test_endless_references_come_to_an_end():
    schema = {"$ref": "#"}
    assert complaints(schema, 1) == ()
    tree = {"type": "object", "additionalProperties": {"$ref": "#"}}
    assert said(tree, {"a": {"b": {"c": 1}}}) == ["a/b/c: expected a mapping, got the number 1"]


@pytest.mark.parametrize(
    ("schema", "path", "message"),
    [
        ({"type": "strng"}, ("type",),
         "expected `array`, `boolean`, `integer`, `null`, `number`, `object` or `string`, got `strng`"),
        ({"properties": {"a": {"minimum": "3"}}}, ("properties", "a", "minimum"),
         "expected a number, got the text `3`"),
        ({"pattern": "("}, ("pattern",), '"(" is not a "regex"'),
        ({"$ref": "#/nowhere"}, (), "Pointer '/nowhere' does not exist"),
        ({"$ref": "#nowhere"}, (), "Anchor 'nowhere' does not exist"),
        ({"items": {"$ref": "https://example.org/x.json"}}, ("items", "$ref"),
         "`$ref` leads out of the schema, to `https://example.org/x.json`; only `#/…` is followed"),
        ({"$ref": "other.json"}, ("$ref",), "`$ref` leads out of the schema, to `other.json`; only `#/…` is followed"),
        (["type"], (), "expected a mapping, got a list"),
        ({"$schema": 5}, ("$schema",), '5 is not of type "string"'),
    ],
)  # fmt: skip
def test_schemas_that_are_refused(schema, path, message):
    (complaint,) = check_schema(schema)
    assert (complaint.path, complaint.message) == (path, message)


def test_a_refused_schema_accepts_nothing():
    schema = {"$ref": "https://example.org/x.json"}
    assert not is_valid(schema, 1)
    assert said(schema, 1) == [
        ".: cannot be checked, its schema is not legal: `$ref` leads out of the schema, to "
        "`https://example.org/x.json`; only `#/…` is followed"
    ]


@pytest.mark.parametrize(
    "schema",
    [
        True,
        False,
        {},
        {"const": {"$ref": "http://x"}},
        {"examples": [{"$ref": "http://x"}]},
        {"properties": {"$ref": {}}},
    ],
)
def test_schemas_that_are_fine(schema):
    assert check_schema(schema) == ()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
SCHEMAS = st.recursive(
    st.one_of(
        st.booleans(),
        st.fixed_dictionaries({"type": st.sampled_from(["string", "number", "array", "object", "null"])}),
        st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"minimum": st.integers(-5, 5), "maxLength": st.integers(0, 2)}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries(
            {
                "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
                "required": st.lists(st.sampled_from("abc"), unique=True, max_size=2),
                "additionalProperties": inner,
            }
        ),
        st.fixed_dictionaries({"if": inner, "then": inner, "else": inner}),
        st.fixed_dictionaries({"items": inner, "minItems": st.integers(0, 2)}),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(SCHEMAS, VALUES)
def test_complaints_are_there_exactly_when_the_value_is_invalid(schema, value):
    found = complaints(schema, value)
    assert (not found) == jsonschema.Draft202012Validator(schema).is_valid(value)
    for complaint in found:
        assert complaint.message
        held = value
        for part in complaint.path:
            held = held[part]


def test_validators_are_imported_when_first_needed():
    code = "import sys, json, runner.words.schemas as s; a = 'jsonschema_rs' in sys.modules\n"
    code += "s.complaints({}, 1); b = 'jsonschema' in sys.modules\n"
    code += "s.complaints(False, 1); print(json.dumps([a, b, 'jsonschema' in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, False, True]
