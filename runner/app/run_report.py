"""What is said when a run has ended: to people on stderr, to machines on stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from runner.app.console import say, tell
from runner.app.find_run import resume_command
from runner.app.request import RunRequest
from runner.edges.workspace import Workspace
from runner.show.result_view import closing_text, outputs_text, result_json
from runner.words.errors import HistoryError


def report_run(
    outcome: Mapping[str, Any], place: str, request: RunRequest, *, told: bool, colour: bool, changes: str | None
) -> None:
    """How it ended, to stderr unless it is ``told`` already or is to be quiet; the outputs, or the whole result, to
    stdout. ``place`` is where the journal is, ``changes`` what became of a workspace.
    """
    to_tell = not request.quiet and not told
    on_terminal = sys.stderr.isatty()
    if to_tell:
        gap = "\n" if on_terminal else ""  # between the progress and the end
        resume = resume_command(outcome["run"], request.run_dir)
        tell(gap + closing_text(outcome, journal=place, colour=colour, resume=resume))
        if changes is not None:
            tell(changes)
    if request.output == "json":
        text = result_json(outcome)
    else:
        text = outputs_text(outcome) if outcome["status"] == "succeeded" else ""
    if to_tell and text and on_terminal and sys.stdout.isatty():
        tell("\n")
    say(text)


def end_workspace(workspace: Workspace | None, *, succeeded: bool) -> str | None:
    """Write what was changed, and say how to apply it. The files stay for a run that may go on."""
    if workspace is None:
        return None
    from runner.edges.patch import closing_words

    try:
        words = closing_words(workspace.finish())
    except HistoryError as error:
        workspace.close(keep=True)
        return f"changes: could not be written ({error.message}); the files are in {workspace.folder}"
    workspace.close(keep=not succeeded)
    return words
