"""Errors of a run in the words of hosts: what is an option on a command line is an argument of a tool."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from runner.words.diagnostics import Diagnostic
from runner.words.errors import BridgeError, CannotServeError, UsageError, WorkflowError

_SAID: Final = (
    (re.compile(r"`--answer ([^`=]*)=([^`]*)`"), r"`answers: {\1: \2}`"),
    (re.compile(r"`--model ([^`=]*)=([^`]*)`"), r"`models: {\1: \2}`"),
    (re.compile(r"`--model ([^`=]*)`"), r"`model: \1`"),
    (re.compile(r"the file of `--inputs`"), "`inputs`"),
    (re.compile(r"`-i ([^`=]*)=…`"), r"`inputs: {\1: …}`"),
    (re.compile(r"leave the option out"), "leave `answers` out"),
)
_TOLD: Final = frozenset({UsageError, WorkflowError, CannotServeError})
"""Classes that are made of nothing but what is said; the others come from further inside."""


def in_arguments(error: BridgeError) -> BridgeError:
    """The same error, for who has given arguments and never saw a command line."""
    if type(error) not in _TOLD:
        return error
    if isinstance(error, WorkflowError):
        return type(error)([_finding(one) for one in error.diagnostics], hint=_words(error.hint))
    return UsageError(_words(error.message) or "", hint=_words(error.hint))


def _finding(finding: Diagnostic) -> Diagnostic:
    return replace(finding, message=_words(finding.message) or "", help=_words(finding.help))


def _words(text: str | None) -> str | None:
    for option, argument in _SAID:
        text = text and option.sub(argument, text)
    return text
