"""Spans of runs: the tree, its times and attributes as the real SDK keeps them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from runner.chat.messages import Usage
from runner.edges.telemetry.spans import RunSpans, nanoseconds
from runner.edges.telemetry.telemetry import run_spans
from runner.record.events import (
    AnswerRefused,
    CommandRan,
    Event,
    ModelAnswered,
    ModelAsked,
    ModelFellBack,
    ModelLoaded,
    ModelLoadFailed,
    ModelLoadStarted,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
    ToolCalled,
    ToolReturned,
)
from runner.record.wire import Entry

HERE, THERE = "http://127.0.0.1:1234", "http://box.local:8080"
SECRET = "what was said"
BEGIN = RunStarted(workflow="w", file="w.yaml", inputs={}, steps=("s",))
STEP = StepStarted(step="s", kind="task", model="m", endpoint=HERE)
DONE = StepFinished(step="s", status="succeeded", model="m", usage=Usage(10, 4, 1, 3))
END = RunFinished(status="succeeded", exit_code=0, outputs={}, seconds=1)


def asked(round_: int = 1, *words: str, attempt: int = 1, step: str = "s", item: int | None = None) -> ModelAsked:
    said = tuple({"role": "user", "content": one} for one in words or (SECRET,))
    return ModelAsked(step=step, item=item, attempt=attempt, round=round_, model="m", messages=said)


def answered(round_: int = 1, *, attempt: int = 1, calls: tuple[dict[str, str], ...] = ()) -> ModelAnswered:
    return ModelAnswered(
        step="s", attempt=attempt, round=round_, model="m", content=SECRET, finish_reason="stop", seconds=0.5,
        usage=Usage(10, 4, 1, 3), first_token_seconds=0.25, tool_calls=calls,
    )  # fmt: skip


def called(call: str = "1", server: str = "files", tool: str = "read") -> ToolCalled:
    return ToolCalled(step="s", attempt=1, round=1, call=call, server=server, tool=tool, arguments={"path": SECRET})


def returned(call: str = "1", server: str = "files", tool: str = "read", *, is_error: bool = False) -> ToolReturned:
    return ToolReturned(
        step="s", attempt=1, call=call, server=server, tool=tool, text=SECRET, is_error=is_error, seconds=0.1,
        characters=1,
    )  # fmt: skip


def ended(*events: Event, capture: bool = False) -> tuple[ReadableSpan, ...]:
    """The spans that ended, in that order; one second between two events, from 08:00:00 on."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tree = RunSpans(provider.get_tracer("test"), "w", capture=capture)
    for number, event in enumerate(events):
        tree.entry(Entry(seq=number + 1, at=f"2026-11-28T08:00:{number:02}.000Z", run="r", event=event))
    return kept.get_finished_spans()


def spans(*events: Event, capture: bool = False) -> dict[str, ReadableSpan]:
    """The same by name."""
    found = ended(*events, capture=capture)
    assert len({span.name for span in found}) == len(found), "names of the test are unique"
    return {span.name: span for span in found}


def seconds(span: ReadableSpan) -> tuple[int, int]:
    zero = nanoseconds("2026-11-28T08:00:00.000Z")
    return (span.start_time - zero) // 10**9, (span.end_time - zero) // 10**9


def above(found: dict[str, ReadableSpan], name: str) -> str | None:
    parent = found[name].parent
    return parent and next(one.name for one in found.values() if one.context.span_id == parent.span_id)


def test_a_run_is_a_tree_with_the_times_of_its_journal():
    found = spans(BEGIN, STEP, asked(), answered(), called(), returned(), DONE, END)
    assert {name: (above(found, name), seconds(span)) for name, span in found.items()} == {
        "invoke_workflow w": (None, (0, 7)),
        "invoke_agent s": ("invoke_workflow w", (1, 6)),
        "chat m": ("invoke_agent s", (2, 3)),
        "execute_tool read": ("invoke_agent s", (4, 5)),
    }
    assert {name for name, span in found.items() if span.kind is SpanKind.CLIENT} == {"chat m"}
    assert {span.status.status_code for span in found.values()} == {StatusCode.UNSET}


def test_a_call_of_a_model_says_what_the_conventions_want():
    found = spans(BEGIN, STEP, asked(), answered(), DONE, END)
    assert dict(found["chat m"].attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "lmstudio",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": True,
        "gen_ai.conversation.id": "r/s",
        "gen_ai.response.model": "m",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "server.address": "127.0.0.1",
        "server.port": 1234,
        "bridge_run.run.id": "r",
        "bridge_run.step.attempt": 1,
        "bridge_run.step.round": 1,
    }


def test_a_run_a_step_and_a_tool_say_what_the_conventions_want():
    found = spans(BEGIN, STEP, called(), returned(), DONE, END)
    assert dict(found["invoke_workflow w"].attributes) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.agent.name": "w",
        "bridge_run.run.id": "r",
        "bridge_run.run.status": "succeeded",
        "bridge_run.run.exit_code": 0,
    }
    step = dict(found["invoke_agent s"].attributes)
    assert (step["gen_ai.operation.name"], step["gen_ai.agent.name"]) == ("invoke_agent", "s")
    assert dict(found["execute_tool read"].attributes) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "read",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "1",
        "bridge_run.tool.server": "files",
        "bridge_run.run.id": "r",
    }


def test_what_was_said_is_nowhere_unless_it_is_asked_for():
    events = (
        BEGIN,
        STEP,
        asked(),
        answered(calls=({"id": "1", "name": "read", "arguments": SECRET},)),
        called(),
        returned(),
        CommandRan(step="s", attempt=1, argv=(SECRET,), exit_code=0, stdout=SECRET, stderr=SECRET, seconds=0.5),
        AnswerRefused(step="s", attempt=1, kind="expectation", message=SECRET, left=1),
        StepFinished(step="s", status="failed", output=SECRET, error={"kind": "expectation", "message": SECRET}),
        RunFinished(status="failed", exit_code=1, outputs={}, seconds=1, error={"kind": "bug", "message": SECRET}),
    )
    assert SECRET not in "".join(span.to_json() for span in spans(*events).values())
    found = spans(*events, capture=True)
    chat: dict[str, Any] = {name: value for name, value in found["chat m"].attributes.items() if "messages" in name}
    assert {name: json.loads(value) for name, value in chat.items()} == {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": SECRET}]}],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "content": SECRET},
                    {"type": "tool_call", "id": "1", "name": "read", "arguments": SECRET},
                ],
                "finish_reason": "stop",
            }
        ],
    }
    assert json.loads(found["execute_tool read"].attributes["gen_ai.tool.call.arguments"]) == {"path": SECRET}
    assert found["execute_tool read"].attributes["gen_ai.tool.call.result"] == SECRET
    assert json.loads(found["command"].attributes["process.command_args"]) == [SECRET]
    assert found["invoke_workflow w"].status.description == SECRET


def test_the_messages_of_a_round_are_all_that_the_model_was_sent():
    result = {"role": "tool", "content": "two", "tool_call_id": "1"}
    second = ModelAsked(step="s", attempt=1, round=2, model="m", messages=(result,))
    kept = ended(BEGIN, STEP, asked(1, "one again"), answered(), second, answered(2), DONE, END, capture=True)
    found = [span for span in kept if span.name == "chat m"][-1]
    sent = json.loads(found.attributes["gen_ai.input.messages"])
    assert [part for message in sent for part in message["parts"]] == [
        {"type": "text", "content": "one again"},
        {"type": "tool_call_response", "id": "1", "response": "two"},
    ]


def test_an_attempt_that_failed_ends_what_it_had_open():
    retried = StepRetried(step="s", attempt=1, kind="timeout", message=SECRET, wait=1.5)
    found = spans(BEGIN, STEP, asked(), retried, DONE, END)
    assert found["chat m"].attributes["error.type"] == "timeout"
    assert found["chat m"].status.status_code is StatusCode.ERROR
    assert seconds(found["chat m"]) == (2, 3)
    (event,) = found["invoke_agent s"].events
    assert (event.name, dict(event.attributes)) == (
        "step_retried",
        {"bridge_run.attempt": 1, "bridge_run.kind": "timeout", "bridge_run.wait": 1.5},
    )


def test_after_a_fallback_the_other_server_is_named():
    fell = ModelFellBack(
        step="s", attempt=1, model="m", endpoint=HERE, to_model="m", to_endpoint=THERE, kind="crash", message=""
    )
    found = spans(BEGIN, STEP, fell, asked(attempt=2), answered(attempt=2), DONE, END)
    assert found["chat m"].attributes["server.address"] == "box.local"
    assert found["chat m"].attributes["server.port"] == 8080


def test_a_step_that_failed_and_a_tool_that_failed_say_how():
    failed = StepFinished(step="s", status="failed", error={"kind": "limit", "message": SECRET})
    ended = RunFinished(status="failed", exit_code=1, outputs={}, seconds=1)
    found = spans(BEGIN, STEP, called(), returned(is_error=True), called("2", "", "made_up"), failed, ended)
    assert {name: span.attributes["error.type"] for name, span in found.items()} == {
        "execute_tool read": "tool",
        "execute_tool unknown": "limit",
        "invoke_agent s": "limit",
        "invoke_workflow w": "failed",
    }


def test_items_and_steps_of_called_workflows_are_below_what_they_belong_to():
    found = spans(
        BEGIN,
        StepStarted(step="call", kind="workflow", items=2),
        StepStarted(step="call[1]/draft", kind="task", model="m", endpoint=HERE),
        asked(step="call[1]/draft"),
        END,
    )
    assert above(found, "chat m") == "invoke_agent call[1]/draft"
    assert above(found, "invoke_agent call[1]/draft") == "step call"
    assert above(found, "step call") == "invoke_workflow w"


def test_loads_are_beside_the_steps():
    start = ModelLoadStarted(endpoint=HERE, model="m", settings={}, size_bytes=1)
    found = spans(BEGIN, STEP, start, ModelLoaded(endpoint=HERE, model="m", instance="m", seconds=1), DONE, END)
    assert above(found, "load_model m") == "invoke_workflow w"
    assert seconds(found["load_model m"]) == (2, 3)
    failed = ModelLoadFailed(endpoint=HERE, model="m", kind="overloaded", message="")
    assert spans(BEGIN, start, failed, END)["load_model m"].attributes["error.type"] == "overloaded"


def test_a_command_has_the_time_that_it_took():
    ran = CommandRan(step="c", attempt=1, argv=("x",), exit_code=2, stdout="", stderr="", seconds=1.0)
    found = spans(BEGIN, StepStarted(step="c", kind="run"), ran, END)
    assert seconds(found["command"]) == (1, 2)
    assert found["command"].attributes["process.exit.code"] == 2
    assert found["command"].attributes["error.type"] == "command"
    assert above(found, "command") == "step c"


def test_a_run_that_was_cancelled_ends_all_that_is_open():
    found = spans(BEGIN, STEP, asked(), RunFinished(status="cancelled", exit_code=130, outputs={}, seconds=1))
    assert {span.attributes["error.type"] for span in found.values()} == {"cancelled"}
    assert len(found) == 3


def test_a_run_that_is_resumed_is_a_tree_of_its_own():
    found = spans(RunResumed(), STEP, DONE, END)
    assert above(found, "invoke_agent s") == "invoke_workflow w"


def test_without_a_tracer_provider_nobody_listens():
    assert run_spans("w", {}) is None


@pytest.mark.parametrize("at", ["2026-11-28T08:00:00.001Z", "2026-11-28T08:00:00.999Z"])
def test_times_are_whole_milliseconds(at):
    assert nanoseconds(at) % 1_000_000 == 0
    assert nanoseconds(at) % 1_000_000_000 == int(at[-4:-1]) * 1_000_000
