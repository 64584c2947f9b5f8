"""A conversation told with fewer means: its tool calls as text, its roles in turns.

What is made of a message depends on that message and those before it, so that a conversation that grows is a text that
grows: servers find the beginning in their cache.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from runner.chat.messages import Message, ToolCall, ToolSpec
from runner.words.json_text import read_json, write_json

CALL_BEGINS: Final = "[TOOL_REQUEST]"
CALL_ENDS: Final = "[END_TOOL_REQUEST]"

_SILENCE: Final = "…"
"""Stands for a turn in which nothing was said."""

_MANUAL: Final = f"""\
You have tools. To call one, write exactly this, with the name of the tool and its arguments as JSON:
{CALL_BEGINS}{{"name": "TOOL", "arguments": {{"PARAMETER": "VALUE"}}}}{CALL_ENDS}
For several calls write several such lines. After your calls write nothing more: the results are sent to you.
Call only tools of this list, with arguments that fit the tool's `parameters` (a JSON Schema).
When you need no tool, answer in plain words.
The tools, one in a line:
"""


def written(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[Message, ...]:
    """The messages with ``tools`` described in the system message, calls written out, and results as user messages."""
    names: dict[str, str] = {}
    told = []
    for message in messages:
        names |= {call.id: call.name for call in message.tool_calls}
        told.append(_written(message, names))
    return tuple(_instructed(told, tools)) if tools else tuple(told)


def alternating(messages: Iterable[Message], *, no_system: bool = False) -> tuple[Message, ...]:
    """At most one system message, first; then user and assistant in turns, the user first; no turn is empty.

    Results of tools follow the calls as they were. ``no_system``: there the first user message begins with it.
    """
    merged: list[Message] = []
    for message in messages:
        if no_system or (merged and merged[-1].role != "system"):
            message = _unsystematic(message)
        if message.role == "assistant" and not message.tool_calls and not message.content.strip():
            message = replace(message, content=_SILENCE)
        _append(merged, message)
    return tuple(merged)


def write_call(call: ToolCall) -> str:
    """A call as text; what stands in its arguments is kept to the letter if it is a JSON object."""
    return f'{CALL_BEGINS}{{"name": {json.dumps(call.name)}, "arguments": {_object(call.arguments)}}}{CALL_ENDS}'


def _append(merged: list[Message], message: Message) -> None:
    """Add a message, to the last one if both have the same role, with a turn between where one is missing."""
    last = merged[-1] if merged else None
    before = last.role if last else "system"
    if last and before == message.role and message.role != "tool" and not last.tool_calls:
        merged[-1] = replace(
            message,
            content="\n\n".join(filter(None, (last.content.rstrip(), message.content))),
            images=(*last.images, *message.images),
        )
        return
    if before == "tool" and message.role == "user":
        merged.append(Message("assistant", _SILENCE))
    elif message.role == "assistant" and before in ("system", "assistant"):
        merged.append(Message("user", _SILENCE))
    merged.append(message)


def _unsystematic(message: Message) -> Message:
    return replace(message, role="user") if message.role == "system" else message


def _instructed(messages: list[Message], tools: Sequence[ToolSpec]) -> list[Message]:
    manual = _MANUAL + "\n".join(
        write_json({"name": tool.name, "description": tool.description, "parameters": tool.parameters})
        for tool in tools
    )
    if messages and messages[0].role == "system":
        first = messages[0]
        return [replace(first, content=f"{first.content.rstrip()}\n\n{manual}"), *messages[1:]]
    return [Message("system", manual), *messages]


def _written(message: Message, names: dict[str, str]) -> Message:
    if message.role == "tool":
        name = names.get(message.tool_call_id or "", "a tool")
        return Message("user", f"[TOOL_RESULT of {name}]\n{message.content}\n[END_TOOL_RESULT]")
    if message.tool_calls:
        lines = (message.content.rstrip(), *map(write_call, message.tool_calls))
        return Message(message.role, "\n".join(filter(None, lines)))
    return message


def _object(text: str) -> str:
    try:
        return text if isinstance(read_json(text), dict) else "{}"
    except ValueError:
        return "{}"
