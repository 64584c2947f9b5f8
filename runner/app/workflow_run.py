"""A run as a test in Python sees it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from runner.app.cases.judge import calls_made
from runner.app.cases.play import CasePlayed, given_stubs, play_workflow
from runner.words.errors import UsageError


class WorkflowRun:
    """How a run ended. Its ``repr`` is its snapshot, so that a comparison that fails reads well.

    ``status`` is that of the run, ``outputs`` are the workflow's, ``steps`` map ids to what ``result.json`` holds of
    them, ``calls`` are ``{tool: "server.tool", arguments: {…}}`` in the order of the file, ``error`` is None or
    ``{kind, message}``. ``unused`` says what of its recording nobody asked for, empty for nothing.
    """

    def __init__(self, played: CasePlayed) -> None:
        self.result: Mapping[str, Any] = played.result
        self.status: str = played.result["status"]
        self.exit_code: int = played.result["exit_code"]
        self.outputs: Mapping[str, Any] = played.result["outputs"]
        self.steps: Mapping[str, Mapping[str, Any]] = played.result["steps"]
        self.error: Mapping[str, str] | None = played.result["error"]
        self.warnings: tuple[str, ...] = tuple(played.result["warnings"])
        self.calls: tuple[Mapping[str, Any], ...] = tuple(
            {"tool": f"{call.server}.{call.tool}", "arguments": call.arguments}
            for call in calls_made(played.result, played.entries)
        )
        self.unused: str = played.unused
        self.snapshot: str = played.picture

    def __repr__(self) -> str:
        return self.snapshot


def run_workflow_once(
    file: str,
    inputs: Mapping[str, Any],
    *,
    stubs: Mapping[str, Any] | str | None = None,
    recording: str | None = None,
    answers: Mapping[str, str] | None = None,
) -> WorkflowRun:
    """Run a workflow without models, tools and commands; what has no stub is made up.

    Raises:
        WorkflowError: the workflow, the stubs or the recording are at fault.
        UsageError: an input or an answer is wrong, a file is not there, or stubs and a recording are given.
    """
    if stubs is not None and recording is not None:
        hint = "keep one of them: a run is either rehearsed or replayed"
        raise UsageError("`stubs` and `recording` exclude each other", hint=hint)
    played = play_workflow(
        file, inputs, os.environ, answers=answers or {}, stubs=given_stubs(stubs), recording=recording
    )
    return WorkflowRun(played)
