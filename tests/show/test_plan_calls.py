"""The plan of a file with everything in it: fan-outs, rounds, calls, questions, clean-up, and its schedule."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.chat.catalogue import Catalogue, EndpointCatalogue, ModelEntry
from runner.plan.agenda import Agenda, Forecast
from runner.plan.make import make_plan
from runner.plan.plan import Plan
from runner.show.cell import width
from runner.show.plan.forecast import forecast_json, forecast_text
from runner.show.plan.lines import compact, join, times
from runner.show.plan.view import plan_json, plan_text
from runner.workflow.fan_out import FanOut, ForEach, Matrix, Repeat
from runner.workflow.load import load
from runner.workflow.model import RunWork, Step

REVIEW = """\
version: 1
name: review
inputs:
  file: {type: string}
  model: {type: string, default: tiny}
mcp_servers:
  files: {builtin: files}
steps:
  - id: read
    model: "{{ inputs.model }}"
    mcp_servers: [files]
    task: "Read {{ inputs.file }}"
  - id: judge
    model: big
    task: "Judge {{ steps.read.output }}"
    repeat: {until: "'ok' in output", max: 5}
  - id: sure
    approve: "Is {{ steps.judge.output }} right?"
    choices: [right, wrong, maybe]
outputs: {verdict: "{{ steps.sure.output }}"}
"""
RELEASE = """\
version: 1
name: release
workspace: copy
mcp_servers:
  files: {builtin: files, write: true}
steps:
  - id: survey
    model: big
    mcp_servers: [files]
    task: Name what is to be fixed.
    output: {type: object, required: [targets], properties: {targets: {type: array, items: {type: string}}}}
  - id: fix
    model: coder
    for_each: steps.survey.output.targets
    max_parallel: 1
    order: items
    mcp_servers: [files]
    task: "Fix {{ item }}"
    artifacts: ["reports/*.md", out.txt]
  - id: probe
    needs: [fix]
    matrix: {model: [tiny, big], os: [linux, mac, win]}
    workflow: ./review.yaml
    with: {file: "{{ matrix.os }}", model: "{{ matrix.model }}"}
  - id: call
    needs: [fix]
    for_each: [a, b, c]
    workflow: ./review.yaml
    with: {file: "{{ item }}"}
  - id: gate
    approve: "Deploy {{ steps.probe.output | length }} and {{ steps.call.output | length }} things?"
    default: "no"
    timeout: 10m
  - id: ship
    when: steps.gate.output == 'yes'
    run: [make, ship]
    reads_only: true
    on_error: continue
  - id: sweep
    needs: [ship]
    join: all_finished
    run: [make, clean]
"""


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of ``release.yaml``, which calls ``review.yaml``, on a server with three models."""
    (tmp_path / "review.yaml").write_text(REVIEW, encoding="utf-8")
    (tmp_path / "release.yaml").write_text(RELEASE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    models = tuple(
        ModelEntry(key=key, loaded=False, size_bytes=size, max_context_length=32_768, tool_use=True)
        for key, size in (("tiny", 2_000_000_000), ("big", 19_000_000_000), ("coder", 9_000_000_000))
    )
    server = EndpointCatalogue(endpoint="http://one", flavour="lmstudio-v1", models=models, manages=True)
    return make_plan(load("release.yaml").workflow, Catalogue((server,)), inputs={})


@pytest.mark.parametrize("columns", [100, 80])
def test_the_plan_of_everything(release, columns, snapshot):
    text = plan_text(release, columns)
    assert text == snapshot
    assert max(map(width, text.split("\n"))) <= columns


def test_the_plan_of_everything_for_machines(release):
    data = plan_json(release)
    assert json.loads(json.dumps(data)) == data
    assert data["workspace"] == "copy"
    steps = {step["id"]: step for step in data["steps"]}
    assert steps["fix"]["fan_out"] == {
        "over": "for_each",
        "items": "steps.survey.output.targets",
        "max_parallel": 1,
        "order": "items",
        "fail_fast": False,
    }
    assert (steps["fix"]["artifacts"], steps["ship"]["reads_only"]) == (["reports/*.md", "out.txt"], True)
    assert steps["call"]["fan_out"]["items"] == ["a", "b", "c"]
    assert steps["probe"]["fan_out"]["items"][4] == {"model": "big", "os": "mac"}
    assert steps["gate"]["approval"] == {
        "question": "Deploy {{ steps.probe.output | length }} and {{ steps.call.output | length }} things?",
        "choices": ["yes", "no"],
        "default": "no",
        "timeout": 600.0,
    }
    assert (steps["sweep"]["join"], steps["sweep"]["repeat"]) == ("all_finished", None)
    callee = steps["call"]["callee"]
    assert (callee["workflow"], callee["file"], list(callee["servers"])) == ("review", "./review.yaml", ["files"])
    assert [(step["id"], step["model"] and step["model"]["id"], step["repeat"]) for step in callee["steps"]] == [
        ("read", "tiny", None),
        ("judge", "big", {"until": "'ok' in output", "max": 5}),
        ("sure", None, None),
    ]
    rows = steps["probe"]["rows"]
    assert [row["callee"]["steps"][0]["model"]["id"] for row in rows] == ["tiny"] * 3 + ["big"] * 3
    assert data["models"][0]["answers"][:2] == ["survey", "probe[0]/judge"]
    assert data["forecast"] is None


FORECAST = Forecast(agenda=Agenda(), loads=4, naive_loads=14, seconds=194.0, naive_seconds=459.0)


def test_the_schedule_ends_the_plan(release):
    planned = replace(release, forecast=FORECAST)
    expected = "\n".join(["Schedule", *(f"  {line}" for line in forecast_text(FORECAST, 98))])
    assert plan_text(planned) == f"{plan_text(release)}\n{expected}\n"
    assert plan_json(planned) == {**plan_json(release), "forecast": forecast_json(FORECAST)}


def test_rows_of_a_matrix_with_a_model_of_their_own(tmp_path, monkeypatch):
    text = """\
version: 1
name: compare
steps:
  - id: ask
    matrix: {model: [one, two], mood: [kind, harsh]}
    model: "{{ matrix.model }}"
    task: "Be {{ matrix.mood }}."
"""
    (tmp_path / "compare.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    plan = make_plan(load("compare.yaml").workflow, None, inputs={})
    assert plan_text(plan).split("\n\n")[1:3] == [
        "  #     STEP                           KIND  MODEL\n"
        "  1     ask                            task  -\n"
        "  1[0]    [0] model: one, mood: kind   -     one\n"
        "  1[1]    [1] model: one, mood: harsh  -     as [0]\n"
        "  1[2]    [2] model: two, mood: kind   -     two\n"
        "  1[3]    [3] model: two, mood: harsh  -     as [2]",
        "Fan-outs and rounds\n  STEP  RUNS\n  ask   × 4 rows",
    ]
    assert [row["model"] for row in plan_json(plan)["steps"][0]["rows"]] == [None] * 4


ROWS = Matrix(axes={"a": (1,)})


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ({}, "-"),
        ({"fan_out": FanOut(over=ROWS)}, "× 1 row"),
        ({"fan_out": FanOut(over=ForEach(items=("a",)), fail_fast=True)}, "× 1 item, until one fails"),
        ({"fan_out": FanOut(over=ForEach(items=("a", "b")), max_parallel=2)}, "× 2 items, 2 at a time"),
        ({"fan_out": FanOut(over=ForEach(items="inputs.all"))}, "for each of inputs.all"),
        ({"repeat": Repeat(until="output == 1", most=3)}, "until output == 1, at most 3 rounds"),
        (
            {"fan_out": FanOut(over=ROWS, in_order=True), "repeat": Repeat(until="output", most=3)},
            "× 1 row, each whole before the next; each until output, at most 3 rounds",
        ),
    ],
)
def test_how_often_a_step_runs(rest, said):
    assert times(Step(id="a", path=(), work=RunWork(argv=("a",)), **rest)) == said


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("all_succeeded", "-"),
        ("none_failed", "if none of them failed"),
        ("any_succeeded", "if one of them succeeded"),
        ("all_finished", "always: clean-up"),
    ],
)
def test_when_a_step_starts(rule, said):
    assert join(Step(id="a", path=(), work=RunWork(argv=("a",)), join=rule)) == said


def test_names_that_differ_in_one_row_are_one():
    units = ["survey", "probe[0]/read", "probe[2]/read", "probe[1]/read", "probe[4]/read", "probe[7]/judge"]
    assert compact(units) == ["survey", "probe[0-2, 4]/read", "probe[7]/judge"]
    assert compact([]) == []
