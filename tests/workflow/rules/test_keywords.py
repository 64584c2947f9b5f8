"""Words in a schema that judge nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, steps

UNDER = "write `type: object`, put the names under `properties`, and under `required` those that have to be there"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("{answer: {type: string}}", "`answer` is"),
        ("{answer: string, score: number}", "`answer` and `score` are"),
        ("{a: string, b: string, c: string, d: string}", "`a`, `b` and `c`, … are"),
    ],
)
def test_names_of_properties_alone_are_an_error(tmp_path: Path, output: str, said: str) -> None:
    assert findings(tmp_path, steps(f"task: x\noutput: {output}")) == [
        f"BR246 6:14 this `output` would let every answer pass: {said} no JSON Schema | {UNDER}"
    ]


@pytest.mark.parametrize(
    ("output", "place", "keyword", "ways"),
    [
        ("{type: object, propertys: {}}", "6:28", "propertys", "did you mean `properties`?"),
        ("{type: object, properties: {a: {typ: string}}}", "6:45", "typ", "did you mean `type`?"),
        ("{type: array, items: {anyOf: [{options: [a]}]}}", "6:44", "options", "write `enum`"),
        ("{type: [string], nullable: true}", "6:30", "nullable", "write `type: [string, 'null']`, or whatever it is"),
        ("{type: object, zebra: 1}", "6:28", "zebra", "see json-schema.org, draft 2020-12"),
    ],
)
def test_a_word_that_json_schema_does_not_know(
    tmp_path: Path, output: str, place: str, keyword: str, ways: str
) -> None:
    [found] = findings(tmp_path, steps(f"task: x\noutput: {output}"))
    ways = ways.replace("whatever it is", "whatever type it is")
    assert found == f"BR246 {place} JSON Schema has no keyword `{keyword}`: nothing is judged by it | {ways}"


@pytest.mark.parametrize(
    "output",
    [
        "{}",
        "{x-note: mine, type: string}",
        "{type: object, properties: {nullable: {}, answer: {const: {zebra: 1}}}}",
        "{$defs: {name: {type: string}}, $ref: '#/$defs/name'}",
        "{type: array, items: [{type: string}], additionalItems: false}",
        "{enum: [{zebra: 1}], default: {zebra: 2}, examples: [{zebra: 3}]}",
        "{schema: s.json}",
    ],
)
def test_all_else_is_left_alone(tmp_path: Path, output: str) -> None:
    (tmp_path / "s.json").write_text('{"zebra": 1}', encoding="utf-8")
    assert [one for one in findings(tmp_path, steps(f"task: x\noutput: {output}")) if "BR246" in one] == []
