"""The plan as a person reads it, and as a machine does."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from runner.chat.catalogue import Instance, ModelEntry
from runner.plan.plan import Needs, Plan, PlannedStep
from runner.show.cell import width
from runner.show.plan.view import plan_json, plan_text
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


def only(plan, **choice):
    """The plan of one step that is answered by the model ``m``."""
    survey = plan.steps[0]
    model = replace(survey.model, **{"wanted": "m", "model": "m", **choice})
    return replace(plan, servers=(), steps=(replace(survey, model=model, grants=()),))


def state(plan) -> str:
    models = next(part for part in plan_text(plan, 200).split("\n\n") if part.startswith("Models on"))
    return models.split("\n")[2].removeprefix("  m      ").partition("  ")[0]


INSTANCE = Instance(id="m", context_length=12_000)


@pytest.mark.parametrize(
    ("entry", "choice", "said"),
    [
        (ModelEntry(key="m", loaded=True), {}, "loaded"),
        (ModelEntry(key="m"), {}, "state unknown"),
        (ModelEntry(key="m", loaded=False, size_bytes=2_000_000_000), {}, "will be loaded on demand, 1.9 GB"),
        (ModelEntry(key="m", instances=(INSTANCE,)), {}, "loaded, context 12,000"),
        (ModelEntry(key="m", instances=(INSTANCE,)), {"manages": True, "ttl": 60.0}, "loaded, context 12,000"),
        (
            ModelEntry(key="m", loaded=False, max_context_length=16_000),
            {"manages": True, "ttl": 7_200.0},
            "will be loaded: context 16,000, unloaded after 2h idle",
        ),
        (
            ModelEntry(key="m", instances=(Instance(id="m", context_length=4_096),)),
            {"manages": True, "load": {"context_length": 9_999}},
            "loaded, but its context is 4,096 tokens, and 9,999 are wanted: will be loaded anew: context 9,999",
        ),
        (ModelEntry(key="m", loaded=True), {"wanted": "n"}, "loaded, stands in for n"),
    ],
)
def test_the_state_of_a_model_on_its_server(plan, entry, choice, said):
    assert state(only(plan, entry=entry, **{"manages": False, **choice})) == said


def test_models_of_two_servers_name_theirs(plan):
    first, second, *_ = plan.steps
    elsewhere = replace(second, model=replace(second.model, endpoint="http://gpu:8080", fallbacks=()))
    text = plan_text(replace(plan, steps=(first, elsewhere)))
    assert "Models\n  MODEL" in text
    assert "  qwen/qwen3-coder-30b            http://gpu:8080" in text


@pytest.mark.parametrize(
    ("entry", "needs", "cells"),
    [
        ({"tool_use": True}, {"tools": True}, {"TOOLS": "yes", "CONTEXT": "900 of 8,192"}),
        ({"tool_use": False}, {"tools": True}, {"TOOLS": "NO", "CONTEXT": "900 of 8,192"}),
        ({}, {"vision": True}, {"VISION": "not known", "CONTEXT": "900 of 8,192"}),
        ({"vision": True}, {}, {"CONTEXT": "900 of 8,192"}),
        ({}, {"schema": True}, {"SCHEMA": "asked", "CONTEXT": "900 of 8,192"}),
        (
            {"reasoning_options": ("low", "high")},
            {"reasoning": "off"},
            {"REASONING": "off: NO", "CONTEXT": "900 of 8,192"},
        ),
        ({}, {"reasoning": "low"}, {"REASONING": "low", "CONTEXT": "900 of 8,192"}),
    ],
)
def test_what_is_needed_of_a_model_and_whether_it_can(plan, entry, needs, cells):
    one = only(plan, entry=ModelEntry(key="m", loaded=False, **entry), manages=True)
    changed = replace(one, steps=(replace(one.steps[0], needs=Needs(context=900, **needs)),))
    _, head, row = plan_text(changed).split("\n\n")[3].rstrip().split("\n")
    split = re.compile(r"  +")
    assert dict(zip(split.split(head.strip()), split.split(row.strip()), strict=True)) == {"MODEL": "m"} | cells


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
