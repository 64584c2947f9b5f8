"""What an unquoted word of YAML means: the core schema of YAML 1.2 (yaml.org/spec/1.2.2, chapter 10.3)."""

from __future__ import annotations

import math
import re

CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
YES_NO = frozenset(form for word in ("yes", "no", "on", "off") for form in (word, word.title(), word.upper()))
"""Booleans of YAML 1.1 that are texts in YAML 1.2: worth a warning."""

NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_DIGITS = 300  # a double holds no more; Python refuses to read above 4,300

Plain = str | int | float | bool | None


def resolve(word: str) -> Plain:
    """The value of a plain scalar.

    Raises:
        ValueError: a number that JSON does not have: infinite, not a number, or endless digits.
    """
    if word in CONSTANTS:
        return CONSTANTS[word]
    if word[0] not in NUMBER_START:
        return word
    return _number(word)


def _number(word: str) -> Plain:
    if _INTEGER.fullmatch(word):
        return int(_bounded(word))
    if _OTHER_BASE.fullmatch(word):
        return int(_bounded(word), 0)
    if _FLOAT.fullmatch(word):
        number = float(_bounded(word))
        if math.isinf(number):
            raise ValueError(f"`{word}` is too large a number")
        return number
    if _ENDLESS.fullmatch(word):
        raise ValueError(f"`{word}` is not a number that JSON has")
    return word


def _bounded(word: str) -> str:
    if len(word) > _MOST_DIGITS:
        raise ValueError(f"a number of more than {_MOST_DIGITS} characters")
    return word


def resolve_tagged(tag: str, value: str) -> Plain:
    """The value of a scalar with an explicit tag of the core schema.

    Raises:
        ValueError: the value does not fit the tag, or a number that JSON does not have.
        LookupError: no tag of the core schema.
    """
    fits = _CORE_TAGS[tag]
    if fits is str:
        return value
    found = resolve(value)
    if type(found) is int and fits is float:
        return float(found)
    if type(found) is not fits:
        raise ValueError(f"`{value}` does not fit its tag")
    return found


_CORE_TAGS: dict[str, type] = {
    "!": str,
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:null": type(None),
}
