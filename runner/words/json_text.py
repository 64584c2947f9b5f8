"""JSON as text, there and back: what a model, a command or a person wrote, and what a template prints."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
"""Reads JSON and nothing else: Python's own takes ``NaN`` and ``Infinity``, and makes infinity of ``1e999``."""


def read_json(text: str) -> Any:
    """The JSON value that the text is.

    Raises:
        ValueError: it is none; or one that is nested about a thousand levels deep, or holds a number that is too large.
    """
    try:
        return DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        if "set_int_max_str_digits" in str(error):  # Python's own words name a function of its own
            raise ValueError("it holds a number of more than 4,300 digits") from error
        raise


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
