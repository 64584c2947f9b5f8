"""Values as lines for a diff: nothing can be taken for something else."""

from __future__ import annotations

from typing import Any

import pytest

from runner.show.snapshot_value import block, inline, replaced


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("plain words", "plain words"),
        ("true", '"true"'),
        ("No", '"No"'),
        ("3", '"3"'),
        ("", '""'),
        (" x", '" x"'),
        ("a: b", '"a: b"'),
        ("a:", '"a:"'),
        ("a\x1b[0m", '"a\\u001b[0m"'),
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        ({"a": [1, "ü"]}, '{"a": [1, "ü"]}'),
    ],
)
def test_a_text_stands_as_it_is_only_where_it_cannot_be_mistaken(value: Any, line: str) -> None:
    assert inline(value) == line


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("one\ntwo", ["name: |-", "  one", "  two"]),
        ("one\n\ntwo\n", ["name: |", "  one", "", "  two"]),
        ("one\n\n", ['name: "one\\n\\n"']),
        ("one\n", ['name: "one\\n"']),
        ("\none\ntwo", ['name: "\\none\\ntwo"']),
        ("  one\ntwo", ['name: "  one\\ntwo"']),
        ("one\n\x07two", ['name: "one\\n\\u0007two"']),
        ("one\n\ttwo", ["name: |-", "  one", "  \ttwo"]),
        ([], ["name: []"]),
        ({}, ["name: {}"]),
        ([1, [2, 3]], ["name:", "  - 1", "  -", "    - 2", "    - 3"]),
        ([{"a": 1, "b": {"c": 2}}], ["name:", "  - a: 1", "    b:", "      c: 2"]),
        ([{}, "x\ny"], ["name:", "  - {}", "  - |-", "    x", "    y"]),
        ({"a b": 1, "3": 2}, ["name:", "  a b: 1", '  "3": 2']),
    ],
)
def test_what_has_parts_stands_below_its_name(value: Any, lines: list[str]) -> None:
    assert block("name", value) == lines


def test_the_longer_of_two_texts_is_replaced_first_wherever_it_stands() -> None:
    known = {"/tmp": "TMP", "/tmp/run": "RUN", "": "never"}
    value = {"/tmp/run/a": ["/tmp/b", 1, None], "c": "/tmp/run"}
    assert replaced(value, known) == {"RUN/a": ["TMP/b", 1, None], "c": "RUN"}
    assert replaced(value, {}) is value


def test_a_folder_or_an_address_is_replaced_only_where_it_ends() -> None:
    known = {"/app": "PROJECT", "/": "ROOT", "http://here:80": "ENDPOINT"}
    text = "/app, --in=/app/x and /app.\n/apple /app-2 /app.d x.org/app /usr/app http://here:80/v1 http://here:8080"
    assert replaced(text, known) == (
        "PROJECT, --in=PROJECT/x and PROJECT.\n/apple /app-2 /app.d x.org/app /usr/app ENDPOINT/v1 http://here:8080"
    )
