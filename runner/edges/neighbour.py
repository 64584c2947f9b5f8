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
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
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

    __slots__ = ("_folder", "_heirlooms", "_used", "_wanted")

    def __init__(self, environment: Mapping[str, str]) -> None:
        own = environment.get("XDG_RUNTIME_DIR", "")
        user = os.getuid() if hasattr(os, "getuid") else 0
        shared = environment.get("TMPDIR") or "/tmp"  # noqa: S108  the folder in it is ours alone, see `_opened`
        self._folder = Path(own) / "bridge-run" if own else Path(shared) / f"bridge-run-{user}"
        self._used: dict[tuple[str, str], int] = {}
        self._wanted: dict[tuple[str, str], int] = {}
        self._heirlooms: list[tuple[str, str, str]] = []

    @asynccontextmanager
    async def turn(self, endpoint: str, model: str, *, wants: bool = False) -> AsyncIterator[None]:
        """Wait, at most ``LONGEST_SECONDS``, until no other program loads or unloads the model; then let them wait.

        ``wants``: to use it. Whoever is about to unload it before our turn comes leaves it to us (``inherited``).
        """
        file = self._opened(endpoint, model, "turn")
        if file is None:
            yield
            return
        try:
            with self._wanting(endpoint, model) if wants else nullcontext():
                until = time.monotonic() + LONGEST_SECONDS
                while not _lock(file, "alone") and time.monotonic() < until:  # noqa: ASYNC110  of another process, no event
                    await asyncio.sleep(GLANCE_SECONDS)
                self._inherit(endpoint, model)
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
    def leave(self, endpoint: str, model: str, instance: str, *, ours: bool) -> Iterator[bool]:
        """We use it no more. True if it is to be unloaded: nobody else uses or wants it, and it is ``ours``, or was
        left by who loaded it.

        What is ours and still used is left to the others: the last one unloads it. What others wait for is left to the
        next of them. Nobody begins to use it in here.
        """
        file = self._used.pop((endpoint, instance), None)
        if file is None:
            yield ours
            return
        try:
            alone = _lock(file, "alone")
            if ours and not alone:
                os.pwrite(file, _LEFT, 0)
            due = alone and (ours or os.pread(file, len(_LEFT), 0) == _LEFT)
            yield due and not self._bequeathed(endpoint, model, instance)
        finally:
            os.close(file)

    def inherited(self, endpoint: str) -> Sequence[tuple[str, str]]:
        """The models and instances that others have left to us since we were asked last: we use them by now."""
        taken = [(model, instance) for server, model, instance in self._heirlooms if server == endpoint]
        self._heirlooms = [one for one in self._heirlooms if one[0] != endpoint]
        return taken

    @contextmanager
    def _wanting(self, endpoint: str, model: str) -> Iterator[None]:
        """Let others know that we wait for the model. Who gives up, and was the last, inherits it all the same."""
        file = self._opened(endpoint, model, "want")
        if file is None:
            yield
            return
        if _lock(file, "alone"):
            os.ftruncate(file, 0)  # left to programs that have been killed
        _lock(file, "together")
        key = (endpoint, model.casefold())
        self._wanted[key] = file
        try:
            yield
        finally:
            if _lock(file, "alone"):
                self._inherit(endpoint, model)
            del self._wanted[key]
            os.close(file)

    def _bequeathed(self, endpoint: str, model: str, instance: str) -> bool:
        """Whether somebody waits for the model, who is left the instance then."""
        mine = self._wanted.get((endpoint, model.casefold()))
        file = mine if mine is not None else self._opened(endpoint, model, "want")
        if file is None:
            return False
        try:
            wanted = not _lock(file, "alone")
            if wanted:
                os.pwrite(file, instance.encode() + b"\n", os.fstat(file).st_size)
            if mine is not None:
                _lock(file, "together")
            return wanted
        finally:
            if mine is None:
                os.close(file)

    def _inherit(self, endpoint: str, model: str) -> None:
        """Take over what was left to those who wait for the model, and the duty to unload it."""
        file = self._wanted.get((endpoint, model.casefold()))
        if file is None:
            return
        names = os.pread(file, os.fstat(file).st_size, 0).decode().splitlines()
        os.ftruncate(file, 0)
        for instance in dict.fromkeys(names):
            if self.use(endpoint, instance):
                os.pwrite(self._used[endpoint, instance], _LEFT, 0)
                self._heirlooms.append((endpoint, model, instance))

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
