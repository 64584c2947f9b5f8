"""What the tests of the record share: one full example of every event, and a way to number them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from runner.chat.messages import Usage
from runner.record.events import (
    AnswerRefused,
    ApprovalAnswered,
    ApprovalAsked,
    CircuitChanged,
    CommandRan,
    Event,
    HistoryTrimmed,
    ModelAnswered,
    ModelAsked,
    ModelFellBack,
    ModelLoaded,
    ModelLoadFailed,
    ModelLoadStarted,
    ModelUnloaded,
    RequestDegraded,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRepeated,
    StepRetried,
    StepStarted,
    StepWarned,
    ToolCalled,
    ToolReturned,
    ToolServerDied,
    ToolServerStarted,
)
from runner.record.wire import Entry

FULL: tuple[Event, ...] = (
    RunStarted(
        workflow="refactor",
        file="workflows/refactor.yaml",
        inputs={"path": "src"},
        steps=("survey", "fix", "fix/draft"),
        models={"survey": {"model": "thinker-8b", "endpoint": "http://127.0.0.1:1234"}},
        version="0.1.0",
        options={"model": ["tiny"], "digest": "a1"},
    ),
    ToolServerStarted(server="git", tools=12, seconds=0.4, version="1.2", protocol="2025-11-25"),
    ToolServerDied(server="git", message="it exited with 1", restarted=True),
    ModelLoadStarted(
        endpoint="http://127.0.0.1:1234",
        model="thinker-8b",
        settings={"context_length": 8192},
        size_bytes=4_700_000_000,
    ),
    ModelLoaded(
        endpoint="http://127.0.0.1:1234",
        model="thinker-8b",
        instance="thinker-8b:2",
        seconds=12.3,
        context_length=8192,
        parallel=4,
        reused=False,
        note="asked for 9,000",
    ),
    ModelLoadFailed(
        endpoint="http://127.0.0.1:1234",
        model="coder-30b",
        kind="overloaded",
        message="it needs 20 GB",
        then="coder-8b is taken",
    ),
    ModelUnloaded(endpoint="http://127.0.0.1:1234", model="thinker-8b", instance="thinker-8b:2", reason="idle for 10m"),
    CircuitChanged(endpoint="http://127.0.0.1:1234", model="thinker-8b", state="open", failures=5),
    StepStarted(step="survey", kind="task", model="thinker-8b", endpoint="http://127.0.0.1:1234"),
    StepRepeated(step="survey", number=2, attempt=2),
    ApprovalAsked(step="survey", question="Look at all of it?", choices=("yes", "no"), default="no"),
    ApprovalAnswered(step="survey", choice="yes", by="--answer"),
    ModelAsked(
        step="survey",
        attempt=1,
        round=1,
        model="thinker-8b",
        messages=({"role": "user", "content": "Look."},),
        tools=("git__git_log",),
    ),
    ModelAnswered(
        step="survey",
        attempt=1,
        round=1,
        model="thinker-8b",
        content="",
        finish_reason="tool_calls",
        usage=Usage(100, 20, 5, 60),
        seconds=1.5,
        reasoning="The log first.",
        tool_calls=({"id": "c1", "name": "git__git_log", "arguments": '{"n": 3}'},),
        first_token_seconds=0.2,
        recovered="qwen",
        looped=True,
    ),
    ToolCalled(step="survey", attempt=1, call="c1", server="git", tool="git_log", arguments={"n": 3}, round=1),
    ToolReturned(
        step="survey",
        attempt=1,
        call="c1",
        server="git",
        tool="git_log",
        text="3 commits",
        is_error=False,
        seconds=0.1,
        characters=9,
        artifact="artifacts/survey/git_log.txt",
    ),
    CommandRan(
        step="survey",
        attempt=1,
        argv=("pytest", "-q"),
        exit_code=1,
        stdout="1 failed",
        stderr="",
        seconds=2.0,
        expectation=True,
        artifact="artifacts/survey/pytest.txt",
    ),
    AnswerRefused(step="survey", attempt=1, kind="expectation", message="the tests fail", left=1),
    StepWarned(step="survey", message="asked for the same twice"),
    HistoryTrimmed(step="survey", attempt=1, round=2, results=3, characters=12_000, tokens=7_900, context_length=8_192),
    RequestDegraded(step="survey", attempt=1, round=2, form="without a schema", message="unknown format"),
    ModelFellBack(
        step="survey",
        attempt=1,
        model="thinker-8b",
        endpoint="http://127.0.0.1:1234",
        to_model="thinker-4b",
        to_endpoint="http://127.0.0.1:8080",
        kind="crash",
        message="the model crashed",
    ),
    StepRetried(step="survey", attempt=1, kind="connection", message="connection lost", wait=1.0),
    StepFinished(
        step="survey",
        status="recovered",
        output={"targets": [1, None]},
        error={"kind": "connection", "message": "connection lost"},
        reason="on_error gave a value",
        tolerated=True,
        attempts=2,
        usage=Usage(300, 60, 15),
        seconds=9.5,
        model="thinker-8b",
        extras={"exit_code": 0, "artifacts": ["artifacts/survey/list.txt"]},
        failed_above=True,
    ),
    RunResumed(version="0.2.0"),
    RunFinished(
        status="cancelled",
        exit_code=130,
        outputs={"note": None},
        seconds=12.0,
        error={"kind": "cancelled", "message": "interrupted"},
    ),
)
BARE: tuple[Event, ...] = (
    StepStarted(step="fix", kind="run"),
    ToolCalled(step="fix", attempt=1, call="c1", server="git", tool="git_log", arguments=None),
    StepFinished(step="fix", status="succeeded", output=None),
    RunFinished(status="succeeded", exit_code=0, outputs={}, seconds=0.0),
)
Numbered = Callable[[Sequence[Event]], list[Entry]]


def _numbered(events: Sequence[Event]) -> list[Entry]:
    return [
        Entry(seq=number, at=f"2026-11-22T23:{5 + number // 60:02d}:{number % 60:02d}.250Z", run="r1", event=event)
        for number, event in enumerate(events, 1)
    ]


@pytest.fixture
def numbered() -> Numbered:
    """Events as entries of the run ``r1``, a second apart."""
    return _numbered


@pytest.fixture
def full() -> list[Entry]:
    """Every kind of event once, every field set but those of fan-outs."""
    return _numbered(FULL)


@pytest.fixture
def bare() -> list[Entry]:
    """Events with nothing set that may be left out."""
    return _numbered(BARE)
