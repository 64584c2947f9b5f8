"""The plan as a person reads it, and as a machine does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from runner.chat.catalogue import ModelEntry
from runner.plan.plan import Plan, PlannedStep
from runner.show.cell import width
from runner.show.plan_view import plan_json, plan_text
from runner.words.diagnostics import Diagnostic
from runner.workflow.model import OnError, RunWork, Step


def test_the_plan_fits_a_hundred_columns(plan, snapshot):
    text = plan_text(plan)
    assert text == snapshot
    assert max(map(width, text.split("\n"))) <= 100


def test_a_narrow_plan_breaks_its_words(plan, snapshot):
    text = plan_text(plan, 64)
    assert text == snapshot
    assert max(map(width, text.split("\n"))) <= 64


def test_offline_says_that_models_were_not_asked_for(plan, snapshot):
    steps = tuple(replace(p, model=None, wanted_model=p.model and p.model.wanted) for p in plan.steps)
    assert plan_text(replace(plan, offline=True, endpoints=(), steps=steps)) == snapshot


def test_a_plan_without_models_or_tools_has_no_empty_columns(plan):
    step = PlannedStep(step=Step(id="build", path=(), work=RunWork(argv=("make",))))
    assert plan_text(Plan(workflow=plan.workflow, steps=(step,))) == (
        "refactor: 1 step (workflows/refactor.yaml)\n\n  #  STEP   KIND\n  1  build  run\n"
    )


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (ModelEntry(key="m", loaded=True), "loaded"),
        (ModelEntry(key="m"), "state unknown"),
        (ModelEntry(key="m", loaded=False, size_bytes=2_000_000_000), "will be loaded on demand, 1.9 GB"),
    ],
)
def test_the_state_of_a_model_on_its_server(plan, entry, state):
    survey = plan.steps[0]
    choice = replace(survey.model, wanted="m", model="m", entry=entry)
    text = plan_text(replace(plan, steps=(replace(survey, model=choice, grants=()),)))
    assert f"  m      http://127.0.0.1:1234  {state}".rstrip() in text.replace("  survey", "")


def test_the_plan_for_machines(plan, snapshot):
    warning = Diagnostic(code="BR301", message="`qwen/qwen4` is not there", file=plan.workflow.file, level="warning")
    data = plan_json(replace(plan, findings=(warning,)))
    assert json.dumps(data, indent=2) == snapshot
    assert "t0p" not in json.dumps(data)


def test_what_is_conditional_is_shown(plan):
    first, second, third, fourth = plan.steps
    changed = (
        first,
        replace(second, step=replace(second.step, when="steps.survey.output | length > 0")),
        replace(third, step=replace(third.step, on_error=OnError(do="continue"))),
        replace(fourth, step=replace(fourth.step, when="false", on_error=OnError(do="output", output=["no"]))),
    )
    conditional = replace(plan, steps=changed)
    assert plan_text(conditional).split("\n\n")[2] == (
        "Conditions\n"
        "  STEP    RUNS ONLY WHEN                    IF IT FAILS\n"
        "  fix     steps.survey.output | length > 0  -\n"
        "  verify  -                                 the run goes on\n"
        '  note    false                             its output is ["no"]'
    )
    shown = plan_json(conditional)["steps"]
    assert [step["when"] for step in shown] == [None, "steps.survey.output | length > 0", None, "false"]
    assert [step["on_error"]["do"] for step in shown] == ["fail", "fail", "continue", "output"]
