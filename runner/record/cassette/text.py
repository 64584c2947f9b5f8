"""Texts of a recording: long ones as lists of lines, as a diff of words reads them best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LINES = "|"
"""The one key of an object that stands for a text: its value is the list of the text's lines."""


def folded(value: Any) -> Any:
    """A JSON value in which each text of several lines is ``{"|": [line, …]}``; one that looks so gets a ``|``."""
    if isinstance(value, str):
        return {LINES: value.split("\n")} if "\n" in value else value
    if isinstance(value, Mapping):
        plain = {key: folded(item) for key, item in value.items()}
        return {f"{LINES}{key}": item for key, item in plain.items()} if _looks_folded(plain) else plain
    return [folded(item) for item in value] if isinstance(value, list | tuple) else value


def unfolded(value: Any) -> Any:
    """What ``folded`` made the value of.

    Raises:
        TypeError: what should be lines are none.
    """
    if isinstance(value, Mapping):
        if not _looks_folded(value):
            return {key: unfolded(item) for key, item in value.items()}
        [(key, item)] = value.items()
        return "\n".join(item) if key == LINES else {key[1:]: unfolded(item)}
    return [unfolded(item) for item in value] if isinstance(value, list) else value


def _looks_folded(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and not next(iter(value)).strip(LINES) and next(iter(value)) != ""
