"""What is to be seen of a graph, and that every drawing shows it: all of it, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from kit.graphs import Graphed, call, graphed, read_dot, read_mermaid, read_svg, task, workflow

from runner.show.graph.ascii import graph_text
from runner.show.graph.dot import graph_dot
from runner.show.graph.graph import Box, Line, Model, box_count, diagram, shown_models
from runner.show.graph.mermaid import graph_mermaid
from runner.show.graph.svg import graph_svg
from runner.workflow.fan_out import FanOut, ForEach, Matrix, Repeat
from runner.workflow.model import ApproveWork, ModelWish, OnError, RunWork, Step, TaskWork, ToolWork

READERS = {"mermaid": (graph_mermaid, read_mermaid), "dot": (graph_dot, read_dot), "svg": (graph_svg, read_svg)}


@pytest.mark.parametrize("form", READERS)
@given(case=graphed())
@settings(deadline=None, max_examples=60)
def test_a_drawing_has_every_step_and_every_line_once(form, case: Graphed):
    write, read = READERS[form]
    keys, lines = read(write(diagram(case.workflow)))
    assert sorted(keys) == sorted(case.keys)
    assert sorted(lines) == sorted(case.lines)


@given(case=graphed())
@settings(deadline=None, max_examples=60)
def test_text_names_every_step_and_leaves_the_terminal_alone(case: Graphed):
    view = diagram(case.workflow)
    text = graph_text(view, colour=False)
    for box in view.every_box:
        assert f"  {box.id}  " in f"  {text}  ".replace("\n", "  \n  ") or f" {box.id} " in text
    assert not set(text) & set("\x1b\x00\r\t\u202e\ufeff")
    assert all(line == line.rstrip() for line in text.split("\n"))


def one(step: Step, **fields) -> Box:
    [box] = diagram(workflow(step, **fields)).boxes
    return box


def test_a_task_has_its_model_as_written_and_as_what_it_stands_for():
    assert one(task("a")).model == Model(label="coder", id="qwen/qwen3-coder-30b", alias="coder")
    assert one(task("a", model="x/y")).model == Model(label="x/y", id="x/y")
    assert one(task("a", model=None)).model == Model(label="default model", id="default model")
    assert one(task("a", model=None), default_model="coder").model == one(task("a")).model


def test_a_list_of_models_says_what_may_stand_in():
    box = one(task("a", model=("coder", "x/y")))
    assert box.model == Model(label="coder or x/y", id="qwen/qwen3-coder-30b", alias="coder")


def test_a_model_that_is_written_out_at_the_step_has_no_alias():
    view = workflow(task("a", model="steps[0].model"))
    wishes = {**view.models, "steps[0].model": ModelWish(id="x/y", path=())}
    [box] = diagram(type(view)(name="w", file="w.yaml", folder=".", steps=view.steps, models=wishes)).boxes
    assert box.model == Model(label="x/y", id="x/y")


def test_aliases_of_one_model_share_its_entry():
    view = diagram(workflow(task("a"), task("b", model="qwen/qwen3-coder-30b"), task("c", model="thinker")))
    assert shown_models(view) == {"qwen/qwen3-coder-30b": "coder", "mistralai/magistral-small-2509": "thinker"}


@pytest.mark.parametrize(
    ("work", "subject"),
    [
        (ToolWork(server="files", tool="read"), "files.read"),
        (RunWork(argv=("ruff", "check\nall")), "ruff check all"),
        (RunWork(shell="a | b"), "a | b"),
        (ApproveWork(question="Ship\tit?"), "Ship it?"),
        (TaskWork(task="Go."), ""),
    ],
)
def test_a_box_says_what_it_works_with(work, subject):
    assert one(Step(id="a", path=(), work=work)).subject == subject


ITEMS = ForEach(items="steps.s.output.targets")


@pytest.mark.parametrize(
    ("fields", "notes"),
    [
        ({"fan_out": FanOut(over=ITEMS)}, ("× items of steps.s.output.targets",)),
        ({"fan_out": FanOut(over=ForEach(items=("a",)), max_parallel=2)}, ("× 1 item, 2 at once",)),
        ({"fan_out": FanOut(over=Matrix(axes={"x": (1, 2), "y": (1, 2, 3)}))}, ("× 6 rows",)),
        ({"fan_out": FanOut(over=ITEMS, in_order=True)}, ("× items of steps.s.output.targets, one by one",)),
        ({"repeat": Repeat(until="output.good", most=3)}, ("again until output.good, at most 3 times",)),
        ({"when": "inputs.x > 1"}, ("when inputs.x > 1",)),
        ({"join": "any_succeeded"}, ("join: any_succeeded",)),
        ({"join": "all_finished"}, ("clean-up: runs whatever happened",)),
        ({"on_error": OnError(do="continue")}, ("if it fails: the run goes on",)),
        ({"on_error": OnError(do="output", output=[1])}, ("if it fails: [1] stands in",)),
        ({"on_error": OnError(do="output", output="")}, ("if it fails: an empty output stands in",)),
        ({}, ()),
    ],
)
def test_notes_say_what_else_decides_about_a_step(fields, notes):
    assert one(task("a", **fields)).notes == notes


def test_a_question_shows_its_choices_and_what_happens_without_an_answer():
    work = ApproveWork(question="Ship it?", choices=("now", "later"), default="later")
    assert one(Step(id="a", path=(), work=work)).notes == ("now / later, without an answer later",)


def test_long_texts_are_cut():
    [note] = one(task("a", when="x" * 500)).notes
    assert (len(note), note[-1]) == (100, "…")


LEAF = workflow(task("x"), task("y", "x"), name="leaf")
MID = workflow(call("c", LEAF), task("z", "c"), name="mid")
TOP = workflow(call("one", MID), call("two", LEAF), name="top")


@pytest.mark.parametrize(("depth", "count"), [(0, 2), (1, 6), (2, 8), (None, 8)])
def test_called_workflows_are_shown_down_to_a_depth(depth, count):
    assert len(list(diagram(TOP, depth).every_box)) == box_count(TOP, depth) == count


def test_keys_name_the_way_to_a_step():
    view = diagram(TOP)
    assert [box.key for box in view.every_box] == [
        "one", "one/c", "one/c/x", "one/c/y", "one/z", "two", "two/x", "two/y",
    ]  # fmt: skip
    assert list(view.every_line) == [
        Line(source="one/c", target="one/z", kinds=("inferred",)),
        Line(source="one/c/x", target="one/c/y", kinds=("inferred",)),
        Line(source="two/x", target="two/y", kinds=("inferred",)),
    ]


def test_counting_does_not_draw_what_doubles_at_every_level():
    nested = LEAF
    for _ in range(60):
        nested = workflow(call("a", nested), call("b", nested), name="twice")
    assert box_count(nested) > 2**60
