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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Sample:
    """One process, from its start to its end: seconds of wall time, megabytes of peak resident memory."""

    seconds: float
    megabytes: float


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
                env={**os.environ, **self.env},
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
        return Sample(seconds, usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024))


def by_turns(commands: Mapping[str, Command], repetitions: int) -> dict[str, list[Sample]]:
    """Every command once a round, so that a busy machine is busy for all of them; the first round does not count."""
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for number in range(repetitions + 1):
        for name, command in commands.items():
            sample = command.run()
            if number:
                samples[name].append(sample)
    return samples


def median_seconds(samples: Sequence[Sample]) -> float:
    """The median wall time."""
    return statistics.median(sample.seconds for sample in samples)


def median_megabytes(samples: Sequence[Sample]) -> float:
    """The median peak memory."""
    return statistics.median(sample.megabytes for sample in samples)


@dataclass(frozen=True, slots=True)
class ZeroServer:
    """A running ``zero_server.py``; ``url`` without a trailing slash."""

    url: str

    def span(self) -> float:
        """Seconds from the first prompt's arrival to the last answer's departure since this was last asked."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.url}/bench/span") as answer:
            return float(json.load(answer)["seconds"])


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
