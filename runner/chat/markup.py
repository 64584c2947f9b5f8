"""Tool calls that stand as text in an answer, because the server did not read the markup of its model.

Every family of models has its own markup. What is taken for a call must begin with such a mark, name an offered tool
and give its arguments as an object; all else stays text. Markup inside a code block or within thinking is an example or
a plan, no call. The time taken is linear in the length of the text, whatever stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from runner.chat import markup_json, markup_python, markup_xml
from runner.chat.loose_json import UnfinishedError
from runner.chat.messages import ToolSpec
from runner.chat.written_call import Block, Offered, Reader, WrittenCall
from runner.words.json_text import read_json
from runner.words.noun import noun

_READERS: Final[dict[str, Reader]] = {
    **dict.fromkeys(markup_xml.OPENINGS, markup_xml.read_function),
    "glm": markup_xml.read_glm,
    **dict.fromkeys(markup_json.TAGGED, markup_json.read_tagged),
    **dict.fromkeys(markup_json.NAMED, markup_json.read_named),
    **dict.fromkeys(markup_python.OPENINGS, markup_python.read_python),
}
_OPENINGS: Final = {
    **markup_xml.OPENINGS, **markup_json.TAGGED, **markup_json.NAMED, **markup_python.OPENINGS,
}  # fmt: skip
_QUIET: Final = {"fence": r"^[ \t]*```(?!tool_code)[^\n`]*$", "think": r"<think>|\[THINK\]"}
"""What opens a part in which nothing is a call."""
_QUIET_ENDS: Final = {
    "fence": re.compile(r"^[ \t]*```[ \t]*$", re.MULTILINE),
    "think": re.compile(r"</think>|\[/THINK\]"),
}
_MARK = re.compile(
    "|".join(
        f"(?P<{family}>{'' if family in _QUIET else '(?<!`)' if family != 'tool_code' else ''}"
        f"{opening.replace('(?P<N>', f'(?P<{family}_name>')})"
        for family, opening in {**_OPENINGS, **_QUIET}.items()
    ),
    re.MULTILINE,
)
_WHOLE_FENCE = re.compile(r"\A```(?!tool_code)[^\n`]*\n(?P<inner>.*)\n```\Z", re.DOTALL)
_BEGUN = re.compile(
    r"(?:<tool_call>\s*|\[TOOL_(?:REQUEST|CALLS)\][^{\[]{0,128}|<function=[^>]{0,128}|<\|tool_call>[^{]{0,128}"
    r"|<(?:minimax:tool_call|function_calls)>[^>]{0,160}|<invoke name=[^>]{0,128}|to=functions\.[^{]{0,128})\Z"
)
"""A mark at the very end of an answer that was cut."""
_MISSING_ENDS: Final = {
    **dict.fromkeys((*markup_json.TAGGED, *markup_json.NAMED), "</tool_call>"),
    "function": "</function>",
    "invoke": "</invoke>",
    "glm": "</arg_value></tool_call>",
    "tool_code": "\n```",
    "lfm": "<|tool_call_end|>",
}
"""What an answer that ended of itself may lack: some servers keep the last mark, as the sign to stop."""
_TRIES: Final = 16
"""Marks that may lead to nothing before the search is given up; each may cost a reading to the end of the text."""


@noun
class Recovered:
    """``calls`` in their order, the ``family`` of the first one's markup, and the ``content`` that remains.

    ``cut``: the last call was not finished; it is in neither.
    """

    calls: tuple[WrittenCall, ...]
    family: str
    content: str
    cut: bool = False


def recover(content: str, reasoning: str, tools: Iterable[ToolSpec], *, cut: bool = False) -> Recovered | None:
    """The calls of ``tools`` that stand in an answer; None if there are none.

    Calls within thinking count only if nothing was answered. ``cut``: a limit of tokens ended the answer.
    """
    offered = Offered(tools)
    if content.strip():
        return _Search(content, offered, cut=cut).result()
    return None if cut or not reasoning.strip() else _Search(reasoning, offered, cut=False).result(thinking=True)


def begins_as_call(text: str) -> bool:
    """Whether a text begins with the mark of a call, of whatever tool: then it is no answer for a person."""
    mark = _MARK.match(text.lstrip())
    return mark is not None and mark.lastgroup not in _QUIET


class _Search:
    """One way through a text, from mark to mark."""

    def __init__(self, text: str, offered: Offered, *, cut: bool) -> None:
        fence = _WHOLE_FENCE.match(text.strip())
        self._fenced = fence is not None
        self._text = fence["inner"] if fence and "```" not in fence["inner"] else text
        self._offered = offered
        self._cut = cut
        self._calls: list[WrittenCall] = []
        self._family = ""
        self._rest: list[str] = []
        self._unclosed: set[str] = set()
        self._was_cut = False

    def result(self, *, thinking: bool = False) -> Recovered | None:
        """What was found."""
        self._run()
        if not self._calls and not self._was_cut:
            return None if thinking else self._bare()
        content = "" if thinking else "".join(self._rest).strip()
        return Recovered(calls=tuple(self._calls), family=self._family, content=content, cut=self._was_cut)

    def _run(self) -> None:
        text, at, kept, tries = self._text, 0, 0, 0
        while tries < _TRIES and (mark := _MARK.search(text, at)):
            family = str(mark.lastgroup)
            if family in _QUIET:
                at = self._skip(mark, family)
                continue
            block = self._read(mark, family)
            if self._was_cut:
                self._rest.append(text[kept : mark.start()])
                return
            if block is None:
                tries, at = tries + 1, mark.end()
                continue
            self._calls += block.calls
            self._family = self._family or family
            self._rest.append(text[kept : mark.start()])
            at = kept = block.end
        begun = _BEGUN.search(text, kept) if self._cut else None
        self._was_cut = begun is not None
        self._rest.append(text[kept : begun.start() if begun else len(text)])

    def _read(self, mark: re.Match[str], family: str) -> Block | None:
        try:
            return self._read_here(mark, family)
        except UnfinishedError:
            self._was_cut = self._cut
            self._family = self._family or family
        except (ValueError, TypeError, RecursionError):  # no call, by the many ways in which texts are none
            pass
        return None

    def _read_here(self, mark: re.Match[str], family: str) -> Block:
        read = _READERS[family]
        try:
            return read(self._text, mark, self._offered)
        except UnfinishedError:
            if self._cut:
                raise
            block = read(self._text + _MISSING_ENDS[family], mark, self._offered)
            return Block(calls=block.calls, end=min(block.end, len(self._text)))

    def _skip(self, mark: re.Match[str], family: str) -> int:
        """The place after a part in which nothing is a call; one that is never closed is none."""
        end = None if family in self._unclosed else _QUIET_ENDS[family].search(self._text, mark.end())
        if end is None:
            self._unclosed.add(family)
            return mark.end()
        return end.end()

    def _bare(self) -> Recovered | None:
        """An answer that is nothing but the JSON of a call, as Llama 3 writes it."""
        text = self._text.strip()
        if self._fenced or not (text.startswith("{") and text.endswith("}")):
            return None
        try:
            value = read_json(text)
            if not _is_bare_call(value):
                return None
            return Recovered(calls=self._offered.calls(value), family="json", content="")
        except ValueError:
            return None


def _is_bare_call(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return False
    return value.keys() - {"type", "id"} in ({"name", "arguments"}, {"name", "parameters"})
