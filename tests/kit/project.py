"""A project as a dictionary of files, and the real command run in it: what a person types, sees and gets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BRIDGE_RUN = str(Path(sys.executable).with_name("bridge-run"))
_VOLATILE = (
    (re.compile(r"\d{8}-\d{6}-([a-z0-9-]+?)-[0-9a-f]{4}\b"), r"RUN-\1"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://127.0.0.1:PORT"),
    (re.compile(r"(?m)^ +\d+(?:\.\d)?s  (?=\S)"), "  0.0s  "),
    (re.compile(r"(?m)^ +\d+m\d\ds  (?=\S)"), "  0.0s  "),
    (re.compile(r"(?<![\w.])\d+\.\ds\b"), "0.0s"),
    (re.compile(r"\b(after|in) \d+(?:m\d\d)?s\b"), r"\1 0.0s"),  # on a crowded machine
    (re.compile(r"  +0\.0s"), "  0.0s"),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; ``out`` and ``err`` without what differs from run to run."""

    code: int
    out: str
    err: str
    raw_out: str
    raw_err: str

    def __str__(self) -> str:
        """All that a person sees, as one text for a snapshot."""
        parts = [f"exit code {self.code}"]
        parts += [f"--- {name}\n{text.rstrip()}" for name, text in (("stdout", self.out), ("stderr", self.err)) if text]
        return "\n".join(parts) + "\n"


class Project:
    """A folder with files in which ``bridge-run`` is run as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        self.environment: dict[str, str] = {
            **{
                k: v
                for k, v in os.environ.items()
                if not k.startswith(("LMSTUDIO", "LM_API", "BRIDGE_RUN", "GITHUB", "PYTEST"))
            },
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
            "NO_COLOR": "1",
            "BRIDGE_RUN_ENDPOINT": "http://127.0.0.1:9",
            "XDG_CONFIG_HOME": str(folder / ".config"),  # not the settings of whoever runs the tests
            # Nor what his runs have measured; outside of the folder, which some tests look at as a whole.
            "XDG_CACHE_HOME": str(Path(tempfile.gettempdir()) / "bridge-run-tests" / folder.relative_to(folder.anchor)),
        }
        self.environment.pop("CI", None)

    def write(self, name: str, content: str | bytes | Mapping[str, Any]) -> Path:
        """Write a file of the project; a mapping becomes JSON, which YAML can read."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, group: bool = False
    ) -> subprocess.Popen[str]:
        """Start ``bridge-run`` and return at once; with ``group`` as the leader of a process group of its own."""
        process = subprocess.Popen(
            [BRIDGE_RUN, *arguments],
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            process_group=0 if group else None,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what a failed test left running: politely, so that it ends its own children."""
        for process in self.started:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=30)

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 60) -> Ended:
        """Run ``bridge-run`` to its end."""
        return self.ended(self.start(*arguments, env=env), timeout)

    def ended(self, process: subprocess.Popen[str], timeout: float = 60) -> Ended:
        """Wait for a started process."""
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it did not end within {timeout} s:\n{out}\n{err}") from None
        return Ended(process.returncode, self.stable(out), self.stable(err), out, err)

    def stable(self, text: str) -> str:
        """The text without paths, times, ports and run ids."""
        text = text.replace(str(self.folder), "PROJECT")
        for pattern, replacement in _VOLATILE:
            text = pattern.sub(replacement, text)
        return text

    def runs(self) -> list[Path]:
        """The folders of all runs so far, oldest first; the names of those of one second are in no order."""
        return sorted((self.folder / ".bridge/runs").glob("*"), key=lambda run: run.stat().st_mtime_ns)

    def journal(self) -> list[dict[str, Any]]:
        """The entries of the newest run."""
        lines = (self.runs()[-1] / "journal.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def result(self) -> dict[str, Any]:
        """``result.json`` of the newest run."""
        loaded: dict[str, Any] = json.loads((self.runs()[-1] / "result.json").read_text("utf-8"))
        return loaded


def wait_until(holds: Callable[[], bool], what: str, within: float = 30) -> None:
    """Wait for something to become true; fails the test if it does not."""
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.02)


def processes_with(text: str) -> list[int]:
    """The ids of living processes whose command line holds ``text``, ourselves left out (Linux)."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if text in line and state != "Z":
            found.append(int(folder.name))
    return found


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> None:
    """What Ctrl-C does."""
    process.send_signal(number)
