"""A JSON value as text: what a template prints, what an argument list gets."""

from __future__ import annotations

import json
from typing import Any


def write_json(value: Any, *, indent: int | None = None) -> str:
    """The value as JSON that people read: unicode kept, nothing escaped for HTML.

    Raises:
        TypeError, ValueError: the value is no JSON (a set, an infinite number).
    """
    return json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)


def as_text(value: Any) -> str:
    """A value inside a text: text as it is, null as nothing, booleans ``true``/``false``, the rest as JSON.

    Raises:
        TypeError, ValueError: as ``write_json``.
    """
    if isinstance(value, str):
        return value
    return "" if value is None else write_json(value)
