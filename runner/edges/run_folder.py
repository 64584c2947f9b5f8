"""The folder of a run: ``journal.jsonl``, ``artifacts/`` and ``result.json``."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from runner.record.wire import encode_json
from runner.words.errors import HistoryError

RUNS = ".bridge/runs"
JOURNAL = "journal.jsonl"
RESULT = "result.json"
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def new_run_id(now: float, random_text: str, workflow_name: str) -> str:
    """``20261122-230501-refactor-3f2a``: sorts by start (UTC), is a legal folder name, tells runs of a second apart."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{_file_name(workflow_name, 40)}-{random_text}"


class JournalFile:
    """The sink of a journal: a file that is only appended to, one ``write`` a line."""

    def __init__(self, path: Path, *, make: bool = True) -> None:
        """Open it for us alone, and make it if wanted.

        Raises:
            HistoryError: it cannot be written, or another process writes it.
        """
        self._path = path
        self._lock = threading.Lock()  # a sync runs in a worker thread; the file must not be closed under it
        with _in_words(path):
            flags = os.O_RDWR | os.O_APPEND | (os.O_CREAT if make else 0) | getattr(os, "O_CLOEXEC", 0)
            self._file: int | None = os.open(path, flags, 0o644)
        if not _locked(self._file):
            self.close()
            raise HistoryError(
                f"another process is writing `{path}`: the run is still going on",
                hint="wait until it has ended, or end it with Ctrl-C where it runs",
            )

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Open the journal of a run that ended, to go on with it. A torn last line, as a crash leaves it, is cut off.

        Raises:
            HistoryError: it is not there or cannot be written, or another process writes it.
        """
        journal = cls(path, make=False)
        try:
            journal._cut_torn_end()
        except BaseException:
            journal.close()
            raise
        return journal

    def lines(self) -> Iterator[bytes]:
        """The lines so far, for ``read_journal``.

        Raises:
            HistoryError: it cannot be read.
        """
        with _in_words(self._path), self._path.open("rb") as file:
            yield from file

    def _cut_torn_end(self) -> None:
        whole = 0
        before = b""
        for line in self.lines():
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            before = line
        if before and not _is_json(before):  # what a crash of the machine leaves may end like a line
            whole -= len(before)
        with _in_words(self._path):
            assert self._file is not None, "it was opened just now"
            os.ftruncate(self._file, whole)

    def write(self, line: bytes) -> None:
        """Append the line. On a full disk a part of it may stay behind; readers pass over a torn last line.

        Raises:
            HistoryError: it cannot be written.
        """
        if self._file is None:
            raise HistoryError(f"`{self._path}` is closed")
        with _in_words(self._path):
            done = os.write(self._file, line)
            while done < len(line):  # only a disk that is all but full takes less than it was given
                done += os.write(self._file, line[done:])

    def sync(self) -> None:
        """Wait until the disk has everything.

        Raises:
            HistoryError: the disk says that it has not.
        """
        with self._lock, _in_words(self._path):
            if self._file is not None:
                _sync_data(self._file)

    def close(self) -> None:
        """Release the file; may be called twice."""
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                os.close(file)


class RunFolder:
    """An open run folder. ``mask`` takes secrets out of what is stored beside the journal (``Redactor.value``)."""

    def __init__(self, path: Path, mask: Callable[[Any], Any], journal: JournalFile | None = None) -> None:
        """``journal`` is that of a run that goes on; else it begins.

        Raises:
            HistoryError: the journal cannot be written, or another process writes it.
        """
        self.path = str(path)
        self.journal = journal or JournalFile(path / JOURNAL)
        self.absolute = path.resolve()
        self._path = path
        self._mask = mask

    @classmethod
    def open(cls, *, run_id: str, parent: str = RUNS, mask: Callable[[Any], Any] = lambda value: value) -> Self:
        """Make the folder of a new run; a ``.bridge`` above it is kept out of git.

        Raises:
            HistoryError: the folder cannot be made, or is there already.
        """
        path = Path(parent) / run_id
        with _in_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            _keep_out_of_git(path)
        return cls(path, mask)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Open the folder of a run that ended, to go on with it; a torn last line of its journal is cut off.

        Raises:
            HistoryError: it has no journal or cannot be written, or another process writes it.
        """
        return cls(path, lambda value: value, JournalFile.reopen(path / JOURNAL))

    def masked(self, mask: Callable[[Any], Any]) -> Self:
        """The same folder, with another mask."""
        return type(self)(self._path, mask, self.journal)

    def artifact(self, step: str, name: str, data: bytes | str) -> str:
        """Store a file that belongs to a step; never overwrites.

        Returns its path relative to the run folder: ``artifacts/survey/read.txt``, ``artifacts/survey/read-2.txt``.

        Raises:
            HistoryError: it cannot be written.
        """
        folder = self._path / "artifacts" / _file_name(step, 60)
        with _in_words(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for path in _names(folder, _file_name(name, 100)):
                try:
                    with path.open("xb") as file:
                        file.write(self._masked(data))
                except FileExistsError:
                    continue
                return path.relative_to(self._path).as_posix()
        raise AssertionError("unreachable: there is always another name")

    def write_result(self, result: Mapping[str, Any]) -> str:
        """Store ``result.json`` and return its path; whoever reads sees all of it or nothing.

        Raises:
            HistoryError: it cannot be written.
        """
        path, draft = self._path / RESULT, self._path / f".{RESULT}.new"
        with _in_words(path):
            with draft.open("wb") as file:
                file.write(encode_json(self._mask(dict(result)), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        return str(path)

    def close(self) -> None:
        """Release the journal's file; may be called twice."""
        self.journal.close()

    def _masked(self, data: bytes | str) -> bytes:
        try:
            text = data if isinstance(data, str) else data.decode()
        except UnicodeDecodeError as not_text:
            return bytes(not_text.object)  # an image or the like: nothing in it reads as a secret
        return str(self._mask(text)).encode("utf-8", "backslashreplace")


# macOS has no fdatasync; its fsync is no dearer there.
_sync_data: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


def _locked(file: int) -> bool:
    """Whether the file is ours alone until it is closed, or our process ends; where files cannot be locked, all are."""
    try:
        import fcntl  # not on every system

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _file_name(text: str, length: int) -> str:
    """The text as one legal part of a path, on every system, never hidden and never ``..``."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
    stem, dot, suffix = name.rpartition(".")
    if len(name) > length and stem and len(suffix) < 10:
        return stem[: length - len(suffix) - 1] + dot + suffix
    return name[:length] or "unnamed"


def _names(folder: Path, name: str) -> Iterator[Path]:
    first = folder / name
    yield first
    number = 2
    while True:
        yield first.with_name(f"{first.stem}-{number}{first.suffix}")
        number += 1


def _keep_out_of_git(path: Path) -> None:
    for above in path.parents:
        if above.name == ".bridge":
            ignore = above / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            return


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Errors of the system, said so that a person can act on them."""
    try:
        yield
    except OSError as error:
        raise _history_error(path, error) from error


_ROOM = "free some space, then run again, or go on with `bridge-run resume last`"


def _history_error(path: Path, error: OSError) -> HistoryError:
    if error.errno in _FULL:
        return HistoryError(f"the disk is full: cannot write `{path}`", hint=_ROOM)
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        file = next((above for above in (path, *path.parents) if above.is_file()), None)
        if file is not None:
            return HistoryError(
                f"`{file}` is a file, but the history of runs needs a folder there", hint="move it away"
            )
        return HistoryError(f"the run folder `{path}` is there already", hint="run again: a new run gets a new name")
    if error.errno in _READ_ONLY:
        hint = "make it writable, or start bridge-run in a folder that is"
        return HistoryError(f"cannot write `{path}`: the folder is read-only for you", hint=hint)
    return HistoryError(f"cannot write `{path}`: {error.strerror or error}")
