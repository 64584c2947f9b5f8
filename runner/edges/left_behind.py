"""Processes that outlive a run that was killed: written down while they live, ended before the run goes on.

A process is known by its id and the moment of its birth, so that none is taken for it that got its id later. Only Linux
says that moment cheaply (``/proc``, proc_pid_stat(5)); elsewhere nothing is written down, and nothing is ended.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Final

from runner.edges.process_group import ProcessGroup

PROCESSES: Final = "processes"
"""The file in the folder of a run; it is there as long as a process of the run is."""
_GRACE: Final = 2.0
"""Seconds between asking what is left to end and ending it."""
_POLL: Final = 0.02
_STARTED: Final = 19
"""Which field after the name of the program is its start, in ticks since the machine was started."""


class Ledger:
    """The groups of processes that a run has at work. What cannot be written harms no run."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROCESSES
        self._births: dict[int, str] = {}

    def begun(self, leader: int) -> None:
        """A group lives."""
        birth = _birth(leader)
        if birth is not None:
            self._births[leader] = birth
            self._write()

    def ended(self, leader: int) -> None:
        """None of it does any more."""
        if self._births.pop(leader, None) is not None:
            self._write()

    def _write(self) -> None:
        lines = "".join(f"{leader} {birth}\n" for leader, birth in self._births.items())
        draft = self._path.with_name(f".{PROCESSES}.new")
        try:
            if lines:
                draft.write_text(lines, "ascii")
                draft.replace(self._path)
            else:
                self._path.unlink(missing_ok=True)
        except OSError:
            return


def end_left_behind(folder: Path) -> tuple[str, ...]:
    """End what a killed run has left at work; the names of the programs. Waits for at most two seconds."""
    path = folder / PROCESSES
    try:
        lines = path.read_text("ascii", "replace").splitlines()
    except OSError:
        return ()
    groups = [ProcessGroup(leader) for line in lines if (leader := _living(line)) is not None]
    names = tuple(_name(group.leader) for group in groups)
    for group in groups:
        group.terminate()
    end = time.monotonic() + _GRACE
    while any(group.exists() for group in groups) and time.monotonic() < end:
        time.sleep(_POLL)
    for group in groups:
        group.kill()
    path.unlink(missing_ok=True)
    return names


def _living(line: str) -> int | None:
    """The process of a line, if it is still that one; a line may be torn."""
    leader, _, birth = line.partition(" ")
    return int(leader) if leader.isdecimal() and int(leader) > 1 and _birth(int(leader)) == birth else None


def _birth(pid: int) -> str | None:
    try:
        after_name = Path("/proc", str(pid), "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return f"{_boot()} {after_name[_STARTED]}"
    except (OSError, IndexError):
        return None


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def _name(pid: int) -> str:
    try:
        return Path("/proc", str(pid), "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return str(pid)
