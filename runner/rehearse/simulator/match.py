"""Picking the turn: the first one in the script whose conditions hold for the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Any

from runner.rehearse.simulator.pattern import When
from runner.rehearse.simulator.script import ScriptedModel, Turn
from runner.words.noun import noun

DEFAULT_INDEX = -1
"""Stands for the turn under ``default``."""


@noun
class Conversation:
    """What was asked: messages as ``/v1/chat/completions`` has them, names of the offered tools, is a schema wanted."""

    messages: Sequence[Mapping[str, Any]]
    offered: tuple[str, ...] = ()
    schema: bool = False

    @property
    def turn(self) -> int:
        """Which answer this will be, counted from 1."""
        return 1 + sum(1 for message in self.messages if message.get("role") == "assistant")

    @property
    def system(self) -> str:
        """All system messages."""
        return "\n".join(self._texts("system", "developer"))

    @property
    def user(self) -> str:
        """The last message of the user."""
        return next(iter(self._texts("user")[::-1]), "")

    @property
    def tool_result(self) -> str:
        """The last result of a tool."""
        return next(iter(self._texts("tool")[::-1]), "")

    @property
    def anywhere(self) -> str:
        """Everything that was said."""
        return "\n".join(text_of(message) for message in self.messages)

    @property
    def last(self) -> str:
        """The last message, for people: ``user: Say hello.``"""
        if not self.messages:
            return "(no message)"
        return f"{self.messages[-1].get('role', '?')}: {shorten(text_of(self.messages[-1]))}"

    @property
    def characters(self) -> int:
        """How much was said."""
        return sum(len(text_of(message)) for message in self.messages)

    def _texts(self, *roles: str) -> list[str]:
        return [text_of(message) for message in self.messages if message.get("role") in roles]


@noun
class Picked:
    """The turn to play; ``index`` in the script from 0; ``groups`` are what its patterns found."""

    index: int
    turn: Turn
    groups: Mapping[str, str] = field(default_factory=dict)


def read_conversation(body: Mapping[str, Any]) -> Conversation:
    """The conversation in the body of a chat request; ``tool_choice: none`` offers nothing."""
    tools = body.get("tools") if body.get("tool_choice") != "none" else None
    wanted = body.get("response_format")
    return Conversation(
        messages=[message for message in body.get("messages") or () if isinstance(message, dict)],
        offered=tuple(_tool_name(tool) for tool in tools or ()),
        schema=isinstance(wanted, dict) and wanted.get("type") == "json_schema",
    )


def pick(model: ScriptedModel, conversation: Conversation, used: Mapping[int, int]) -> Picked | None:
    """The first turn that fits and is not used up, else the default, else None. ``used``: index → times played."""
    for index, turn in enumerate(model.turns):
        if turn.times is not None and used.get(index, 0) >= turn.times:
            continue
        if why_not(turn.when, conversation) is None:
            return Picked(index=index, turn=turn, groups=found_groups(turn.when, conversation))
    return Picked(index=DEFAULT_INDEX, turn=model.default) if model.default is not None else None


def why_not(when: When, conversation: Conversation) -> str | None:
    """The first condition that does not hold, in words; None if all hold."""
    if when.turn is not None and when.turn != conversation.turn:
        return f"wants turn {when.turn}, this is turn {conversation.turn}"
    if when.schema is not None and when.schema != conversation.schema:
        return f"wants a request {'with' if when.schema else 'without'} a schema"
    if when.offered is not None and not any(fnmatchcase(name, when.offered) for name in conversation.offered):
        return f"wants the tool `{when.offered}` on offer, offered: {', '.join(conversation.offered) or 'none'}"
    for name, pattern in when.patterns():
        if pattern.search(getattr(conversation, name)) is None:
            return f"found no /{pattern.pattern}/ in `{name}`"
    return None


def found_groups(when: When, conversation: Conversation) -> dict[str, str]:
    """What the patterns of a condition that holds have found, by name and by number; a group left out is empty."""
    found: dict[str, str] = {}
    number = 0
    for name, pattern in when.patterns():
        match = pattern.search(getattr(conversation, name))
        if match is None:
            continue
        for text in match.groups(default=""):
            number += 1
            found[str(number)] = text
        found.update(match.groupdict(default=""))
    return found


def no_turn(model: ScriptedModel, conversation: Conversation) -> str:
    """Why the script has nothing to say, for the person who wrote it."""
    lines = [f"the script has no turn of `{model.key}` for this conversation (turn {conversation.turn})"]
    lines.append(f"  last message: {conversation.last}")
    for index, turn in enumerate(model.turns):
        reason = why_not(turn.when, conversation) or f"is used up ({turn.times} of {turn.times} times)"
        lines.append(f"  turns[{index}] {reason}")
    if not model.turns:
        lines.append("  it has no turns at all")
    lines.append("  add a turn that fits, or a `default`")
    return "\n".join(lines)


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message: its content, whether a string or parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def shorten(text: str, length: int = 160) -> str:
    """The text on one line, cut with an ellipsis."""
    line = " ".join(text[: length * 4].split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _tool_name(tool: Any) -> str:
    function = tool.get("function") if isinstance(tool, dict) else None
    return str(function.get("name", "")) if isinstance(function, dict) else ""
