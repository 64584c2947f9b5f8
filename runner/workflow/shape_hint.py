"""What to do about a value of the wrong shape, as far as its own words and the schema tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.words.complaint import Complaint, listed, quoted
from runner.words.suggest import did_you_mean
from runner.workflow.scalar import NUMBER_START, YES_NO
from runner.workflow.synonyms import CHOICES

PATTERN_HELP: Mapping[str, str] = {
    "^[a-z0-9]+(-[a-z0-9]+)*$": "use lower-case words and digits joined by `-`",
    "^[a-z][a-z0-9_]*$": "use lower-case letters, digits and `_`, beginning with a letter",
    "^[A-Za-z_][A-Za-z0-9_]*$": "use letters, digits and `_`, not beginning with a digit",
    "^[A-Za-z_][A-Za-z0-9_-]*$": "use letters, digits, `_` and `-`, beginning with a letter",
    "^[A-Za-z0-9_][A-Za-z0-9_-]*$": "use letters, digits, `_` and `-`",
    "^[^.]+[.].+$": "write the server and the tool: `server.tool`",
}
"""The patterns of the schema in words."""

_SHORT: Mapping[tuple[str, type], str] = {
    ("retry", int): "write `retry: {attempts: 3}`",
    ("required", bool): "delete it: an input with a `default` may be left out, and one without has to be given",
    ("repeat", int): "say when it is good enough: `repeat: {until: output.score >= 8, max: 3}`",
    ("approve", bool): "write the question: `approve: Publish this?`",
    ("matrix", list): "give each list a name: `matrix: {size: [small, large]}`",
}
"""What a short form of other tools is here, by key and type."""


def value_hint(complaint: Complaint, value: Any, rule: Mapping[str, Any]) -> str | None:
    """What to do about ``value``; ``rule`` is the part of the schema that complains."""
    if complaint.keyword == "enum" and isinstance(value, str):
        meant = CHOICES.get(str(complaint.path[-1]), {}).get(value)
        options = (option for option in complaint.expected if isinstance(option, str))
        return did_you_mean(value, options) if meant is None else f"did you mean `{meant}`?"
    if complaint.keyword != "type":
        return None
    is_item = isinstance(complaint.path[-1], int)
    return _special_hint(complaint, value) or _type_hint(value, complaint.expected, rule, is_item=is_item)


def _type_hint(value: Any, expected: Any, rule: Mapping[str, Any], *, is_item: bool) -> str | None:
    if value is None and not is_item:
        return "write a value behind it, or delete the key if nothing is meant"
    if expected == "array":
        return _list_hint(value)
    if expected == "object" and not is_item:
        return "write keys below it, farther to the right: `key: value`"
    if isinstance(value, str):
        return _text_hint(value, expected)
    return _word_hint(rule) if expected == "string" and isinstance(value, int | float) else None


def _special_hint(complaint: Complaint, value: Any) -> str | None:
    """Keys whose type depends on another key."""
    key, expected = complaint.path[-1], complaint.expected
    if (key, expected) == ("run", "array") and isinstance(value, str):
        in_shell = "" if "expect" in complaint.path else ", or add `shell: true`"
        return "write it as a list, `[program, argument]`" + in_shell
    if (key, expected) == ("run", "string") and isinstance(value, list):
        return "with `shell: true` write one text"
    if (key, expected) == ("output", "object") and isinstance(value, str | list):
        return "describe the answer by a JSON Schema; `output: json` belongs to a `run` step"
    if key == "shell" and isinstance(value, str) and " " in value:
        return "write the command as `run`, and `shell: true` beside it"
    return _SHORT.get((key, type(value))) if isinstance(key, str) else None


def _text_hint(value: str, expected: Any) -> str | None:
    if expected == "boolean" and value in YES_NO:
        return f"write `{'true' if value.lower() in {'yes', 'on'} else 'false'}`"
    if expected == "boolean" and value.lower() in {"true", "false"}:
        return f"write `{value.lower()}`, without quotes"
    if expected in ("integer", "number") and _is_number(value):
        return f"write `{value}`, without quotes"
    return None


def _word_hint(rule: Mapping[str, Any]) -> str:
    """For a number or boolean where a word stands: quotes help only if any word is legal there."""
    if "enum" in rule:
        return f"write {listed(map(quoted, rule['enum']))}"
    return PATTERN_HELP.get(rule.get("pattern", ""), "put it in quotes")


def _list_hint(value: Any) -> str:
    shown = value if isinstance(value, str) else quoted(value)[1:-1]
    if isinstance(value, Mapping) or len(shown) >= 40 or "\n" in shown:
        return "write a list: a line `- …` for each item"
    return f"write it as a list: `[{shown}]`"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[0] in NUMBER_START
