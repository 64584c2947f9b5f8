"""Names in templates: which exist where, and what is said of the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kit.rule_text import findings, loaded, steps


@pytest.mark.parametrize(
    ("text", "column"),
    [("{{ steps | tojson }}", 15), ("{{ steps[run.id].output }}", 15), ("{% for s in steps %}{{ s }}{% endfor %}", 24)],
)
def test_steps_as_a_whole_would_be_a_matter_of_time(tmp_path: Path, text: str, column: int) -> None:
    """No step is named, so none would be waited for: what is read would differ from run to run."""
    assert findings(tmp_path, steps(f'task: "{text}"', "task: Look.")) == [
        f"BR207 5:{column} `steps` cannot be read as a whole, nor by a name that is only known in the run"
        " | name the step that is meant: the steps are `a`, `b`"
    ]


def test_all_of_one_step_may_be_read_and_is_waited_for(tmp_path: Path) -> None:
    body = steps('task: "{{ steps.b | tojson }}"', "task: Look.")
    assert loaded(tmp_path, body).workflow.step("a").needs == ("b",)


def test_of_many_steps_eight_are_named(tmp_path: Path) -> None:
    body = steps('task: "{{ steps.zzzz.output }}"', *["task: Look."] * 9)
    assert findings(tmp_path, body) == [
        "BR207 5:15 there is no step `zzzz` | the steps are `a`, `b`, `c`, `d`, `e`, `f`, `g`, `h`, …"
    ]


@pytest.mark.parametrize(
    "lines",
    [
        'for_each: [1, 2]\ntask: "{{ item }} {{ loop.index }} {{ loop.index0 }} {{ loop.first }}"\nwhen: item > 1',
        'for_each: inputs.all\nas: spot\nrun: [ls, "{{ spot }}"]\nenv: {N: "{{ loop.length }}"}\nstdin: "{{ spot }}"',
        'matrix: {os: [a, b]}\ntask: "{{ matrix.os }} {{ loop.last }}"\nmodel: "{{ matrix.os }}"'
        '\nwhen: matrix.os == "a"',
        'task: "{{ previous }} {{ loop.index }}"\nrepeat: {until: output == previous and loop.index > 1, max: 3}',
        'task: x\nexpect: [{that: output != previous}]\nrepeat: {until: output == "x", max: 3}',
        'for_each: [1, 2]\ntask: "{{ item }} {{ previous }}"\nrepeat: {until: output == previous or item > 1, max: 3}'
        '\nwhen: loop.index > 1\nartifacts: ["out/{{ item }}.txt", "{{ loop.index }}/*"]',
        'for_each: [1]\ntask: x\non_error: {output: "{{ item }} {{ error.kind }} {{ error.message }}"}',
        'approve: "Delete {{ inputs.all | tojson }}, {{ item }}?"\nfor_each: inputs.all',
        'tool: git.log\narguments: {n: "{{ previous }}"}\nrepeat: {until: output.done, max: 3}',
    ],
)
def test_names_of_a_step_that_runs_many_times(tmp_path: Path, lines: str) -> None:
    head = "inputs: {all: {type: array, items: {type: string}, default: []}}\nmcp_servers: {git: {command: g}}\n"
    found = findings(tmp_path, head + steps(lines))
    assert [line for line in found if not line.startswith(("BR230", "BR231"))] == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            'task: "{{ item.file }}"\nfor_each: [1, 2]\nas: spot',
            "BR207 5:15 `item` does not exist here: `as` calls it `spot` | write `spot.file`",
        ),
        (
            "task: x\nfor_each: item.parts",
            "BR207 6:15 `item` does not exist here: `for_each` is worked out outside of the items",
        ),
        (
            "task: x\nfor_each: steps.b.output[loop.index]",
            "BR207 6:30 `loop` does not exist here: `for_each` is worked out outside of the items",
        ),
        (
            "task: x\nrepeat: {until: output == 'x', max: 2}\nwhen: previous == none",
            "BR207 7:11 `previous` does not exist here: `when` is worked out outside of the rounds",
        ),
        (
            "task: x\nrepeat: {until: output == 'x', max: 2}\nartifacts: ['{{ loop.index }}.txt']",
            "BR207 7:21 `loop` does not exist here: `artifacts` is worked out outside of the rounds",
        ),
        ('task: x\nmodel: "{{ nothing }}"', "BR207 6:16 `nothing` is not defined | here one may use `inputs`"),
        (
            'task: "{{ env.HOME }}"',
            "BR207 5:15 `env` is not defined | the environment is not read: give the value as an"
            " input, `-i name=…`, or name it under `secrets`",
        ),
        ("when: len(inputs) > 3\ntask: x", "BR207 5:11 `len` is not defined | write `… | length`"),
        ('task: "{{ spot }}"', "BR207 5:15 `spot` is not defined | here one may use `inputs`, `run`, `steps`"),
        (
            "task: x\nrepeat: {until: steps.a.output == 'x', max: 2}",
            "BR234 6:21 step `a` reads its own result | write `output` for the answer that is checked",
        ),
        (
            "task: x\nrepeat: {until: '{{ output }}', max: 2}",
            "BR225 6:21 `until` is an expression already, it takes no braces | write `until: output`",
        ),
        (
            "task: x\nartifacts: ['{{ steps.a.output }}']",
            "BR234 6:21 step `a` reads its own result | name another step",
        ),
        (
            'for_each: ["{{ run.id }}"]\ntask: x',
            "BR228 5:17 a list that is written out takes no templates"
            " | write an expression, such as `for_each: inputs.paths`",
        ),
        (
            'matrix: {a: ["{{ run.id }}"]}\ntask: x',
            "BR228 5:19 `matrix` takes no templates: its rows are known before anything starts"
            " | write the values themselves",
        ),
        (
            "approve: x\nchoices: ['{{ run.id }}', b]",
            "BR228 6:16 `choices` takes no templates"
            " | write the value itself; templates may stand in prompts, arguments, commands and outputs",
        ),
        (
            'for_each: [x]\nas: name\ntask: x\nmodel: "{{ name }}"',
            "BR228 8:16 `name` cannot be used here"
            " | go through models by `matrix`: it is known before anything starts, and items are not",
        ),
        (
            'matrix: {m: [x]}\ntask: x\nmodel: ["{{ matrix.m }}", "{{ steps.b.output }}"]',
            "BR234 7:35 no step has a result here: this is settled before the first step starts"
            " | use `inputs`, or a `matrix` of models",
        ),
        (
            'task: x\nmodel: {id: "{{ matrix.m }}", endpoint: e}',
            "BR228 6:21 `matrix` cannot be used here | a model's name may use only `inputs`, and `matrix` in a step"
            " that has one: every model is found before anything starts",
        ),
        (
            'task: x\nmodel: {id: m, endpoint: "{{ inputs.e }}"}',
            "BR228 6:31 `endpoint` takes no templates"
            " | write the value itself; templates may stand in prompts, arguments, commands and outputs",
        ),
    ],
)
def test_a_name_out_of_place(tmp_path: Path, lines: str, expected: str) -> None:
    found = findings(tmp_path, steps(lines, "task: Look.\noutput: {type: array}"))
    assert found == [expected]


@pytest.mark.parametrize(
    ("first", "use", "expected"),
    [
        ("task: x\nartifacts: [a.txt]", "steps.a.artifacts[0]", []),
        ("for_each: [1]\ntask: x\nartifacts: [a.txt]", "steps.a.artifacts | first", []),
        (
            "task: x",
            "steps.a.artifacts",
            [
                "BR207 `steps.a.artifacts` is always empty: the step keeps no files"
                " | give step `a` the key `artifacts`, with the paths to keep"
            ],
        ),
        (
            "run: [ls]\nfor_each: [1]",
            "steps.a.exit_code",
            [
                "BR207 `steps.a` has no `exit_code`: it runs many times"
                " | `steps.a.output` is the list of what its commands wrote"
            ],
        ),
        ("run: [ls]\nrepeat: {until: output == 'x', max: 2}", "steps.a.exit_code", []),
    ],
)
def test_attributes_of_a_step(tmp_path: Path, first: str, use: str, expected: list[str]) -> None:
    found = findings(tmp_path, steps(first, f'task: "{{{{ {use} }}}}"'))
    assert [re.sub(r" \d+:\d+", "", line, count=1) for line in found] == expected


def test_every_place_makes_its_step_wait(tmp_path: Path) -> None:
    """What is read in the keys of a fan-out, a repeat, a call and a question is waited for like any other."""
    body = steps(
        "task: x\noutput: {type: array}",
        "task: x",
        "for_each: steps.a.output\ntask: x\nartifacts: ['{{ steps.b.output }}']",
        "task: x\nrepeat: {until: output == steps.b.output, max: 2}",
        "approve: 'Is {{ steps.d.output }} right?'",
        "task: x\nwhen: steps.e.output == 'yes'",
    )
    workflow = loaded(tmp_path, body).workflow
    assert {step.id: step.needs for step in workflow.steps} == {
        "a": (), "b": (), "c": ("a", "b"), "d": ("b",), "e": ("d",), "f": ("e",),
    }  # fmt: skip
