"""What a JSON Schema misses in a value, in words for people and models: ``expected a number, got the text `x```."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from runner.words.noun import noun
from runner.words.spans import Path

TYPE_NAMES: Mapping[str, str] = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


@noun
class Complaint:
    """One miss. ``path`` leads to the value, ``schema_path`` to the keyword that judged it.

    ``expected`` is what the keyword says; ``names`` are the keys it is about: the unknown ones
    (``additionalProperties``), the missing one (``required``), key and missing companion (``dependentRequired``), the
    illegal one (``propertyNames``).
    """

    path: Path
    schema_path: Path
    message: str
    keyword: str
    expected: Any = None
    names: tuple[str, ...] = ()


@noun
class Miss:
    """A miss as a validator reports it, freed of the validator's types. ``inner`` holds those of ``anyOf`` branches."""

    path: Path
    schema_path: Path
    keyword: str
    expected: Any
    instance: Any
    inner: tuple[tuple[int, Miss], ...] = ()


def describe(value: Any) -> str:
    """What was found, short: ``the text `x```, ``the number 3``, ``a list``."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number {quoted(value)[1:-1]}"
    if isinstance(value, str):
        one_line = len(value) <= 40 and "\n" not in value
        return f"the text `{value}`" if value and one_line else "a text" if value else "an empty text"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def quoted(value: Any) -> str:
    """A value in backticks, at most some sixty characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text if len(text) <= 60 else text[:59] + '…'}`"


def listed(words: Iterable[str], last: str = "or") -> str:
    """``a, b or c``."""
    *some, final = list(dict.fromkeys(words)) or [""]
    return f"{', '.join(some)} {last} {final}" if some else final


def name_types(types: str | Sequence[str]) -> str:
    """The ``type`` of a schema in words: ``a text or a list``."""
    names = [types] if isinstance(types, str) else types
    words = ((TYPE_NAMES.get(str(name), str(name)),) if name != "boolean" else ("true", "false") for name in names)
    return listed(word for some in words for word in some)


def word(miss: Miss) -> Iterator[Complaint]:
    """Complaints of one miss: several where a keyword is about several keys, or a branch of ``anyOf`` was meant."""
    if miss.keyword in {"anyOf", "oneOf"}:
        yield from _word_branches(miss)
    elif miss.keyword in _BY_NAME:
        for names, message in _BY_NAME[miss.keyword](miss):
            yield _complaint(miss, message, names)
    else:
        said = _WORDS.get(miss.keyword)
        general = f"breaks the rule `{miss.keyword.rstrip()}` of the schema"
        yield _complaint(miss, said(miss.expected, miss.instance) if said else general)


def _complaint(miss: Miss, message: str, names: tuple[str, ...] = ()) -> Complaint:
    return Complaint(
        path=miss.path,
        schema_path=miss.schema_path,
        message=message,
        keyword=miss.keyword,
        expected=miss.expected,
        names=names,
    )


# --- keywords about one value -------------------------------------------------------------------------------------


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _bound(words: str) -> Callable[[Any, Any], str]:
    return lambda expected, value: f"expected {words} {expected}, got {value}"


def _size(words: str, noun: str) -> Callable[[Any, Any], str]:
    def say(expected: Any, value: Any) -> str:
        return f"expected {words} {_count(expected, noun)}, got {len(value)}"

    return say


def _not_empty(words: str, noun: str) -> Callable[[Any, Any], str]:
    counted = _size("at least", noun)
    return lambda expected, value: f"expected {words}" if expected == 1 else counted(expected, value)


def _allowed(expected: Any, value: Any) -> str:
    return f"expected {listed(quoted(option) for option in expected)}, got {_got(value)}"


def _got(value: Any) -> str:
    return quoted(value) if isinstance(value, str) and value and len(value) <= 60 else describe(value)


_WORDS: Mapping[str, Callable[[Any, Any], str]] = {
    "type": lambda expected, value: f"expected {name_types(expected)}, got {describe(value)}",
    "enum": _allowed,
    "const": lambda expected, value: f"expected {quoted(expected)}, got {_got(value)}",
    "pattern": lambda expected, value: f"{quoted(value)} does not match the pattern {quoted(expected)}",
    "format": lambda expected, value: f"{quoted(value)} is not of the format {quoted(expected)}",
    "minimum": _bound("at least"),
    "maximum": _bound("at most"),
    "exclusiveMinimum": _bound("more than"),
    "exclusiveMaximum": _bound("less than"),
    "multipleOf": _bound("a multiple of"),
    "minLength": _not_empty("a text that is not empty", "character"),
    "maxLength": _size("at most", "character"),
    "minItems": _not_empty("a list that is not empty", "item"),
    "maxItems": _size("at most", "item"),
    "minProperties": _not_empty("a mapping that is not empty", "key"),
    "maxProperties": _size("at most", "key"),
    "uniqueItems": lambda _expected, _value: "expected no item twice",
    "contains": lambda _expected, _value: "no item of the list is of the kind that must be in it",
    "minContains": lambda expected, _value: f"expected at least {_count(expected, 'item')} of the kind asked for",
    "maxContains": lambda expected, _value: f"expected at most {_count(expected, 'item')} of the kind asked for",
    "not": lambda _expected, value: f"{_got(value)} is what the schema forbids",
    "false": lambda _expected, _value: "nothing may stand here",
    "items": lambda _expected, value: f"too many items: {len(value)}",
    "unevaluatedItems": lambda _expected, _value: "more items than the schema knows",
}


# --- keywords about keys ------------------------------------------------------------------------------------------

Named = Iterator[tuple[tuple[str, ...], str]]


def _missing(miss: Miss) -> Named:
    for key in miss.expected:
        if key not in miss.instance:
            yield (key,), f"the key {quoted(key)} is missing"


def _companions(miss: Miss) -> Named:
    for key, needed in miss.expected.items():
        for companion in needed if key in miss.instance and isinstance(needed, list) else ():
            if companion not in miss.instance:
                yield (key, companion), f"{quoted(key)} needs {quoted(companion)} beside it"


def _unknown(miss: Miss) -> Named:
    names = miss.names if isinstance(miss, KeyMiss) else ()
    noun = "key" if len(names) == 1 else "keys"
    yield names, f"unknown {noun} {listed(map(quoted, names), 'and')}"


def _bad_name(miss: Miss) -> Named:
    yield (str(miss.instance),), f"{quoted(miss.instance)} is not a legal key"


_BY_NAME: Mapping[str, Callable[[Miss], Named]] = {
    "required": _missing,
    "dependentRequired": _companions,
    "dependencies": _companions,
    "additionalProperties": _unknown,
    "unevaluatedProperties": _unknown,
    "propertyNames": _bad_name,
}


STRUCTURAL = frozenset(_BY_NAME) | {"anyOf", "oneOf"}
"""Keywords that are worded from more than what they expect and what they met."""


@noun
class KeyMiss(Miss):
    """A miss about keys that no schema knows."""

    names: tuple[str, ...]


# --- anyOf, oneOf -------------------------------------------------------------------------------------------------


def _word_branches(miss: Miss) -> Iterator[Complaint]:
    """The complaint of the branch that was meant: the one of the right type, the nearest of several."""
    branches: dict[int, list[Miss]] = {}
    for index, inner in miss.inner:
        branches.setdefault(index, []).append(inner)
    if not branches:
        yield _complaint(miss, "fits more than one of the forms that exclude each other")
        return
    meant = [found for found in branches.values() if not any(_is_other_type(inner, miss.path) for inner in found)]
    if not meant:
        types = [name for found in branches.values() for name in _types(found, miss.path)]
        yield _complaint(miss, f"expected {name_types(types)}, got {describe(miss.instance)}")
        return
    meant.sort(key=lambda found: _distance(found, miss.path))
    if len(meant) > 1 and _distance(meant[0], miss.path) == _distance(meant[1], miss.path):
        yield from _word_equal(miss, meant)
        return
    for inner in meant[0]:
        yield from word(inner)


def _word_equal(miss: Miss, meant: list[list[Miss]]) -> Iterator[Complaint]:
    flat = [inner for found in meant for inner in found]
    if all(inner.keyword in {"const", "enum"} and inner.path == miss.path for inner in flat):
        options = [option for inner in flat for option in _options(inner)]
        yield _complaint(miss, _allowed(options, miss.instance))
    else:
        said = [complaint.message for inner in flat for complaint in word(inner)]
        yield _complaint(miss, f"fits none of the allowed forms: {listed(said[:4])}")


def _options(miss: Miss) -> list[Any]:
    return list(miss.expected) if miss.keyword == "enum" else [miss.expected]


def _is_other_type(miss: Miss, path: Path) -> bool:
    return miss.keyword == "type" and miss.path == path


def _types(found: list[Miss], path: Path) -> list[str]:
    for inner in found:
        if _is_other_type(inner, path):
            return [inner.expected] if isinstance(inner.expected, str) else list(inner.expected)
    return []


def _distance(found: list[Miss], path: Path) -> tuple[bool, int]:
    """A branch whose tag (a ``const`` of its own or of a key) misses was not meant; else fewer misses are nearer."""
    tag_missed = any(inner.keyword in {"const", "enum"} and len(inner.path) <= len(path) + 1 for inner in found)
    return tag_missed, len(found)
