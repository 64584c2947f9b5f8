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
_LINK = rf"\.{_NAME}|\[(?:0|[1-9][0-9]{{0,8}})\]|\['[A-Za-z0-9_ -]*'\]|\[\"[A-Za-z0-9_ -]*\"\]"
_PATH = rf"({_NAME}(?:{_LINK})*)((?:[ \n]*\|[ \n]*{_NAME})*)"
_HOLE = re.compile(rf"\{{\{{[ \n]*{_PATH}[ \n]*\}}\}}")
_BARE = re.compile(rf"[ \n]*{_PATH}[ \n]*")
_LINKS = re.compile(rf"({_NAME})|\[([0-9]+)\]|\[['\"]([^'\"]*)['\"]\]")
_FILTERS = frozenset(
    (
        "abs", "capitalize", "count", "d", "default", "first", "float", "int", "items", "join", "last", "length",
        "list", "lower", "max", "min", "reverse", "round", "sort", "string", "sum", "title", "tojson", "trim", "unique",
        "upper", "urlencode",
    )
)  # fmt: skip
"""Filters that a plain template may name; only ``tojson`` is carried out here."""
_NOT_NAMES = frozenset(
    ("true", "True", "false", "False", "none", "None", "not", "and", "or", "if", "else", "in", "is", "range", "self")
)  # fmt: skip


class Hole(NamedTuple):
    """``{{ path | filter }}``: the path, where it stands in the source, and the filters that follow."""

    path: tuple[str | int, ...]
    offset: int
    length: int
    filters: tuple[str, ...]


class MissingError(Exception):
    """A path leads nowhere; the sandbox says why in words."""


def _hole(match: re.Match[str]) -> Hole | None:
    filters = tuple(name.strip() for name in match[2].split("|")[1:])
    path = _path(match[1])
    if path[0] in _NOT_NAMES or not _FILTERS.issuperset(filters):
        return None
    return Hole(path, match.start(1), len(match[1]), filters)


def _path(text: str) -> tuple[str | int, ...]:
    if "[" not in text:
        return tuple(text.split("."))
    return tuple(int(link[2]) if link[2] else link[3] if link[1] is None else link[1] for link in _LINKS.finditer(text))


@lru_cache(maxsize=4096)
def split_template(source: str) -> tuple[str | Hole, ...] | None:
    """The texts and holes of a plain template in order; None if it is not a plain one."""
    if "{%" in source or "{#" in source or "\r" in source:
        return None
    parts: list[str | Hole] = []
    end = 0
    for match in _HOLE.finditer(source):
        between = source[end : match.start()]
        hole = _hole(match)
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
    """The path of an expression that is nothing but a path and filters; None for any other."""
    match = _BARE.fullmatch(source)
    return _hole(match) if match else None


def look_up(path: tuple[str | int, ...], names: Mapping[str, Any]) -> Any:
    """The value at the end of a path through mappings and lists.

    Raises:
        MissingError: a part of the path is not there, or what it is looked up in has no parts.
    """
    value: Any = names
    for part in path:
        if isinstance(value, Mapping):
            if part not in value:
                raise MissingError
        elif not (isinstance(part, int) and isinstance(value, list) and part < len(value)):
            raise MissingError
        value = value[part]
    return value
