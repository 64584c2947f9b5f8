"""The table of faults: every way in which a model server goes wrong, by name.

Most are reported in LM Studio's bug tracker; some are those of proxies before it and of other servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from runner.rehearse.simulator import refusal, rewrite
from runner.rehearse.simulator.answer import Manner
from runner.rehearse.simulator.effect import NONE, Effect
from runner.rehearse.simulator.markup import FORMS
from runner.words.noun import noun

Needs = Literal["request", "json", "call", "calls", "form", "load", "server"]
"""What a fault can strike: any request for an answer; one that is answered with data, with a tool call, with
several; one that carries tools or a schema; a load; or the server as a whole, from its start to its end."""


@noun
class FaultKind:
    """A fault. ``lasting``: it strikes every request that it can, unless a script says otherwise, not the first alone.

    One that needs a ``form`` strikes once, and then every request that carries the same tools and schema.
    """

    name: str
    line: str
    needs: Needs = "request"
    effect: Effect = NONE
    lasting: bool = False


def _refused(status: int, body: object) -> Effect:
    return Effect(refuse=lambda _: refusal.Refusal(status, body))


def _said(text: str) -> Effect:
    return Effect(refuse=lambda _: refusal.plain(text))


def _paces() -> Iterator[FaultKind]:
    yield FaultKind(
        name="slow-first-byte", line="nothing is sent for two seconds, then the answer", effect=Effect(silence=2.0)
    )
    yield FaultKind(name="slow-tokens", line="the answer drips, a piece every 50 ms", effect=Effect(drag=0.05))
    yield FaultKind(name="silence", line="nothing is ever sent", effect=Effect(silence=float("inf")))
    yield FaultKind(name="stall", line="half of the answer, then silence", effect=Effect(breaks="half", then="stall"))


def _breaks() -> Iterator[FaultKind]:
    yield FaultKind(
        name="cut-mid-line",
        line="the connection breaks in the middle of a line",
        effect=Effect(breaks="line", then="cut"),
    )
    yield FaultKind(
        name="cut-after-finish",
        line="the connection breaks after the finish, before [DONE]",
        effect=Effect(breaks="counts", then="cut"),
    )
    yield FaultKind(
        name="no-done", line="the stream ends after the finish, without [DONE]", effect=Effect(breaks="counts")
    )
    yield FaultKind(name="no-finish", line="the stream ends without a finish", effect=Effect(breaks="finish"))
    yield FaultKind(
        name="error-first",
        line="an error event before the first token",
        effect=Effect(breaks="start", message=refusal.NOT_PARSED),
    )
    yield FaultKind(
        name="error-midway",
        line="an error event after half of the answer",
        effect=Effect(breaks="half", message=refusal.NOT_PARSED),
    )


def _engines() -> Iterator[FaultKind]:
    yield FaultKind(
        name="crash",
        line="the model crashes with status 400; the next request finds no model loaded",
        effect=Effect(refuse=lambda _: refusal.plain(refusal.CRASHED), unloads=True, crashes=True),
    )
    yield FaultKind(
        name="crash-midway",
        line="the model crashes in the middle of its answer; the next request finds no model loaded",
        effect=Effect(breaks="half", message=refusal.CRASHED, unloads=True, crashes=True),
    )
    yield FaultKind(
        name="unload-midway",
        line="the model is unloaded in the middle of its answer",
        effect=Effect(breaks="half", message=refusal.MODEL_UNLOADED, unloads=True),
    )
    yield FaultKind(
        name="no-models-loaded",
        line="the model is gone before the request, and nothing is loaded",
        effect=Effect(refuse=lambda _: refusal.nothing_loaded(), unloads=True),
    )
    yield FaultKind(
        name="jit-duplicate",
        line="a second copy of the model answers, as `key:2`",
        effect=Effect(duplicates=True),
    )
    yield FaultKind(
        name="wrong-model",
        line="another model answers than was asked",
        effect=Effect(rewrite=lambda answer: answer.by("another/model-1b")),
    )
    yield FaultKind(
        name="peer-lost", line="the linked machine that runs the model is gone", effect=_said(refusal.PEER_LOST)
    )
    for way, line in (
        ("cut", "the prompt is too long, and its middle is dropped silently"),
        ("error", "the prompt is too long, and refused with the engine's JSON"),
        ("pool", "the context shared by all requests is full"),
        ("event", "the prompt is too long, told by an error event"),
    ):
        yield FaultKind(name=f"overflow-{way}", line=line, effect=Effect(overflow=way))  # type: ignore[arg-type]


def _answers() -> Iterator[FaultKind]:
    yield FaultKind(name="empty-answer", line="nothing is said", effect=Effect(rewrite=rewrite.empty, spoils=True))
    yield FaultKind(
        name="zero-usage",
        line="all token counts are zero",
        effect=Effect(rewrite=rewrite.in_manner(Manner(no_counts=True))),
        lasting=True,
    )
    yield FaultKind(
        name="repetition", line="the same sentence without end", effect=Effect(rewrite=rewrite.endless, spoils=True)
    )
    yield FaultKind(
        name="json-in-reasoning",
        line="the data stands in reasoning_content, the content is empty",
        needs="json",
        effect=Effect(rewrite=rewrite.thought_only),
    )
    yield FaultKind(
        name="fenced-json",
        line="the data stands in a code block, after a sentence",
        needs="json",
        effect=Effect(rewrite=rewrite.fenced),
    )


def _calls() -> Iterator[FaultKind]:
    told = {
        "whole-arguments": ("arguments come in one piece", Manner(whole=True)),
        "repeated-empty-name": ("an empty name stands on every further piece of a call", Manner(repeats_name=True)),
        "object-arguments": ("arguments are an object, not a text", Manner(whole=True, object_arguments=True)),
    }
    for name, (line, manner) in told.items():
        effect = Effect(rewrite=rewrite.in_manner(manner))
        yield FaultKind(name=name, line=line, needs="call", effect=effect, lasting=True)
    several = {
        "interleaved-calls": ("the pieces of several calls come in turns", Manner(interleaved=True)),
        "one-index-calls": ("several calls all have the index 0", Manner(one_index=True)),
    }
    for name, (line, manner) in several.items():
        effect = Effect(rewrite=rewrite.in_manner(manner))
        yield FaultKind(name=name, line=line, needs="calls", effect=effect, lasting=True)
    changed = {
        "partial-arguments": ("arguments come letter by letter", rewrite.letter_by_letter),
        "empty-call-id": ("calls have an empty id", rewrite.each_call(rewrite.without_id)),
        "repeated-call-id": ("all calls have the same id", rewrite.each_call(rewrite.same_id)),
    }
    for name, (line, change) in changed.items():
        yield FaultKind(name=name, line=line, needs="call", effect=Effect(rewrite=change), lasting=True)
    spoilt = {
        "invalid-arguments": ("arguments are no JSON", rewrite.each_call(rewrite.broken_arguments)),
        "truncated-arguments": ("arguments break off, the finish is `length`", rewrite.truncated),
        "unknown-tool": ("a tool is called that nobody offered", rewrite.each_call(rewrite.unknown_tool)),
        "missing-calls": ("the finish says calls, and there are none", rewrite.without_calls),
        "call-in-thought": ("calls are written inside <think>, and none is made", rewrite.written_in_thought),
    }
    for name, (line, change) in spoilt.items():
        yield FaultKind(
            name=name, line=line, needs="call", effect=Effect(rewrite=change, spoils=name != "call-in-thought")
        )
    for form in FORMS:
        line = f"calls are written into the text, in the form {form}"
        yield FaultKind(
            name=f"markup-{form}", line=line, needs="call", effect=Effect(rewrite=rewrite.written(form)), lasting=True
        )


def _refusals() -> Iterator[FaultKind]:
    yield FaultKind(
        name="no-token",
        line="the server wants a token (401)",
        effect=Effect(refuse=lambda _: refusal.no_token()),
        lasting=True,
    )
    yield FaultKind(
        name="bad-token",
        line="the server calls the token malformed (401)",
        effect=Effect(refuse=lambda _: refusal.wrong_token("sk-bogus-EXAMPLE")),
        lasting=True,
    )
    for status, text in ((404, "Not Found"), (429, "Too Many Requests"), (500, "Internal Server Error")):
        yield FaultKind(name=f"status-{status}", line=f"status {status}", effect=_refused(status, {"error": text}))
    yield FaultKind(
        name="status-503", line="status 503: still loading", effect=_refused(503, {"error": "Service Unavailable"})
    )
    yield FaultKind(
        name="html-page", line="a proxy's HTML page with status 502", effect=_refused(502, refusal.HTML_PAGE)
    )
    yield FaultKind(
        name="grammar-error",
        line="the server cannot read the grammar of tools or schema",
        needs="form",
        effect=_said(refusal.GRAMMAR),
    )
    yield FaultKind(
        name="template-error",
        line="the model's prompt template cannot render tools or schema",
        needs="form",
        effect=_said(refusal.TEMPLATE),
    )


def _servers() -> Iterator[FaultKind]:
    yield FaultKind(
        name="load-failure",
        line="nothing is loaded, and the first load fails",
        needs="load",
        effect=Effect(refuse=lambda _: refusal.plain("Failed to load model.")),
    )
    yield FaultKind(
        name="load-memory",
        line="nothing is loaded, and the first load is refused for want of memory",
        needs="load",
        effect=Effect(refuse=lambda _: refusal.plain(refusal.memory_full(66 * 1024**3))),
    )
    yield FaultKind(
        name="slow-load",
        line="nothing is loaded, and each load takes two seconds",
        needs="load",
        effect=Effect(silence=2.0),
        lasting=True,
    )
    yield FaultKind(name="old-server", line="LM Studio 0.3.20: no /api/v1", needs="server", lasting=True)
    yield FaultKind(
        name="oldest-server", line="LM Studio 0.3.5: neither /api/v1 nor /api/v0", needs="server", lasting=True
    )
    yield FaultKind(
        name="queue", line="every model answers one request at a time; others wait", needs="server", lasting=True
    )


def _table() -> Iterator[FaultKind]:
    for group in (_paces, _breaks, _engines, _answers, _calls, _refusals, _servers):
        yield from group()


FAULTS: Mapping[str, FaultKind] = {kind.name: kind for kind in _table()}
"""Every fault by its name, in the order in which they are listed."""

SHORT = {"cut": "cut-mid-line", "empty": "empty-answer", "no_finish": "no-finish"}
"""Older names of faults in scripts."""


def fault_named(name: str) -> FaultKind | None:
    """The fault of that name, which may be an older one."""
    return FAULTS.get(SHORT.get(name, name))


def of_answers(kind: FaultKind) -> bool:
    """Whether a single turn can have it."""
    return kind.needs not in ("load", "server")
