"""Other programs of the same user on the same servers: nobody loads what another loads, nor unloads what he uses.

Within a run its leases see to that. Two runs know nothing of each other: told twice, a server loads a model twice, and
what the one unloads at its end is gone for the other. So they meet at locked files, one for each thing that is used
together. The system lets go of a lock when its program ends, however that happens.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

LONGEST_SECONDS: Final = 1200.0
"""Nobody waits longer than this: rather a second copy than a hang. Large models take minutes to load."""
GLANCE_SECONDS: Final = 0.1
_LEFT: Final = b"left by who loaded it"


class Neighbours:
    """An ``execute.neighbour.Neighbours`` over files in ``XDG_RUNTIME_DIR``, else in the system's temporary folder.

    The folder is the user's own. Where there can be none, or no locks, everybody is alone.
    """

    __slots__ = ("_folder", "_used")

    def __init__(self, environment: Mapping[str, str]) -> None:
        own = environment.get("XDG_RUNTIME_DIR", "")
        user = os.getuid() if hasattr(os, "getuid") else 0
        shared = environment.get("TMPDIR") or "/tmp"  # noqa: S108  the folder in it is ours alone, see `_opened`
        self._folder = Path(own) / "bridge-run" if own else Path(shared) / f"bridge-run-{user}"
        self._used: dict[tuple[str, str], int] = {}

    @asynccontextmanager
    async def turn(self, endpoint: str, model: str) -> AsyncIterator[None]:
        """Wait, at most ``LONGEST_SECONDS``, until no other program loads or unloads the model; then let them wait."""
        file = self._opened(endpoint, model, "turn")
        if file is None:
            yield
            return
        try:
            until = time.monotonic() + LONGEST_SECONDS
            while not _lock(file, "alone") and time.monotonic() < until:  # noqa: ASYNC110  of another process, no event
                await asyncio.sleep(GLANCE_SECONDS)
            yield
        finally:
            os.close(file)

    def use(self, endpoint: str, instance: str) -> bool:
        """Let others know that we use the instance; False if one of them is about to unload it."""
        if (endpoint, instance) in self._used:
            return True
        file = self._opened(endpoint, instance, "use")
        if file is None:
            return True
        if _lock(file, "alone"):
            os.ftruncate(file, 0)  # what stands there is of programs that have been killed
        if not _lock(file, "together"):
            os.close(file)
            return False
        self._used[endpoint, instance] = file
        return True

    @contextmanager
    def leave(self, endpoint: str, instance: str, *, ours: bool) -> Iterator[bool]:
        """We use it no more. True if it is to be unloaded: nobody else uses it, and ``ours``, or left by who loaded it.

        What is ours and still used is left to the others: the last one unloads it. Nobody begins to use it in here.
        """
        file = self._used.pop((endpoint, instance), None)
        if file is None:
            yield ours
            return
        try:
            alone = _lock(file, "alone")
            if ours and not alone:
                os.pwrite(file, _LEFT, 0)
            yield alone and (ours or os.pread(file, len(_LEFT), 0) == _LEFT)
        finally:
            os.close(file)

    def _opened(self, endpoint: str, name: str, what: str) -> int | None:
        """The file of a thing; None if there can be none, or if the folder is somebody else's."""
        if not endpoint.startswith("http"):  # a server of our own is nobody else's
            return None
        digest = hashlib.sha256(f"{endpoint}\n{name.casefold()}".encode()).hexdigest()[:32]
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            found = self._folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                return os.open(self._folder / f"{digest}.{what}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return None


def _lock(file: int, how: Literal["alone", "together"]) -> bool:
    """Whether the file is locked now; where files cannot be locked, all are."""
    try:
        import fcntl  # not on every system

        fcntl.flock(file, fcntl.LOCK_NB | (fcntl.LOCK_EX if how == "alone" else fcntl.LOCK_SH))
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True
