"""A request as ``POST /v1/chat/completions`` wants it, in the dialect that every server of models accepts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from runner.chat.messages import ChatRequest, Message, ToolCall, ToolSpec
from runner.words.json_text import read_json

_LOWEST_FIRST = ("low", "medium", "high", "on")


def encode_chat(request: ChatRequest, *, reasoning_options: Sequence[str] = ()) -> bytes:
    """The body of the request, always asking for a stream.

    ``reasoning_options`` are the settings that the server says the model has, empty if it says nothing. A schema is
    left out beside tools: no server honours both, and the grammar would forbid the calls.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    elif request.schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": request.schema},
        }
    for key, value in request.sampling.items():
        if key == "reasoning":
            body["reasoning_effort"] = reasoning_effort(value, reasoning_options)
        elif value is not None:
            body[key] = value
    return json.dumps(body, separators=(",", ":"), default=dict).encode()


def reasoning_effort(wanted: str, options: Sequence[str] = ()) -> str:
    """``off on low medium high`` as ``reasoning_effort``.

    A model that cannot stop thinking (``options`` without ``off``) falls back to its default when it is sent
    ``none``, so it gets the least that it has (LM Studio 0.4.17, as its developers describe it).
    """
    if wanted == "off":
        least = next((level for level in _LOWEST_FIRST if level in options), "on")
        wanted = "none" if not options or "off" in options else least
    return "medium" if wanted == "on" else wanted


def _message(message: Message) -> dict[str, Any]:
    """Content is never null: llama.cpp's Python server and some templates fail on that."""
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": valid_arguments(call.arguments)}
    return {"type": "function", "id": call.id, "function": function}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def valid_arguments(text: str) -> str:
    """Arguments that a server can read back: the text itself if it is a JSON object, else ``{}``.

    llama.cpp answers 500 to a history with broken arguments. What is whole stays as the model wrote it, to the
    letter, so that the server finds the prompt in its cache.
    """
    try:
        value = read_json(text)
    except ValueError:
        return "{}"
    return text if isinstance(value, dict) else "{}"
