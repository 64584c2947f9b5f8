"""Processes that end with everything they started: the leader of a session of its own, and its whole group.

A server is started as the leader of a new session, so its process group holds whatever it starts in turn (only a
grandchild that opens a session of its own escapes). POSIX only: ``os.killpg``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "TERM", "USER", "LOGNAME", "SHELL")
"""What a tool server sees of our environment, besides ``LC_*`` and what the workflow file gives it."""


def child_environment(environment: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """The small environment of a tool server: never the whole of ours, which holds secrets."""
    kept = {key: value for key, value in environment.items() if key in PASSED_ON or key.startswith("LC_")}
    return {**kept, **extra}


def find_command(command: str, *, folder: str, path: str | None) -> str | None:
    """The executable that ``command`` names, as an absolute path; None if there is none that may be executed.

    A name with a slash is relative to ``folder``, any other is looked up in ``path`` (the text of ``PATH``).
    """
    import shutil  # brings three compressors along, which only a start of servers should pay for

    if "/" in command:
        # Absolute, for `./server` in `.` is `server` to a Path, and a bare name is looked up in PATH.
        return shutil.which(str(Path(folder, Path(command).expanduser()).absolute()))
    return shutil.which(command, path=path if path is not None else os.defpath)


@dataclass(slots=True)
class ProcessGroup:
    """The group led by the process ``leader`` (its process id, which is also the id of the group)."""

    leader: int

    def signal(self, number: int) -> None:
        """Send a signal to every member; nothing happens if none is left."""
        try:
            os.killpg(self.leader, number)
        except ProcessLookupError:
            return
        except PermissionError:
            # macOS says so of a group of zombies; a member that changed its user is beyond us as well.
            return

    def terminate(self) -> None:
        """Ask every member to end."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End every member now."""
        self.signal(signal.SIGKILL)

    def exists(self) -> bool:
        """Whether any member is left; one that ended but was not yet reaped by its parent counts."""
        try:
            os.killpg(self.leader, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return False
        return True


class Ledger(Protocol):
    """Who writes down which groups are alive, by their leaders."""

    def begun(self, leader: int) -> None:
        """A group lives."""

    def ended(self, leader: int) -> None:
        """None of it does any more."""


@dataclass(slots=True)
class Offspring:
    """Every process group that is alive now. The application owns one and empties it on its last way out."""

    _groups: dict[int, ProcessGroup] = field(default_factory=dict)
    _ledger: Ledger | None = None

    def write_down(self, ledger: Ledger) -> None:
        """Have it written down from now on, and what lives already."""
        self._ledger = ledger
        for leader in self._groups:
            ledger.begun(leader)

    def add(self, group: ProcessGroup) -> None:
        """Remember a group that was just started."""
        self._groups[group.leader] = group
        if self._ledger is not None:
            self._ledger.begun(group.leader)

    def discard(self, group: ProcessGroup) -> None:
        """Forget a group that has ended."""
        self._groups.pop(group.leader, None)
        if self._ledger is not None:
            self._ledger.ended(group.leader)

    def __len__(self) -> int:
        return len(self._groups)

    def kill_all_now(self) -> None:
        """End every group at once, without asking and without waiting.

        For signal handlers and ``atexit``: it is synchronous, safe to call twice, and never raises.
        """
        for group in tuple(self._groups.values()):
            group.kill()
            self.discard(group)
