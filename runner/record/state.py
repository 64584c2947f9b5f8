"""How a run stands: folded from its entries, nothing else. Displays, results and reports are read off it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from runner.chat.messages import Usage
from runner.record.events import (
    NO_USAGE,
    AnswerRefused,
    CommandRan,
    ModelAnswered,
    ModelAsked,
    RunFinished,
    RunStarted,
    RunStatus,
    StepFinished,
    StepRetried,
    StepStarted,
    StepStatus,
    StepWarned,
    ToolCalled,
    ToolReturned,
    ToolServerDied,
    ToolServerStarted,
)
from runner.record.wire import Entry
from runner.words.exits import Exit
from runner.words.noun import noun


@noun
class StepState:
    """How a step stands. ``calls`` are the tool calls under way: id → ``server.tool``; times are Unix seconds."""

    id: str
    status: StepStatus | Literal["waiting", "running"] = "waiting"
    kind: str | None = None
    model: str | None = None
    endpoint: str | None = None
    attempt: int = 0
    round: int = 0
    calls: Mapping[str, str] = field(default_factory=dict)
    usage: Usage = NO_USAGE
    started_at: float | None = None
    output: Any = None
    error: Mapping[str, str] | None = None
    reason: str | None = None
    tolerated: bool = False
    attempts: int = 0
    seconds: float = 0.0
    extras: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it is over, one way or another."""
        return self.status not in ("waiting", "running")


@dataclass(slots=True, kw_only=True)
class RunState:
    """How a run stands; grows with every entry that is applied. ``steps`` are in file order."""

    run: str = ""
    workflow: str = ""
    file: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    status: RunStatus | Literal["waiting", "running"] = "waiting"
    exit_code: int | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, str] | None = None
    started_at: float | None = None
    seconds: float = 0.0
    steps: dict[str, StepState] = field(default_factory=dict)
    servers: dict[str, ToolServerStarted] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def usage(self) -> Usage:
        """Tokens of all steps together."""
        return sum((step.usage for step in self.steps.values()), NO_USAGE)

    @property
    def running(self) -> tuple[StepState, ...]:
        """The steps at work, in file order."""
        return tuple(step for step in tuple(self.steps.values()) if step.status == "running")

    def apply(self, entry: Entry) -> None:
        """Take one more fact into account."""
        event = entry.event
        change = _STEP_CHANGES.get(type(event))
        if change is not None:
            step_id: str = event.step  # type: ignore[union-attr]  # the table holds events of steps only
            step = self.steps.get(step_id) or StepState(id=step_id)
            self.steps[step_id] = change(step, event, entry)
        elif isinstance(event, RunStarted):
            self._start(event, entry)
        elif isinstance(event, RunFinished):
            self._finish(event)
        elif isinstance(event, ToolServerStarted):
            self.servers[event.server] = event
        elif isinstance(event, ToolServerDied):
            then = "it was started again" if event.restarted else "it was not started again"
            self.warnings += (f"tool server `{event.server}` died: {event.message}; {then}",)

    def _start(self, event: RunStarted, entry: Entry) -> None:
        self.run, self.workflow, self.file, self.inputs = entry.run, event.workflow, event.file, event.inputs
        self.status, self.started_at = "running", unix_seconds(entry.at)
        for step_id in event.steps:
            model = event.models.get(step_id, {})
            self.steps[step_id] = StepState(id=step_id, model=model.get("model"), endpoint=model.get("endpoint"))

    def _finish(self, event: RunFinished) -> None:
        self.status, self.exit_code = event.status, event.exit_code
        self.outputs, self.error, self.seconds = event.outputs, event.error, event.seconds


def fold(entries: Iterable[Entry]) -> RunState:
    """The state after all the entries."""
    state = RunState()
    for entry in entries:
        state.apply(entry)
    return state


def unix_seconds(at: str) -> float:
    """The ``at`` of an entry as Unix seconds."""
    return datetime.fromisoformat(at).timestamp()


def result(state: RunState) -> dict[str, Any]:
    """What ``result.json`` holds (``schemas/result.schema.json``).

    A run whose last line is missing was ended from outside: it counts as cancelled, as do its unfinished steps.
    """
    over = state.status not in ("waiting", "running")
    return {
        "run": state.run,
        "workflow": state.workflow,
        "file": state.file,
        "status": state.status if over else "cancelled",
        "exit_code": int(Exit.INTERRUPTED) if state.exit_code is None else state.exit_code,
        "outputs": dict(state.outputs),
        "steps": {step.id: _step_result(step) for step in state.steps.values()},
        "seconds": round(state.seconds, 3),
        "error": None if state.error is None else dict(state.error),
        "warnings": list(state.warnings),
    }


def _step_result(step: StepState) -> dict[str, Any]:
    reason = step.reason
    if not step.finished:
        reason = "the run ended before it" + (" was done" if step.status == "running" else " could start")
    return {
        "status": step.status if step.finished else "cancelled",
        "output": step.output,
        "error": None if step.error is None else dict(step.error),
        "reason": reason,
        "model": step.model,
        "attempts": step.attempts,
        "items": None,
        "usage": {
            "prompt_tokens": step.usage.prompt_tokens,
            "completion_tokens": step.usage.completion_tokens,
            "reasoning_tokens": step.usage.reasoning_tokens,
        },
        "seconds": round(step.seconds, 3),
        "warnings": list(step.warnings),
    }


def _started(step: StepState, event: StepStarted, entry: Entry) -> StepState:
    return replace(
        step,
        status="running",
        kind=event.kind,
        model=event.model or step.model,
        endpoint=event.endpoint or step.endpoint,
        attempt=1,
        started_at=unix_seconds(entry.at),
    )


def _asked(step: StepState, event: ModelAsked, _: Entry) -> StepState:
    return replace(step, attempt=event.attempt, round=event.round, model=event.model)


def _answered(step: StepState, event: ModelAnswered, _: Entry) -> StepState:
    return replace(step, attempt=event.attempt, round=event.round, usage=step.usage + event.usage)


def _called(step: StepState, event: ToolCalled, _: Entry) -> StepState:
    return replace(step, attempt=event.attempt, calls={**step.calls, event.call: f"{event.server}.{event.tool}"})


def _returned(step: StepState, event: ToolReturned, _: Entry) -> StepState:
    return replace(step, calls={call: tool for call, tool in step.calls.items() if call != event.call})


def _worked(step: StepState, event: CommandRan | AnswerRefused, _: Entry) -> StepState:
    return replace(step, attempt=event.attempt)


def _warned(step: StepState, event: StepWarned, _: Entry) -> StepState:
    return replace(step, warnings=(*step.warnings, event.message))


def _retried(step: StepState, event: StepRetried, _: Entry) -> StepState:
    return replace(step, attempt=event.attempt + 1, round=0, calls={})


def _finished(step: StepState, event: StepFinished, entry: Entry) -> StepState:
    if event.status == "cancelled" and step.started_at is not None:
        # It was at work and could not say any more what it had used: that is known from its entries so far.
        spent = max(0.0, unix_seconds(entry.at) - step.started_at)
        event = replace(event, attempts=step.attempt, usage=step.usage, seconds=spent)
    return replace(
        step,
        status=event.status,
        model=event.model or step.model,
        calls={},
        usage=event.usage,
        output=event.output,
        error=event.error,
        reason=event.reason,
        tolerated=event.tolerated,
        attempts=event.attempts,
        seconds=event.seconds,
        extras=event.extras,
    )


_STEP_CHANGES: Mapping[type, Callable[[StepState, Any, Entry], StepState]] = {
    StepStarted: _started,
    ModelAsked: _asked,
    ModelAnswered: _answered,
    ToolCalled: _called,
    ToolReturned: _returned,
    CommandRan: _worked,
    AnswerRefused: _worked,
    StepWarned: _warned,
    StepRetried: _retried,
    StepFinished: _finished,
}
