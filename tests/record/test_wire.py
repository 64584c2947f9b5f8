"""Lines of the journal: there and back, strict JSON, damaged files, and the schema that describes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.chat.messages import Usage
from runner.record.events import EVENTS, StepFinished, StepStarted, StepWarned
from runner.record.wire import TYPE_NAMES, Entry, encode_json, from_line, read_journal, to_dict, to_line
from runner.words.errors import FAILURE_KINDS, HistoryError

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "journal.schema.json").read_text(encoding="utf-8"))


def test_examples_cover_every_event(full):
    assert [type(entry.event) for entry in full] == list(EVENTS)
    for entry in full:
        told = [f.name for f in fields(entry.event) if f.name not in ("item", "items")]
        assert all(getattr(entry.event, name) is not None for name in told)


def test_every_fact_of_a_step_may_be_one_of_an_item(full):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    of_steps = [entry for entry in full if hasattr(entry.event, "step")]
    for entry in of_steps:
        one = replace(entry, event=replace(entry.event, item=3))
        assert json.loads(to_line(one))["item"] == 3
        assert from_line(to_line(one)) == one
        validator.validate(json.loads(to_line(one)))


def test_every_entry_comes_back_as_it_was(full, bare):
    for entry in [*full, *bare]:
        assert from_line(to_line(entry)) == entry


def test_a_line_as_it_stands_in_the_file(bare):
    assert to_line(bare[0]) == (
        b'{"seq":1,"at":"2026-11-22T23:05:01.250Z","run":"r1","type":"step_started","step":"fix","kind":"run"}\n'
    )


def test_every_line_fits_the_schema(full, bare):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for entry in [*full, *bare]:
        validator.validate(json.loads(to_line(entry)))


def test_the_schema_refuses_what_is_no_line(full):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    line = json.loads(to_line(next(entry for entry in full if isinstance(entry.event, StepStarted))))
    for wrong in ({**line, "surplus": 1}, {**line, "type": "step_paused"}, {**line, "seq": 0}, {**line, "at": "now"}):
        assert not validator.is_valid(wrong)
    del line["kind"]
    assert not validator.is_valid(line)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_schema_and_event_name_the_same_fields_and_types(event):
    branch = SCHEMA["$defs"][TYPE_NAMES[event]]
    hints = get_type_hints(event)
    assert {name: _type_in_schema(schema) for name, schema in branch["properties"].items()} == {
        name: _type_in_python(hint) for name, hint in hints.items()
    }
    required = [f.name for f in fields(event) if f.default is MISSING and f.default_factory is MISSING]
    assert branch["required"] == [name for name in required if hints[name] is not Any]


def test_schema_has_a_branch_for_every_event_and_no_other():
    names = list(TYPE_NAMES.values())
    assert SCHEMA["properties"]["type"]["enum"] == names
    assert [branch["if"]["properties"]["type"]["const"] for branch in SCHEMA["allOf"]] == names
    assert [branch["then"]["$ref"] for branch in SCHEMA["allOf"]] == [f"#/$defs/{name}" for name in names]
    assert SCHEMA["$defs"].keys() == {*names, "failure_kind", "error", "usage"}
    assert set(SCHEMA["properties"]) == {"type"} | {f.name for f in fields(Entry)} - {"event"}


def test_shared_parts_of_the_schema_match_their_types():
    assert tuple(SCHEMA["$defs"]["failure_kind"]["enum"]) == FAILURE_KINDS
    assert list(SCHEMA["$defs"]["usage"]["properties"]) == [f.name for f in fields(Usage)]


def test_every_property_of_the_schema_is_described():
    assert list(_undescribed(SCHEMA)) == []


def test_what_json_lacks_is_said_in_words(numbered):
    frozen = MappingProxyType({"key": Path("a/b")})
    output = {"score": float("nan"), "all": [float("inf"), 1.5], "half": "\ud83d", "odd": {2, 1}, "frozen": frozen}
    [entry] = numbered([StepFinished(step="a", status="succeeded", output=output)])
    line = to_line(entry)
    assert json.loads(line, parse_constant=pytest.fail)["output"] == {
        "score": "nan",
        "all": ["inf", 1.5],
        "half": "\ud83d",
        "odd": [1, 2],
        "frozen": {"key": "a/b"},
    }
    assert line.count(b"\n") == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_value_survives_on_one_line(value):
    line = encode_json(value)
    assert json.loads(line) == value
    assert b"\n" not in line


def test_read_journal_gives_every_entry(full):
    assert list(read_journal([to_line(entry) for entry in full])) == full


@pytest.mark.parametrize("left", [1, 20, 60])
def test_a_torn_last_line_is_passed_over(full, left):
    lines = [to_line(entry) for entry in full]
    assert list(read_journal([*lines[:-1], lines[-1][:left]])) == full[:-1]


def test_an_unknown_field_is_passed_over(full):
    line = json.loads(to_line(full[3])) | {"later": True}
    assert from_line(json.dumps(line)) == full[3]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{oops\n", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"seq":2}\n', "unknown or missing 'type'"),
        (b'{"seq":2,"at":"","run":"","type":"step_paused"}\n', "unknown or missing 'step_paused'"),
    ],
)
def test_damage_in_the_middle_is_an_error(full, line, why):
    lines = [to_line(entry) for entry in full]
    lines[1] = line
    with pytest.raises(HistoryError) as caught:
        list(read_journal(lines))
    assert str(caught.value) == f"line 2 of the journal is damaged: not an entry of a journal: {why}"
    assert caught.value.hint == "start a new run"


def test_a_missing_line_is_an_error(full):
    lines = [to_line(entry) for entry in full]
    del lines[1]
    with pytest.raises(HistoryError, match="line 2 of the journal is damaged: entry 2 is missing, entry 3 stands"):
        list(read_journal(lines))


def test_to_dict_leaves_out_none(numbered):
    [entry] = numbered([StepWarned(step="a", message="")])
    assert to_dict(replace(entry, seq=7)) == {
        "seq": 7,
        "at": "2026-11-22T23:05:01.250Z",
        "run": "r1",
        "type": "step_warned",
        "step": "a",
        "message": "",
    }


def _type_in_schema(schema: Mapping[str, Any]) -> object:
    reference = schema.get("$ref", "")
    if reference == "#/$defs/failure_kind":
        return FAILURE_KINDS
    if reference:
        return "usage" if reference.endswith("/usage") else "object"
    return tuple(schema["enum"]) if "enum" in schema else schema.get("type", "any")


def _type_in_python(hint: Any) -> object:
    if get_origin(hint) is UnionType:
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Literal:
        return get_args(hint)
    names = {str: "string", int: "integer", float: "number", bool: "boolean", Any: "any", Usage: "usage"}
    return names.get(hint) or {tuple: "array", Mapping: "object"}[get_origin(hint)]


def _undescribed(schema: Any, path: str = "$"):
    if isinstance(schema, dict):
        for name, inner in schema.get("properties", {}).items():
            if "description" not in inner and "const" not in inner and "$ref" not in inner:
                yield f"{path}.{name}"
        for name, inner in schema.items():
            yield from _undescribed(inner, f"{path}.{name}")


def test_values_that_json_has_not_are_written_as_what_is_nearest():
    value = {"set": {"b", "a"}, "frozen": frozenset({2, 1}), "view": MappingProxyType({"k": 1}), "path": Path("a/b")}
    assert json.loads(encode_json(value)) == {"set": ["a", "b"], "frozen": [1, 2], "view": {"k": 1}, "path": "a/b"}
