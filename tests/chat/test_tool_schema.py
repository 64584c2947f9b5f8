"""Schemas as they are offered to models of local servers."""

from __future__ import annotations

from runner.chat.tool_schema import offered_schema


def test_drops_what_grammars_choke_on_and_keeps_it_as_words() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Fetch",
        "type": "object",
        "required": ["url"],
        "properties": {
            "url": {"type": "string", "format": "uri", "minLength": 1, "maxLength": 4000, "description": "Where"},
            "code": {"type": "string", "pattern": "^\\d+$", "default": "1", "examples": ["2"]},
        },
        "additionalProperties": False,
    }
    assert offered_schema(schema) == {
        "type": "object",
        "required": ["url"],
        "properties": {
            "url": {"type": "string", "description": "Where (format uri)"},
            "code": {"type": "string", "description": "(pattern ^\\d+$)"},
        },
        "additionalProperties": False,
    }


def test_a_property_may_bear_the_name_of_a_keyword() -> None:
    schema = {"type": "object", "properties": {"pattern": {"type": "string"}, "format": {"type": "string"}}}
    assert offered_schema(schema)["properties"] == {"pattern": {"type": "string"}, "format": {"type": "string"}}


def test_folds_a_nullable_into_its_type_and_gives_lists_items() -> None:
    nullable = {"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "N"}
    schema = {"properties": {"n": nullable, "l": {"type": "array"}}}
    assert offered_schema(schema) == {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "l": {"type": "array", "items": {}}},
    }


def test_inlines_local_references_and_never_follows_others() -> None:
    schema = {
        "type": "object",
        "$defs": {"point": {"type": "object", "properties": {"x": {"type": "number"}}}},
        "properties": {"at": {"$ref": "#/$defs/point", "description": "Where"}, "far": {"$ref": "https://x.example/s"}},
    }
    assert offered_schema(schema) == {
        "type": "object",
        "properties": {
            "at": {"type": "object", "properties": {"x": {"type": "number"}}, "description": "Where"},
            "far": {},
        },
    }


def test_a_recursive_schema_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    offered = offered_schema(
        {"type": "object", "$defs": {"node": node}, "properties": {"head": {"$ref": "#/$defs/node"}}}
    )
    depth, level = 0, offered["properties"]["head"]
    while level:
        depth, level = depth + 1, level.get("properties", {}).get("next", {})
    assert 1 < depth < 12


def test_a_tool_without_a_schema_takes_an_empty_object() -> None:
    assert offered_schema({}) == {"type": "object", "properties": {}}


def test_every_place_of_a_schema_is_reduced() -> None:
    long = {"type": "string", "pattern": "x" * 300}
    schema = {
        "type": "object",
        "patternProperties": {"^f": {"type": "string", "minLength": 1}},
        "properties": {
            "map": {"type": "object", "additionalProperties": long},
            "pair": {"type": "array", "prefixItems": [{"type": "string", "format": "date"}], "items": False},
            "not": {"not": {"title": "T", "type": "null"}},
            "all": {"allOf": [{"type": "string", "maxLength": 9}, True]},
        },
    }
    assert offered_schema(schema) == {
        "type": "object",
        "patternProperties": {"^f": {"type": "string"}},
        "properties": {
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "pair": {
                "type": "array",
                "prefixItems": [{"type": "string", "description": "(format date)"}],
                "items": {},
            },
            "not": {"not": {"type": "null"}},
            "all": {"allOf": [{"type": "string"}, {}]},
        },
    }


def test_only_a_choice_between_one_schema_and_null_is_folded() -> None:
    two_nulls = {"anyOf": [{"type": "null"}, {"type": "null"}]}
    true_or_null = {"anyOf": [True, {"type": "null"}]}
    three = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]}
    offered = offered_schema({"properties": {"a": two_nulls, "b": true_or_null, "c": three}})
    assert offered["properties"] == {"a": two_nulls, "b": {"anyOf": [{}, {"type": "null"}]}, "c": three}


def test_references_that_lead_nowhere_or_are_none_allow_anything() -> None:
    schema = {
        "$defs": {"a": {"type": "string"}, "b/c": {"type": "number"}},
        "properties": {
            "gone": {"$ref": "#/$defs/x/y"},
            "odd": {"$ref": 5},
            "escaped": {"$ref": "#/$defs/b~1c"},
            "whole": {"$ref": "#/$defs"},
        },
    }
    assert offered_schema(schema)["properties"] == {"gone": {}, "odd": {}, "escaped": {"type": "number"}, "whole": {
        "a": {"type": "string"}, "b/c": {"type": "number"}
    }}  # fmt: skip


def test_a_schema_that_is_only_itself_takes_an_empty_object() -> None:
    assert offered_schema({"$ref": "#"}) == {"type": "object", "properties": {}}
    assert offered_schema({"properties": ["a"]}) == {"type": "object", "properties": {}}
