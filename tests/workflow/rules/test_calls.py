"""What a called workflow is given, judged by what it declares."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.rule_text import findings, loaded, steps

OTHER = """\
version: 1
name: other
inputs:
  path: {type: string}
  limit: {type: integer, default: 3, maximum: 9}
  mode: {enum: [fast, slow], default: fast}
  flag: {type: boolean, default: false}
  spots:
    type: array
    items:
      type: object
      required: [file]
      additionalProperties: false
      properties: {file: {type: string}, line: {type: integer}}
    default: []
  pair: {type: array, prefixItems: [{type: string}], items: false, default: []}
  free: {default: 0}
steps:
  - id: look
    task: "{{ inputs | tojson }}"
"""
ASK = """\
task: Look.
output:
  type: object
  required: [spots, names, one, two, fl]
  properties:
    n: {type: integer}
    x: {type: number}
    mode: {enum: [quick, slow]}
    never: {enum: [quick, later]}
    flag: {type: boolean}
    names: {type: array, items: {type: string}}
    pairs: {type: array, prefixItems: [{type: string}, {type: string}]}
    one: {type: object, properties: {fil: {type: string}}, additionalProperties: false}
    two: {type: object, required: [file, extra], properties: {file: {type: string}, extra: {type: string}}}
    line: {type: object, required: [file, line], properties: {file: {type: string}, line: {type: string}}}
    spots: {type: array, items: {type: object, required: [file], properties: {file: {type: string}}}}
    nested: {anyOf: [{type: object, required: [file], properties: {file: {type: string}}}, {type: "null"}]}"""
START = "this does not fit the input"


def found_of(folder: Path, *bodies: str) -> list[str]:
    (folder / "other.yaml").write_text(OTHER, encoding="utf-8")
    return findings(folder, steps(*bodies))


def test_the_inputs_of_a_call(tmp_path: Path) -> None:
    assert (
        found_of(tmp_path, "workflow: ./other.yaml\nwith: {path: src, limit: 9, spots: [{file: a}], free: [1]}") == []
    )


def test_what_is_not_given(tmp_path: Path) -> None:
    missing = "BR241 {} `./other.yaml` needs the input `path` | add `with: {{path: …}}`"
    assert found_of(tmp_path, "workflow: ./other.yaml") == [missing.format("5:15")]
    assert found_of(tmp_path, "workflow: ./other.yaml\nwith: {limit: 3}") == [missing.format("6:5")]


def test_of_several_inputs_that_are_not_given_all_are_named(tmp_path: Path) -> None:
    other = OTHER.replace("{type: integer, default: 3, maximum: 9}", "{type: integer}")
    (tmp_path / "other.yaml").write_text(other, encoding="utf-8")
    assert findings(tmp_path, steps("workflow: ./other.yaml")) == [
        "BR241 5:15 `./other.yaml` needs the inputs `path` and `limit` | add `with: {path: …, limit: …}`"
    ]


def test_what_is_not_declared(tmp_path: Path) -> None:
    assert found_of(tmp_path, "workflow: ./other.yaml\nwith: {pth: src, zzz: 1}") == [
        "BR241 6:12 `./other.yaml` has no input `pth` | did you mean `path`?",
        "BR241 6:22 `./other.yaml` has no input `zzz` | its inputs are `path`, `limit`, `mode`, `flag`, `spots`, `pair`"
        " and `free`",
    ]
    (tmp_path / "other.yaml").write_text("version: 1\nname: o\nsteps:\n  - {id: a, task: x}\n", encoding="utf-8")
    assert findings(tmp_path, steps("workflow: ./other.yaml\nwith: {a: 1}")) == [
        "BR241 6:12 `./other.yaml` has no input `a` | it has no inputs"
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("limit: '3'", ["BR241 {} `limit` of `./other.yaml`: expected a whole number, got the text `3`"]),
        ("limit: 12", ["BR241 {} `limit` of `./other.yaml`: expected at most 9, got 12"]),
        ("mode: fats", ["BR241 {} `mode` of `./other.yaml`: expected `fast` or `slow`, got `fats`"]),
        (
            "spots: [{fil: a}]",
            [
                "BR241 {} `spots` of `./other.yaml` at `[0]`: the key `file` is missing",
                "BR241 {} `spots` of `./other.yaml` at `[0]`: unknown key `fil`",
            ],
        ),
    ],
)
def test_a_value_that_is_written_out(tmp_path: Path, given: str, expected: list[str]) -> None:
    found = found_of(tmp_path, f"workflow: ./other.yaml\nwith: {{path: x, {given}}}")
    assert [line.split(" ", 2)[2] for line in found] == [line.replace("BR241 {}", START) for line in expected]


FIELDS = " | give step `b` an `output` schema, so that it answers with fields"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("limit: '{{ steps.a.output.n }}'", ""),
        ("limit: '{{ steps.a.output.x }}'", ""),
        ("limit: '{{ steps.a.output.unknown }}'", ""),
        ("limit: 'n {{ steps.a.output.n }}'", "`limit` of `./other.yaml`: expected a whole number, got a text"),
        ("limit: '{{ steps.b.output }}'", f"`limit` of `./other.yaml`: expected a whole number, got a text{FIELDS}"),
        ("path: '{{ steps.a.output.n }}'", "`path` of `./other.yaml`: expected a text, got a whole number"),
        ("mode: '{{ steps.a.output.mode }}'", ""),
        ("mode: '{{ steps.a.output.never }}'", "`mode` of `./other.yaml`: expected `fast` or `slow`, got `quick`"),
        ("mode: '{{ steps.b.output }}'", ""),
        ("flag: '{{ steps.a.output.flag }}'", ""),
        ("flag: '{{ steps.a.output.n > 3 }}'", ""),
        ("flag: '{{ steps.a.output.n }}'", "`flag` of `./other.yaml`: expected true or false, got a whole number"),
        ("spots: '{{ steps.a.output.spots }}'", ""),
        ("spots: '{{ steps.a.output.names }}'", "`spots` of `./other.yaml` at `[0]`: expected a mapping, got a text"),
        ("spots: ['{{ steps.a.output.one }}']", "`spots` of `./other.yaml` at `[0]`: the key `file` is missing"),
        ("spots: ['{{ steps.a.output.two }}']", "`spots` of `./other.yaml` at `[0]`: unknown key `extra`"),
        (
            "spots: ['{{ steps.a.output.line }}']",
            "`spots` of `./other.yaml` at `[0].line`: expected a whole number, got a text",
        ),
        ("spots: ['{{ steps.a.output.nested }}']", ""),
        ("spots: [{file: '{{ steps.b.output }}'}, {file: x, line: 3}]", ""),
        (
            "spots: [{file: '{{ steps.b.output }}'}, {file: x, line: '3'}]",
            "`spots` of `./other.yaml` at `[1].line`: expected a whole number, got the text `3`",
        ),
        (
            "spots: [{file: '{{ steps.a.output.n }}'}]",
            "`spots` of `./other.yaml` at `[0].file`: expected a text, got a whole number",
        ),
        ("pair: ['{{ steps.b.output }}', x]", "`pair` of `./other.yaml`: too many items: 2"),
        ("pair: ['{{ steps.b.output }}']", ""),
        ("pair: '{{ steps.a.output.names }}'", ""),
        ("free: '{{ steps.b.output }}'", ""),
        ("flag: '{{ steps.b.output == 1 and steps.b.output == 2 }}'", None),
        ("mode: '{{ true }}'", "`mode` of `./other.yaml`: expected a text, got true or false"),
        ("limit: '{{ none }}'", "`limit` of `./other.yaml`: expected a whole number, got nothing"),
    ],
)
def test_a_value_that_is_known_by_its_schema(tmp_path: Path, given: str, expected: str | None) -> None:
    path = "" if given.startswith("path") else "path: x, "
    found = found_of(tmp_path, ASK, "task: x", f"workflow: ./other.yaml\nwith: {{{path}{given}}}")
    if expected is None:  # another rule has something to say, this one has not
        assert not any(line.startswith("BR241") for line in found)
    else:
        assert [line.split(" ", 2)[2] for line in found] == ([f"{START} {expected}"] if expected else [])


def test_values_deep_inside_may_be_anything(tmp_path: Path) -> None:
    deep = "{type: object, required: [n], properties: {n: " * 20 + "{type: integer}" + "}}" * 20
    wanted = deep.replace("integer", "string")
    other = OTHER.replace("free: {default: 0}", f"free: {wanted[:-1]}, default: 0}}").replace(
        "default: 0}", "default: x}"
    )
    (tmp_path / "other.yaml").write_text(other.replace(", default: x}", "}"), encoding="utf-8")
    body = steps(f"task: x\noutput: {deep}", "workflow: ./other.yaml\nwith: {path: x, free: '{{ steps.a.output }}'}")
    assert findings(tmp_path, body) == []


def test_of_very_many_values_not_all_are_tried(tmp_path: Path) -> None:
    values = ", ".join(f"w{number}" for number in range(70))
    body = (
        f"task: x\noutput: {{enum: [{values}]}}",
        "workflow: ./other.yaml\nwith: {path: x, limit: '{{ steps.a.output }}'}",
    )
    assert found_of(tmp_path, *body) == []


def test_a_call_of_a_call(tmp_path: Path) -> None:
    """Outputs are typed through files."""
    (tmp_path / "inner.yaml").write_text(
        "version: 1\nname: inner\nsteps:\n  - {id: gate, approve: Go?, choices: [now, later]}\n", encoding="utf-8"
    )
    (tmp_path / "other.yaml").write_text(
        "version: 1\nname: other\nsteps:\n  - {id: call, workflow: ./inner.yaml}\n"
        "outputs: {when: '{{ steps.call.output.gate }}'}\n",
        encoding="utf-8",
    )
    body = steps("workflow: ./other.yaml", "task: x\nwhen: steps.a.output.when == 'latr'")
    assert findings(tmp_path, body) == ["BR243 8:34 `steps.a.output.when` is never `latr` | did you mean `later`?"]
    fine = loaded(tmp_path, body.replace("latr", "later"))
    assert fine.warnings == ()
