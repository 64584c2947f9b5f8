"""``workspace: worktree``: what was last committed, in a worktree of the repository.

Its branches and commits are those of the repository, its files are not. What a step commits is in the patch like what
it leaves uncommitted.
"""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runner.edges.workspace.git import Checkout, Git, GitError, find_checkout
from runner.edges.workspace.own_repository import add_all
from runner.edges.workspace.patch import NAME, Patch, write_patch
from runner.edges.workspace.state import FILES, Claim, State, finishing, first_named, opening
from runner.edges.workspace.tree_copy import remove_tree
from runner.words.errors import HistoryError, OutsideError

_REASON = "in use by bridge-run"
"""What ``git worktree list`` says of ours; nobody removes one by mistake."""


class WorktreeWorkspace:
    """A ``workspace.Workspace`` that is a worktree."""

    def __init__(self, run_folder: Path, state: State, claim: Claim, warnings: tuple[str, ...] = ()) -> None:
        self.top = (run_folder / FILES).resolve()
        self.folder = self.top / state.prefix
        self.warnings = warnings
        self._run_folder = run_folder
        self._state = state
        self._claim = claim

    def finish(self) -> Patch | None:
        """As promised in ``workspace.Workspace``."""
        path = self._run_folder / NAME
        scratch = (self._run_folder / "changes.tmp").resolve()
        with finishing(path, self.top):
            try:
                remove_tree(scratch)
                git = self._scratch_git(scratch)
                self.warnings += add_all(git)
                state = self._state
                before, after = git.text("rev-parse", f"{state.base}^{{tree}}"), git.text("write-tree")
                return write_patch(git, before, after, path, top=Path(state.top), prefix=state.prefix)
            finally:
                remove_tree(scratch)

    def close(self, *, keep: bool = False) -> None:
        """As promised in ``workspace.Workspace``."""
        try:
            if keep:
                replace(self._state, kept=True).write(self._run_folder)
                return
            _unregister(Path(self._state.top), self.top, self._state.git_dir)
        except OSError as error:
            self.warnings += (f"the worktree `{self.top}` cannot be removed: {error.strerror}",)
        finally:
            self._claim.release()

    def _scratch_git(self, scratch: Path) -> Git:
        """Git with an index and new objects of its own: what a step has in the index stays, the repository too."""
        own = Path(self._state.git_dir)
        objects = Git(own, {"GIT_DIR": str(own)}).text("rev-parse", "--git-path", "objects")
        (scratch / "objects").mkdir(parents=True)
        settings = {
            "GIT_DIR": str(own),
            "GIT_WORK_TREE": str(self.top),
            "GIT_INDEX_FILE": str(scratch / "index"),
            "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((own / objects).resolve()),
        }
        git = Git(self.top, settings)
        try:
            shutil.copyfile(own / "index", scratch / "index")  # knows what is tracked although it is ignored
        except FileNotFoundError:
            git.text("read-tree", self._state.base)
        return git


def open_worktree(source: Path, run_folder: Path, stop: threading.Event | None) -> WorktreeWorkspace:
    """As ``workspace.open_workspace``. What killed runs left is removed; their changes become patches."""
    state = State.read(run_folder)
    if state is not None:
        return _reopened(run_folder, state, stop)
    files = run_folder / FILES
    with opening():
        checkout = find_checkout(source, stop)
        if checkout is None:
            raise OutsideError(
                f"`workspace: worktree` needs a git repository, and `{source.resolve()}` is in none",
                hint="write `workspace: copy`, which needs none",
            )
        base = _commit(checkout, stop)
        warnings = _sweep(checkout.top)
        claim = Claim(run_folder)
        try:
            git_dir = _add(Git(checkout.top, stop=stop), files, base)
            try:
                warnings += _missing(checkout, files, stop)
                state = State(
                    kind="worktree", top=str(checkout.top), prefix=checkout.prefix, base=base, git_dir=git_dir
                )
                state.write(run_folder)
            except BaseException:
                _unregister(checkout.top, files.resolve(), git_dir)
                raise
        except BaseException:
            claim.release()
            raise
    return WorktreeWorkspace(run_folder, state, claim, tuple(warnings))


def _commit(checkout: Checkout, stop: threading.Event | None) -> str:
    """The commit that the worktree begins with."""
    git = Git(checkout.top, stop=stop)
    try:
        base = git.text("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except GitError as error:
        raise OutsideError(
            f"`workspace: worktree` works on the last commit, and `{checkout.top}` has none yet",
            hint="commit something, or write `workspace: copy`",
        ) from error
    if checkout.prefix and not git.output("ls-tree", "-d", base, "--", checkout.prefix.rstrip("/")):
        raise OutsideError(
            f"the folder `{checkout.prefix}` where bridge-run was started is not in the last commit",
            hint="commit it, or write `workspace: copy`",
        )
    return base


def _add(git: Git, files: Path, base: str) -> str:
    """Make the worktree; the folder that the repository keeps for it."""
    place = files.resolve()
    try:
        git.text("worktree", "add", "--quiet", "--detach", str(place), base)
        git.text("worktree", "lock", "--reason", _REASON, str(place))
        return str((place / Git(place).text("rev-parse", "--git-dir")).resolve())
    except BaseException:
        with suppress(OSError):
            _unregister(git.folder, place, "")
        raise


def _reopened(run_folder: Path, state: State, stop: threading.Event | None) -> WorktreeWorkspace:
    files, patch = run_folder / FILES, run_folder / NAME
    with opening():
        claim = Claim(run_folder)
        try:
            if not files.is_dir():  # swept away after its run was killed; the patch has all that was changed
                git_dir = _add(Git(Path(state.top), stop=stop), files, state.base)
                state = replace(state, git_dir=git_dir)
                if patch.exists():
                    Git(files, stop=stop).text("apply", "--whitespace=nowarn", str(patch.resolve()))
            state = replace(state, kept=False)
            state.write(run_folder)
        except BaseException:
            claim.release()
            raise
    return WorktreeWorkspace(run_folder, state, claim)


def _missing(checkout: Checkout, files: Path, stop: threading.Event | None) -> list[str]:
    """Warnings: what is here and not in the worktree."""
    warnings = []
    lines = Git(checkout.top, stop=stop).paths("status", "--porcelain", "-z", "--no-renames")
    changed = [line[3:] for line in lines if not files.resolve().is_relative_to(checkout.top / line[3:])]
    if changed:
        what = "1 change is" if len(changed) == 1 else f"{len(changed)} changes are"
        warnings.append(f"{what} not committed and so not in the worktree: {first_named(changed)}")
    if (files / ".gitmodules").exists():
        warnings.append("submodules are empty in a worktree; `git submodule update --init` fills them")
    return warnings


def _sweep(top: Path) -> list[str]:
    """Remove the worktrees of runs that were killed; what they changed is saved first."""
    warnings = []
    for place, reason in _worktrees(top):
        if reason != _REASON:
            continue
        run_folder = place.parent
        state = State.read(run_folder)
        if not place.exists() or state is None:
            if not place.exists():
                _unregister(top, place, "")  # somebody removed the run's folder
            continue
        if state.kept:
            continue
        with suppress(BlockingIOError):  # its run is alive
            left = WorktreeWorkspace(run_folder, state, Claim(run_folder))
            try:
                patch = left.finish()
            except HistoryError as error:
                left.close(keep=True)
                warnings.append(f"an earlier run left the worktree `{place}`: {error}")
                continue
            left.close()
            if patch is not None:
                warnings.append(f"an earlier run was killed; what it had changed is in `{patch.path}`")
    return warnings


def _worktrees(top: Path) -> list[tuple[Path, str]]:
    """The worktrees of a repository, and why they are locked."""
    found = []
    for block in Git(top).text("worktree", "list", "--porcelain").split("\n\n"):
        facts = dict(line.partition(" ")[::2] for line in block.splitlines())
        if "worktree" in facts:
            found.append((Path(facts["worktree"]), facts.get("locked", "")))
    return found


def _unregister(top: Path, place: Path, git_dir: str) -> None:
    """Remove the files of a worktree, and what the repository knows of it.

    Raises:
        OSError: something cannot be removed.
    """
    remove_tree(place)
    try:
        Git(top).text("worktree", "remove", "--force", "--force", str(place))
    except GitError:
        own = Path(git_dir or os.devnull)  # a step may have made git blind for it
        if own.parent.name == "worktrees":
            remove_tree(own)
