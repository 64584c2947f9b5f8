"""The workspace of a run that does not work in place, from its opening to the patch at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.app.console import tell
from runner.plan.finding import finding
from runner.words.errors import HistoryError, OutsideError, WorkspaceError
from runner.workflow.model import Workflow

if TYPE_CHECKING:
    from runner.edges.workspace.workspace import Workspace


def environment_of(workflow: Workflow, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of a run: in a workspace git must not be led back to where a hook started us."""
    if workflow.workspace == "here":
        return environment
    from runner.edges.workspace.git import without_place

    return without_place(environment)


async def open_workspace(workflow: Workflow, source: Path, run_folder: Path) -> Workspace:
    """A copy or worktree of ``source``, as the file says.

    Raises:
        WorkspaceError: there can be none here (BR406).
    """
    from runner.edges.workspace.workspace import opened_workspace  # few runs have one

    assert workflow.workspace != "here", "then nothing is opened"
    try:
        workspace = await opened_workspace(workflow.workspace, source, run_folder)
    except OutsideError as error:
        found = finding(workflow, "BR406", ("workspace",), error.message, help=error.hint)
        raise WorkspaceError((found,)) from error
    _warn(workspace, 0)
    return workspace


def end_workspace(workspace: Workspace | None, *, succeeded: bool) -> str | None:
    """Write what was changed, and say how to apply it. The files stay for a run that may go on."""
    if workspace is None:
        return None
    from runner.edges.workspace.patch import closing_words

    told = len(workspace.warnings)
    try:
        words = closing_words(workspace.finish())
    except HistoryError as error:
        workspace.close(keep=True)
        return f"changes: could not be written ({error.message}); the files are in {workspace.folder}"
    workspace.close(keep=not succeeded)
    _warn(workspace, told)
    return words


def _warn(workspace: Workspace, told: int) -> None:
    """Tell the warnings that came after the first ``told``."""
    for warning in workspace.warnings[told:]:
        tell(f"warning: {warning}")
