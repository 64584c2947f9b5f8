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
    ApprovalAnswered,
    ApprovalAsked,
    CommandRan,
    HistoryTrimmed,
    ModelAnswered,
    ModelAsked,
    ModelFellBack,
    RequestDegraded,
    StepFinished,
    StepRepeated,
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
    """How a step stands, or a part of one: ``id`` is the name of the unit (``fix``, ``fix[3]``, ``call/draft``).

    ``calls`` are the tool calls under way: id → ``server.tool``; times are Unix seconds. ``items``: into how many it
    fans out, None if it does not. ``repeats``: which round of its ``repeat`` it is in, 0 in the first; ``passed``: the
    last round that it was in before the run was resumed. ``question`` is what a person has been asked and has not
    answered. Of a step with parts, ``usage`` is theirs together.

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
    failed_above: bool = False
    attempts: int = 0
    seconds: float = 0.0
    extras: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    fallbacks: tuple[Mapping[str, str], ...] = ()
    trimmed_results: int = 0
    trimmed_characters: int = 0
    items: int | None = None
    repeats: int = 0
    passed: int = 0
    question: ApprovalAsked | None = None

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Paths of what it kept."""
        return tuple(self.extras.get("artifacts", ()))

    @property
    def has_parts(self) -> bool:
        """Whether its work is done by items, or by the steps of another workflow."""
        return self.items is not None or self.kind == "workflow"

    @property
    def stays(self) -> bool:
        """Whether a resumed run takes it over as it is."""
        if self.status == "skipped":
            return not self.failed_above
        return self.status in ("succeeded", "recovered") or self.tolerated

    @property
    def finished(self) -> bool:
        """Whether it is over, one way or another."""
        return self.status not in ("waiting", "running")


def step_after(step: StepState, entry: Entry) -> StepState:
    """The step as it stands after an entry that names it."""
    return _CHANGES[type(entry.event)](step, entry.event, entry)


def renewed(step: StepState, usage: Usage) -> StepState:
    """The step as it waits to be done again; ``usage`` is what counts of what was used so far."""
    return StepState(
        id=step.id,
        kind=step.kind,
        model=step.model,
        endpoint=step.endpoint,
        items=step.items,
        usage=usage,
        passed=max(step.repeats, step.passed),
    )


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
        items=event.items,
        attempt=1,
        started_at=unix_seconds(entry.at),
    )


def _repeated(step: StepState, event: StepRepeated, _: Entry) -> StepState:
    return replace(step, repeats=event.number, attempt=event.attempt, round=0, calls={})


def _question_asked(step: StepState, event: ApprovalAsked, _: Entry) -> StepState:
    return replace(step, question=event)


def _question_answered(step: StepState, _: ApprovalAnswered, __: Entry) -> StepState:
    return replace(step, question=None)


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
    usage = step.usage if step.has_parts and step.usage.total else event.usage
    return replace(
        step,
        status=event.status,
        model=event.model or step.model,
        calls={},
        question=None,
        usage=usage,
        output=event.output,
        error=event.error,
        reason=event.reason,
        tolerated=event.tolerated,
        failed_above=event.failed_above,
        attempts=event.attempts,
        seconds=event.seconds,
        extras=event.extras,
    )


_CHANGES: Mapping[type, Callable[[StepState, Any, Entry], StepState]] = {
    StepStarted: _started,
    StepRepeated: _repeated,
    ApprovalAsked: _question_asked,
    ApprovalAnswered: _question_answered,
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
