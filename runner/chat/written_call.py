"""A tool call found in a text, and the tools that such a call may name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runner.chat.messages import ToolSpec
from runner.words.json_text import read_json
from runner.words.noun import noun

_NOT_PLAIN = re.compile(r"[^a-z0-9_]")
_AROUND = re.compile(r"^(?:functions|function|tools|default_api)[./]|:\d{1,4}$")
_ARGUMENTS = ("arguments", "parameters", "args", "input")


@noun
class WrittenCall:
    """A call of an offered tool, by the name under which it is offered."""

    name: str
    arguments: Mapping[str, Any]


@noun
class Block:
    """What stands between a marker and ``end``, the place after its closing mark."""

    calls: tuple[WrittenCall, ...]
    end: int


class Offered:
    """The offered tools, found by the names that models make of theirs."""

    def __init__(self, tools: Iterable[ToolSpec]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._spellings: dict[str, ToolSpec | None] = {}
        for tool in self._tools.values():
            for spelling in {tool.name.casefold(), plain_name(tool.name)}:
                self._spellings[spelling] = None if spelling in self._spellings else tool

    def find(self, name: str) -> ToolSpec:
        """The tool of that name: without regard to case, to the signs that LM Studio replaces, to a prefix
        (``functions.``) and to control words around it.

        Raises:
            ValueError: none, or more than one.
        """
        bare = _AROUND.sub("", (name.partition("<|")[0] or name).strip())
        for asked in (name, bare):
            if asked in self._tools:
                return self._tools[asked]
        found = self._spellings.get(bare.casefold()) or self._spellings.get(plain_name(bare))
        if found is None:
            raise ValueError("it names no offered tool")
        return found

    def call(self, name: object, arguments: object) -> WrittenCall:
        """A call of these, read from JSON.

        Raises:
            ValueError: no offered tool, or its arguments are no object.
        """
        if isinstance(arguments, str):
            arguments = read_json(arguments) if arguments.strip() else {}
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise ValueError("it is no call")  # noqa: TRY004 - one kind for all that is no call
        return WrittenCall(name=self.find(name).name, arguments=arguments)

    def calls(self, value: object) -> tuple[WrittenCall, ...]:
        """The calls that a JSON value describes: an object with a name and arguments, in any usual shape; or a list.

        Raises:
            ValueError: it describes none.
        """
        entries = value if isinstance(value, list) else [value]
        found = tuple(self._entry(entry) for entry in entries)
        if not found:
            raise ValueError("it is no call")
        return found

    def _entry(self, entry: Any) -> WrittenCall:
        if not isinstance(entry, dict):
            raise ValueError("it is no call")  # noqa: TRY004 - as above
        if isinstance(entry.get("function"), dict):
            entry = entry["function"]
        name = next((entry[key] for key in ("name", "tool_name", "function", "tool") if key in entry), None)
        return self.call(name, next((entry[key] for key in _ARGUMENTS if key in entry), {}))


Reader = Callable[[str, "re.Match[str]", Offered], Block]
"""Reads on after a marker in the text; raises ValueError where no call follows, UnfinishedError where it is cut."""


def plain_name(name: str) -> str:
    """A name as LM Studio normalises it for models: lower case, digits and ``_``."""
    return _NOT_PLAIN.sub("_", name.casefold())
