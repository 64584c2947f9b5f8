"""What is said when a run has ended: to people on stderr, to machines on stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol

from runner.app.again import replay_command
from runner.app.console import say, tell
from runner.app.find_run import resume_command
from runner.app.request import RunRequest
from runner.show.result_view import closing_text, outputs_text, result_json


class Report(Protocol):
    """Tells how a run ended, as ``report_run`` does."""

    def __call__(
        self,
        outcome: Mapping[str, Any],
        place: str,
        request: RunRequest,
        *,
        told: bool,
        colour: bool,
        changes: str | None,
    ) -> None:
        """``outcome`` is the object of ``result.json``; ``told``: what went wrong is told already."""


def report_run(
    outcome: Mapping[str, Any], place: str, request: RunRequest, *, told: bool, colour: bool, changes: str | None
) -> None:
    """How it ended, to stderr unless it is ``told`` already; the outputs, or the whole result, to stdout.

    To be quiet means to say nothing of a success, and nothing at all where machines are told all of it. ``place`` is
    where the journal is, ``changes`` what became of a workspace.
    """
    for_machines = request.output == "json" or request.watch.log_format == "json"
    silent = request.quiet and (for_machines or outcome["status"] == "succeeded")
    to_tell = not silent and not told
    on_terminal = sys.stderr.isatty()
    if to_tell:
        gap = "\n" if on_terminal else ""  # between the progress and the end
        resume = resume_command(outcome["run"], request.run_dir)
        if request.replay is not None:  # which is run from its beginning again, at once
            resume = replay_command(request)
        resumable = request.replay is None  # that is run again, from the beginning
        tell(gap + closing_text(outcome, journal=place, colour=colour, resume=resume, resumable=resumable))
        if changes is not None:
            tell(changes)
    if request.output == "json":
        text = result_json(outcome)
    else:
        text = outputs_text(outcome) if outcome["status"] == "succeeded" else ""
    if to_tell and text and on_terminal and sys.stdout.isatty():
        tell("\n")
    say(text)
