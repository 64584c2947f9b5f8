"""Tool calls written as JSON: Qwen, Hermes, Granite, Llama, Mistral, gpt-oss, Gemma 4, DeepSeek, Kimi, and the format
that LM Studio teaches models without one of their own.
"""

from __future__ import annotations

import re
from typing import Final

from runner.chat.loose_json import read_loose
from runner.chat.written_call import Block, Offered

_NAME = r"[\w.:/\-]{1,128}"
_BAR, _LOW = "[|｜]", "[_▁]"
_DEEP = rf"<{_BAR}tool{_LOW}"

_BETWEEN = re.compile(r"[\s,;]*(?=\{)")

TAGGED: Final = {
    "tool_request": r"\[TOOL_REQUEST\]\s*(?=[\[{])",
    "tool_call": r"<(?:tool_calls?|function_call)>\s*(?:```(?:json)?\s*)?(?=[\[{])",
    "tools": r"<tools>\s*(?:```(?:json)?\s*)?(?=[\[{])",
    "special_tool_call": r"<\|tool_call\|>\s*(?=[\[{])",
    "mistral_list": r"\[TOOL_CALLS\]\s*(?=[\[{])",
    "llama": r"<\|python_tag\|>\s*(?=[\[{])",
    "command": r"<\|START_ACTION\|>\s*(?=[\[{])",
}
"""What opens a block of objects with name and arguments, by family."""

NAMED: Final = {
    "mistral": rf"\[TOOL_CALLS\]\s*(?P<N>{_NAME})\s*(?:\[CALL_ID\]\w{{1,40}}\s*)?(?:\[ARGS\]\s*)?(?=\{{)",
    "harmony": (
        r"(?:<\|start\|>assistant\s*)?(?:<\|channel\|>\s*)?(?:commentary\s+|analysis\s+)?"
        rf"to=functions\.(?P<N>{_NAME})(?:<\|[a-z]{{1,12}}\|>|json|code|commentary|analysis|\s){{0,12}}(?=\{{)"
    ),
    "gemma": rf"<\|tool_call>\s*call:(?P<N>{_NAME})\s*(?=\{{)",
    "deepseek": (
        rf"(?:{_DEEP}calls{_LOW}begin{_BAR}>\s*)?{_DEEP}call{_LOW}begin{_BAR}>\s*(?:function{_DEEP}sep{_BAR}>\s*)?"
        rf"(?P<N>{_NAME})\s*(?:{_DEEP}sep{_BAR}>\s*)?(?:```(?:json)?\s*)?(?=\{{)"
    ),
    "kimi": (
        r"(?:<\|tool_calls_section_begin\|>\s*)?<\|tool_call_begin\|>\s*"
        rf"(?P<N>{_NAME})\s*<\|tool_call_argument_begin\|>\s*(?=\{{)"
    ),
}
"""What opens the arguments of one call, whose name is the group ``N``, by family."""

_CLOSING = re.compile(
    r"[\s}\]]*(?:```\s*)?(?:"
    r"\[END_TOOL_REQUEST\]|</(?:tool_calls?|function_call|tools)>|<\|/tool_call\|>|<\|END_ACTION\|>"
    r"|<\|(?:call|eom_id|eot_id|im_end)\|>|<tool_call\|>"
    r"|<\|tool_call_end\|>(?:\s*<\|tool_calls_section_end\|>)?"
    rf"|{_DEEP}call{_LOW}end{_BAR}>(?:\s*{_DEEP}calls{_LOW}end{_BAR}>)?"
    r")"
)
_ANY_CLOSING = re.compile(r"\[END_TOOL_REQUEST\]|</(?:tool_calls?|function_call|tools)>|<tool_call\|>|<\|call\|>")
_SINGLE_QUOTED: Final = frozenset(("tool_call", "tools", "special_tool_call", "gemma"))
"""Families in which models write Python's quotes, having learned from printed dictionaries."""


def read_tagged(text: str, opening: re.Match[str], offered: Offered) -> Block:
    """One or more objects or lists, each with its name."""
    quotes = "\"'" if opening.lastgroup in _SINGLE_QUOTED else '"'
    value, end = _value(text, opening.end(), quotes)
    calls = [*offered.calls(value)]
    while more := _BETWEEN.match(text, end):
        value, end = read_loose(text, more.end(), quotes=quotes)
        calls += offered.calls(value)
    return Block(calls=tuple(calls), end=_after(text, end))


def read_named(text: str, opening: re.Match[str], offered: Offered) -> Block:
    """The arguments of one call."""
    family = str(opening.lastgroup)
    name = opening[f"{family}_name"]
    offered.find(name)
    value, end = _value(text, opening.end(), "\"'" if family in _SINGLE_QUOTED else '"')
    return Block(calls=(offered.call(name, value),), end=_after(text, end))


def _value(text: str, at: int, quotes: str) -> tuple[object, int]:
    """The value there; one that cannot be read is read again up to its closing mark, and closed there."""
    try:
        return read_loose(text, at, quotes=quotes)
    except ValueError:
        closing = _ANY_CLOSING.search(text, at)
        if closing is None:
            raise
        value, _ = read_loose(text[at : closing.start()], quotes=quotes, close=True)
        return value, closing.start()


def _after(text: str, end: int) -> int:
    closing = _CLOSING.match(text, end)
    return closing.end() if closing else end
