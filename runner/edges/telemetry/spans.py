"""The spans of one run, from the entries of its journal.

``invoke_workflow {workflow}`` holds the steps; a step of a model is ``invoke_agent {step}``, any other ``step {step}``;
in it are ``chat {model}``, ``execute_tool {tool}`` and ``command``, and the items of a fan-out or the steps of a called
workflow. Loads of models are beside the steps: several may wait for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runner.edges.telemetry.attributes import message, usage_attributes
from runner.record.events import (
    AnswerRefused,
    CommandRan,
    HistoryTrimmed,
    ModelAnswered,
    ModelAsked,
    ModelFellBack,
    ModelLoaded,
    ModelLoadFailed,
    ModelLoadStarted,
    RequestDegraded,
    RunFinished,
    StepFinished,
    StepRetried,
    StepStarted,
    ToolCalled,
    ToolReturned,
)
from runner.record.journal import Entry
from runner.record.parts import parent_of, unit_of
from runner.record.wire import TYPE_NAMES, encode_json

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

PROVIDER = "lmstudio"
OTHER_ERROR = "_OTHER"
Key = tuple[str, ...]
_NOTHING: Mapping[str, Any] = {}


class RunSpans:
    """``capture``: what was said goes into the spans too."""

    def __init__(self, tracer: Tracer, workflow: str, *, capture: bool) -> None:
        self._tracer = tracer
        self._workflow = workflow
        self._capture = capture
        self._open: dict[Key, Span] = {}
        self._servers: dict[str, str] = {}
        self._said: dict[str, list[Mapping[str, Any]]] = {}
        self._before: dict[tuple[str, str], Context] = {}
        self._run = ""

    def entry(self, entry: Entry) -> None:
        """Begin or end what the entry begins or ends."""
        at = nanoseconds(entry.at)
        self._run = entry.run
        if _ROOT not in self._open:
            name = self._workflow
            what = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.agent.name": name}
            self._begin(_ROOT, f"invoke_workflow {name}", at, None, what)
        act = _ACTS.get(type(entry.event))
        if act is not None:
            act(self, entry.event, unit_of(entry.event) or "", at)

    def _begin(
        self, key: Key, name: str, at: int, unit: str | None, attributes: Mapping[str, Any], *, client: bool = False
    ) -> Span:
        from opentelemetry.trace import SpanKind, set_span_in_context

        self._end(key, at, error=OTHER_ERROR)
        above = self._above(unit)
        span = self._tracer.start_span(
            name,
            context=None if above is None else set_span_in_context(above),
            kind=SpanKind.CLIENT if client else SpanKind.INTERNAL,
            attributes={"bridge_run.run.id": self._run} | {k: v for k, v in attributes.items() if v is not None},
            start_time=at,
        )
        self._open[key] = span
        return span

    def _above(self, unit: str | None) -> Span | None:
        """The span of the unit, or of the nearest that it is a part of."""
        while unit:
            span = self._open.get(("unit", unit))
            if span is not None:
                return span
            unit = parent_of(unit)
        return self._open.get(_ROOT)

    def _end(
        self, key: Key, at: int, attributes: Mapping[str, Any] = _NOTHING, *, error: str | None = None, words: str = ""
    ) -> None:
        span = self._open.pop(key, None)
        if span is None:
            return
        span.set_attributes({name: value for name, value in attributes.items() if value is not None})
        if error is not None:
            from opentelemetry.trace import StatusCode

            span.set_attribute("error.type", error)
            span.set_status(StatusCode.ERROR, words if self._capture and words else error)
        span.end(at)

    def _end_inside(self, unit: str, at: int, error: str) -> None:
        """What the attempt of a unit has left open."""
        for key in [key for key in self._open if key[0] in ("chat", "tool") and key[1] == unit]:
            self._end(key, at, error=error)

    def _json(self, value: Any) -> str | None:
        return encode_json(value).decode() if self._capture else None

    def step_started(self, event: StepStarted, unit: str, at: int) -> None:
        """An agent, if a model is at work."""
        if event.endpoint is not None:
            self._servers[unit] = event.endpoint
        what = {
            "bridge_run.step.id": event.step,
            "bridge_run.step.kind": event.kind,
            "bridge_run.step.item": event.item,
            "bridge_run.step.items": event.items,
        }
        if event.model is None:
            self._begin(("unit", unit), f"step {event.step}", at, parent_of(unit), what)
            return
        what |= {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.agent.name": event.step,
            "gen_ai.request.model": event.model,
        }
        self._begin(("unit", unit), f"invoke_agent {event.step}", at, parent_of(unit), what)

    def step_finished(self, event: StepFinished, unit: str, at: int) -> None:
        """With what it used."""
        error = (event.error or {}).get("kind")
        self._end_inside(unit, at, error or event.status)
        self._said.pop(unit, None)
        more = usage_attributes(event.usage) if event.model is not None else {}
        words = (event.error or {}).get("message", "")
        more["bridge_run.step.status"] = event.status
        self._end(("unit", unit), at, more, error=error, words=words)

    def model_asked(self, event: ModelAsked, unit: str, at: int) -> None:
        """A call of a model begins."""
        server = urlsplit(self._server(unit))
        span = self._begin(
            ("chat", unit),
            f"chat {event.model}",
            at,
            unit,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": PROVIDER,
                "gen_ai.request.model": event.model,
                "gen_ai.request.stream": True,
                "gen_ai.conversation.id": f"{self._run}/{unit}",
                "server.address": server.hostname,
                "server.port": server.port,
                "bridge_run.step.attempt": event.attempt,
                "bridge_run.step.round": event.round,
            },
            client=True,
        )
        if self._capture:
            before = [] if event.round == 1 else self._said.get(unit, [])
            self._said[unit] = [*before, *event.messages]
            span.set_attribute(
                "gen_ai.input.messages", encode_json([message(one) for one in self._said[unit]]).decode()
            )

    def model_answered(self, event: ModelAnswered, unit: str, at: int) -> None:
        """A call of a model ends well."""
        said = {"role": "assistant", "content": event.content, "tool_calls": event.tool_calls}
        self._end(
            ("chat", unit),
            at,
            usage_attributes(event.usage)
            | {
                "gen_ai.response.model": event.model,
                "gen_ai.response.finish_reasons": (event.finish_reason,),
                "gen_ai.response.time_to_first_chunk": event.first_token_seconds,
                "gen_ai.output.messages": self._json([message(said) | {"finish_reason": event.finish_reason}]),
            },
        )

    def tool_called(self, event: ToolCalled, unit: str, at: int) -> None:
        """A call of a tool begins; a tool that there is not has no name of ours."""
        from opentelemetry import context, trace

        tool = event.tool if event.server else "unknown"
        span = self._begin(
            ("tool", unit, event.call),
            f"execute_tool {tool}",
            at,
            unit,
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": tool,
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": event.call,
                "gen_ai.tool.call.arguments": self._json(event.arguments),
                "bridge_run.tool.server": event.server or None,
            },
        )
        # The MCP SDK makes spans of its own, in the task that has journalled the call: they belong below this one.
        self._before[unit, event.call] = context.get_current()
        context.attach(trace.set_span_in_context(span))

    def tool_returned(self, event: ToolReturned, unit: str, at: int) -> None:
        """A call of a tool ends."""
        from opentelemetry import context

        before = self._before.pop((unit, event.call), None)
        if before is not None:
            context.attach(before)  # not ``detach``: another task may have heard of the call
        result = {"gen_ai.tool.call.result": event.text if self._capture else None}
        self._end(("tool", unit, event.call), at, result, error="tool" if event.is_error else None)

    def command_ran(self, event: CommandRan, unit: str, at: int) -> None:
        """A command has begun and ended."""
        began = at - int(event.seconds * 1e9)
        what = {"process.exit.code": event.exit_code, "bridge_run.command.expectation": event.expectation}
        key = ("command", unit)
        self._begin(key, "command", began, unit, {**what, "process.command_args": self._json(event.argv)})
        self._end(key, at, error="command" if event.exit_code else None)

    def failed_once(self, event: StepRetried | ModelFellBack, unit: str, at: int) -> None:
        """The attempt is over, and so is what it had open."""
        self._end_inside(unit, at, event.kind)
        if isinstance(event, ModelFellBack):
            self._servers[unit] = event.to_endpoint
        self.noted(event, unit, at)

    def noted(self, event: Any, unit: str, at: int) -> None:
        """Something that takes no time."""
        span = self._above(unit)
        if span is not None:
            facts = {name: getattr(event, name, None) for name in ("attempt", "kind", "wait", "to_model", "form")}
            known = {f"bridge_run.{name}": value for name, value in facts.items() if value is not None}
            span.add_event(TYPE_NAMES[type(event)], known, at)

    def load_started(self, event: ModelLoadStarted, _unit: str, at: int) -> None:
        """A model is being loaded, for whoever needs it."""
        what = {"gen_ai.request.model": event.model, "bridge_run.endpoint": event.endpoint}
        self._begin(("load", event.endpoint, event.model), f"load_model {event.model}", at, None, what)

    def load_ended(self, event: ModelLoaded | ModelLoadFailed, _unit: str, at: int) -> None:
        """It is there, or not."""
        error = event.kind if isinstance(event, ModelLoadFailed) else None
        self._end(("load", event.endpoint, event.model), at, error=error)

    def finished(self, event: RunFinished, _unit: str, at: int) -> None:
        """All that is open ends, the innermost first."""
        for key in reversed([key for key in self._open if key != _ROOT]):
            self._end(key, at, error=event.status)
        error = None
        if event.status in ("failed", "cancelled"):
            error = (event.error or {}).get("kind") or event.status
        facts = {"bridge_run.run.status": event.status, "bridge_run.run.exit_code": event.exit_code}
        self._end(_ROOT, at, facts, error=error, words=(event.error or {}).get("message", ""))

    def _server(self, unit: str) -> str:
        above: str | None = unit
        while above:
            if above in self._servers:
                return self._servers[above]
            above = parent_of(above)
        return ""


_ROOT: Key = ("run",)
_ACTS: Mapping[type, Callable[[RunSpans, Any, str, int], None]] = {
    StepStarted: RunSpans.step_started,
    StepFinished: RunSpans.step_finished,
    ModelAsked: RunSpans.model_asked,
    ModelAnswered: RunSpans.model_answered,
    ToolCalled: RunSpans.tool_called,
    ToolReturned: RunSpans.tool_returned,
    CommandRan: RunSpans.command_ran,
    StepRetried: RunSpans.failed_once,
    ModelFellBack: RunSpans.failed_once,
    AnswerRefused: RunSpans.noted,
    HistoryTrimmed: RunSpans.noted,
    RequestDegraded: RunSpans.noted,
    ModelLoadStarted: RunSpans.load_started,
    ModelLoaded: RunSpans.load_ended,
    ModelLoadFailed: RunSpans.load_ended,
    RunFinished: RunSpans.finished,
}


def nanoseconds(at: str) -> int:
    """The ``at`` of an entry as whole nanoseconds since 1970."""
    return round(datetime.fromisoformat(at).timestamp() * 1000) * 1_000_000
