"""Tool calls written as Python: the ``tool_code`` of Gemma 3 and the lists of LFM 2. The code is read, never run."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any, Final

from runner.chat.loose_json import UnfinishedError
from runner.chat.messages import ToolSpec
from runner.chat.written_call import Block, Offered, WrittenCall
from runner.words.json_text import read_json

OPENINGS: Final = {
    "tool_code": r"```tool_code[ \t]*\n",
    "lfm": r"<\|tool_call_start\|>",
}
_ENDS: Final = {"tool_code": re.compile(r"\n?[ \t]*```"), "lfm": re.compile(r"<\|tool_call_end\|>")}
_LONGEST: Final = 200_000
"""Characters of code that are read."""
_NESTED = re.compile(r"[-+~.*/]{40}|(?:\bnot\s+){40}|(?:\.\w+){40}|(?:[-+*/<>=]\s*\w+\s*){200}|(?:[(\[{]\s*){40}")
"""Code so deep that the interpreter would rather not read it; no call looks like that."""


def read_python(text: str, opening: re.Match[str], offered: Offered) -> Block:
    """One or more calls, each an expression of its own, printed, assigned or in a list."""
    end = _ENDS[str(opening.lastgroup)].search(text, opening.end())
    if end is None:
        raise UnfinishedError("the code is not closed")
    code = text[opening.end() : end.start()].strip()
    return Block(calls=_calls(code, offered), end=end.end())


def _calls(code: str, offered: Offered) -> tuple[WrittenCall, ...]:
    if code.startswith(("{", "[{", "[ {")):
        return offered.calls(read_json(code))
    found = tuple(_call(node, offered) for node in _expressions(_parse(code)))
    if not found:
        raise ValueError("there is no call")
    return found


def _parse(code: str) -> ast.Module:
    without_texts = re.sub(r"""(["'])(?:\\.|(?!\1)[^\\])*\1""", "''", code, flags=re.DOTALL)
    if len(code) > _LONGEST or _NESTED.search(without_texts):
        raise ValueError("it is too deep")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in a text of the model is no matter of ours
            return ast.parse(code)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("it is no Python") from error


def _expressions(module: ast.Module) -> Iterator[ast.expr]:
    for statement in module.body:
        if not isinstance(statement, ast.Expr | ast.Assign):
            raise ValueError("it is more than calls")  # noqa: TRY004 - one kind for all that is no call
        value = statement.value
        yield from value.elts if isinstance(value, ast.List | ast.Tuple) else (value,)


def _call(node: ast.expr, offered: Offered) -> WrittenCall:
    if not isinstance(node, ast.Call):
        raise ValueError("it is no call")  # noqa: TRY004 - as above
    name = ast.unparse(node.func)
    if name == "print" and len(node.args) == 1:
        return _call(node.args[0], offered)
    tool = offered.find(name)
    return WrittenCall(name=tool.name, arguments=_arguments(node, tool))


def _arguments(node: ast.Call, tool: ToolSpec) -> dict[str, Any]:
    """By keyword; those without are named in the order of the tool's schema."""
    names = list(tool.parameters.get("properties") or ())
    if len(node.args) > len(names):
        raise ValueError("it has more arguments than the tool")
    given = dict(zip(names, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ValueError("it is no plain call")
        given[keyword.arg] = keyword.value
    arguments = {name: _literal(value) for name, value in given.items()}
    json.dumps(arguments, allow_nan=False)
    return arguments


def _literal(node: ast.expr) -> Any:
    """A literal; the words of JSON count as such.

    Raises:
        ValueError, TypeError: it is something to be computed, or no JSON.
    """
    if isinstance(node, ast.Name) and node.id in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[node.id]
    return ast.literal_eval(node)
