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
