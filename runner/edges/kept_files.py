"""The ``artifacts`` of a step: files and folders that are kept with the run, as they were when the step was done."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from runner.edges.files.glob import compile_glob
from runner.edges.workspace.git import OWN
from runner.edges.workspace.tree_copy import pour, remove_tree
from runner.words.errors import HistoryError, StepError
from runner.words.noun import noun

MOST_BYTES: Final = 1024**3
MOST_FILES: Final = 10_000
"""What one step may keep, altogether."""
_TRIES: Final = 5
"""How often a file is copied that changes meanwhile."""
_GLOB = re.compile(r"[*?\[{]")


@noun
class Kept:
    """What was kept. ``paths`` are the copies: one for each path of the file and each thing that a glob found, a folder
    standing for all that is in it. ``missing`` are paths that are not there, ``empty`` globs that found nothing.
    """

    paths: tuple[str, ...]
    missing: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()


def keep_artifacts(patterns: Sequence[str], folder: Path, into: Path) -> Kept:
    """Copy what ``patterns`` name below ``folder`` to the same places below ``into``, which is replaced if it is there.

    Links are followed as long as they stay in the folder. ``paths`` begin with ``into`` as it was given. It blocks:
    call it in a thread.

    Raises:
        StepError: kind ``request``: a pattern or a link leads outside, or into what is not kept (``.git``); kind
            ``limit``: it is too much; kind ``tool``: a file cannot be read, or never rests. Nothing is kept then.
        HistoryError: the copies cannot be written.
    """
    work = _Keeping(folder.resolve(), into)
    named: dict[str, None] = {}
    missing: list[str] = []
    empty: list[str] = []
    for pattern in patterns:
        found = work.named_by(pattern)
        named.update(dict.fromkeys(found))
        if not found:
            (empty if _GLOB.search(pattern) else missing).append(pattern)
    whole = [name for name in named if not any(above in named for above in _above(name))]
    work.copy(whole)
    paths = tuple((into / name).as_posix() for name in whole)
    return Kept(paths=paths, missing=tuple(missing), empty=tuple(empty))


class _Keeping:
    def __init__(self, folder: Path, into: Path) -> None:
        self._folder = folder
        self._into = into
        self._own = into.resolve()
        self._left = MOST_BYTES

    def named_by(self, pattern: str) -> tuple[str, ...]:
        """The paths, relative to the folder, that a pattern means; sorted."""
        path = _legal(pattern)
        if os.path.lexists(self._folder / path):  # also where its name looks like a glob: `[id].tsx`
            self._real(path)
            return (path,)
        if not _GLOB.search(pattern):
            return ()
        matches = compile_glob(pattern if "/" in pattern else f"/{pattern}").fullmatch
        return tuple(sorted(name for name in self._names("") if matches(name)))

    def copy(self, names: Sequence[str]) -> None:
        """Copy all of it, or nothing."""
        draft = self._into.with_name(f"{self._into.name}.part")
        try:
            remove_tree(draft)
            self._copy_into(draft, self._files(names))
            remove_tree(self._into)
            if draft.exists():
                draft.replace(self._into)
        except BaseException as error:
            with suppress(OSError):
                remove_tree(draft)
            if isinstance(error, OSError):
                raise HistoryError(f"cannot keep files in `{self._into}`: {error.strerror}") from error
            raise

    def _copy_into(self, draft: Path, files: Iterator[tuple[str, bool]]) -> None:
        done: set[str] = set()
        for name, is_folder in files:
            if name in done:
                continue
            done.add(name)
            if len(done) > MOST_FILES:
                raise StepError("limit", f"`artifacts` are more than {MOST_FILES:,} files", hint="name fewer of them")
            target = draft / name
            (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
            if not is_folder:
                self._copy_file(name, target)

    def _copy_file(self, name: str, target: Path) -> None:
        """Copy a file whole: as it was at one moment."""
        source = self._folder / self._real(name)
        for _ in range(_TRIES):
            if self._copied(name, source, target):
                return
        raise StepError(
            "tool",
            f"`{name}` (`artifacts`) is being written all the time",
            hint="let the step end what it started, or leave the file out",
        )

    def _copied(self, name: str, source: Path, target: Path) -> bool:
        try:
            file = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise StepError("tool", f"`{name}` (`artifacts`) cannot be read: {error.strerror}") from error
        try:
            before = os.fstat(file)
            with target.open("wb", buffering=0) as copy:
                size = pour(file, copy.fileno(), self._left + 1)
                if size > self._left:
                    raise StepError("limit", "`artifacts` are more than 1 GB", hint="name fewer or smaller files")
                os.fchmod(copy.fileno(), stat.S_IMODE(before.st_mode) & 0o777 | 0o600)
                os.utime(copy.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
            after = os.fstat(file)
        finally:
            os.close(file)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != before.st_size:
            return False
        self._left -= size
        return True

    def _files(self, names: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """All files that these names stand for, and whether each is a folder after all (an empty one counts too)."""
        for name in names:
            place = self._folder / self._real(name)
            if place.is_dir():
                yield name, True
                for inner in self._names(name):
                    if (inner_is_folder := (self._folder / self._real(inner)).is_dir()) or self._is_file(inner):
                        yield inner, inner_is_folder
            elif self._is_file(name):
                yield name, False
            else:
                raise StepError("request", f"`{name}` (`artifacts`) is no file and no folder")

    def _is_file(self, name: str) -> bool:
        return (self._folder / self._real(name)).is_file()

    def _names(self, start: str) -> Iterator[str]:
        """Everything below a folder, without repositories' own and runs' own folders, and without going in circles."""
        todo = [(start, frozenset[Path]())]
        while todo:
            path, above = todo.pop()
            place = self._folder / self._real(path)
            if place in above:
                continue
            try:
                entries = sorted(os.listdir(place))  # noqa: PTH208  names, to be joined to ours
            except OSError as error:
                raise StepError("tool", f"`{path or '.'}` (`artifacts`) cannot be read: {error.strerror}") from error
            for entry in entries:
                name = f"{path}/{entry}" if path else entry
                if entry in OWN or self._is_run(self._folder / name):
                    continue
                yield name
                if (self._folder / name).is_dir() and self._inside(name) is not None:
                    todo.append((name, above | {place}))

    def _is_run(self, place: Path) -> bool:
        """Whether that is the folder of a run, ours or one beside it, where none is called `.bridge`."""
        near = place in self._own.parents or place.parent in self._own.parents
        return near and (place / "journal.jsonl").is_file()

    def _real(self, name: str) -> Path:
        """Where a name really leads, relative to the folder.

        Raises:
            StepError: outside, or into what is not kept.
        """
        real = self._inside(name)
        if real is None:
            raise StepError("request", f"`{name}` (`artifacts`) is a link that leads outside of the folder of the run")
        if any(part in OWN for part in real.parts):
            raise StepError("request", f"`{name}` (`artifacts`): nothing inside `.git` or `.bridge` is kept")
        return real

    def _inside(self, name: str) -> Path | None:
        real = Path(os.path.realpath(self._folder / name))
        return real.relative_to(self._folder) if real.is_relative_to(self._folder) else None


def _above(name: str) -> Iterator[str]:
    """The folders that a path lies in, the topmost is empty."""
    return (above.as_posix() if above.parts else "" for above in Path(name).parents if name)


def _legal(pattern: str) -> str:
    """The pattern as a path below the folder; the folder itself is empty.

    Raises:
        StepError: it is none.
    """
    path = Path(pattern)
    if path.is_absolute() or ".." in path.parts or "\0" in pattern or not pattern:
        raise StepError(
            "request",
            f"`{pattern}` (`artifacts`) leads outside of the folder of the run",
            hint="write a path below it, such as `dist/report.html`, or a glob",
        )
    return "" if path == Path() else path.as_posix()
