"""A request as ``POST /v1/chat/completions`` wants it, in the dialect of each kind of server of models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from runner.chat.catalogue import ServerFlavour
from runner.chat.messages import ChatRequest, Image, Message, ToolCall, ToolSpec
from runner.words.json_text import read_json

_LOWEST_FIRST = ("low", "medium", "high", "on")
_ON_DEMAND_TTL: Final = frozenset(("lmstudio-v1", "lmstudio-v0", "lmstudio"))

_SAMPLING: Final[Mapping[ServerFlavour, Mapping[str, str | None]]] = {
    "ollama": {"top_k": None, "min_p": None, "repeat_penalty": None},
    "vllm": {"repeat_penalty": "repetition_penalty"},
}
"""Sampling keys that a server calls otherwise, or does not take over this interface (None).

Ollama's compatible interface knows only OpenAI's own (its ``docs/openai.md``); vLLM has extra parameters under names of
its own; LM Studio and llama.cpp take ours as they are.
"""


def encode_chat(
    request: ChatRequest, *, flavour: ServerFlavour | None = None, reasoning_options: Sequence[str] = ()
) -> bytes:
    """The body of the request, always asking for a stream.

    ``flavour`` is the kind of server, None if nobody asked. ``reasoning_options`` are the settings that the server says
    the model has, empty if it says nothing. A schema is left out beside tools: no server honours both, and the grammar
    would forbid the calls.
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
    body |= _sampling(request.sampling, flavour, reasoning_options)
    if request.ttl is not None and flavour in _ON_DEMAND_TTL:
        body["ttl"] = max(1, round(request.ttl))  # whole seconds; it counts only if this request loads the model
    return _json(body)


def _json(body: Mapping[str, Any]) -> bytes:
    """Letters as they are: spelt out as escapes, a long talk in another alphabet is twice as long, and as slow."""
    try:
        return json.dumps(body, separators=(",", ":"), default=dict, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character, which only an escape can name
        return json.dumps(body, separators=(",", ":"), default=dict).encode()


def _sampling(
    sampling: Mapping[str, Any], flavour: ServerFlavour | None, reasoning_options: Sequence[str]
) -> dict[str, Any]:
    names = _SAMPLING.get(flavour, {}) if flavour is not None else {}
    body: dict[str, Any] = {}
    for key, value in sampling.items():
        name = names.get(key, key)
        if value is None or name is None:
            continue
        if key == "reasoning":
            body |= reasoning_fields(value, flavour, reasoning_options)
        else:
            body[name] = value
    return body


def reasoning_fields(wanted: str, flavour: ServerFlavour | None, options: Sequence[str] = ()) -> dict[str, Any]:
    """``off on low medium high`` as the server of that kind takes it.

    llama.cpp and vLLM hand ``chat_template_kwargs`` to the model's template, where ``enable_thinking`` is the switch of
    the Qwen family and its likes, and ``reasoning_effort`` that of gpt-oss; a template ignores what it does not know.
    vLLM refuses an effort of ``none``.
    """
    effort = reasoning_effort(wanted, options)
    if flavour not in ("llama.cpp", "vllm"):
        return {"reasoning_effort": effort}
    thinks = effort != "none"
    switch: dict[str, Any] = {"enable_thinking": thinks}
    if flavour == "llama.cpp":
        return {"reasoning_effort": effort, "chat_template_kwargs": switch | _effort_of_template(effort)}
    return {"reasoning_effort": effort, "chat_template_kwargs": switch} if thinks else {"chat_template_kwargs": switch}


def _effort_of_template(effort: str) -> dict[str, Any]:
    return {} if effort == "none" else {"reasoning_effort": effort}


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
    wire: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.tool_calls:
        wire["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _content(message: Message) -> str | list[dict[str, Any]]:
    """Plain text, and parts only where there are pictures: not every template takes parts."""
    if not message.images:
        return message.content
    text = [{"type": "text", "text": message.content}] if message.content else []
    return [*text, *map(_picture, message.images)]


def _picture(image: Image) -> dict[str, Any]:
    """In the request itself: LM Studio and Ollama fetch nothing from an address."""
    return {"type": "image_url", "image_url": {"url": f"data:{image.media_type};base64,{image.data}"}}


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
