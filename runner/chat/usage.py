"""What servers say of tokens, in their different ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.chat.messages import Usage


def read_usage(usage: object) -> Usage:
    """The ``usage`` of a chunk; what is missing or no number counts as zero."""
    if not isinstance(usage, Mapping):
        return Usage()
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(_inner(usage, "completion_tokens_details", "reasoning_tokens")),
        _count(_inner(usage, "prompt_tokens_details", "cached_tokens")),
    )


def read_timings(timings: object) -> Usage:
    """The same from llama.cpp's ``timings``: ``prompt_n`` were read, ``cache_n`` known, ``predicted_n`` written."""
    if not isinstance(timings, Mapping):
        return Usage()
    cached = _count(timings.get("cache_n"))
    return Usage(cached + _count(timings.get("prompt_n")), _count(timings.get("predicted_n")), cached_tokens=cached)


def _inner(usage: Mapping[str, Any], details: str, key: str) -> object:
    inner = usage.get(details)
    return inner.get(key) if isinstance(inner, Mapping) else None


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
