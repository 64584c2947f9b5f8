"""Arguments of tool calls: what small models write, and what the tool gets."""

from __future__ import annotations

from typing import Any

import pytest

from runner.chat.arguments import read_arguments

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["path"],
    "properties": {
        "path": {"type": "string"},
        "start": {"type": "integer", "minimum": 1},
        "ratio": {"type": "number"},
        "deep": {"type": "boolean"},
        "names": {"type": "array", "items": {"type": "string"}},
        "options": {"type": "object"},
        "branch": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "anything": {},
        "many": {"type": "array", "items": {"type": "integer"}},
        "either": {"oneOf": [{"type": ["integer", "null"]}, {"type": "boolean"}]},
        "open": {"anyOf": [{"type": "integer"}, {}]},
        "never": True,
    },
}


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"path": "a"}', {"path": "a"}),
        ('"{\\"path\\": \\"a\\"}"', {"path": "a"}),
        ('{"path": "a", "start": "5"}', {"path": "a", "start": 5}),
        ('{"path": "a", "start": 5.0}', {"path": "a", "start": 5}),
        ('{"path": "a", "ratio": "0.5"}', {"path": "a", "ratio": 0.5}),
        ('{"path": "a", "deep": "True"}', {"path": "a", "deep": True}),
        ('{"path": "a", "deep": "false"}', {"path": "a", "deep": False}),
        ('{"path": "a", "names": "x"}', {"path": "a", "names": ["x"]}),
        ('{"path": "a", "names": "[\\"x\\", \\"y\\"]"}', {"path": "a", "names": ["x", "y"]}),
        ('{"path": "a", "options": "{\\"k\\": 1}"}', {"path": "a", "options": {"k": 1}}),
        ('{"path": "a", "start": "5.0"}', {"path": "a", "start": 5}),
        ('{"path": "a", "many": 12}', {"path": "a", "many": [12]}),
        ('{"path": "a", "many": null}', {"path": "a"}),
        ('{"path": "a", "either": "7"}', {"path": "a", "either": 7}),
        ('{"path": "a", "either": "true"}', {"path": "a", "either": True}),
        ('{"path": "a", "either": "null"}', {"path": "a", "either": None}),
        ('{"path": "a", "open": "5"}', {"path": "a", "open": "5"}),
        ('{"path": "a", "never": 5}', {"path": "a", "never": 5}),
        ('{"path": 12}', {"path": "12"}),
        ('{"path": "a", "start": null}', {"path": "a"}),
        ('{"path": "a", "branch": null}', {"path": "a", "branch": None}),
        ('{"path": "a", "branch": "5"}', {"path": "a", "branch": "5"}),
        ('{"path": "a", "anything": "5"}', {"path": "a", "anything": "5"}),
    ],
)
def test_makes_what_the_schema_asks_for(text: str, arguments: dict[str, Any]) -> None:
    made = read_arguments(text, SCHEMA)
    assert made == arguments
    assert [type(value) for value in made.values()] == [type(value) for value in arguments.values()]


@pytest.mark.parametrize("text", ["", "  ", "null", '""', "{}"])
def test_no_arguments_may_be_written_in_many_ways(text: str) -> None:
    assert read_arguments(text, {"type": "object", "properties": {}}) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"path": "a', "the arguments are not valid JSON"),
        ("[1]", "the arguments must be a JSON object, not list"),
        ('{"start": 1}', "path"),
        ('{"path": "a", "start": 0}', "start"),
        ('{"path": "a", "start": "five"}', "start"),
        ('{"path": "a", "names": [1]}', r"names\[0\]"),
        ('{"path": null}', "path"),
        ('{"path": "a", "deep": "null"}', "deep"),
        ('{"path": "a", "many": 1.5}', "many: expected a list, got the number 1.5"),
        ('{"path": "a", "many": {"a": 1}}', "many: expected a list, got a mapping"),
        ('{"path": "a", "names": 12}', "names: expected a list, got the number 12"),
        ('{"path": "a", "start": "5.5"}', "start"),
        ('{"path": "a", "names": "[1"}', "names"),
        ('{"path": "a", "options": "[1]"}', "options"),
        ('{"path": "a", "ratio": "' + "[" * 5000 + '"}', "ratio"),
        ('{"path": "a", "ratio": NaN}', "NaN is no JSON number"),
        ('{"path": "a", "ratio": 1e999}', "the number 1e999 is too large"),
        ("[" * 5000, "the arguments are not valid JSON: it is nested too deeply"),
    ],
)
def test_tells_the_model_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_arguments(text, SCHEMA)
