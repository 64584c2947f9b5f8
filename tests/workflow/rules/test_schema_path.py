"""Following a path into a JSON Schema: what can be there, what cannot, and when it is better to say nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.words.errors import WorkflowError
from runner.workflow.load import load
from runner.workflow.rules.schema_path import Answer, follow

FILE = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}


def said(schema: Any, *path: str | int) -> str:
    """The verdict, how far the path could be followed, why not, what is near."""
    answer = follow(schema, path)
    near = f" ~{answer.near}" if answer.near else ""
    return f"{answer.verdict} {answer.depth} {answer.reason}".rstrip() + near


@pytest.mark.parametrize(
    ("schema", "path", "verdict"),
    [
        (FILE, ("name",), "yes 0"),
        (FILE, ("nam",), "no 0 has no `nam` (it has `name`) ~name"),
        (FILE, ("name", "first"), "no 1 is a text, which has no `first`"),
        (FILE, ("name", 0), "yes 0"),
        ({**FILE, "additionalProperties": True}, ("nam",), "maybe 0 ~name"),
        ({"type": "object", "additionalProperties": False}, ("x",), "no 0 has no `x` (it is empty)"),
        ({"additionalProperties": FILE}, ("any", "name"), "yes 0"),
        ({"additionalProperties": FILE}, ("any", "size"), "no 1 has no `size` (it has `name`)"),
        ({"additionalProperties": {}}, ("any", "thing"), "maybe 0"),
        ({"patternProperties": {"^f_": FILE}}, ("f_one", "size"), "no 1 has no `size` (it has `name`)"),
        ({"patternProperties": {"^f_": FILE}}, ("g_one", "size"), "maybe 0"),
        ({"patternProperties": {"(?<n>x)": FILE}}, ("y", "size"), "no 1 has no `size` (it has `name`)"),
    ],
)
def test_a_key(schema: Any, path: tuple[str | int, ...], verdict: str) -> None:
    assert said(schema, *path) == verdict


@pytest.mark.parametrize(
    ("schema", "path", "verdict"),
    [
        ({"type": "array", "items": FILE}, (3, "name"), "yes 0"),
        ({"type": "array", "items": FILE}, (3, "nam"), "no 1 has no `nam` (it has `name`) ~name"),
        ({"type": "array"}, (3, "nam"), "maybe 1"),
        ({"type": "array", "prefixItems": [{"type": "number"}, FILE]}, (1, "name"), "yes 0"),
        ({"type": "array", "prefixItems": [{"type": "number"}, FILE]}, (0, "name"),
         "no 1 is a number, which has no `name`"),
        ({"type": "array", "prefixItems": [FILE], "items": False}, (1,), "no 0 has no item 1"),
        ({"type": "array", "prefixItems": [FILE], "items": {"type": "null"}}, (1, "name"),
         "no 1 is null, which has no `name`"),
        ({"type": "boolean"}, (0,), "no 0 is a boolean, which has no items"),
        ({"type": ["integer", "null"]}, ("x",), "no 0 is a whole number, which has no `x`"),
        ({"type": ["array", "number"]}, ("x",), "no 0 is a list or a number, which has no `x`"),
    ],
)  # fmt: skip
def test_an_item(schema: Any, path: tuple[str | int, ...], verdict: str) -> None:
    assert said(schema, *path) == verdict


@pytest.mark.parametrize(
    ("schema", "verdict"),
    [
        ({"enum": ["a", 1]}, "no 0 is a text or a whole number, which has no `x`"),
        ({"enum": [True, None]}, "no 0 is a boolean, which has no `x`"),
        ({"const": 1.5}, "no 0 is a number, which has no `x`"),
        ({"const": [1]}, "no 0 is a list, which has no `x`"),
        ({"enum": ["a", {"x": 1}]}, "maybe 0"),
    ],
)
def test_a_value_that_is_listed(schema: Any, verdict: str) -> None:
    assert said(schema, "x") == verdict


@pytest.mark.parametrize(
    ("schema", "path", "verdict"),
    [
        ({"$ref": "#/$defs/f", "$defs": {"f": FILE}}, ("nam",), "no 0 has no `nam` (it has `name`) ~name"),
        ({"$ref": "#/$defs/a~1b~0c", "$defs": {"a/b~c": FILE}}, ("name",), "yes 0"),
        ({"$ref": "https://example.org/s"}, ("x",), "maybe 0"),
        ({"$ref": "#/$defs/gone"}, ("x",), "maybe 0"),
        ({"$ref": "#/$defs/f/type/x", "$defs": {"f": FILE}}, ("x",), "maybe 0"),
        ({"properties": {"next": {"$ref": "#"}}, "additionalProperties": False}, ("next", "next", "nex"),
         "no 2 has no `nex` (it has `next`) ~next"),
        ({"allOf": [FILE, {"properties": {"size": {"type": "number"}}}]}, ("size", "x"),
         "no 1 is a number, which has no `x`"),
        ({"anyOf": [{"type": "null"}, FILE]}, ("name",), "yes 0"),
        ({"oneOf": [{"type": "null"}, FILE]}, ("nam",), "no 0 has no `nam` (it has `name`) ~name"),
        ({"anyOf": [{"properties": {"a": FILE}}, {"type": "null"}]}, ("a", "nam"),
         "no 1 has no `nam` (it has `name`) ~name"),
        (True, ("x",), "maybe 0"),
        ({"anyOf": [True, FILE]}, ("x",), "maybe 0"),
    ],
)  # fmt: skip
def test_references_and_choices(schema: Any, path: tuple[str | int, ...], verdict: str) -> None:
    assert said(schema, *path) == verdict


def test_of_too_many_alternatives_nothing_is_said() -> None:
    """65 ways, none of which has an `x`: no time to look at all of them, so none is blamed."""
    some, most = ({"oneOf": [{**FILE, "title": str(number)} for number in range(count)]} for count in (64, 65))
    assert follow(some, ("x",)).verdict == "no"
    assert follow(most, ("x",)) == Answer(verdict="maybe")
    assert follow({"allOf": [some, some]}, ("x",)) == Answer(verdict="maybe")


def test_a_tree_of_four_kinds_is_followed_thirty_levels_down() -> None:
    """Each level offers all four again: looked at one by one that is 4 to the power of 30."""
    kinds = [{**FILE, "properties": {"next": {"$ref": "#"}, "kind": {"const": kind}}} for kind in "abcd"]
    assert said({"oneOf": kinds}, *["next"] * 30) == "yes 0"
    assert said({"oneOf": kinds}, *["next"] * 30, "nex") == "no 30 has no `nex` (it has `next`, `kind`) ~next"


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_a_schema_made_of_itself_says_nothing(keyword: str) -> None:
    assert follow({keyword: [{"$ref": "#"}] * 8}, ("x",)) == Answer(verdict="maybe")


def test_a_chain_of_doubled_references_is_followed_once() -> None:
    links = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(20)}
    assert said({"$ref": "#/$defs/d0", "$defs": {**links, "d20": FILE}}, "nam").startswith("no 0 has no `nam`")


def test_a_very_long_chain_is_given_up() -> None:
    links = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(2000)}
    assert follow({"$ref": "#/$defs/d0", "$defs": {**links, "d2000": FILE}}, ("x",)) == Answer(verdict="maybe")


def test_nothing_is_followed_into_what_is_no_schema(tmp_path: Path) -> None:
    """The file says so once, where the schema stands, and nothing about the path."""
    file = tmp_path / "w.yaml"
    file.write_text(
        "version: 1\nname: w\ninputs:\n  i: {type: object, properties: {b: {properties: 5}}}\nsteps:\n"
        "  - {id: a, task: x, output: {type: object, properties: 5, allOf: 3}}\n"
        '  - {id: b, task: "{{ steps.a.output.b.c }} {{ inputs.i.b.c }}"}\n'
    )
    with pytest.raises(WorkflowError) as caught:
        load(str(file))
    assert [f"{one.code} {one.message}" for one in caught.value.diagnostics] == [
        "BR226 `i.properties.b.properties` is no legal JSON Schema: expected a mapping, got the number 5",
        "BR226 `output.properties` is no legal JSON Schema: expected a mapping, got the number 5",
        "BR226 `output.allOf` is no legal JSON Schema: expected a list, got the number 3",
    ]
