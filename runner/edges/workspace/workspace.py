"""Where a run works when not in place: on a copy of the folder, or on a worktree of its repository (``workspace:``).

What a run needs of it lies in its folder: ``workspace/`` with the files, ``workspace.json`` with what must be known to
go on with it later, ``workspace.lock``, which is locked as long as the run lives; at the end ``changes.patch``.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from runner.edges.workspace.patch import Patch

Kind = Literal["copy", "worktree"]


class Workspace(Protocol):
    """A workspace of a run. Its methods block: call them in a thread."""

    @property
    def folder(self) -> Path:
        """Where the steps work: what the folder is in which bridge-run was started. Absolute."""

    @property
    def top(self) -> Path:
        """The topmost folder of the workspace; ``folder`` is it or lies in it."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know, after opening and after ``finish``."""

    def finish(self) -> Patch | None:
        """Write all that was changed as a patch into the run's folder; None if nothing was. May be called again.

        Raises:
            HistoryError: it cannot be written. The files are still there.
        """

    def close(self, *, keep: bool = False) -> None:
        """Remove everything but the patch. With ``keep`` everything stays, for a run that is to go on later.

        Never raises; may be called twice.
        """


def open_workspace(kind: Kind, source: Path, run_folder: Path, *, stop: threading.Event | None = None) -> Workspace:
    """A workspace for what lies in ``source``, the folder where bridge-run was started; or again the one of a run that
    goes on. ``run_folder`` must exist; ``stop`` gives up.

    Raises:
        OutsideError: there can be none; nothing is left of it.
        Stopped: we were asked to stop; nothing is left of it.
    """
    if kind == "worktree":
        from runner.edges.workspace.worktree import open_worktree

        return open_worktree(source, run_folder, stop)
    from runner.edges.workspace.copy import open_copy

    return open_copy(source, run_folder, stop)


async def opened_workspace(kind: Kind, source: Path, run_folder: Path) -> Workspace:
    """As ``open_workspace``, in a thread. A cancellation gives it up, and waits until nothing is left of it."""
    stop = threading.Event()
    work = asyncio.ensure_future(asyncio.to_thread(open_workspace, kind, source, run_folder, stop=stop))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        while not work.done():  # the second Ctrl-C ends the program; another cancellation does not
            with suppress(asyncio.CancelledError):
                await asyncio.wait((work,))
        if work.exception() is None:
            work.result().close()
        raise
