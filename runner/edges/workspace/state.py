"""What the workspaces of both kinds share: what is remembered of one, who uses it, and errors in words."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field, fields
from pathlib import Path
from typing import Any, Self

from runner.edges.workspace.git import GitError
from runner.edges.workspace.tree_copy import remove_tree
from runner.words.errors import HistoryError, OutsideError
from runner.words.noun import noun

FILES = "workspace"
"""The name of the workspace in the folder of its run."""
_STATE = "workspace.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@noun
class State:
    """What must be known of a workspace to go on with it.

    ``top`` and ``prefix`` are those of the folder where bridge-run was started, see ``git.Checkout``; ``base`` is the
    commit or tree that changes are counted from. ``kept``: its run is to go on, so nobody removes it. ``inner``: where
    the paths of a patch begin if the folder only happens to lie in the repository of ``top``. ``git_dir``: what the
    repository keeps of a worktree. ``links`` were rewritten: path → what it said, what it says.
    """

    kind: str
    top: str
    prefix: str
    base: str
    kept: bool = False
    inner: str = ""
    git_dir: str = ""
    links: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, run_folder: Path) -> Self | None:
        """The state in the folder of a run; None if there is none, or none that can be read."""
        try:
            data: dict[str, Any] = json.loads((run_folder / _STATE).read_bytes())
            return cls(**data)
        except (OSError, ValueError, TypeError):
            return None

    def write(self, run_folder: Path) -> None:
        """Store it; whoever reads sees all of it or nothing.

        Raises:
            OSError: it cannot be written.
        """
        path, draft = run_folder / _STATE, run_folder / f".{_STATE}.new"
        text = json.dumps({one.name: getattr(self, one.name) for one in fields(self)}, indent=2)
        draft.write_text(text + "\n", encoding="ascii")
        draft.replace(path)


class Claim:
    """The use of a workspace by a living run: a locked file, which the system unlocks however the run ends."""

    def __init__(self, run_folder: Path) -> None:
        """Take it.

        Raises:
            BlockingIOError: another program has it.
            OSError: the file cannot be made.
        """
        self._file = os.open(run_folder / "workspace.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _lock(self._file)
        except BlockingIOError:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Give it back; may be called twice."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _lock(file: int) -> None:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return  # a disk on which files cannot be locked: nobody is kept out


@contextmanager
def opening(*half_made: Path) -> Iterator[None]:
    """Whatever ends the making of a workspace, what is half-made goes; errors come in words.

    Raises:
        OutsideError: of any ``OSError`` or ``GitError``.
    """
    try:
        yield
    except BaseException as error:
        for path in half_made:
            with suppress(OSError):
                remove_tree(path)
        if isinstance(error, BlockingIOError):
            raise OutsideError("the workspace of this run is used by another bridge-run") from error
        if isinstance(error, OSError):
            raise OutsideError(f"the workspace cannot be made: {_said(error)}", hint=_way(error)) from error
        if isinstance(error, GitError):
            raise OutsideError(f"the workspace cannot be made: {error}", hint=_git_way(error)) from error
        raise


@contextmanager
def finishing(patch: Path, files: Path) -> Iterator[None]:
    """Errors of the making of a patch, in words.

    Raises:
        HistoryError: of any ``OSError`` or ``GitError``.
    """
    try:
        yield
    except (OSError, GitError) as error:
        said = _said(error) if isinstance(error, OSError) else str(error)
        raise HistoryError(f"cannot write `{patch}`: {said}", hint=f"the changed files are in `{files}`") from error


def first_named(paths: Sequence[str], most: int = 3) -> str:
    """The first few of some paths, and how many there are besides: ```a`, `b`, `c` and 4 more``."""
    named = ", ".join(f"`{os.fsencode(path).decode('utf-8', 'backslashreplace')}`" for path in paths[:most])
    return named if len(paths) <= most else f"{named} and {len(paths) - most} more"


def _said(error: OSError) -> str:
    if error.errno in _FULL:
        return "the disk is full"
    place = f"`{os.fsdecode(error.filename)}`: " if error.filename else ""
    return f"{place}{(error.strerror or str(error)).lower()}"


def _way(error: OSError) -> str | None:
    if error.errno in _FULL:
        return "free some space, or write `workspace: worktree`, which holds only what is committed"
    if isinstance(error, PermissionError):
        return "make it readable for you, or let git ignore it: then it is left out"
    return None


def _git_way(error: GitError) -> str | None:
    return "install git; the patch at the end is made with it" if "not installed" in str(error) else None
