"""Telling a person what is wrong, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from runner.app.console import tell
from runner.show.problems import render, render_error
from runner.words.diagnostics import Diagnostic
from runner.words.errors import BridgeError, WorkflowError


def tell_error(error: BridgeError, *, colour: bool) -> None:
    """Show an error on stderr: findings with their place in the file where it has them."""
    if isinstance(error, WorkflowError) and error.diagnostics:
        tell_findings(error.diagnostics, colour=colour)
    else:
        tell(render_error(error, colour=colour))


def error_text(error: BridgeError) -> str:
    """The same as a text, without colours."""
    if isinstance(error, WorkflowError) and error.diagnostics:
        return render(error.diagnostics, source_reader())
    return render_error(error)


def tell_findings(findings: Sequence[Diagnostic], *, colour: bool) -> None:
    """Show findings on stderr, each with the words of the file that it is about."""
    if findings:
        tell(render(findings, source_reader(), colour=colour))


def source_reader() -> Callable[[str], str | None]:
    """Reads files for excerpts, each once; None for what cannot be read as text."""

    @lru_cache(maxsize=256)
    def source(file: str) -> str | None:
        try:
            return Path(file).read_text("utf-8-sig", errors="replace")
        except OSError:
            return None

    return source
