"""The graph as text: pictures whole, in eighty columns, on any terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.graphs import call, task, workflow

from runner.show.cell import width
from runner.show.graph.ascii import graph_text
from runner.show.graph.graph import diagram
from runner.workflow.fan_out import FanOut, ForEach, Matrix
from runner.workflow.load import load
from runner.workflow.model import ApproveWork, OnError, RunWork, Step, ToolWork

ROOT = Path(__file__).resolve().parents[3]


def command(step_id: str, *needs: str, **fields) -> Step:
    return Step(id=step_id, path=(), work=RunWork(argv=("make", step_id)), needs=needs, written_needs=needs, **fields)


LEAF = workflow(
    task("read"),
    task("think", "read", model="thinker"),
    task("also", "read"),
    task("sum", "think", "also"),
    name="leaf",
)
MID = workflow(task("prepare"), call("deep", LEAF, needs=("prepare",), written_needs=("prepare",)), name="mid")
RELEASE = workflow(
    task("survey", model="thinker", name="Look at <it> & \"that\""),
    command("lint"),
    task("fix", "survey", needs=("lint",), fan_out=FanOut(over=ForEach(items="steps.survey.output"), max_parallel=2)),
    Step(
        id="probe",
        path=(),
        work=ToolWork(server="files", tool="read"),
        needs=("fix",),
        written_needs=("fix",),
        fan_out=FanOut(over=Matrix(axes={"a": (1, 2), "b": (1, 2, 3)})),
        join="none_failed",
    ),
    call("review", MID, needs=("fix",), written_needs=("fix",), name="Deep review"),
    Step(
        id="ok",
        path=(),
        work=ApproveWork(question="Ship it? 出荷しますか", default="no"),
        needs=("probe", "review"),
        written_needs=("probe", "review"),
    ),
    Step(
        id="ship",
        path=(),
        work=RunWork(argv=("make", "release")),
        needs=("ok",),
        when="steps.ok.output == 'yes'",
        on_error=OnError(do="continue"),
    ),
    command("tidy", "ship", "survey", join="all_finished"),
    name="release",
)  # fmt: skip


@pytest.mark.parametrize("name", ["hello", "refactor", "review"])
def test_our_own_workflows(name, monkeypatch, snapshot):
    monkeypatch.chdir(ROOT)
    assert graph_text(diagram(load(f"workflows/{name}.yaml").workflow)) == snapshot


def test_everything_that_a_graph_can_have(snapshot):
    text = graph_text(diagram(RELEASE))
    assert text == snapshot
    assert max(map(width, text.split("\n"))) <= 80


def test_a_terminal_without_letters_for_rails_gets_plain_ones(snapshot):
    text = graph_text(diagram(RELEASE), plain=True).replace("出荷しますか", "")
    assert text.isascii()
    assert text == snapshot


def test_colour_is_for_the_eye_alone():
    view = diagram(workflow(task("a"), task("b", "a", name="x" * 70)))
    coloured = graph_text(view, colour=True)
    assert "\x1b[1ma\x1b[0m" in coloured
    assert coloured.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "") == graph_text(view)


def test_called_workflows_can_be_left_out():
    assert graph_text(diagram(RELEASE, 0)).count("\n") < graph_text(diagram(RELEASE, 1)).count("\n")
    assert "╓" not in graph_text(diagram(RELEASE, 0))


def test_thirty_steps_beside_each_other_need_two_rails():
    names = [f"part_{number}" for number in range(30)]
    text = graph_text(diagram(workflow(task("split"), *(task(name, "split") for name in names), task("sum", *names))))
    rows = text.split("\n")[2:]
    assert rows[:3] == [
        "●      split    task  coder",
        "├▸●─╮  part_0   task  coder   reads split",
        "├▸●─┤  part_1   task  coder   reads split",
    ]
    assert rows[30:33] == [
        "●───┤  part_29  task  coder   reads split",
        "    ●  sum      task  coder",
        "         reads part_0, part_1, part_2, part_3, part_4, part_5, part_6, part_7,",
    ]
    assert rows[33] == "         part_8, part_9, and 20 more"


def test_two_hundred_alike_are_folded_to_one_row():
    names = [f"part_{number}" for number in range(198)]
    text = graph_text(diagram(workflow(task("split"), *(task(name, "split") for name in names), task("sum", *names))))
    assert text.split("\n")[:6] == [
        "w: 200 steps (w.yaml)",
        "",
        "●  split                task  coder",
        "│",
        "●  part_0 and 197 more  task  coder",
        "│    198 steps alike: part_0, part_1, part_2, part_3, part_4, part_5, part_6,",
    ]


def test_steps_that_would_take_too_much_room_are_drawn_in_another_order():
    pipes = [task(f"{step}{pipe}", f"{chr(ord(step) - 1)}{pipe}") for step in "bc" for pipe in range(9)]
    text = graph_text(diagram(workflow(*(task(f"a{pipe}") for pipe in range(9)), *pipes)))
    assert text.split("\n")[2:8] == [
        "●  a0  task  coder",
        "│",
        "●  b0  task  coder   reads a0",
        "│",
        "●  c0  task  coder   reads b0",
        "●  a1  task  coder",
    ]


def test_lines_that_find_no_place_are_named_and_counted():
    left = [f"a{number}" for number in range(16)]
    every = workflow(*map(task, left), *(task(f"b{number}", *left[number % 2 :]) for number in range(16)))
    text = graph_text(diagram(every))
    words = " ".join(text.split())
    assert " lines are not drawn, for too many would run side by side; the words beside the steps name" in words
    assert " more" not in words.replace("too many", "")
