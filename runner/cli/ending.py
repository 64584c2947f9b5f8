"""How a command line ends that did not end well: words on stderr, and the exit code."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence

import click

from runner import __version__
from runner.app.console import allows_colour, leave_quietly, tell
from runner.app.problem import tell_error
from runner.words.errors import BridgeError
from runner.words.exits import Exit

REPORT_TO = "please report it with that file, after a look for what is private"


def ending(error: BaseException, arguments: Sequence[str]) -> int:
    """Tell what happened and give the exit code; never raises."""
    error = _single(error)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        tell("interrupted")
        return Exit.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        leave_quietly(sys.stdout)
        return Exit.OK
    if isinstance(error, BridgeError):
        colour = "--no-color" not in arguments
        tell_error(error, colour=allows_colour(sys.stderr, os.environ, wanted=colour))
        return error.exit_code
    return _bug(error, arguments)


def _single(error: BaseException) -> BaseException:
    """The one exception that a task group wrapped; a group of several stays one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _bug(error: BaseException, arguments: Sequence[str]) -> int:
    summary = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    story = "\n".join((
        f"bridge-run {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"options: {' '.join(_names_of_options(arguments))}",
        "",
        *traceback.format_exception(error),
    ))  # fmt: skip
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="bridge-run-bug-", suffix=".txt", delete=False, errors="backslashreplace"
        ) as file:
            file.write(story)
    except OSError:
        tell(story)
        tell(f"error: a bug in bridge-run: {summary}\n  help: please report it with the text above")
        return Exit.BUG
    tell(f"error: a bug in bridge-run: {summary}\n  the whole story is in {file.name}\n  help: {REPORT_TO}")
    return Exit.BUG


def _names_of_options(arguments: Sequence[str]) -> list[str]:
    """The verbs and options without their values, which may hold what is private."""
    return [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
