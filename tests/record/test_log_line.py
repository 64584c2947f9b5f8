"""Lines of a log: what everybody may read, what only ``debug`` has, and how much each matters."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from runner.chat.messages import Usage
from runner.record import log_line
from runner.record.events import (
    EVENTS,
    AnswerRefused,
    ApprovalAsked,
    CircuitChanged,
    CommandRan,
    Event,
    ModelAnswered,
    ModelAsked,
    ModelFellBack,
    ModelLoadFailed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRepeated,
    StepRetried,
    StepWarned,
    ToolCalled,
    ToolReturned,
)
from runner.record.log_line import Lines, level_of
from runner.record.wire import TYPE_NAMES, Entry, encode_json

SAID = "tell-nobody"
"""Stands wherever a person, a model, a tool or a command can say something."""
HERE = "http://127.0.0.1:1234"

TALKING: tuple[Event, ...] = (
    RunStarted(workflow="w", file="w.yaml", inputs={"text": SAID}, steps=("s",), options={"folder": SAID}),
    ModelAsked(step="s", attempt=1, round=1, model="m", messages=({"role": "user", "content": SAID},), tools=("t",)),
    ModelAnswered(
        step="s", attempt=1, round=1, model="m", content=SAID, reasoning=SAID, finish_reason="stop", usage=Usage(1, 2),
        seconds=0.5, tool_calls=({"id": "1", "name": SAID, "arguments": SAID},), recovered=SAID,
    ),
    ToolCalled(step="s", attempt=1, round=1, call="1", server="", tool=SAID, arguments={"path": SAID}),
    ToolReturned(
        step="s", attempt=1, call="1", server="", tool=SAID, text=SAID, is_error=True, seconds=0.1, characters=3,
        artifact=SAID,
    ),
    ToolCalled(step="s", attempt=1, call="2", server="files", tool="read", arguments=SAID),
    ToolReturned(
        step="s", attempt=1, call="2", server="files", tool="read", text=SAID, is_error=False, seconds=0.1, characters=3
    ),
    CommandRan(step="s", attempt=1, argv=("echo", SAID), exit_code=1, stdout=SAID, stderr=SAID, seconds=0.1),
    AnswerRefused(step="s", attempt=1, kind="invalid_output", message=SAID, left=1),
    StepWarned(step="s", message=f"no file matches the artifact `{SAID}`"),
    StepRetried(step="s", attempt=1, kind="invalid_output", message=SAID, wait=1.0),
    ModelFellBack(
        step="s", attempt=1, model="m", endpoint=HERE, to_model="n", to_endpoint=HERE, kind="request", message=SAID
    ),
    ApprovalAsked(step="s", question=SAID, choices=(SAID, "no"), default="no"),
    StepFinished(
        step="s", status="failed", output=SAID, error={"kind": "invalid_output", "message": SAID}, reason=SAID,
        extras={"stderr": SAID},
    ),
    RunFinished(status="failed", exit_code=1, outputs={"o": SAID}, seconds=1, error={"kind": "bug", "message": SAID}),
)  # fmt: skip


def line(event: Event, *, said: bool = False, lines: Lines | None = None) -> dict[str, Any]:
    entry = Entry(seq=1, at="2026-11-28T08:00:00.000Z", run="r", event=event)
    made = (lines or Lines()).line(entry)
    return dict((made.said or {}) if said else made.fields)


@pytest.mark.parametrize("event", TALKING, ids=lambda event: TYPE_NAMES[type(event)])
def test_what_was_said_is_only_in_lines_of_debug(event: Event):
    assert SAID not in encode_json(line(event)).decode()
    whole = line(event, said=True)
    assert whole["level"] == "debug"
    assert SAID in encode_json(whole).decode()


def test_what_everybody_may_read_is_not_said_twice():
    assert line(StepRepeated(step="s", attempt=1, number=2), said=True) == {}


def test_every_event_says_what_is_open_and_names_only_fields_that_it_has():
    assert set(log_line._OPEN) == set(EVENTS)
    assert [
        (event.__name__, name)
        for event, names in log_line._OPEN.items()
        for name in names
        if name not in {one.name for one in fields(event)}
    ] == []


def test_a_line_says_when_how_much_it_matters_and_where_it_belongs():
    event = ModelAnswered(
        step="s", item=2, attempt=1, round=3, model="m", content="x", finish_reason="stop", usage=Usage(1, 2),
        seconds=0.5,
    )  # fmt: skip
    assert encode_json(line(event)).decode() == (
        '{"ts":"2026-11-28T08:00:00.000Z","level":"info","event":"model_answered","run":"r","step":"s","item":2,'
        '"attempt":1,"round":3,"model":"m","finish_reason":"stop","usage":{"prompt_tokens":1,"completion_tokens":2,'
        '"reasoning_tokens":0,"cached_tokens":0},"seconds":0.5,"looped":false}'
    )


def test_a_result_of_a_tool_belongs_to_the_round_of_its_call():
    lines = Lines()
    line(ToolCalled(step="s", attempt=1, round=4, call="1", server="f", tool="t", arguments={}), lines=lines)
    back = ToolReturned(
        step="s", attempt=1, call="1", server="f", tool="t", text="", is_error=False, seconds=0, characters=0
    )
    assert line(back, lines=lines)["round"] == 4
    assert "round" not in line(back, lines=lines)


@pytest.mark.parametrize("kind", ["connection", "timeout"])
def test_what_is_about_a_server_says_what_it_is(kind):
    retried = line(StepRetried(step="s", attempt=1, kind=kind, message="it does not answer", wait=1.0))
    failed = line(StepFinished(step="s", status="failed", error={"kind": kind, "message": "it does not answer"}))
    assert retried["message"] == failed["message"] == "it does not answer"
    assert retried["kind"] == failed["kind"] == kind


def test_a_warning_keeps_its_words_without_what_it_quotes():
    assert line(StepWarned(step="s", message="it reached `limits.rounds` and stopped"))["message"] == (
        "it reached `…` and stopped"
    )


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (StepFinished(step="s", status="succeeded"), "info"),
        (StepFinished(step="s", status="failed"), "error"),
        (StepFinished(step="s", status="failed", tolerated=True), "warning"),
        (RunFinished(status="failed", exit_code=1, outputs={}, seconds=0), "error"),
        (RunFinished(status="paused", exit_code=8, outputs={}, seconds=0), "info"),
        (CircuitChanged(endpoint=HERE, model="m", state="open"), "warning"),
        (CircuitChanged(endpoint=HERE, model="m", state="closed"), "info"),
        (ModelLoadFailed(endpoint=HERE, model="m", kind="overloaded", message="no memory"), "warning"),
        (StepWarned(step="s", message=""), "warning"),
    ],
)
def test_how_much_a_fact_matters(event: Event, level: str):
    assert level_of(event) == level
