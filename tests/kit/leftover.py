"""What a run leaves behind: no process, a closed journal, a result."""

from __future__ import annotations

import os
from pathlib import Path

from kit.project import Project, wait_until


def processes_of(folder: Path) -> list[str]:
    """The command lines of the living processes that work in ``folder`` or name it, ourselves left out (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            place = str((entry / "cwd").readlink()) if state != "Z" else ""
        except OSError:
            continue
        if state != "Z" and (str(folder) in line or place == str(folder)):
            found.append(line)
    return found


def assert_closed(project: Project, status: str) -> None:
    """Nothing is left of the newest run but its record, and that says how it ended.

    What was killed may take a moment to be gone from the table of processes.
    """
    wait_until(lambda: not processes_of(project.folder), f"no process is left in {project.folder}", within=3)
    last = project.journal()[-1]
    assert (last["type"], last["status"]) == ("run_finished", status)
    assert project.result()["status"] == status
    assert project.result()["exit_code"] == last["exit_code"]
    assert not list(project.folder.glob("**/*.new"))


def events(project: Project, kind: str) -> list[dict[str, object]]:
    """The entries of one type in the newest run's journal."""
    return [entry for entry in project.journal() if entry["type"] == kind]
