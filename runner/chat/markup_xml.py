"""Tool calls written with a tag for each argument: Qwen 3 Coder, GLM, MiniMax, DeepSeek's DSML, and Llama's
``<function=…>`` around JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from runner.chat.arguments import typed
from runner.chat.loose_json import UnfinishedError, read_loose
from runner.chat.messages import ToolSpec
from runner.chat.written_call import Block, Offered, WrittenCall

_D = "(?:[|｜]DSML[|｜])?"

OPENINGS: Final = {
    "function": r"""(?:<tool_call>\s*)?<function=["']?(?P<N>[^>\s"']{1,128})["']?>""",
    "glm": r"<tool_call>\s*(?P<N>[\w.\-]{1,128})\s*(?=<arg_key>|</tool_call>)",
    "invoke": (
        rf"(?:<{_D}(?:minimax:tool_call|function_calls|tool_calls)>\s*)?"
        rf"""<{_D}invoke\s+name=["']?(?P<N>[^>\s"']{{1,128}})["']?\s*>"""
    ),
}
"""What opens a call, whose name is the group ``N``, by family."""

_PARAMETER = re.compile(
    rf"""\s*<{_D}parameter(?:=|\s+name=)["']?(?P<key>[^>"'\s]{{1,128}})["']?(?:\s+string=["']?\w+["']?)?\s*>"""
)
_PARAMETER_ENDS = re.compile(rf"</{_D}parameter>")
_CALL_ENDS = re.compile(rf"</(?:function|{_D}invoke)>")
_CLOSING = re.compile(
    rf"(?:\s*</(?:function|{_D}invoke)>)?(?:\s*</(?:tool_call|{_D}(?:minimax:tool_call|function_calls|tool_calls))>)?"
)
_PAIR = re.compile(r"\s*<arg_key>(?P<key>[^<]{1,200})</arg_key>\s*<arg_value>")
_PAIR_ENDS = re.compile(r"</arg_value>")


def read_function(text: str, opening: re.Match[str], offered: Offered) -> Block:
    """A call with a tag for each parameter, or with JSON in its middle."""
    tool = _tool(opening, offered)
    rest = text[opening.end() : opening.end() + 1_000].lstrip()
    if rest.startswith("{"):
        value, end = read_loose(text, opening.end())
        return Block(calls=(offered.call(tool.name, value),), end=_close(text, end))
    return _arguments(text, opening.end(), tool, _PARAMETER, _PARAMETER_ENDS)


def read_glm(text: str, opening: re.Match[str], offered: Offered) -> Block:
    """A call with a tag for each key and each value."""
    return _arguments(text, opening.end(), _tool(opening, offered), _PAIR, _PAIR_ENDS)


def _tool(opening: re.Match[str], offered: Offered) -> ToolSpec:
    return offered.find(opening[f"{opening.lastgroup}_name"])


def _arguments(text: str, at: int, tool: ToolSpec, key: re.Pattern[str], ends: re.Pattern[str]) -> Block:
    arguments = {}
    end = at
    for name, value, end in _pairs(text, at, key, ends):  # noqa: B007 - the last end is needed below
        arguments[name] = typed(value, tool.parameters, name)
    after = _close(text, end)
    if after == end and text[end:].strip():
        raise ValueError("it is no call: something else follows")
    if after == end:
        raise UnfinishedError("the call is not closed")
    return Block(calls=(WrittenCall(name=tool.name, arguments=arguments),), end=after)


def _pairs(text: str, at: int, key: re.Pattern[str], ends: re.Pattern[str]) -> Iterator[tuple[str, str, int]]:
    """Name, value and the place after it, of each argument. A value that is not closed ends with its call."""
    while begin := key.match(text, at):
        end = ends.search(text, begin.end())
        if end is None:
            closing = _CALL_ENDS.search(text, begin.end())
            if closing is None:
                raise UnfinishedError("a value is not closed")
            yield begin["key"].strip(), _value(text[begin.end() : closing.start()]), closing.start()
            return
        at = end.end()
        yield begin["key"].strip(), _value(text[begin.end() : end.start()]), at


def _value(text: str) -> str:
    """The value without the line breaks that set it apart from its tags."""
    return text.removeprefix("\n").removesuffix("\n")


def _close(text: str, end: int) -> int:
    closing = _CLOSING.match(text, end)
    return closing.end() if closing and closing[0].strip() else end
