"""What is known of values before anything runs: paths followed through fan-outs, calls and repeats."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kit.rule_text import findings, loaded, steps

TARGETS = """\
task: Look.
output:
  type: object
  properties:
    targets:
      type: array
      items: {type: object, additionalProperties: false, properties: {file: {type: string}, why: {type: string}}}"""
OTHER = """\
version: 1
name: other
inputs: {path: {type: string}}
steps:
  - id: look
    task: "Look at {{ inputs.path }}"
    output: {type: object, properties: {report: {type: string}, grade: {enum: [good, bad]}}}
  - id: gate
    approve: Good?
"""
OUTPUTS = """\
outputs:
  report: "{{ steps.look.output.report }}"
  all: {grade: "{{ steps.look.output.grade }}", line: "x {{ steps.gate.output }}", three: 3}
  both: ["{{ steps.gate.output }}", {n: "{{ steps.look.output | length }}"}]
"""
NONE_OF_TEXT = "give step `a` an `output` schema, so that it answers with fields"


def shown(found: list[str]) -> list[str]:
    """Findings without their places."""
    return [re.sub(r" \d+:\d+", "", line, count=1) for line in found]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('for_each: steps.a.output.targets\ntask: "{{ item.file }} {{ item.why }}"', []),
        (
            'for_each: steps.a.output.targets\ntask: "{{ item.fil }}"',
            ["BR208 `item` has no `fil` (it has `file`, `why`) | did you mean `file`?"],
        ),
        (
            'for_each: steps.a.output.targets\nas: spot\ntask: "{{ spot.file.x }}"',
            ["BR208 `spot.file` is a text, which has no `x`"],
        ),
        (
            'for_each: steps.a.output.targets | list\ntask: "{{ item.fil }}"',
            ["BR208 `item` has no `fil` (it has `file`, `why`) | did you mean `file`?"],
        ),
        (
            "for_each: steps.a.output.targets | map(attribute='file') | list\ntask: \"{{ item.x }}\"",
            ["BR208 `item` is a text, which has no `x`"],
        ),
        ("for_each: steps.a.output.targets | map('upper') | list\ntask: \"{{ item.x }}\"", []),
        ("for_each: steps.a.output.targets | map(attribute='file', default=1)\ntask: \"{{ item.x }}\"", []),
        (
            'for_each: steps.a.output.targets | reverse\ntask: "{{ item.x }}"',
            ["BR208 `item` has no `x` (it has `file`, `why`)"],
        ),
        ('for_each: steps.a.output.targets + [1]\ntask: "{{ item.x }}"', []),
        ('for_each: steps.a.output.targets | default([])\ntask: "{{ item.file }}"', []),
        (
            'for_each: steps.a.output.targets or ["x"]\ntask: "{{ item.x }}"',
            ["BR208 `item` has no `x` (it has `file`, `why`)"],
        ),
        (
            "for_each: [[steps.a.output.targets]]\ntask: '{{ item[0].x }}'",
            ["BR208 `item[0]` is a text, which has no `x`"],
        ),
        (
            'for_each: [{f: 1}, {f: 2, g: [1, x]}]\ntask: "{{ item.f }} {{ item.g[1] }} {{ item.h }}"',
            ["BR208 `item` has no `h` (it has `f`)"],
        ),
        ('for_each: [1, two]\ntask: "{{ item.x }}"', ["BR208 `item` is a text or a whole number, which has no `x`"]),
        (
            'for_each: [1]\ntask: "{{ loop.idx }}"',
            ["BR208 `loop` has no `idx` (it has `index`, `index0`, `length`, `first`, `last`) | did you mean `index`?"],
        ),
        (
            "matrix: {os: [linux, mac], include: [{os: bsd, extra: {n: 1}}]}\n"
            'task: "{{ matrix.os }} {{ matrix.extra.n }} {{ matrix.extra.m }} {{ matrix.oss }}"',
            [
                "BR208 `matrix.extra` has no `m` (it has `n`)",
                "BR208 `matrix` has no `oss` (it has `os`, `extra`) | did you mean `os`?",
            ],
        ),
        (
            f"{TARGETS}\nrepeat: {{until: output.targets == previous.targets or previous.x.y, max: 2}}",
            [],
        ),
        (
            "task: x\nrepeat: {until: previous.x == output.y, max: 2}",
            [
                "BR208 `previous` is a text, which has no `x`",
                "BR208 `output` is a text, which has no `y`",
            ],
        ),
        ("task: x\nexpect: [{that: output.file}]", ["BR208 `output` is a text, which has no `file`"]),
        (
            "task: x\non_error: {output: '{{ error.kin }}'}",
            ["BR208 `error` has no `kin` (it has `kind`, `message`) | did you mean `kind`?"],
        ),
        ("task: '{{ run.id.x }}'", ["BR207 `run.id` has no parts | a run has `run.id`"]),
    ],
)
def test_a_path_into_what_a_step_goes_through(tmp_path: Path, lines: str, expected: list[str]) -> None:
    assert shown(findings(tmp_path, steps(TARGETS, lines))) == expected


@pytest.mark.parametrize(
    ("first", "use", "expected"),
    [
        ("for_each: [1]\ntask: x", "steps.a.output[0]", ""),
        (
            "for_each: [1]\ntask: x",
            "steps.a.output[0].x",
            f"BR208 `steps.a.output[0]` is a text, which has no `x` | {NONE_OF_TEXT}",
        ),
        (
            f"for_each: [1]\n{TARGETS}",
            "steps.a.output.targets",
            "BR208 `steps.a.output` is a list, which has no `targets` | take it of all items with"
            " `steps.a.output | map(attribute='targets')`, or go through them by `for_each`",
        ),
        (
            f"for_each: [1]\n{TARGETS}",
            "steps.a.output[0].targts",
            "BR229 the schema of `steps.a.output[0]` does not name `targts` | did you mean `targets`?",
        ),
        (f"for_each: [1, 2]\nwhen: item == 1\n{TARGETS}", "steps.a.output[0].targets[0].file", ""),
        (
            "matrix: {os: [linux, mac]}\ntask: x",
            "steps.a.output.x.y",
            "BR208 `steps.a.output` is a list, which has no `x` | take it of all items with"
            " `steps.a.output | map(attribute='output.x.y')`, or go through them by `for_each`",
        ),
        (
            "matrix: {os: [linux, mac]}\ntask: x",
            "steps.a.output.matrix.os",
            "BR208 `steps.a.output` is a list, which has no `matrix` | take it of all items with"
            " `steps.a.output | map(attribute='matrix.os')`, or go through them by `for_each`",
        ),
        (
            "matrix: {os: [linux, mac]}\ntask: x",
            "steps.a.output[0].os",
            "BR208 `steps.a.output[0]` has no `os` (it has `matrix`, `output`)",
        ),
        ("matrix: {os: [linux, mac]}\ntask: x", "steps.a.output[0].matrix.os", ""),
        ("approve: x", "steps.a.output.x", "BR208 `steps.a.output` is a text, which has no `x`"),
        (
            "task: x\nrepeat: {until: output == 'x', max: 2}",
            "steps.a.output.x",
            f"BR208 `steps.a.output` is a text, which has no `x` | {NONE_OF_TEXT}",
        ),
        ("task: x\non_error: {output: {file: none, many: [1]}}", "steps.a.output.file", ""),
        ("task: x\non_error: {output: {file: none, many: [1]}}", "steps.a.output.many[0]", ""),
        (
            "task: x\non_error: {output: {file: none, many: [1]}}",
            "steps.a.output.fil",
            "BR208 `steps.a.output` has no `fil` (it has `file`, `many`) | did you mean `file`?",
        ),
        (
            "task: x\non_error: continue",
            "steps.a.output.x",
            f"BR208 `steps.a.output` is a text, which has no `x` | {NONE_OF_TEXT}",
        ),
        (
            "task: x\noutput: {$ref: '#/$defs/t', $defs: {t: {type: object, additionalProperties: false, properties:"
            " {n: {$ref: '#/$defs/t'}}}}}\nfor_each: [1]",
            "steps.a.output[0].n.m",
            "",
        ),
        (
            "task: x\noutput: {$ref: '#/$defs/t', $defs: {t: {type: object, additionalProperties: false, properties:"
            " {n: {description: x, $ref: '#/$defs/t'}}}}}\nfor_each: [1]",
            "steps.a.output[0].m",
            "BR208 `steps.a.output[0]` has no `m` (it has `n`)",
        ),
    ],
)
def test_a_path_into_what_a_step_gives(tmp_path: Path, first: str, use: str, expected: str) -> None:
    found = findings(tmp_path, steps(first, f'task: "{{{{ {use} }}}}"'))
    assert shown(found) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("report", ""),
        ("all.grade", ""),
        ("both[1].n", ""),
        ("reprt", "BR208 `steps.a.output` has no `reprt` (it has `report`, `all`, `both`) | did you mean `report`?"),
        ("all.line.x", "BR208 `steps.a.output.all.line` is a text, which has no `x`"),
        ("all.three.x", "BR208 `steps.a.output.all.three` is a whole number, which has no `x`"),
        ("both[0].x", "BR208 `steps.a.output.both[0]` is a text, which has no `x`"),
        ("both[1].n.x", "BR208 `steps.a.output.both[1].n` is a whole number, which has no `x`"),
        ("both[2]", "BR208 `steps.a.output.both` has no item 2"),
    ],
)
def test_a_path_into_what_a_called_file_gives(tmp_path: Path, use: str, expected: str) -> None:
    (tmp_path / "other.yaml").write_text(OTHER + OUTPUTS, encoding="utf-8")
    call = "workflow: ./other.yaml\nwith: {path: x}"
    found = findings(tmp_path, steps(call, f'task: "{{{{ steps.a.output.{use} }}}}"'))
    assert shown(found) == ([expected] if expected else [])


def test_a_called_file_without_outputs_gives_what_nothing_in_it_uses(tmp_path: Path) -> None:
    gate = OTHER + "  - {id: end, needs: [gate], when: steps.gate.output == 'yes', task: x}\n"
    (tmp_path / "other.yaml").write_text(gate, encoding="utf-8")
    call = "workflow: ./other.yaml\nwith: {path: x}"
    found = findings(tmp_path, steps(call, 'task: "{{ steps.a.output.look.report }} {{ steps.a.output.gate }}"'))
    assert shown(found) == ["BR208 `steps.a.output` has no `gate` (it has `look`, `end`)"]


def test_into_what_a_file_at_fault_would_give_every_path_leads(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("version: 1\nname: other\nsteps: []\n", encoding="utf-8")
    found = findings(tmp_path, steps("workflow: ./other.yaml", 'task: "{{ steps.a.output.x.y }}"'))
    assert [line.split(" ")[0] for line in found] == ["BR220"]


def test_the_schemas_of_outputs(tmp_path: Path) -> None:
    body = OTHER.split("name: other\n")[1] + OUTPUTS
    assert loaded(tmp_path, body).workflow.output_schemas == {
        "report": {"type": "string"},
        "all": {
            "type": "object",
            "properties": {"grade": {"enum": ["good", "bad"]}, "line": {"type": "string"}, "three": {"const": 3}},
            "required": ["grade", "line", "three"],
            "additionalProperties": False,
        },
        "both": {
            "type": "array",
            "prefixItems": [
                {"enum": ["yes", "no"]},
                {
                    "type": "object",
                    "properties": {"n": {"type": "integer"}},
                    "required": ["n"],
                    "additionalProperties": False,
                },
            ],
            "items": False,
        },
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("task: x", {"type": "string"}),
        ("tool: git.log", {}),
        ("run: [ls]\noutput: json", {}),
        ("run: [ls]\noutput: {type: array}", {"type": "array"}),
        ("run: [ls]\nfor_each: [1]", {"type": "array", "items": {"type": "string"}}),
        ("run: [ls]\noutput: json\nfor_each: [1]", {"type": "array"}),
        ("approve: x\nchoices: [a, b]", {"enum": ["a", "b"]}),
        ("task: x\non_error: continue", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("task: x\non_error: {output: 3}", {"anyOf": [{"type": "string"}, {"enum": [3]}]}),
        ("task: x\non_error: {output: ''}", {"anyOf": [{"type": "string"}, {"enum": [""]}]}),
        ("task: x\non_error: {output: '{{ error.message }}'}", {"type": "string"}),
        (
            "matrix: {os: [a, b]}\ntask: x\nwhen: matrix.os == 'a'",
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "matrix": {
                            "type": "object",
                            "properties": {"os": {"enum": ["a", "b"]}},
                            "required": ["os"],
                            "additionalProperties": False,
                        },
                        "output": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    },
                    "required": ["matrix", "output"],
                    "additionalProperties": False,
                },
            },
        ),
    ],
)
def test_the_schema_of_a_step(tmp_path: Path, lines: str, expected: object) -> None:
    workflow = loaded(tmp_path, "mcp_servers: {git: {command: g}}\n" + steps(lines)).workflow
    assert workflow.output_schemas == {"a": expected}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("inputs.n", {"type": "integer"}),
        ("inputs.list", {"type": "array", "items": {"enum": ["x", "y"]}}),
        ("inputs.list | first", {"enum": ["x", "y"]}),
        ("inputs.list | reverse", {"type": "array", "items": {"enum": ["x", "y"]}}),
        ("inputs.s | reverse", {}),
        ("inputs.s | first", {"type": "string"}),
        ("inputs.list | sort | tojson", {"type": "string"}),
        ("inputs.free.x", {}),
        ("inputs.free | first", {}),
        ("inputs.pair[0]", {"type": "string"}),
        ("inputs.pair[1]", {"type": "integer"}),
        ("inputs.pair | last", {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ("inputs.s[0]", {"type": "string"}),
        ("inputs.map.a1", {"type": "boolean"}),
        ("inputs.map.zz", {"type": "number"}),
        ("inputs.n > 3", {"type": "boolean"}),
        ("not inputs.n", {"type": "boolean"}),
        ("inputs.n is defined", {"type": "boolean"}),
        ("inputs.s ~ inputs.n", {"type": "string"}),
        ("inputs.n | default('x')", {"anyOf": [{"type": "integer"}, {"enum": ["x"]}]}),
        ("inputs.n | d", {"anyOf": [{"type": "integer"}, {"enum": [""]}]}),
        ("inputs.n | default(default_value=3)", {"anyOf": [{"type": "integer"}, {"enum": [3]}]}),
        ("inputs.n if inputs.s else none", {"anyOf": [{"type": "integer"}, {"enum": [None]}]}),
        ("[inputs.n, 'a']", {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"enum": ["a"]}]}}),
        (
            "{'k': inputs.n}",
            {
                "type": "object",
                "properties": {"k": {"type": "integer"}},
                "required": ["k"],
                "additionalProperties": False,
            },
        ),
        ("inputs.objects | map(attribute='k.0')", {"type": "array", "items": {"type": "string"}}),
        ("inputs.objects | map('length')", {"type": "array"}),
        ("inputs.objects | groupby('k')", {"type": "array"}),
        ("inputs.n | unheard", None),
        ("inputs.n + 1", {}),
        ("run.id", {"type": "string"}),
        ("1 < inputs.n < 3", {"type": "boolean"}),
        ("inputs", {}),
    ],
)
def test_the_schema_of_an_expression(tmp_path: Path, expression: str, expected: object) -> None:
    head = """\
inputs:
  n: {type: integer, default: 1}
  s: {type: string, default: x}
  list: {type: array, items: {enum: [x, y]}, default: []}
  free: {default: 1}
  pair: {type: array, prefixItems: [{type: string}, {type: integer}], items: false, default: []}
  map: {type: object, patternProperties: {"^a": {type: boolean}}, additionalProperties: {type: number}, default: {}}
  objects: {type: array, items: {type: object, properties: {k: {type: array, items: {type: string}}}}, default: []}
"""
    body = head + steps("task: x") + f'outputs:\n  it: "{{{{ {expression} }}}}"\n'
    if expected is None:
        assert any(line.startswith("BR209") for line in findings(tmp_path, body))
    else:
        assert loaded(tmp_path, body).workflow.output_schemas == {"it": expected}


def test_steps_that_wait_for_each_other_learn_nothing_from_each_other(tmp_path: Path) -> None:
    body = steps(
        "for_each: steps.b.output\ntask: '{{ item.x }}'\non_error: {output: '{{ item }}'}",
        "for_each: steps.a.output\ntask: '{{ item.x }}'\non_error: {output: '{{ item }}'}",
    )
    assert [line.split(" ")[0] for line in findings(tmp_path, body)] == ["BR205"]


@pytest.mark.parametrize("depth", [20, 80, 120, 160, 200, 240, 300, 1000])
def test_a_deeply_nested_expression_is_no_trouble(tmp_path: Path, depth: int) -> None:
    items = "[" * depth + "steps.a.output" + "]" * depth
    body = steps("task: x", f"for_each: steps.a.status or {items}\ntask: '{{{{ item.x.y }}}}'")
    assert {line.split(" ")[0] for line in findings(tmp_path, body)} <= {"BR208", "BR216", "BR242"}


@pytest.mark.parametrize("length", range(150, 400, 25))
def test_a_long_chain_of_choices_is_no_trouble(tmp_path: Path, length: int) -> None:
    body = steps("task: x", f"for_each: {' or '.join(['steps.a.status'] * length)}\ntask: '{{{{ item.x.y }}}}'")
    assert {line.split(" ")[0] for line in findings(tmp_path, body)} <= {"BR208", "BR216", "BR242"}


def test_references_that_would_multiply_without_end_lead_to_anything(tmp_path: Path) -> None:
    next_part = "{{$ref: '#/$defs/d{0}'}}"
    fields = f"{{{{x: {next_part}, y: {{{{anyOf: [{next_part}]}}}}}}}}"
    part = f"{{{{type: object, additionalProperties: false, properties: {fields}}}}}"
    parts = ", ".join(f"d{number}: {part.format(number + 1)}" for number in range(20))
    schema = f"{{$ref: '#/$defs/d0', $defs: {{{parts}, d20: {{type: string}}}}}}"
    use = "task: '{{ steps.a.output[0].x.x }} {{ steps.a.output[0].z }}'"
    assert shown(findings(tmp_path, steps(f"for_each: [1]\ntask: x\noutput: {schema}", use))) == [
        "BR208 `steps.a.output[0]` has no `z` (it has `x`, `y`)"
    ]


def test_a_filter_behind_a_dot(tmp_path: Path) -> None:
    body = steps("for_each: [1]\ntask: x", 'task: "{{ steps.a.output.length }}"')
    assert shown(findings(tmp_path, body)) == [
        "BR208 `steps.a.output` is a list, which has no `length` | write `steps.a.output | length`"
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("steps.a.output.targets | map(attribute='file') | list", ""),
        ("steps.a.output.targets | map('length') | list", ""),
        ("steps.a.output.targets | map(attribute=run.id) | list", ""),
        ("steps.a.output.targets | map(attribute='x', default=1) | list", ""),
        ("steps.a.output.unknown | map(attribute='x') | list", ""),
        (
            "steps.a.output.targets | map(attribute='fil') | list",
            "BR208 13:54 an item of `steps.a.output.targets` has no `fil` (it has `file`, `why`)"
            " | did you mean `file`?",
        ),
        (
            "steps.a.output.targets | map(attribute='file.x') | join",
            "BR208 13:54 `file` of an item of `steps.a.output.targets` is a text, which has no `x`",
        ),
        ("[1, 2] | map(attribute='x') | list", "BR208 13:38 an item of this list is a whole number, which has no `x`"),
    ],
)
def test_what_is_taken_of_all_items(tmp_path: Path, expression: str, expected: str) -> None:
    body = steps(TARGETS, f'task: "{{{{ {expression} }}}}"')
    assert findings(tmp_path, body) == ([expected] if expected else [])
