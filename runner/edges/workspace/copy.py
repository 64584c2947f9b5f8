"""``workspace: copy``: the folder as it is now, with what is not committed and what git ignores.

The patch comes from a repository of its own in the run's folder, ``changes.git``, that nobody else sees: there a file
is what it is, byte for byte, whatever the attributes and settings of the project make of it. Beside it, a copy of a
checkout has a repository that shares its history, so that git in the copy says what it says in the original and
nothing that a step does with git reaches the original.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runner.edges.workspace.git import CACHES, Checkout, Git, GitError, find_checkout
from runner.edges.workspace.own_repository import add_all, give_repository
from runner.edges.workspace.patch import NAME, Patch, write_patch
from runner.edges.workspace.state import FILES, Claim, State, finishing, first_named, opening
from runner.edges.workspace.tree_copy import TreeCopy, remove_tree
from runner.words.errors import OutsideError

_ATTRIBUTES = "* -text -ident -filter -working-tree-encoding !diff !merge\n"
"""No attribute of the project counts: files are compared as they are."""


class CopyWorkspace:
    """A ``workspace.Workspace`` that is a copy."""

    def __init__(self, run_folder: Path, state: State, claim: Claim, warnings: tuple[str, ...]) -> None:
        self.top = (run_folder / FILES).resolve()
        self.folder = self.top / state.prefix
        self.warnings = warnings
        self._run_folder = run_folder
        self._state = state
        self._claim = claim

    def finish(self) -> Patch | None:
        """As promised in ``workspace.Workspace``."""
        path = self._run_folder / NAME
        with finishing(path, self.top):
            git = Git(self.top, _changes(self._run_folder, self.top))
            nested = add_all(git)
            self.warnings += nested
            _restore_links(git, self.top, self._state.links)
            before = _placed(git, self._state.base, self._state.inner)
            after = _placed(git, git.text("write-tree"), self._state.inner)
            prefix = self._state.inner + self._state.prefix
            return write_patch(git, before, after, path, top=Path(self._state.top), prefix=prefix)

    def close(self, *, keep: bool = False) -> None:
        """As promised in ``workspace.Workspace``."""
        try:
            if keep:
                return
            remove_tree(self.top)
            remove_tree(self._run_folder / "changes.git")
        except OSError as error:
            self.warnings += (f"the workspace `{self.top}` cannot be removed: {error.strerror}",)
        finally:
            self._claim.release()


def open_copy(source: Path, run_folder: Path, stop: threading.Event | None) -> CopyWorkspace:
    """As ``workspace.open_workspace``."""
    state = State.read(run_folder)
    if state is not None:
        if not (run_folder / FILES).is_dir():
            message = f"the workspace of this run, `{run_folder / FILES}`, is gone"
            raise OutsideError(message, hint="start the workflow anew")
        with opening():
            return CopyWorkspace(run_folder, state, Claim(run_folder), ())
    part, files = run_folder / f"{FILES}.part", run_folder / FILES
    with opening():
        claim = Claim(run_folder)
    try:
        with opening(part, files, run_folder / "changes.git"):
            remove_tree(files)
            state, warnings = _copied(source, find_checkout(source, stop), run_folder, part, stop)
            part.replace(files)
            state.write(run_folder)
    except BaseException:
        claim.release()
        raise
    return CopyWorkspace(run_folder, state, claim, warnings)


def _copied(
    source: Path, checkout: Checkout | None, run_folder: Path, part: Path, stop: threading.Event | None
) -> tuple[State, tuple[str, ...]]:
    source = source.resolve()
    known = checkout is not None and not checkout.ignored
    top, prefix = (checkout.top, checkout.prefix) if checkout is not None and known else (source, "")
    git = Git(top, stop=stop)
    ignored: frozenset[str] | None = None
    if known:
        listed = git.paths("ls-files", "-oi", "--exclude-standard", "--directory", "-z")
        ignored = frozenset(path.rstrip("/") for path in listed)
    remove_tree(part)
    copy = TreeCopy(top, part, ignored=ignored, run_folder=run_folder.resolve(), stop=stop)
    copy.run()
    state = State(
        kind="copy",
        top=str(top if known or checkout is None else checkout.top),
        prefix=prefix,
        base="",
        inner=checkout.prefix if checkout is not None and checkout.ignored else "",
        links=copy.links,
    )
    state = replace(state, base=_baseline(git if known else None, run_folder, part, state.links, stop))
    if known:
        give_repository(git, Git(part, stop=stop))
    elif _in_a_repository(part, stop):
        Git(part, stop=stop).text("init", "--quiet", "--template=")
    return state, tuple(_warnings(copy))


def _baseline(
    source: Git | None, run_folder: Path, part: Path, links: Mapping[str, Sequence[str]], stop: threading.Event | None
) -> str:
    """The tree of what was copied and git does not ignore, in a new ``changes.git``; ``source`` if it is a checkout."""
    changes = run_folder / "changes.git"
    remove_tree(changes)
    Git(run_folder, stop=stop).text("init", "--quiet", "--bare", "--template=", str(changes.resolve()))
    excluded = "".join(f"{name}/\n" for name in CACHES)
    tracked: tuple[str, ...] = ()
    if source is not None:
        excluded += _own_excludes(source)
        tracked = source.paths("ls-files", "-ci", "--exclude-standard", "-z")
    (changes / "info").mkdir(exist_ok=True)
    (changes / "info" / "exclude").write_bytes(os.fsencode(excluded))
    (changes / "info" / "attributes").write_text(_ATTRIBUTES, encoding="ascii")
    git = Git(part, _changes(run_folder, part), stop)
    add_all(git)
    files = [path for path in tracked if os.path.lexists(part / path) and not _is_folder(part / path)]
    if files:  # git follows them although it ignores new ones of their kind
        git.text("update-index", "--add", "-z", "--stdin", stdin=b"".join(os.fsencode(f) + b"\0" for f in files))
    _restore_links(git, part, links)
    return git.text("write-tree")


def _changes(run_folder: Path, files: Path) -> Mapping[str, str]:
    return {"GIT_DIR": str((run_folder / "changes.git").resolve()), "GIT_WORK_TREE": str(files.resolve())}


def _own_excludes(source: Git) -> str:
    """What only this checkout ignores."""
    place = source.folder / source.text("rev-parse", "--git-path", "info/exclude")
    try:
        return os.fsdecode(place.read_bytes())
    except OSError:
        return ""


def _restore_links(git: Git, files: Path, links: Mapping[str, Sequence[str]]) -> None:
    """Links that were rewritten for the copy count as what they said before, as long as nobody changed them."""
    if not links:
        return
    followed = set(git.paths("ls-files", "-z"))
    lines = b""
    for name, (said, now) in links.items():
        place = files / name
        if name in followed and place.is_symlink() and str(place.readlink()) == now:
            blob = git.text("hash-object", "-w", "--stdin", stdin=os.fsencode(said))
            lines += f"120000 {blob}\t".encode() + os.fsencode(name) + b"\0"
    git.text("update-index", "-z", "--index-info", stdin=lines)


def _placed(git: Git, tree: str, inner: str) -> str:
    """The tree as it stands in the repository that its folder happens to lie in: git applies patches from there."""
    for name in reversed(inner.rstrip("/").split("/") if inner else []):
        tree = git.text("mktree", "-z", stdin=f"040000 tree {tree}\t".encode() + os.fsencode(name) + b"\0")
    return tree


def _in_a_repository(folder: Path, stop: threading.Event | None) -> bool:
    try:
        return find_checkout(folder, stop) is not None
    except GitError:
        return True


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _warnings(copy: TreeCopy) -> list[str]:
    warnings = []
    if copy.left_out:
        named = first_named(copy.left_out)
        warnings.append(f"not in the copy, because git ignores it and it is over 1 GB or cannot be read: {named}")
    if copy.outward:
        named = first_named(copy.outward)
        warnings.append(f"links that lead out of the copy: {named}; what a step changes there is changed for good")
    return warnings
