"""Nothing outside the root: names are resolved first, then every folder on the way is opened without following links.

After resolving, a path holds no symbolic link; one that appears between the look and the opening is refused by
``O_NOFOLLOW``, because each part is opened relative to the folder before it. So there is no gap to slip through.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.words.errors import StepError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe with that name must not make us wait
FILE_LIMIT = 10 * 1024 * 1024  # bytes of a file that is read or searched
_KEPT = frozenset((".git", ".bridge"))  # what lies here runs by itself, or is our own record

Parts = tuple[str, ...]
"""A place below the root, part by part; empty is the root itself."""


def refusal(message: str) -> StepError:
    """What a model reads when something is not possible."""
    return StepError("tool", message)


def show(parts: Parts) -> str:
    """The place as a person and a model write it."""
    return "/".join(parts) or "."


@dataclass(frozen=True, slots=True)
class Confined:
    """The root, an absolute path without links. All of what follows raises ``StepError`` for people and models."""

    root: Path

    def locate(self, path: str) -> Parts:
        """Where ``path`` really leads, relative to the root; it need not exist."""
        if "\0" in path:
            raise refusal("a path cannot hold a NUL character")
        try:
            real = Path(os.path.realpath(self.root / path))
        except OSError as error:
            raise refusal(f"`{path}` cannot be used: {error.strerror}") from error
        if not real.is_relative_to(self.root):
            raise refusal(
                f"`{path}` leads outside the folder of this tool; use paths relative to it, such as `src/a.py`"
            )
        return real.relative_to(self.root).parts

    def locate_for_change(self, path: str) -> Parts:
        """As ``locate``, for a file that will be written."""
        parts = self.locate(path)
        if not parts:
            raise refusal(f"`{path}` is the folder itself; name a file in it")
        if kept := next((part for part in parts if part.casefold() in _KEPT), None):
            raise refusal(f"`{path}` cannot be changed: nothing inside `{kept}` may be")
        return parts

    @contextmanager
    def folder(self, parts: Parts, *, create: bool = False) -> Iterator[int]:
        """An open descriptor of that folder; with ``create`` missing folders are made."""
        try:
            handle = _descend(self.root, parts, create=create)
        except OSError as error:
            raise explain(error, parts) from error
        try:
            yield handle
        finally:
            os.close(handle)

    def read_bytes(self, parts: Parts) -> tuple[bytes, int]:
        """The content of a file and its permission bits."""
        if not parts:
            raise refusal("`.` is a folder, not a file; use list to see what is in it")
        with self.folder(parts[:-1]) as folder:
            try:
                return read_at(folder, parts[-1])
            except OSError as error:
                raise explain(error, parts) from error

    def is_folder(self, parts: Parts) -> bool:
        """Whether that place is a folder; no folder and not there at all are the same."""
        return Path(self.root, *parts).is_dir()


def _descend(root: Path, parts: Parts, *, create: bool) -> int:
    handle = os.open(root, _FOLDER)
    try:
        for part in parts:
            if create and not _exists(part, handle):
                os.mkdir(part, dir_fd=handle)
            handle, above = os.open(part, _FOLDER, dir_fd=handle), handle
            os.close(above)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def read_at(folder: int, name: str) -> tuple[bytes, int]:
    """The content and the permission bits of a regular file in an open folder.

    Raises:
        OSError: as the system says it; EISDIR and EINVAL for what is no regular file, EFBIG for one over the limit.
    """
    handle = os.open(name, _FILE, dir_fd=folder)
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        data = file.read(FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            raise OSError(errno.EFBIG, "it is larger than 10 MB")
        return data, stat.S_IMODE(facts.st_mode)


def explain(error: OSError, parts: Parts) -> StepError:
    """An error of the system, in words that help a model on."""
    place = show(parts)
    match error.errno:
        case errno.ENOENT:
            return refusal(f"`{place}` does not exist; use list to see what does")
        case errno.EISDIR:
            return refusal(f"`{place}` is a folder, not a file; use list to see what is in it")
        case errno.ENOTDIR:
            return refusal(f"`{place}` goes through something that is no folder")
        case errno.ELOOP:
            return refusal(f"`{place}` became a symbolic link while it was opened; refused")
        case errno.EACCES | errno.EPERM:
            return refusal(f"no permission for `{place}`")
        case _:
            return refusal(f"`{place}`: {error.strerror or error}")
