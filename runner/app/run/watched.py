"""A run on the command line that is watched: what it needs around it, and what a log is told instead of people."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from runner.app.console import tell
from runner.app.request import ResumeRequest, RunRequest, WatchOptions
from runner.app.run.answers import Ask
from runner.app.run.story import Audience, RunEnd
from runner.app.watch import Watch, unknown_exporter, wants_traces, watching
from runner.edges.log import log_event
from runner.edges.run_folder import JOURNAL
from runner.show.progress import Display
from runner.words.diagnostics import Diagnostic
from runner.words.errors import BridgeError, WorkflowError

Request = TypeVar("Request", RunRequest, ResumeRequest)


def is_watched(options: WatchOptions, environment: Mapping[str, str]) -> bool:
    """Whether anybody asks to be told more than people read on the terminal."""
    return options != WatchOptions() or wants_traces(environment) or unknown_exporter(environment) is not None


def run_watched(request: Request, work: Callable[[Request], int]) -> int:
    """Have the work done, and watched where somebody asks for it; its exit code.

    Raises:
        BridgeError: as ``work`` does, unless it was logged; as ``watching`` does.
    """
    if not is_watched(request.watch, os.environ):
        return work(request)
    with watching(request.watch, os.environ, complain=teller(request.watch)) as watch:
        return _watched_by(watch, request, work)


def _watched_by(watch: Watch, request: Request, work: Callable[[Request], int]) -> int:
    if watch.metrics_url is not None and not request.quiet:
        teller(request.watch)(f"metrics at {watch.metrics_url}")
    as_json = request.watch.log_format == "json"
    asked = replace(request, watchers=(*request.watchers, *watch.listeners), quiet=request.quiet or as_json)
    if not as_json:
        return work(asked)
    try:
        return work(asked)
    except BridgeError as error:
        log_error(error)
        return error.exit_code


def teller(options: WatchOptions) -> Callable[[str], None]:
    """Who tells people what is no fact of a run: stderr, or the log in its place."""
    return log_text if options.log_format == "json" else tell


def log_text(text: str) -> None:
    """Log a line for people; one that begins with ``warning:`` is one."""
    words = text.removeprefix("warning: ")
    if words != text:
        log_event("warning", "warning", message=words)
    else:
        log_event("told", "info", message=text)


def log_error(error: BridgeError) -> None:
    """Log why the work could not be done: the error, or each finding where it has them."""
    if isinstance(error, WorkflowError) and error.diagnostics:
        log_findings(error.diagnostics)
    log_event("error", "error", **{key: value for key, value in error.to_dict().items() if value is not None})


def log_findings(findings: Sequence[Diagnostic]) -> None:
    """Log findings of files, each with its place."""
    for one in findings:
        log_event(
            "finding",
            "error" if one.level == "error" else "warning",
            code=one.code,
            file=one.file,
            line=one.span and one.span.line,
            column=one.span and one.span.column,
            message=one.message,
            help=one.help,
        )


class Log:
    """An audience that logs what ``console`` would tell people; the outputs go to stdout as ever."""

    def __init__(self, console: Audience) -> None:
        self._console = console

    def tell(self, text: str) -> None:
        """As a line of its own."""
        log_text(text)

    def warn(self, findings: Sequence[Diagnostic]) -> None:
        """Each on its own."""
        log_findings(findings)

    def display(self) -> Display:
        """None, as it is to be quiet."""
        return self._console.display()

    def asks(self, display: Display) -> Ask | None:  # noqa: ARG002  of the protocol
        """Nobody: a question would be no line of a log."""
        return None

    def report(self, end: RunEnd) -> None:
        """Where all of it can be read."""
        self._console.report(end)
        log_event("run_reported", "info", run=end.outcome["run"], journal=f"{end.folder}/{JOURNAL}")
        if end.changes is not None:
            log_event("workspace", "info", run=end.outcome["run"], message=end.changes)
