"""The fingerprint of a tool: what its server says it is, in one spelling."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from runner.chat.toolbox import Tool
from runner.plan.lock.lock import LockedTool

MOST_CHARACTERS: Final = 200_000
DEEPEST: Final = 60
"""A lock is a file of 5 MB and 100 levels at most; larger definitions are known by their fingerprint alone."""
_LONGEST_KEY: Final = 500
_MOST_DIGITS: Final = 300


def locked_tool(tool: Tool, mask: Callable[[Any], Any] = lambda value: value) -> LockedTool:
    """The tool as a lock keeps it; ``mask`` takes secrets out, before anything is reckoned from it."""
    definition = mask(definition_of(tool))
    return LockedTool(
        name=tool.name,
        sha256=fingerprint(tool.name, definition),
        definition=definition if _fits(definition) else None,
    )


def definition_of(tool: Tool) -> dict[str, Any]:
    """All that a server says of a tool, its name apart. ``effect`` is what bridge-run reads from the annotations."""
    told = {
        "description": tool.description,
        "input_schema": tool.input_schema,
        "output_schema": tool.output_schema,
        "annotations": getattr(tool, "annotations", None),
        "effect": tool.effect,
    }
    return {key: _plain(value) for key, value in told.items() if value is not None and value not in ({}, "")}


def fingerprint(name: str, definition: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of name and definition (RFC 8785, fractions apart)."""
    from hashlib import sha256

    text = json.dumps(
        {"name": name, **definition}, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """The value with sorted keys and whole numbers without a fraction: `1.0` and `1` are one number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _fits(definition: Any) -> bool:
    return len(json.dumps(definition)) <= MOST_CHARACTERS and _is_flat(definition, DEEPEST)


def _is_flat(value: Any, levels: int) -> bool:
    if isinstance(value, Mapping):
        keys = all(len(key) <= _LONGEST_KEY for key in value)
        return levels > 0 and keys and all(_is_flat(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_is_flat(item, levels - 1) for item in value)
    return not isinstance(value, int) or abs(value) < 10**_MOST_DIGITS
