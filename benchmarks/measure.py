"""Measuring whole processes: wall time and peak memory, floor and ours by turns, medians of several repetitions.

Only the standard library is imported here: on Linux a child's peak memory starts at what its parent had when it
was started, so a fat bench would be a floor of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FLOOR = str(HERE / "floor.py")


@dataclass(frozen=True, slots=True)
class Sample:
    """One process: seconds of wall time, seconds of processor time, megabytes of peak resident memory.

    ``span`` and ``gaps`` are what the server's watch says, as in ``Watched``.
    """

    seconds: float
    processor: float
    megabytes: float
    span: float = 0.0
    gaps: tuple[float, ...] = ()


def _surroundings() -> dict[str, str]:
    """Our environment as a user has it, for floor and ours alike.

    A shell that forbids Python to keep what it compiled (``PYTHONDONTWRITEBYTECODE``) would make every start compile
    a checkout anew, which installed packages are spared: the floor would pay nothing for it, and ours everything.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process to measure: ``cwd`` is where it runs, ``env`` what is added to ours."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]

    def run(self) -> Sample:
        """Run it once.

        Raises:
            RuntimeError: it failed; a failed run has no speed. The message ends with what it said.
        """
        started = time.perf_counter()
        with (self.cwd / "said.txt").open("w+b") as said:
            child = subprocess.Popen(
                self.argv,
                cwd=self.cwd,
                env={**_surroundings(), **self.env},
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - started
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode != 0:
                said.seek(0)
                words = said.read().decode(errors="replace")[-2000:]
                raise RuntimeError(f"{' '.join(self.argv)} ended with {child.returncode}:\n{words}")
        # Linux counts ru_maxrss in kilobytes, macOS in bytes (getrusage(2) of each).
        megabytes = usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
        return Sample(seconds=seconds, processor=usage.ru_utime + usage.ru_stime, megabytes=megabytes)


def script(folder: Path, *arguments: str) -> Command:
    """Python itself with these arguments, in ``folder``."""
    return Command(argv=(sys.executable, *arguments), cwd=folder, env={})


def bridge_run(folder: Path, *arguments: str, url: str = "") -> Command:
    """``bridge-run`` with these arguments, in ``folder``; ``url`` is that of the server of models."""
    env = {"NO_COLOR": "1", "XDG_CACHE_HOME": str(folder / ".cache")}  # what a bench measures is not for forecasts
    env |= {"BRIDGE_RUN_ENDPOINT": url} if url else {}
    return Command(argv=(str(Path(sys.executable).with_name("bridge-run")), *arguments), cwd=folder, env=env)


@dataclass(frozen=True, slots=True)
class Watched:
    """In seconds: from the first prompt's arrival to the last answer's departure; from each answer to the next prompt.

    The gaps are a client's own time between two requests, if it never asks two at once.
    """

    span: float
    gaps: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ZeroServer:
    """A running ``zero_server.py``; ``url`` without a trailing slash."""

    url: str

    def watch(self) -> Watched:
        """What its watch saw since this was last asked."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.url}/bench/span") as answer:
            seen = json.load(answer)
        return Watched(span=float(seen["seconds"]), gaps=tuple(map(float, seen["gaps"])))

    def span(self) -> float:
        """Seconds from the first prompt's arrival to the last answer's departure since this was last asked."""
        return self.watch().span


@contextmanager
def zero_server(*options: str) -> Iterator[ZeroServer]:
    """A zero-delay model server as a process of its own, for as long as the block lasts."""
    argv = [sys.executable, str(HERE / "zero_server.py"), *options]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            yield ZeroServer(f"http://127.0.0.1:{int(child.stdout.readline())}")
        finally:
            child.stdin.close()


@dataclass(frozen=True, slots=True)
class Medians:
    """The medians of several samples of one command."""

    samples: tuple[Sample, ...]

    @property
    def seconds(self) -> float:
        """Wall time."""
        return statistics.median(sample.seconds for sample in self.samples)

    @property
    def processor(self) -> float:
        """Processor time, of the process and of the children it waited for."""
        return statistics.median(sample.processor for sample in self.samples)

    @property
    def megabytes(self) -> float:
        """Peak resident memory."""
        return statistics.median(sample.megabytes for sample in self.samples)

    @property
    def span(self) -> float:
        """From the first prompt's arrival to the last answer's departure."""
        return statistics.median(sample.span for sample in self.samples)


def newest_journal(folder: Path) -> list[dict[str, Any]]:
    """The events of the run that was begun last in ``folder``."""
    path = max(folder.glob(".bridge/runs/*/journal.jsonl"), key=lambda one: one.stat().st_mtime_ns)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def by_turns(commands: Mapping[str, Command], repetitions: int, watch: ZeroServer | None = None) -> dict[str, Medians]:
    """Every command once a round, so that a busy machine is busy for all; the first round warms up, uncounted."""
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for number in range(repetitions + 1):
        for name, command in commands.items():
            sample = command.run()
            if watch:
                seen = watch.watch()
                sample = replace(sample, span=seen.span, gaps=seen.gaps)
            if number:
                samples[name].append(sample)
    return {name: Medians(tuple(some)) for name, some in samples.items()}
