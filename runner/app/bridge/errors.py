"""What goes wrong behind the desk, as hosts get it: structured, with words for those that read only text."""

from __future__ import annotations

import platform
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from runner import __version__
from runner.app.problem import error_text
from runner.chat.offer import Answered
from runner.show.findings.findings import finding_json
from runner.show.problems import render
from runner.words.errors import BridgeError, FailureKind, UsageError, WorkflowError
from runner.words.suggest import did_you_mean, nearest

_NO_MODEL = frozenset({"BR301", "BR302", "BR304"})
"""No server has it; none is named, and none or several are loaded; what is named only embeds."""
_HOST_FILE = "BR404"
OF_A_FILE = "workflow_"
"""How the name of a tool begins that runs a workflow file."""


class ToolNotFoundError(UsageError):
    """No tool of ours has that name; ``available_tools`` are those there are."""

    kind: FailureKind = "tool"
    facts = ("tool", "available_tools")

    def __init__(self, tool: str, available_tools: Sequence[str]) -> None:
        self.tool = tool
        self.available_tools = tuple(available_tools)
        super().__init__(f"there is no tool `{tool}`", hint=_instead(tool, self.available_tools))


def _instead(tool: str, tools: Sequence[str]) -> str:
    """What to do. Tools of workflow files come and go with them, and to run another one is no cure."""
    if not tool.startswith(OF_A_FILE):
        return did_you_mean(tool, tools) or f"there are {', '.join(tools)}"
    names = [name.removeprefix(OF_A_FILE) for name in tools if name.startswith(OF_A_FILE)]
    near = nearest(tool.removeprefix(OF_A_FILE), names, 1)
    tells = "`list_workflows` tells which files there are, and what is wrong with one that is no tool"
    return f"did you mean `{OF_A_FILE}{near[0]}`? {tells}" if near else tells


class ArgumentsError(UsageError):
    """Arguments do not fit a tool; ``problems`` are ``{argument, message}``, all of them at once."""

    facts = ("tool", "problems")

    def __init__(self, tool: str, problems: Sequence[Mapping[str, str]], *, hint: str) -> None:
        self.tool = tool
        self.problems = tuple(dict(one) for one in problems)
        said = "; ".join(f"`{one['argument']}`: {one['message']}" for one in self.problems)
        super().__init__(f"the arguments do not fit the tool `{tool}`: {said}", hint=hint)


def lacks_model(error: BaseException) -> bool:
    """Whether a workflow has no model that can answer, so that it helps to know which there are."""
    return isinstance(error, WorkflowError) and any(one.code in _NO_MODEL for one in error.diagnostics)


def failed(error: BaseException, **more: Any) -> Answered:
    """The answer of a call that failed: ``{error: {code, kind, message, hint, retryable, …}}``.

    Errors about a file have ``diagnostics``: ``{code, level, file, line, column, message, help, …}`` each. ``more``
    are further facts. What is no error of the family is a bug: its whole story goes into a file that the error names.
    """
    error = _single(error)
    if not isinstance(error, BridgeError):
        return _bug(error)
    said = error.to_dict() | more
    if isinstance(error, WorkflowError):
        said["diagnostics"] = [finding_json(one) for one in error.diagnostics]
        said["hint"] = said["hint"] or next(
            (one.help for one in error.diagnostics if one.message == error.message), None
        )
    return Answered(structured={"error": said}, text=_text(error), is_error=True)


def _text(error: BridgeError) -> str:
    """As a person sees it; but a line of a file of MCP servers may hold a token, which is nobody's here."""
    if isinstance(error, WorkflowError) and any(one.code == _HOST_FILE for one in error.diagnostics):
        return render(error.diagnostics, lambda _: None).strip()
    return error_text(error).strip()


def _single(error: BaseException) -> BaseException:
    """The one exception that a task group wrapped; a group of several stays one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _bug(error: BaseException) -> Answered:
    summary = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    said = {
        "code": "BUG",
        "kind": "bug",
        "message": f"a bug in bridge-run: {summary}",
        "hint": "please report it",
        "retryable": False,
    }
    file = _written(error)
    if file is not None:
        said |= {"hint": f"please report it with {file}, after a look for what is private", "file": file}
    return Answered(structured={"error": said}, text=f"error: {said['message']}\n  help: {said['hint']}", is_error=True)


def _written(error: BaseException) -> str | None:
    """The file with the whole story, None if it cannot be written."""
    about = f"bridge-run {__version__}, Python {platform.python_version()}, {platform.platform()}"
    story = "\n".join((about, "", *traceback.format_exception(error)))
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="bridge-run-bug-", suffix=".txt", delete=False, errors="backslashreplace"
        ) as file:
            file.write(story)
    except OSError:
        return None
    return file.name
