"""What the files of a folder hold at one moment, so that a step that says it only reads can be held to it.

Content counts, and whether a file may be executed; times do not. What git ignores is not looked at, nor are the caches
of tools, our own records, and what lies in ``.git``.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from runner.edges.workspace.git import CACHES, OWN, Git, GitError, find_checkout
from runner.edges.workspace.state import first_named
from runner.words.errors import StepError
from runner.words.noun import noun

_UNSURE: Final = 2_000_000_000
"""Nanoseconds within which a disk may not tell two changes apart by their times."""
_PIECE: Final = 1024**2


@noun
class Mark:
    """One file: what the system says of it, and its kind, mode and content as one digest."""

    facts: tuple[int, ...]
    digest: bytes


@noun
class Fingerprint:
    """The marks of all files by path; ``taken`` when the taking began, in nanoseconds since 1970."""

    marks: Mapping[str, Mark]
    taken: int


def take_fingerprint(folder: Path, run_folder: Path | None = None, known: Fingerprint | None = None) -> Fingerprint:
    """Look at all files. It blocks, for seconds when there is much: call it in a thread.

    ``run_folder``, where the run writes meanwhile, is left out. A file that is as the system says it was when ``known``
    was taken is not read again; its change time betrays a program that puts the old time of writing back.

    Raises:
        StepError: kind ``request``: there is no such folder.
    """
    if not folder.is_dir():
        raise StepError("request", f"the folder `{folder}` does not exist")
    folder = folder.resolve()
    taken = time.time_ns()
    marks: dict[str, Mark] = {}
    for path in _paths(folder, None if run_folder is None else run_folder.resolve()):
        mark = _mark(folder / path, _old(path, known))
        if mark is not None:
            marks[path] = mark
    return Fingerprint(marks=marks, taken=taken)


def changed(before: Fingerprint, after: Fingerprint) -> tuple[str, ...]:
    """The paths of files that were added, removed or modified, sorted."""
    paths = before.marks.keys() | after.marks.keys()
    return tuple(sorted(path for path in paths if _digest(before, path) != _digest(after, path)))


def refuse_changes(before: Fingerprint, after: Fingerprint) -> None:
    """Hold a step to its ``reads_only``.

    Raises:
        StepError: kind ``expectation``: files changed; the first few are named.
    """
    paths = changed(before, after)
    if not paths:
        return
    files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    groups = (
        ("modified", [path for path in paths if path in before.marks and path in after.marks]),
        ("added", [path for path in paths if path not in before.marks]),
        ("removed", [path for path in paths if path not in after.marks]),
    )
    told = "; ".join(f"{what} {first_named(group)}" for what, group in groups if group)
    raise StepError(
        "expectation",
        f"`reads_only` is promised, but {files} changed: {told}",
        hint="if another step changed them meanwhile, let one of the two wait: `needs`",
    )


def _digest(fingerprint: Fingerprint, path: str) -> bytes:
    mark = fingerprint.marks.get(path)
    return b"" if mark is None else mark.digest


def _old(path: str, known: Fingerprint | None) -> Mark | None:
    """What was known of the file, if it can be trusted: changed long enough before it was looked at."""
    mark = None if known is None else known.marks.get(path)
    if mark is None or known is None or max(mark.facts[-2:]) > known.taken - _UNSURE:
        return None
    return mark


def _mark(path: Path, old: Mark | None) -> Mark | None:
    """None if there is no file (any more)."""
    try:
        found = path.lstat()
        facts = (found.st_mode, found.st_size, found.st_ino, found.st_dev, found.st_mtime_ns, found.st_ctime_ns)
        if old is not None and old.facts == facts:
            return old
        if stat.S_ISLNK(found.st_mode):
            return Mark(facts=facts, digest=b"link " + os.fsencode(path.readlink()))
        if not stat.S_ISREG(found.st_mode):
            return None
        return Mark(facts=facts, digest=(b"program " if found.st_mode & 0o100 else b"file ") + _hash(path))
    except FileNotFoundError:
        return None
    except PermissionError:
        # We cannot read it, so we cannot tell whether what is in it changed; its times are the next best.
        return Mark(facts=facts, digest=repr(facts).encode())


def _hash(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=20)
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.digest()


def _paths(folder: Path, run_folder: Path | None) -> Iterator[str]:
    for path in _followed(folder):
        if run_folder is None or not (folder / path).is_relative_to(run_folder):
            yield path


def _followed(folder: Path) -> Iterable[str]:
    """The paths below a folder that git follows or would take in; without git, everything but caches."""
    try:
        checkout = find_checkout(folder)
        if checkout is None or checkout.ignored:
            return _everything(folder)
        caches = (f"--exclude={name}/" for name in CACHES)
        listed = Git(folder).paths("ls-files", "-co", "--exclude-standard", *caches, "-z")
    except GitError:
        return _everything(folder)
    return _opened(folder, dict.fromkeys(listed))


def _opened(folder: Path, listed: Iterable[str]) -> Iterator[str]:
    """Submodules and other repositories inside are listed as folders: their own git tells what is in them."""
    for path in listed:
        place = folder / path
        if any(part in OWN for part in Path(path).parts):
            continue
        if not place.is_dir() or place.is_symlink():
            yield path
        elif (place / ".git").exists():
            yield from (f"{path.rstrip('/')}/{inner}" for inner in _followed(place))


def _everything(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in OWN and name not in CACHES]
        start = Path(parent).relative_to(folder)
        links = (name for name in folders if Path(parent, name).is_symlink())
        yield from (str(start / name) for name in (*files, *links) if name not in OWN)
