"""What a run changed, as a patch that ``git apply`` takes, and the words that say so."""

from __future__ import annotations

import shlex
from pathlib import Path

from runner.edges.workspace.git import Git
from runner.words.noun import noun

NAME = "changes.patch"
_DIFF = ("diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color")


@noun
class Patch:
    """A patch in the folder of a run. ``files`` counts paths, a renamed file once; ``insertions`` and ``deletions``
    count lines of text files. ``command`` applies it, typed where bridge-run was started.
    """

    path: Path
    files: int
    insertions: int
    deletions: int
    command: str


def closing_words(patch: Patch | None) -> str:
    """The line at the end of a run that has a workspace of its own."""
    if patch is None:
        return "changes: none"
    files = "1 file" if patch.files == 1 else f"{patch.files} files"
    return f"changes: {files}, +{patch.insertions} -{patch.deletions}; apply them with: {patch.command}"


def write_patch(git: Git, before: str, after: str, path: Path, *, top: Path, prefix: str) -> Patch | None:
    """Write what differs between two trees; None, and no file, if nothing does.

    ``git`` stands in the repository that has them. ``top`` is where the paths of the trees count from when the patch is
    applied, ``prefix`` where bridge-run was started below it: git overlooks what lies outside where it is started.

    Raises:
        GitError: git cannot.
        OSError: the patch cannot be written.
    """
    if before == after:
        path.unlink(missing_ok=True)
        return None
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("wb") as file:
            sides = ("--src-prefix=a/", "--dst-prefix=b/")
            git.output(*_DIFF, "-p", "--binary", "--full-index", *sides, before, after, into=file)
        counted = _counted(git.paths(*_DIFF, "--numstat", "-z", before, after))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    place = shlex.quote(str(path))
    command = f"git apply {place}"
    if any(not name.startswith(prefix) for _, _, names in counted for name in names):
        command = f"git -C {shlex.quote(str(top))} apply {shlex.quote(str(path.absolute()))}"
    return Patch(
        path=path,
        files=len(counted),
        insertions=sum(added for added, _, _ in counted),
        deletions=sum(removed for _, removed, _ in counted),
        command=command,
    )


def _counted(fields: tuple[str, ...]) -> list[tuple[int, int, tuple[str, ...]]]:
    """``--numstat -z``: ``added TAB removed TAB path``, or with an empty path and both names after it."""
    counted: list[tuple[int, int, tuple[str, ...]]] = []
    rest = iter(fields)
    for field in rest:
        added, removed, name = field.split("\t", 2)
        names = (name,) if name else (next(rest), next(rest))
        counted.append((_number(added), _number(removed), names))
    return counted


def _number(text: str) -> int:
    return 0 if text == "-" else int(text)  # what is no text has no lines
