"""Why a step waits for another one."""

from __future__ import annotations

import pytest

from runner.plan.edges import Edge, edges, edges_of
from runner.workflow.fan_out import FanOut, ForEach, Matrix, Repeat
from runner.workflow.model import (
    ApproveWork,
    CallWork,
    Expectation,
    OnError,
    RunWork,
    Step,
    TaskWork,
    ToolWork,
    Workflow,
)

READS = "{{ steps.a.output.x }}"
CALLEE = Workflow(name="c", file="c.yaml", folder=".")
PLAIN = TaskWork(task="Go.")


def kinds(work=PLAIN, **fields):
    [edge] = edges_of(Step(id="b", path=(), work=work, needs=("a",), **fields))
    return edge.kinds


@pytest.mark.parametrize(
    "work",
    [
        TaskWork(task=READS),
        TaskWork(task="Go.", system=READS),
        TaskWork(task="Go.", images=(READS,)),
        ToolWork(server="s", tool="t", arguments={"deep": [{"er": READS}, 1]}),
        RunWork(argv=("cat", READS)),
        RunWork(argv=("cat",), stdin=READS),
        RunWork(argv=("cat",), env={"X": READS}),
        CallWork(file="c.yaml", callee=CALLEE, given={"x": READS}),
        ApproveWork(question=READS),
    ],
)
def test_a_template_that_reads_a_step_is_an_inferred_edge(work):
    assert kinds(work) == ("inferred",)


@pytest.mark.parametrize(
    "fields",
    [
        {"fan_out": FanOut(over=ForEach(items="steps.a.output"))},
        {"fan_out": FanOut(over=ForEach(items=(READS,)))},
        {"fan_out": FanOut(over=Matrix(axes={"x": (READS,)}))},
        {"repeat": Repeat(until="output == steps.a.output", most=2)},
        {"expect": (Expectation(path=(), that="output != steps.a.output"),)},
        {"expect": (Expectation(path=(), run=("test", READS)),)},
        {"on_error": OnError(do="output", output={"old": READS})},
        {"artifacts": (READS,)},
    ],
)
def test_every_other_key_that_reads_a_step_makes_one_too(fields):
    assert kinds(**fields, when="steps.a.status == 'succeeded'") == ("inferred", "when")


def test_what_only_the_condition_reads_is_told_apart():
    assert kinds(when="steps.a.output > 3") == ("when",)
    assert kinds(when="steps['a'].output > 3") == ("when",)


def test_what_is_written_comes_first_and_does_not_hide_the_rest():
    [edge] = edges_of(
        Step(id="b", path=(), work=TaskWork(task=READS), needs=("a",), written_needs=("a",), when="steps.a.output")
    )
    assert (edge.kind, edge.kinds) == ("written", ("written", "inferred", "when"))


def test_a_need_that_nothing_explains_is_inferred():
    assert kinds(when="{{ braces }}") == ("inferred",)


def test_all_edges_come_in_the_order_of_the_steps():
    steps = [
        Step(id="a", path=(), work=PLAIN),
        Step(id="b", path=(), work=PLAIN, needs=("a",), written_needs=("a",)),
        Step(id="c", path=(), work=TaskWork(task=READS), needs=("a", "b"), written_needs=("b",)),
    ]
    assert edges(steps) == (
        Edge(source="a", target="b", kinds=("written",)),
        Edge(source="a", target="c", kinds=("inferred",)),
        Edge(source="b", target="c", kinds=("written",)),
    )
