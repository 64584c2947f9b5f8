"""The templates that nearly everybody writes, read without Jinja: ``text {{ steps.scan.output | tojson }} text``.

Importing Jinja costs 40 to 50 ms and compiling one template about 0.7 ms; a path of names needs neither. Whatever goes
beyond a path and ``| tojson`` is left to ``words.sandbox``, and so is every error, so that both ways say the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH = rf"{_NAME}(?:\.{_NAME})*"
_HOLE = re.compile(rf"\{{\{{[ \n]*({_PATH})(?:[ \n]*\|[ \n]*(tojson))?[ \n]*\}}\}}")
_BARE = re.compile(rf"[ \n]*({_PATH})[ \n]*")
_NOT_NAMES = frozenset(
    ("true", "True", "false", "False", "none", "None", "not", "and", "or", "if", "else", "in", "is", "range", "self")
)  # fmt: skip


class Hole(NamedTuple):
    """``{{ path }}``: the names, where the path stands in the source, and whether ``| tojson`` follows."""

    path: tuple[str, ...]
    offset: int
    length: int
    as_json: bool


class MissingError(Exception):
    """A path leads nowhere; the sandbox says why in words."""


def _hole(match: re.Match[str], *, as_json: bool) -> Hole | None:
    path = tuple(match[1].split("."))
    return None if path[0] in _NOT_NAMES else Hole(path, match.start(1), len(match[1]), as_json)


@lru_cache(maxsize=4096)
def split_template(source: str) -> tuple[str | Hole, ...] | None:
    """The texts and holes of a plain template in order; None if it is not a plain one."""
    if "{%" in source or "{#" in source or "\r" in source:
        return None
    parts: list[str | Hole] = []
    end = 0
    for match in _HOLE.finditer(source):
        between = source[end : match.start()]
        hole = _hole(match, as_json=match[2] is not None)
        if hole is None or "{{" in between or between.endswith("{"):
            return None
        if between:
            parts.append(between)
        parts.append(hole)
        end = match.end()
    rest = source[end:]
    if "{{" in rest:
        return None
    return (*parts, rest) if rest else tuple(parts)


@lru_cache(maxsize=4096)
def split_expression(source: str) -> Hole | None:
    """The path of an expression that is nothing but a path; None for any other."""
    match = _BARE.fullmatch(source)
    return _hole(match, as_json=False) if match else None


def look_up(path: tuple[str, ...], names: Mapping[str, Any]) -> Any:
    """The value at the end of a path through mappings.

    Raises:
        MissingError: a part of the path is not a key, or what it is looked up in is no mapping.
    """
    value: Any = names
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            raise MissingError
        value = value[part]
    return value
