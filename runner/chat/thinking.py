"""A model's thinking told apart from its answer, where the server leaves both in one text.

Servers that separate the two send ``reasoning_content`` or ``reasoning``. Others pass on what the model wrote: tags
around the thinking at the start of the text, or only the closing tag, because the template wrote the opening one.
"""

from __future__ import annotations

import re
from typing import Final, Literal

TAGS: Final = {"<think>": "</think>", "[THINK]": "[/THINK]"}
"""Opening and closing: Qwen, DeepSeek and most others; Magistral."""

LONE_END: Final = re.compile(r"^(?:</think>|\[/THINK\])[ \t]*(?:\n|\Z)", re.MULTILINE)
"""A closing tag on a line of its own. Within a line it is more likely a text that speaks of the tag."""


class ThinkingSplitter:
    """Splits a text that comes in pieces; a tag may be cut anywhere."""

    __slots__ = ("_end", "_held", "_state")

    def __init__(self) -> None:
        self._state: Literal["before", "within", "between", "after"] = "before"
        self._held = ""
        self._end = ""

    def feed(self, text: str) -> tuple[str, str]:
        """The next piece as ``(thinking, answer)``; what may yet become a tag is held back."""
        if self._state == "after":
            return "", text
        self._held += text
        if self._state == "before" and not self._begin():
            return "", ""
        thinking = self._within() if self._state == "within" else ""
        return thinking, self._rest()

    def close(self) -> tuple[str, str]:
        """What was held back at the end of the text, as ``(thinking, answer)``."""
        held, self._held = self._held, ""
        return (held, "") if self._state == "within" else ("", held)

    def _begin(self) -> bool:
        """Whether it is decided if the text starts with thinking."""
        start = self._held.lstrip()
        for opening, closing in TAGS.items():
            if start.startswith(opening):
                self._held, self._end, self._state = start[len(opening) :], closing, "within"
                return True
            if opening.startswith(start):
                return False
        self._state = "after"
        return True

    def _within(self) -> str:
        """The thinking that is certain by now."""
        thinking, tag, rest = self._held.partition(self._end)
        if tag:
            self._held, self._state = rest, "between"
            return thinking
        keep = _overlap(thinking, self._end)
        self._held = thinking[len(thinking) - keep :]
        return thinking[: len(thinking) - keep]

    def _rest(self) -> str:
        """The answer that is certain by now, without the blank lines that follow the thinking."""
        if self._state == "within":
            return ""
        if self._state == "between":
            self._held = self._held.lstrip()
            if self._held:
                self._state = "after"
        answer, self._held = self._held, ""
        return answer


def split_lone_end(text: str) -> tuple[str, str]:
    """``(thinking, answer)`` of a text in which only the closing tag stands; ``("", text)`` if none does."""
    match = LONE_END.search(text)
    if match is None:
        return "", text
    return text[: match.start()].strip(), text[match.end() :].lstrip()


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of ``text`` may be the beginning of ``tag``."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0
