"""Messages and tools as OpenAI's interface has them, as ours; what cannot be sent is refused with its place."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from runner.chat.messages import Image, Message, Role, ToolCall, ToolSpec, Usage
from runner.chat.tool_schema import offered_schema
from runner.words.errors import LLMValidationError

TOOL_NAME: Final = r"^[A-Za-z0-9_-]{1,64}$"
_DATA = re.compile(r"data:(image/[\w.+-]+);base64,(.*)", re.DOTALL)
_PART: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["text", "image_url"]},
        "text": {"type": "string"},
        "image_url": {
            "type": "object",
            "required": ["url"],
            "properties": {"url": {"type": "string", "description": "`data:image/png;base64,…`, never an address."}},
        },
    },
}
MESSAGES: Final[Mapping[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "description": "The conversation so far, as in OpenAI's `POST /v1/chat/completions`.",
    "items": {
        "type": "object",
        "required": ["role"],
        "properties": {
            "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
            "content": {"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": _PART}]},
            "tool_calls": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "required": ["function"],
                    "properties": {
                        "id": {"type": "string"},
                        "function": {
                            "type": "object",
                            "required": ["name", "arguments"],
                            "properties": {"name": {"type": "string"}, "arguments": {"type": ["string", "object"]}},
                        },
                    },
                },
            },
            "tool_call_id": {"type": ["string", "null"]},
        },
    },
}
TOOLS: Final[Mapping[str, Any]] = {
    "type": ["array", "null"],
    "default": None,
    "description": "Tools that the model may ask for. Its calls are returned; nobody makes them.",
    "items": {
        "type": "object",
        "required": ["function"],
        "properties": {
            "type": {"const": "function"},
            "function": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "pattern": TOOL_NAME},
                    "description": {"type": "string"},
                    "parameters": {"type": "object"},
                },
            },
        },
    },
}


def read_messages(given: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """The conversation.

    Raises:
        LLMValidationError: a message says nothing, or not to which call it belongs; a picture is no data, or in a
            message that is none of the user's.
    """
    return tuple(_message(one, f"messages[{place}]") for place, one in enumerate(given))


def read_tools(given: Sequence[Mapping[str, Any]] | None) -> tuple[ToolSpec, ...]:
    """The tools, with schemas that servers can take."""
    functions = [one["function"] for one in given or ()]
    return tuple(
        ToolSpec(one["name"], one.get("description", ""), offered_schema(one.get("parameters") or {}))
        for one in functions
    )


def calls_json(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Tool calls as OpenAI's interface has them."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]


def calls_text(calls: Sequence[ToolCall]) -> str:
    """Tool calls in words, for hosts that read no objects."""
    return "\n".join(f"tool call {call.id}: {call.name}({call.arguments})" for call in calls)


def usage_json(usage: Usage, prompt: int = 0, said: str = "") -> dict[str, Any]:
    """The counts; where the server has none, ``prompt`` tokens and what the text ``said`` comes to."""
    counted = usage.total > 0
    completion = usage.completion_tokens if counted else -(-len(said) // 4)
    before = usage.prompt_tokens if counted else prompt
    return {
        "prompt_tokens": before,
        "completion_tokens": completion,
        "reasoning_tokens": usage.reasoning_tokens,
        "total_tokens": before + completion,
        "estimated": not counted,
    }


def _message(one: Mapping[str, Any], where: str) -> Message:
    role = "system" if one["role"] == "developer" else one["role"]
    if one.get("content") is None and not (role == "assistant" and one.get("tool_calls")):
        raise LLMValidationError(f"`{where}`: it has no `content`", hint="give each message the text that was said")
    if role == "tool" and not one.get("tool_call_id"):
        hint = "give it the `id` of the tool call that it answers"
        raise LLMValidationError(f"`{where}`: a message of the role `tool` has a `tool_call_id`", hint=hint)
    text, images = _content(one.get("content"), where)
    if images and role != "user":
        raise LLMValidationError(f"`{where}`: only messages of the role `user` may show pictures")
    return Message(
        role=cast("Role", role),
        content=text,
        tool_calls=tuple(_call(call, number) for number, call in enumerate(one.get("tool_calls") or ())),
        tool_call_id=one.get("tool_call_id"),
        images=images,
    )


def _content(given: Any, where: str) -> tuple[str, tuple[Image, ...]]:
    if given is None or isinstance(given, str):
        return given or "", ()
    texts = [part.get("text", "") for part in given if part["type"] == "text"]
    images = tuple(_image(part, f"{where}.content[{at}]") for at, part in enumerate(given) if part["type"] != "text")
    return "\n".join(texts), images


def _image(part: Mapping[str, Any], where: str) -> Image:
    url = part.get("image_url", {}).get("url", "")
    match = _DATA.fullmatch(url)
    if match is None:
        raise LLMValidationError(
            f"`{where}`: the picture is no data: {url[:60]!r}",
            hint="send it as `data:image/png;base64,…`: model servers fetch nothing from an address",
        )
    try:
        data = base64.b64decode(match[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise LLMValidationError(f"`{where}`: the picture is no base64: {error}") from error
    return Image(
        path=where, media_type=match[1], data=match[2], size=len(data), sha256=hashlib.sha256(data).hexdigest()
    )


def _call(call: Mapping[str, Any], number: int) -> ToolCall:
    function = call["function"]
    arguments = function["arguments"]
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(str(call.get("id") or f"call_{number}"), function["name"], written)
