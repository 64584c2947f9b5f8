"""Values in the form that the conventions for generative AI want them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.chat.messages import Usage
from runner.record.wire import encode_json

_CALL = ("id", "name", "arguments")


def usage_attributes(usage: Usage) -> dict[str, Any]:
    """Tokens; those of the cache and of reasoning are parts of the other two."""
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
    }


def message(said: Mapping[str, Any]) -> dict[str, Any]:
    """A message in the form of the conventions: a role, and parts."""
    content = said.get("content")
    parts: list[Any] = []
    if said.get("role") == "tool":
        parts.append({"type": "tool_call_response", "id": said.get("tool_call_id"), "response": content})
    elif content:
        parts.append(
            {"type": "text", "content": content if isinstance(content, str) else encode_json(content).decode()}
        )
    parts += [{"type": "tool_call"} | {key: call[key] for key in _CALL} for call in said.get("tool_calls") or ()]
    return {"role": said.get("role"), "parts": parts}
