"""What lies in a folder, in a fixed order, without following links and without the folders that nobody wants to see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from runner.edges.files.confine import Confined, Parts

_SKIPPED = frozenset(("__pycache__", "node_modules"))


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a folder: its path below the start, whether it is a folder, its size in bytes."""

    path: str
    is_folder: bool
    size: int = 0

    @property
    def depth(self) -> int:
        """1 for what lies in the start itself."""
        return self.path.count("/") + 1


def is_skipped(folder_name: str) -> bool:
    """Hidden folders (``.git``, ``.bridge``, ``.venv`` among them) and those that tools fill."""
    return folder_name.startswith(".") or folder_name in _SKIPPED


def walk(room: Confined, parts: Parts, *, depth: int) -> Iterator[Entry]:
    """Everything below, folders before what is in them, names sorted; ``depth`` 1 is the folder alone.

    Raises:
        StepError: it is not there, or no folder.
    """
    with room.folder(parts) as start:
        yield from _walk(start, "", depth)


def _walk(folder: int, prefix: str, depth: int) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = prefix + entry.name
        if not entry.is_dir(follow_symlinks=False):
            yield Entry(path, is_folder=False, size=_size(entry))
        elif not is_skipped(entry.name):
            yield Entry(path, is_folder=True)
            if depth > 1:
                yield from _into(folder, entry.name, f"{path}/", depth - 1)


def _into(folder: int, name: str, prefix: str, depth: int) -> Iterator[Entry]:
    try:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return  # gone meanwhile, or not ours to read: the rest is worth showing
    try:
        yield from _walk(inner, prefix, depth)
    finally:
        os.close(inner)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
