"""How a step stands: folded from the events that name it, one small change an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import Any, Literal

from runner.chat.messages import Usage
from runner.record.events import (
    NO_USAGE,
    AnswerRefused,
    CommandRan,
    HistoryTrimmed,
    ModelAnswered,
    ModelAsked,
    ModelFellBack,
    RequestDegraded,
    StepFinished,
    StepRetried,
    StepStarted,
    StepStatus,
    StepWarned,
    ToolCalled,
    ToolReturned,
)
from runner.record.wire import Entry
from runner.words.noun import noun


@noun
class StepState:
    """How a step stands. ``calls`` are the tool calls under way: id → ``server.tool``; times are Unix seconds.

    ``model`` and ``endpoint`` are those that answer now; ``fallbacks`` is the way there: ``{model, to, kind}`` each.
    ``trimmed_results`` old tool results were shortened by ``trimmed_characters`` so that the conversation fits.
    """

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
    fallbacks: tuple[Mapping[str, str], ...] = ()
    trimmed_results: int = 0
    trimmed_characters: int = 0

    @property
    def finished(self) -> bool:
        """Whether it is over, one way or another."""
        return self.status not in ("waiting", "running")


def step_after(steps: Mapping[str, StepState], entry: Entry) -> StepState | None:
    """The step of the entry as it stands then; None for events that name no step."""
    event: Any = entry.event
    change = _CHANGES.get(type(event))
    if change is None:
        return None
    return change(steps.get(event.step) or StepState(id=event.step), event, entry)


def unix_seconds(at: str) -> float:
    """The ``at`` of an entry as Unix seconds."""
    return datetime.fromisoformat(at).timestamp()


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


def _trimmed(step: StepState, event: HistoryTrimmed, _: Entry) -> StepState:
    return replace(
        step,
        trimmed_results=step.trimmed_results + event.results,
        trimmed_characters=step.trimmed_characters + event.characters,
    )


def _degraded(step: StepState, event: RequestDegraded, _: Entry) -> StepState:
    """Told once a form: every later request of the conversation has it too."""
    warning = f"the server refused a request ({event.message}); asked in a simpler form: {event.form}"
    return step if warning in step.warnings else replace(step, warnings=(*step.warnings, warning))


def _fell_back(step: StepState, event: ModelFellBack, _: Entry) -> StepState:
    fallback = {"model": event.model, "to": event.to_model, "kind": event.kind}
    return replace(
        step,
        model=event.to_model,
        endpoint=event.to_endpoint,
        fallbacks=(*step.fallbacks, fallback),
        round=0,
        calls={},
    )


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


_CHANGES: Mapping[type, Callable[[StepState, Any, Entry], StepState]] = {
    StepStarted: _started,
    ModelAsked: _asked,
    ModelAnswered: _answered,
    ToolCalled: _called,
    ToolReturned: _returned,
    CommandRan: _worked,
    AnswerRefused: _worked,
    StepWarned: _warned,
    HistoryTrimmed: _trimmed,
    RequestDegraded: _degraded,
    ModelFellBack: _fell_back,
    StepRetried: _retried,
    StepFinished: _finished,
}
