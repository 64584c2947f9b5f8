"""Entries of a journal as lines of a log: how much they matter, and what of them may be read by whom.

Only lines of the level ``debug`` hold what people, models, tools and commands have said: prompts, answers, arguments,
results, inputs and outputs, and messages that may quote them. They are lines of their own, beside those that everybody
may read, so that whoever collects ``info`` and above has none of it, however much is logged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from runner.record.events import (
    AnswerRefused,
    ApprovalAnswered,
    ApprovalAsked,
    CircuitChanged,
    CommandRan,
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
from runner.record.wire import TYPE_NAMES, Entry, to_dict
from runner.words.errors import FailureKind
from runner.words.noun import noun

Level = Literal["debug", "info", "warning", "error"]

_OF_SERVERS: frozenset[FailureKind] = frozenset(
    ("connection", "timeout", "rate_limit", "auth", "overloaded", "crash", "model_not_found", "wrong_model")
)
"""Kinds whose messages are about a server, and quote nothing of what it was asked."""

_OPEN: Mapping[type, tuple[str, ...]] = {
    RunStarted: ("workflow", "file", "steps", "version"),
    RunResumed: ("version",),
    RunFinished: ("status", "exit_code", "seconds"),
    ToolServerStarted: ("server", "tools", "seconds", "version", "protocol"),
    ToolServerDied: ("server", "restarted"),
    ModelLoadStarted: ("endpoint", "model", "size_bytes"),
    ModelLoaded: ("endpoint", "model", "instance", "seconds", "context_length", "parallel", "reused"),
    ModelLoadFailed: ("endpoint", "model", "kind", "message", "then"),
    ModelUnloaded: ("endpoint", "model", "instance", "reason"),
    CircuitChanged: ("endpoint", "model", "state", "failures"),
    StepStarted: ("step", "item", "kind", "model", "endpoint", "items"),
    StepRepeated: ("step", "item", "attempt", "number"),
    ApprovalAsked: ("step", "item"),
    ApprovalAnswered: ("step", "item", "by"),
    ModelAsked: ("step", "item", "attempt", "round", "model"),
    ModelAnswered: (
        "step", "item", "attempt", "round", "model", "finish_reason", "usage", "seconds", "first_token_seconds",
        "looped",
    ),
    ToolCalled: ("step", "item", "attempt", "round", "call", "server", "tool"),
    ToolReturned: ("step", "item", "attempt", "call", "server", "tool", "is_error", "seconds", "characters"),
    CommandRan: ("step", "item", "attempt", "exit_code", "seconds", "expectation"),
    AnswerRefused: ("step", "item", "attempt", "kind", "left"),
    StepWarned: ("step", "item", "message"),
    HistoryTrimmed: ("step", "item", "attempt", "round", "results", "characters", "tokens", "context_length"),
    RequestDegraded: ("step", "item", "attempt", "round", "form"),
    ModelFellBack: ("step", "item", "attempt", "model", "endpoint", "to_model", "to_endpoint", "kind"),
    StepRetried: ("step", "item", "attempt", "kind", "wait"),
    StepFinished: ("step", "item", "status", "attempts", "usage", "seconds", "model", "tolerated", "failed_above"),
}  # fmt: skip
"""What everybody may read; the whole event is for ``debug``."""

_WARNINGS = (ToolServerDied, ModelLoadFailed, AnswerRefused, StepWarned, RequestDegraded, ModelFellBack, StepRetried)
_QUOTED = re.compile(r"`[^`]*`")


@noun
class Line:
    """``fields`` are ``{ts, level, event, run, …}``, plain JSON; None is left out. ``said`` is the line of the level
    ``debug`` that has the whole event, None if that is no more."""

    level: Level
    event: str
    fields: Mapping[str, Any]
    said: Mapping[str, Any] | None = None


class Lines:
    """Takes the entries of any number of runs and makes a line of each."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[str, str, int | None, str], int] = {}

    def line(self, entry: Entry) -> Line:
        """The line of an entry."""
        event: Any = entry.event
        name, level = TYPE_NAMES[type(event)], level_of(event)
        head: dict[str, Any] = {"ts": entry.at, "level": level, "event": name, "run": entry.run}
        whole = {key: value for key, value in to_dict(entry).items() if key not in ("seq", "at", "run", "type")}
        opened, place = _open(event, whole), self._round_of(entry)
        is_more = any(name not in opened or opened[name] != value for name, value in whole.items())
        said = {**head, "level": "debug", **place, **whole} if is_more else None
        return Line(level=level, event=name, fields={**head, **place, **opened}, said=said)

    def _round_of(self, entry: Entry) -> Mapping[str, int]:
        """The round of what a tool has answered: that of its call."""
        event = entry.event
        if isinstance(event, ToolCalled) and event.round is not None:
            self._rounds[entry.run, event.step, event.item, event.call] = event.round
        if not isinstance(event, ToolReturned):
            return {}
        number = self._rounds.pop((entry.run, event.step, event.item, event.call), None)
        return {} if number is None else {"round": number}


def level_of(event: object) -> Level:
    """How much a fact matters."""
    if isinstance(event, StepFinished | RunFinished) and event.status == "failed":
        return "warning" if isinstance(event, StepFinished) and event.tolerated else "error"
    if isinstance(event, CircuitChanged) and event.state == "open":
        return "warning"
    return "warning" if isinstance(event, _WARNINGS) else "info"


def _open(event: Any, said: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: said[name] for name in _OPEN[type(event)] if name in said}
    if isinstance(event, StepFinished | RunFinished) and event.error is not None:
        body["kind"] = event.error["kind"]
        if event.error["kind"] in _OF_SERVERS:
            body["message"] = event.error["message"]
    elif isinstance(event, StepRetried | ModelFellBack) and event.kind in _OF_SERVERS:
        body["message"] = event.message
    elif isinstance(event, StepWarned):  # what is quoted in it may come from an input
        body["message"] = _QUOTED.sub("`…`", event.message)
    elif isinstance(event, ToolCalled | ToolReturned) and not event.server:
        del body["tool"]  # there is no such tool: the model made its name up
    return body
