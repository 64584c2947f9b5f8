"""The state of a run, folded from its entries, and the result that is read off it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from runner.chat.messages import Usage
from runner.record.events import (
    HistoryTrimmed,
    ModelAnswered,
    ModelAsked,
    ModelFellBack,
    RequestDegraded,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
    StepWarned,
    ToolCalled,
    ToolReturned,
    ToolServerDied,
)
from runner.record.state import RunState, fold, result

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "result.schema.json").read_text(encoding="utf-8"))
START = RunStarted(
    workflow="refactor",
    file="refactor.yaml",
    inputs={"path": "src"},
    steps=("survey", "fix", "note"),
    models={"survey": {"model": "thinker", "endpoint": "http://127.0.0.1:1234"}},
)
ASKED = ModelAsked(step="survey", attempt=1, round=2, model="thinker", messages=())
ANSWERED = ModelAnswered(
    step="survey", attempt=1, round=2, model="t", content="", finish_reason="stop", usage=Usage(10, 5, 1), seconds=1.0
)
CALLED = ToolCalled(step="survey", attempt=1, call="c1", server="git", tool="log", arguments={}, round=2)
CALLED_TOO = ToolCalled(step="survey", attempt=1, call="c2", server="files", tool="read", arguments={}, round=2)
RETURNED = ToolReturned(
    step="survey",
    attempt=1,
    call="c1",
    server="git",
    tool="log",
    text="x",
    is_error=False,
    seconds=0.1,
    characters=1,
)


def test_before_the_first_entry_nothing_is_known():
    state = RunState()
    assert (state.status, state.steps, state.usage, state.running) == ("waiting", {}, Usage(), ())


def test_a_run_begins_with_all_its_steps_waiting(numbered):
    state = fold(numbered([START]))
    assert (state.run, state.workflow, state.status, state.inputs) == ("r1", "refactor", "running", {"path": "src"})
    assert state.started_at == pytest.approx(1_795_388_701.25)
    assert [(step.id, step.status, step.model) for step in state.steps.values()] == [
        ("survey", "waiting", "thinker"),
        ("fix", "waiting", None),
        ("note", "waiting", None),
    ]


def test_a_step_at_work(numbered):
    begin = [START, StepStarted(step="survey", kind="task")]
    state = fold(numbered([*begin, ASKED, ANSWERED, ANSWERED, CALLED, CALLED_TOO]))
    [step] = state.running
    assert (step.id, step.kind, step.model, step.endpoint) == ("survey", "task", "thinker", "http://127.0.0.1:1234")
    assert (step.attempt, step.round, step.usage) == (1, 2, Usage(20, 10, 2))
    assert step.calls == {"c1": "git.log", "c2": "files.read"}
    assert step.started_at == pytest.approx(1_795_388_702.25)
    assert fold(numbered([*begin, CALLED, CALLED_TOO, RETURNED])).running[0].calls == {"c2": "files.read"}


def test_a_retry_begins_the_next_attempt_anew(numbered):
    retried = StepRetried(step="survey", attempt=1, kind="crash", message="the model crashed", wait=1.0)
    state = fold(numbered([START, StepStarted(step="survey", kind="task"), ASKED, CALLED, retried]))
    [step] = state.running
    assert (step.attempt, step.round, step.calls) == (2, 0, {})


def test_every_event_has_its_place(full):
    state = fold(full)
    step = state.steps["survey"]
    assert (step.status, step.output, step.attempts, step.seconds) == ("recovered", {"targets": [1, None]}, 2, 9.5)
    assert step.usage == Usage(300, 60, 15)
    assert step.tolerated
    assert step.extras["exit_code"] == 0
    assert step.artifacts == ("artifacts/survey/list.txt",)
    assert (step.repeats, step.question, step.failed_above) == (2, None, True)
    assert state.callees == {"fix": ("draft",)}
    assert step.warnings == (
        "asked for the same twice",
        "the server refused a request (unknown format); asked in a simpler form: without a schema",
    )
    assert (step.trimmed_results, step.trimmed_characters) == (3, 12_000)
    assert step.fallbacks == ({"model": "thinker-8b", "to": "thinker-4b", "kind": "crash"},)
    assert step.endpoint == "http://127.0.0.1:8080"
    assert [(model.model, model.status, model.loads, model.failed) for model in state.models.values()] == [
        ("thinker-8b", "absent", 1, 0),
        ("coder-30b", "absent", 0, 1),
    ]
    assert state.servers["git"].tools == 12
    assert state.warnings == ("tool server `git` died: it exited with 1; it was started again",)
    assert (state.status, state.exit_code, state.error) == (
        "cancelled",
        130,
        {"kind": "cancelled", "message": "interrupted"},
    )


def test_a_step_that_the_beginning_did_not_name_is_taken_in(numbered):
    state = fold(numbered([StepStarted(step="late", kind="run")]))
    assert state.running[0].id == "late"


def test_the_result_in_file_order(numbered):
    state = fold(
        numbered(
            [
                START,
                StepFinished(step="fix", status="failed", error={"kind": "crash", "message": "gone"}, attempts=3),
                StepWarned(step="survey", message="slow"),
                StepFinished(
                    step="survey",
                    status="succeeded",
                    output="two smells",
                    attempts=1,
                    usage=Usage(10, 5, 1),
                    seconds=1.23456,
                    model="thinker",
                ),
                StepFinished(step="note", status="skipped", reason="`fix` failed"),
                ToolServerDied(server="git", message="killed", restarted=False),
                RunFinished(status="failed", exit_code=1, outputs={"note": None}, seconds=4.5),
            ]
        )
    )
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "reasoning_tokens": 0, "cached_tokens": 0}
    assert result(state) == {
        "run": "r1",
        "workflow": "refactor",
        "file": "refactor.yaml",
        "status": "failed",
        "exit_code": 1,
        "outputs": {"note": None},
        "steps": {
            "survey": {
                "status": "succeeded",
                "output": "two smells",
                "error": None,
                "reason": None,
                "model": "thinker",
                "fallbacks": [],
                "attempts": 1,
                "items": None,
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 1, "cached_tokens": 0},
                "seconds": 1.235,
                "warnings": ["slow"],
                "steps": None,
                "repeats": 0,
                "artifacts": [],
            },
            "fix": {
                "status": "failed",
                "output": None,
                "error": {"kind": "crash", "message": "gone"},
                "reason": None,
                "model": None,
                "fallbacks": [],
                "attempts": 3,
                "items": None,
                "usage": nothing,
                "seconds": 0.0,
                "warnings": [],
                "steps": None,
                "repeats": 0,
                "artifacts": [],
            },
            "note": {
                "status": "skipped",
                "output": None,
                "error": None,
                "reason": "`fix` failed",
                "model": None,
                "fallbacks": [],
                "attempts": 0,
                "items": None,
                "usage": nothing,
                "seconds": 0.0,
                "warnings": [],
                "steps": None,
                "repeats": 0,
                "artifacts": [],
            },
        },
        "questions": [],
        "models": [],
        "seconds": 4.5,
        "error": None,
        "warnings": ["tool server `git` died: killed; it was not started again"],
    }
    assert list(result(state)["steps"]) == ["survey", "fix", "note"]
    _validator().validate(result(state))


def test_a_journal_without_an_end_tells_of_an_interrupted_run(numbered):
    outcome = result(fold(numbered([START, StepStarted(step="survey", kind="task")])))
    assert (outcome["status"], outcome["exit_code"]) == ("cancelled", 130)
    assert [(step["status"], step["reason"]) for step in outcome["steps"].values()] == [
        ("cancelled", "the run ended before it was done"),
        ("cancelled", "the run ended before it could start"),
        ("cancelled", "the run ended before it could start"),
    ]
    _validator().validate(outcome)


def test_result_and_schema_name_the_same_keys(full):
    outcome = result(fold(full))
    _validator().validate(outcome)
    assert list(SCHEMA["properties"]) == list(outcome) == SCHEMA["required"]
    step = SCHEMA["$defs"]["step"]
    assert list(step["properties"]) == list(outcome["steps"]["survey"]) == step["required"]
    model, fallback = SCHEMA["$defs"]["model"], SCHEMA["$defs"]["fallback"]
    assert list(model["properties"]) == list(outcome["models"][0]) == model["required"]
    assert list(fallback["properties"]) == list(outcome["steps"]["survey"]["fallbacks"][0]) == fallback["required"]


def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(SCHEMA)


def test_what_a_cancelled_step_had_used_is_known_from_its_entries(numbered):
    entries = numbered([START, StepStarted(step="survey", kind="task"), ASKED, ANSWERED])
    cancelled = StepFinished(step="survey", status="cancelled", attempts=0)
    state = fold([*entries, *numbered([*(entry.event for entry in entries), cancelled])[-1:]])
    step = result(state)["steps"]["survey"]
    assert (step["status"], step["attempts"]) == ("cancelled", 1)
    assert step["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 1, "cached_tokens": 0}
    assert step["seconds"] > 0


def test_the_result_tells_of_fallbacks_and_of_what_was_trimmed(numbered):
    fell = ModelFellBack(
        step="survey", attempt=3, model="a", endpoint="u", to_model="b", to_endpoint="v", kind="crash", message="gone"
    )
    trimmed = HistoryTrimmed(step="survey", attempt=1, round=4, results=1, characters=1_500, tokens=4_000)
    again = HistoryTrimmed(step="survey", attempt=1, round=5, results=2, characters=500, tokens=4_000)
    refused = RequestDegraded(step="survey", attempt=1, round=1, form="without a schema", message="no grammar")
    done = StepFinished(step="survey", status="succeeded", output="x", attempts=1, model="b")
    step = result(fold(numbered([START, fell, refused, trimmed, refused, again, done])))["steps"]["survey"]
    assert (step["model"], step["fallbacks"]) == ("b", [{"model": "a", "to": "b", "kind": "crash"}])
    assert step["warnings"] == [
        "the server refused a request (no grammar); asked in a simpler form: without a schema",
        "3 old tool results shortened by 2,000 characters to fit the model's context",
    ]
