"""The form in which a request is put to a server: whole, or simpler where a server refuses the whole one.

A template may insist that roles alternate, a grammar may fail on a pattern, a server may know no tools at all. Each
complaint has a simpler form that asks for the same; at the end of that ladder tools are described in the prompt and
their calls come as text, which any model can read and write. The format of these is that which LM Studio itself uses
for models without support for tools (its documentation, "Tool Use", "Default tool use support").
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from runner.chat.messages import ChatRequest, ToolSpec
from runner.chat.roles import alternating, written
from runner.chat.tool_schema import minimal_schema
from runner.words.errors import LLMError
from runner.words.noun import noun

_NO_TOOLS: Final = (
    "does not support tools", "does not support tool", "does not support function", "tools are not supported",
    "tool use is not supported", "tool calling is not supported", "function calling is not supported",
    "tools param requires", "unsupported param: tools", "enable-auto-tool-choice", "tool-call-parser",
    "tool_call_parser", "tool choice requires",
)  # fmt: skip
"""Ollama; llama.cpp without ``--jinja``; vLLM without its flags for tools."""

_NO_SYSTEM: Final = ("system role not supported", "system role is not supported", "system role is unsupported")
"""Templates of the older Gemma and Mistral models."""

_TEMPLATE: Final = (
    "jinja", "prompt template", "chat template", "chat_template", "roles must alternate", "alternate user/assistant",
    "system message must be at the beginning", "only user and assistant roles", "only user, system and assistant roles",
    "unexpected role", "no user query found", "invalid 'messages' in payload", "cannot pass both content and",
)  # fmt: skip

_GRAMMAR: Final = (
    "failed to parse grammar", "failed to initialize samplers", "invalid grammar", "failed to parse schema",
    "cannot be held to this schema", "json schema conversion failed", "error parsing grammar", "failed to compile",
    "unrecognized schema", "grammar constraints", "unsupported json schema",
)  # fmt: skip

_NO_FORMAT: Final = (
    "response_format", "response format", "json_schema", "structured output", "guided decoding", "guided_json",
)  # fmt: skip


@noun
class Form:
    """What of the whole request is put simpler; nothing by default."""

    minimal_schemas: bool = False
    """Schemas say only types, names and choices."""
    plain_schema: bool = False
    """No ``response_format``; the prompt alone asks for JSON."""
    merged_roles: bool = False
    """One system message, first; then user and assistant in turns; no empty turns."""
    no_system: bool = False
    """The system message is the beginning of the first user message."""
    text_tools: bool = False
    """Tools are described in the prompt, calls and results are text."""


FULL: Final = Form()


def simpler(form: Form, error: LLMError, request: ChatRequest) -> Form | None:
    """The next simpler form of the whole ``request`` that fits what a server said of it in this ``form``.

    None: the complaint is of another kind, or there is nothing left to simplify about it.
    """
    if error.kind != "request":
        return None
    said = error.message.casefold()
    ladder = _ladder(said, request)
    return next((rung for step in ladder if (rung := _with(form, **step)) != form), None)


def shaped(request: ChatRequest, form: Form) -> ChatRequest:
    """The whole ``request`` in this form. Requests that extend one another do so in every form, while the tools stay
    the same.
    """
    if form.minimal_schemas:
        request = _minimal(request)
    if form.plain_schema:
        request = replace(request, schema=None)
    if form.text_tools:
        request = _as_text(request)
    if form.merged_roles:
        request = replace(request, messages=alternating(request.messages, no_system=form.no_system))
    return request


def describe(form: Form) -> str:
    """The form in words, to follow "the request is sent"."""
    words = (
        (form.minimal_schemas, "with simpler schemas"),
        (form.plain_schema, "without `response_format`"),
        (form.merged_roles and not form.text_tools, "with merged roles"),
        (form.no_system, "without a system message"),
        (form.text_tools, "with its tools described as text"),
    )
    return ", ".join(text for is_so, text in words if is_so) or "whole"


def _ladder(said: str, request: ChatRequest) -> tuple[dict[str, bool], ...]:
    """The changes that may answer a complaint, the smallest first; those that change nothing are passed over."""
    used = bool(request.tools) or any(message.role == "tool" or message.tool_calls for message in request.messages)
    text = ({"text_tools": True},) if used else ()
    if _any(_NO_TOOLS, said):
        return text
    if _any(_NO_SYSTEM, said):
        return ({"no_system": True},)
    if _any(_TEMPLATE, said):
        plain = ({"plain_schema": True},) if request.schema is not None and not request.tools else ()
        return ({"merged_roles": True}, *text, *plain)
    return _schema_ladder(said, request)


def _schema_ladder(said: str, request: ChatRequest) -> tuple[dict[str, bool], ...]:
    """As above, for complaints of a schema: that of the tools, or else that of the answer, never both are sent."""
    minimal = ({"minimal_schemas": True},) if _any(_GRAMMAR, said) else ()
    if request.tools:
        return (*minimal, {"text_tools": True}) if minimal else ()
    if request.schema is not None and (minimal or _any(_NO_FORMAT, said)):
        return (*minimal, {"plain_schema": True})
    return ()


def _with(form: Form, **changes: bool) -> Form:
    """The form with these and what they bring along: text and a lack of system messages need merged roles."""
    changed = replace(form, **changes)
    return replace(changed, merged_roles=changed.merged_roles or changed.text_tools or changed.no_system)


def _any(needles: tuple[str, ...], said: str) -> bool:
    return any(needle in said for needle in needles)


def _minimal(request: ChatRequest) -> ChatRequest:
    tools = tuple(ToolSpec(tool.name, tool.description, _parameters(tool)) for tool in request.tools)
    return replace(request, tools=tools, schema=None if request.schema is None else minimal_schema(request.schema))


def _parameters(tool: ToolSpec) -> dict[str, object]:
    return {"type": "object", "properties": {}, **minimal_schema(tool.parameters)}


def _as_text(request: ChatRequest) -> ChatRequest:
    """The request without ``tools``; nor a schema beside them, whose grammar would forbid the calls."""
    return replace(
        request,
        messages=written(request.messages, request.tools),
        tools=(),
        written_tools=request.tools,
        schema=None if request.tools else request.schema,
    )
