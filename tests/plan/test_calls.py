"""What is known of calls and fan-outs before anything runs."""

from __future__ import annotations

import pytest

from runner.plan.calls import every_name, given_to, known_items
from runner.plan.overrides import NO_OVERRIDES
from runner.plan.wanted import Names
from runner.workflow.load import load


@pytest.fixture
def names(tmp_path):
    """``names(text, callee=…, **inputs)``: the names of a file with these inputs."""

    def make(text, callee="", **inputs):
        (tmp_path / "callee.yaml").write_text(f"version: 1\nname: callee\n{callee}")
        (tmp_path / "file.yaml").write_text(f"version: 1\nname: file\n{text}")
        workflow = load(str(tmp_path / "file.yaml")).workflow
        return Names(workflow=workflow, overrides=NO_OVERRIDES, inputs=inputs)

    return make


HEAD = "inputs: {all: {type: array, default: []}, n: {type: integer, default: 1}}\n"


@pytest.mark.parametrize(
    ("for_each", "count"),
    [
        ("inputs.all", 3),
        ("inputs.all[1:]", 2),
        ("inputs.all + [inputs.n]", 4),
        ("steps.v.output", None),
        ("[1, 2]", None),
    ],
)
def test_the_items_of_a_list_that_the_inputs_decide(names, for_each, count):
    steps = f"  - {{id: v, run: [echo], output: json}}\n  - id: s\n    for_each: '{for_each}'\n    run: ['true']\n"
    text = f"{HEAD}steps:\n{steps}"
    known = names(text, all=[1, 2, 3], n=1)
    assert known_items(known.workflow.step("s"), known) == count


def test_no_number_without_the_input_or_without_a_list(names):
    text = f"{HEAD}steps:\n  - {{id: s, for_each: inputs.all, run: ['true']}}\n  - {{id: t, run: ['true']}}\n"
    assert known_items(names(text).workflow.step("s"), names(text)) is None
    assert known_items(names(text, all="x").workflow.step("s"), names(text, all="x")) is None
    assert known_items(names(text).workflow.step("t"), names(text)) is None


CALLEE = """
inputs: {m: {type: string, default: none}, k: {type: integer, default: 7}}
steps:
  - {id: s, model: "{{ inputs.m }}", task: Go.}
"""


def test_what_a_call_gives_is_known_unless_a_step_has_to_answer_it_first(names):
    text = (
        f"{HEAD}steps:\n  - {{id: v, run: [echo]}}\n"
        "  - {id: c, workflow: callee.yaml, with: {m: 'x{{ inputs.n }}', k: 3}}\n"
        "  - {id: d, workflow: callee.yaml, with: {m: '{{ steps.v.output }}'}}\n"
    )
    known = names(text, CALLEE, n=2)
    given = given_to(known.workflow.step("c").work, known)
    assert (given.inputs, given.late) == ({"m": "x2", "k": 3}, frozenset())
    late = given_to(known.workflow.step("d").work, known)
    assert (late.inputs, late.late) == ({"k": 7}, frozenset({"m"}))
    without = names(text, CALLEE)
    assert given_to(without.workflow.step("c").work, without).inputs == {"k": 3}


def test_every_name_that_steps_below_would_take(names):
    text = (
        f"{HEAD}steps:\n  - {{id: a, model: own, task: Go.}}\n"
        "  - {id: c, matrix: {m: [x, y]}, workflow: callee.yaml, with: {m: '{{ matrix.m }}'}}\n"
        "  - {id: b, matrix: {m: [p, q]}, model: '{{ matrix.m }}', task: Go.}\n"
    )
    known = names(text, CALLEE)
    assert list(every_name(known.workflow, known)) == ["own", "x", "y", "p", "q"]
