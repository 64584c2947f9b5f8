"""What happened, in a sentence: the words that the plain and the live display share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from runner.record.events import (
    AnswerRefused,
    ApprovalAnswered,
    ApprovalAsked,
    CircuitChanged,
    CommandRan,
    Event,
    HistoryTrimmed,
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
from runner.record.parts import unit_of
from runner.record.wire import encode_json
from runner.show.cell import fit, one_line, width
from runner.words.noun import noun
from runner.words.units import show_bytes, show_seconds

Mood = Literal["plain", "good", "warning", "bad"]
_ARGUMENTS = 60
_TOOL_ERROR = 120
_REASON = 140
_LEAST = 60
_WHOLE = 200
"""Cells of a whole sentence, which only names of many letters reach: everything else in it is cut before."""
_SETTINGS: Mapping[str, str] = {
    "context_length": "context",
    "eval_batch_size": "batches of",
    "flash_attention": "flash attention",
    "num_experts": "experts:",
    "offload_kv_cache_to_gpu": "KV cache on the GPU:",
    "parallel": "requests at once:",
}
_MOODS: Mapping[str, Mood] = {
    "succeeded": "good", "recovered": "warning", "paused": "warning", "failed": "bad", "cancelled": "bad",
}  # fmt: skip


@noun
class Sentence:
    """``who`` is a step, an item (``fix[3]``), a step of a called workflow (``call/draft``) or ``run``.

    ``text`` is harmless and has one line.
    """

    who: str
    text: str
    mood: Mood = "plain"


def sentence(event: Event) -> Sentence | None:
    """The event for people; None for those that would only make noise (each request, each answer)."""
    say = _SENTENCES.get(type(event))
    if say is None:
        return None
    text, mood = say(event)
    return Sentence(who=unit_of(event) or "run", text=fit(one_line(text), _WHOLE), mood=mood)


def show_tokens(count: int) -> str:
    """``1 token``, ``12,345 tokens``."""
    return f"{count:,} token" + "s" * (count != 1)


Said = tuple[str, Mood]


def _run_started(event: RunStarted) -> Said:
    count = sum("/" not in step for step in event.steps)  # the others are steps of called workflows
    return f"{event.workflow}: {count} step" + "s" * (count != 1), "plain"


def _run_resumed(_: RunResumed) -> Said:
    return "goes on; what is finished stays", "plain"


def _server_started(event: ToolServerStarted) -> Said:
    count = f"{event.tools} tool" + "s" * (event.tools != 1)
    return f"tool server {event.server} is up with {count} after {show_seconds(event.seconds)}", "plain"


def _server_died(event: ToolServerDied) -> Said:
    then = "; it was started again" if event.restarted else ""
    return f"tool server {event.server} died: {fit(one_line(event.message), _REASON)}{then}", "warning"


def _load_started(event: ModelLoadStarted) -> Said:
    settings = show_settings(event.settings)
    size = f" ({show_bytes(event.size_bytes)})" if event.size_bytes else ""
    return f"loading {event.model}{size} on {event.endpoint}" + (f" with {settings}" if settings else ""), "plain"


def show_settings(settings: Mapping[str, Any]) -> str:
    """``context 32,768, flash attention on``: what a model is loaded with, in words."""
    return ", ".join(f"{_SETTINGS.get(name, name)} {_setting(value)}" for name, value in settings.items())


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _loaded(event: ModelLoaded) -> Said:
    context = f"context {event.context_length:,}" if event.context_length else ""
    at_once = f"{event.parallel} at once" if event.parallel and event.parallel > 1 else ""
    facts = ", ".join(filter(None, (context, at_once)))
    if event.reused:
        text = f"uses {event.model} as it is loaded on {event.endpoint}" + (f" ({facts})" if facts else "")
    else:
        text = f"loaded {event.model} in {show_seconds(event.seconds)}" + (f", {facts}" if facts else "")
    return (f"{text}; {fit(one_line(event.note), _REASON)}" if event.note else text), "plain"


def _load_failed(event: ModelLoadFailed) -> Said:
    name = "" if f"`{event.model}`" in event.message else f" {event.model}"
    head = f"could not load{name} ({event.kind}): "
    then = f"; then: {event.then}" if event.then else ""
    room = max(min(_REASON, _WHOLE - width(head) - width(then)), _LEAST)  # what is done next is told whole
    return f"{head}{fit(one_line(event.message), room)}{then}", "warning"


def _unloaded(event: ModelUnloaded) -> Said:
    return f"unloaded {event.model} ({fit(one_line(event.reason), _REASON)})", "plain"


def _circuit(event: CircuitChanged) -> Said:
    if event.state == "open":
        count = f"{event.failures} failure" + "s" * (event.failures != 1)
        return f"{event.model} is left alone for a while after {count}", "warning"
    if event.state == "half_open":
        return f"{event.model} is tried once more", "plain"
    return f"{event.model} answers again", "good"


def _step_started(event: StepStarted) -> Said:
    count = "" if event.items is None else f" {show_items(event.items)}"
    return "started" + count + (f" with {event.model}" if event.model else ""), "plain"


def show_items(count: int) -> str:
    """``1 item``, ``5,000 items``."""
    return f"{count:,} item" + "s" * (count != 1)


def _repeated(event: StepRepeated) -> Said:
    return f"is not done yet: round {event.number} begins", "plain"


def _approval_asked(event: ApprovalAsked) -> Said:
    return f"asks: {fit(one_line(event.question), _REASON)} ({show_choices(event)})", "warning"


def show_choices(event: ApprovalAsked) -> str:
    """``yes, no; default: no``."""
    return fit(", ".join(event.choices), _ARGUMENTS) + (f"; default: {event.default}" if event.default else "")


def _approval_answered(event: ApprovalAnswered) -> Said:
    if event.by == "default":
        return f"nobody answered: `{event.choice}` holds by default", "plain"
    where = "at the terminal" if event.by == "terminal" else f"by {event.by}"
    return f"answered {where}: `{event.choice}`", "plain"


def _tool(event: ToolCalled | ToolReturned) -> str:
    """``files.read``; the name alone where the model made it up and no server has it."""
    return f"{event.server}.{event.tool}" if event.server else event.tool


def _called(event: ToolCalled) -> Said:
    text = f"calls {_tool(event)}"
    if event.arguments:
        text += " " + fit(one_line(encode_json(event.arguments).decode()), _ARGUMENTS)
    return text, "plain"


def _returned(event: ToolReturned) -> Said:
    took = show_seconds(event.seconds)
    if event.is_error:
        return f"{_tool(event)} failed in {took}: {fit(one_line(event.text), _TOOL_ERROR)}", "plain"
    count = f"{event.characters:,} character" + "s" * (event.characters != 1)
    cut = f", cut; whole in {event.artifact}" if event.artifact else ""
    return f"{_tool(event)} answered {count} in {took}{cut}", "plain"


def _ran(event: CommandRan) -> Said:
    command = fit(one_line(" ".join(event.argv)), _ARGUMENTS)
    verb = "checked by" if event.expectation else "ran"
    return f"{verb} {command}: exit code {event.exit_code} in {show_seconds(event.seconds)}", "plain"


def _refused(event: AnswerRefused) -> Said:
    left = "1 more try" if event.left == 1 else f"{event.left or 'no'} more tries"
    return f"answer refused ({event.kind}): {fit(one_line(event.message), _REASON)}; {left}", "plain"


def _warned(event: StepWarned) -> Said:
    return f"warning: {fit(one_line(event.message), _REASON)}", "warning"


def _trimmed(event: HistoryTrimmed) -> Said:
    results = f"{event.results:,} old tool result" + "s" * (event.results != 1)
    room = f" of {event.context_length:,}" if event.context_length else ""
    return f"shortened {results} by {event.characters:,} characters at {show_tokens(event.tokens)}{room}", "warning"


def _degraded(event: RequestDegraded) -> Said:
    return f"request refused: {fit(one_line(event.message), _REASON)}; asks again: {event.form}", "warning"


def _fell_back(event: ModelFellBack) -> Said:
    elsewhere = f" on {event.to_endpoint}" if event.to_endpoint != event.endpoint else ""
    name = "" if f"`{event.model}`" in event.message else f"{event.model} failed "
    why = f"{name}({event.kind}): {fit(one_line(event.message), _TOOL_ERROR)}"
    return f"falls back to {event.to_model}{elsewhere}{'; ' if name else ' '}{why}", "warning"


def _retried(event: StepRetried) -> Said:
    wait = show_seconds(event.wait)
    return (
        f"attempt {event.attempt} failed ({event.kind}): {fit(one_line(event.message), _REASON)}; next in {wait}",
        "warning",
    )


def _step_finished(event: StepFinished) -> Said:
    text: str = event.status
    if event.attempts:
        text += f" in {show_seconds(event.seconds)}"
    if event.usage.total:
        text += f", {show_tokens(event.usage.total)}"
    return text + _why(event.error, event.reason), _MOODS.get(event.status, "plain")


def _run_finished(event: RunFinished) -> Said:
    text = f"{event.status} in {show_seconds(event.seconds)}{_why(event.error, None)}"
    return text, _MOODS.get(event.status, "plain")


def _why(error: Mapping[str, str] | None, reason: str | None) -> str:
    if error is not None:
        return f" ({error.get('kind', 'bug')}): {fit(one_line(error.get('message', '')), _REASON)}"
    return f": {fit(one_line(reason), _REASON)}" if reason else ""


_SENTENCES: Mapping[type, Callable[[Any], Said]] = {
    RunStarted: _run_started,
    ToolServerStarted: _server_started,
    ToolServerDied: _server_died,
    ModelLoadStarted: _load_started,
    ModelLoaded: _loaded,
    ModelLoadFailed: _load_failed,
    ModelUnloaded: _unloaded,
    CircuitChanged: _circuit,
    StepStarted: _step_started,
    StepRepeated: _repeated,
    ApprovalAsked: _approval_asked,
    ApprovalAnswered: _approval_answered,
    ToolCalled: _called,
    ToolReturned: _returned,
    CommandRan: _ran,
    AnswerRefused: _refused,
    StepWarned: _warned,
    HistoryTrimmed: _trimmed,
    RequestDegraded: _degraded,
    ModelFellBack: _fell_back,
    StepRetried: _retried,
    StepFinished: _step_finished,
    RunResumed: _run_resumed,
    RunFinished: _run_finished,
}
