"""A folder copied with all that is in it, as fast as the system can; and one removed, whatever its permissions."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from runner.edges.workspace.git import CACHES, OWN, Stopped

LARGEST: Final = 1024**3
"""Bytes of a file or folder that git ignores, beyond which it is not copied."""
_PIECE: Final = 1024**2
_MOST: Final = 2**30


class TreeCopy:
    """The copying of one folder. ``ignored`` are the paths that git ignores, None where there is no git.

    Left out are repositories' own folders, our own records, what is no file (a socket), the caches of tools, and what
    git ignores and is too large or not ours to read. Links stay links. One that leads out of the folder leads to the
    same place from the copy; one that names a place in the folder by its whole path leads to that place in the copy.
    """

    def __init__(
        self,
        source: Path,
        target: Path,
        *,
        ignored: Collection[str] | None,
        run_folder: Path,
        stop: threading.Event | None = None,
    ) -> None:
        """``run_folder`` is the run's own, which may lie in ``source``, as may those of other runs beside it."""
        self._source = source
        self._target = target
        self._ignored = ignored
        self._run_folder = run_folder
        self._stop = stop
        self.links: dict[str, tuple[str, str]] = {}
        """Links that were rewritten: path → what it said, what it says now."""
        self.outward: list[str] = []
        """Links to folders outside."""
        self.left_out: list[str] = []
        """What git ignores and was not copied."""

    def run(self) -> None:
        """Copy everything; a file that vanishes meanwhile is passed over.

        Raises:
            OSError: something cannot be read or written; its ``filename`` says what.
            Stopped: we were asked to stop. What has been copied stays.
        """
        made: list[tuple[Path, os.stat_result]] = []
        todo = [("", False)]
        while todo:
            path, is_ignored = todo.pop()
            folder = self._source / path
            try:
                entries = list(os.scandir(folder))
            except PermissionError:
                if not is_ignored:
                    raise
                self.left_out.append(path)
                continue
            Path(self._target, path).mkdir()
            made.append((self._target / path, folder.stat()))
            todo += list(self._copied(path, entries, is_ignored=is_ignored))
        for target, facts in reversed(made):  # a folder that may not be written is filled first
            os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            target.chmod(stat.S_IMODE(facts.st_mode))

    def _copied(self, path: str, entries: list[os.DirEntry[str]], *, is_ignored: bool) -> Iterator[tuple[str, bool]]:
        """Copy what is no folder; the folders that are to be copied as well."""
        for entry in entries:
            if self._stop is not None and self._stop.is_set():
                raise Stopped
            name = f"{path}/{entry.name}" if path else entry.name
            below_ignored = is_ignored or (self._ignored is not None and name in self._ignored)
            if self._is_left_out(name, entry, is_new=below_ignored and not is_ignored):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield name, below_ignored
                elif entry.is_symlink():
                    self._copy_link(name, is_ignored=below_ignored)
                elif entry.is_file(follow_symlinks=False):
                    copy_file(Path(entry.path), self._target / name)
            except FileNotFoundError:
                continue
            except PermissionError:
                if not below_ignored:
                    raise
                self.left_out.append(name)

    def _is_left_out(self, name: str, entry: os.DirEntry[str], *, is_new: bool) -> bool:
        if entry.name in OWN or is_run(Path(entry.path), self._run_folder):
            return True
        if entry.name in CACHES and (self._ignored is None or is_new) and entry.is_dir(follow_symlinks=False):
            return True
        if is_new and _is_larger(Path(entry.path), LARGEST):
            self.left_out.append(name)
            return True
        return False

    def _copy_link(self, name: str, *, is_ignored: bool) -> None:
        place = self._source / name
        said = str(place.readlink())
        leads_to = Path(os.path.normpath(place.parent / said))
        if Path(said).is_absolute():
            leads_to = Path(os.path.realpath(leads_to.parent)) / leads_to.name
        now = said
        if leads_to.is_relative_to(self._source):
            if Path(said).is_absolute():
                now = os.path.relpath(leads_to, place.parent)
        else:
            now = said if Path(said).is_absolute() else str(leads_to)
            if leads_to.is_dir() and not is_ignored:
                self.outward.append(name)
        if now != said:
            self.links[name] = (said, now)
        Path(self._target, name).symlink_to(now)


def is_run(folder: Path, run_folder: Path) -> bool:
    """Whether ``folder`` is that of a run, ours or one that is kept beside it."""
    return folder == run_folder or (folder.parent == run_folder.parent and (folder / "journal.jsonl").is_file())


def copy_file(source: Path, target: Path) -> None:
    """Copy one file with its permissions and times; ``target`` must not be there. A link is not followed.

    Raises:
        OSError: as the system says it.
    """
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb", buffering=0), target.open("xb", buffering=0) as copy:
        facts = os.fstat(handle)
        pour(handle, copy.fileno())
        os.fchmod(copy.fileno(), stat.S_IMODE(facts.st_mode) & 0o777)
        os.utime(copy.fileno(), ns=(facts.st_atime_ns, facts.st_mtime_ns))


def pour(source: int, target: int, most: int | None = None) -> int:
    """Copy from one open file to another, to the end or to ``most`` bytes; how many there were.

    Where the disk can share blocks until one of the two is written to, it does.
    """
    done = _poured_by_the_system(source, target, most)
    while piece := os.read(source, _PIECE if most is None else min(_PIECE, most - done)):
        view = memoryview(piece)
        while view:
            view = view[os.write(target, view) :]
        done += len(piece)
    return done


def _poured_by_the_system(source: int, target: int, most: int | None) -> int:
    done = 0
    try:
        while count := os.copy_file_range(source, target, _MOST if most is None else min(_MOST, most - done)):
            done += count
    except (AttributeError, OSError):
        return done  # no such call, not for these disks, or a full one: reading and writing go on, or say so
    return done


def remove_tree(folder: Path) -> None:
    """Remove a folder and all that is in it, also what may not be written; nothing happens if it is not there.

    Raises:
        OSError: something cannot be removed.
    """
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError:
        folder.chmod(0o700)
        for parent, folders, _ in os.walk(folder):
            for name in folders:
                if not Path(parent, name).is_symlink():
                    Path(parent, name).chmod(0o700)
        shutil.rmtree(folder)


def _is_larger(path: Path, limit: int) -> bool:
    """Whether a file or folder holds more bytes than that; stops counting there."""
    total, todo = 0, [path]
    while todo:
        here = todo.pop()
        try:
            if here.is_symlink():
                continue
            if here.is_dir():
                todo += here.iterdir()
            else:
                total += here.stat().st_size
        except OSError:
            continue
        if total > limit:
            return True
    return False
