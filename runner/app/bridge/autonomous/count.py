"""What a task has done so far, counted from the entries of its own journal."""

from __future__ import annotations

from typing import Literal

from runner.record.events import ModelAnswered, ModelAsked, ToolCalled, ToolServerStarted
from runner.record.journal import Entry


class TaskCount:
    """``rounds`` are answers of the model, ``text`` is the last of them.

    ``one_turn``: the bounds of the task are such that its first answer is its last, so that no tool is ever offered.
    """

    def __init__(self, *, one_turn: bool = False) -> None:
        self.rounds = 0
        self.tool_calls = 0
        self.text = ""
        self._cut = False
        self._one_turn = one_turn
        self._had_tools = False
        self._offered = 0

    @property
    def finish(self) -> Literal["stop", "length", "limit"]:
        """How the last answer came about: freely, cut off, or without tools because a limit was reached."""
        if self._had_tools and not self._offered:
            return "limit"
        return "length" if self._cut else "stop"

    def entry(self, entry: Entry) -> None:
        """Take one more fact into account."""
        event = entry.event
        if isinstance(event, ModelAnswered):
            self.rounds += 1
            self.text, self._cut = event.content, event.finish_reason == "length"
        elif isinstance(event, ModelAsked):
            self._offered = len(event.tools)
            self._had_tools = self._had_tools or self._offered > 0
        elif isinstance(event, ToolCalled):
            self.tool_calls += 1
        elif isinstance(event, ToolServerStarted) and self._one_turn:
            self._had_tools = self._had_tools or event.tools > 0
