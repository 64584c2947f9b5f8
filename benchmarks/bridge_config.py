"""What asking for the MCP servers of hosts costs: of a file that stays, beside a ``stat``; of one that was changed.

python benchmarks/bridge_config.py [--rounds 100] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from figure import Figure, above, ms

SERVERS = 50
CALLS = 100
SETTLED = 2.1
"""Seconds after which a file is no longer compared with what was read of it."""
MOST = 0.001


def bench_bridge_config(folder: Path, repeat: int) -> list[Figure]:
    """``HostConfiguration.servers`` with 50 servers in a file, in a process of its own: a bench must stay small."""
    argv = [sys.executable, __file__, "--rounds", str(15 * repeat), "--json"]
    found = json.loads(subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True).stdout)
    asked, young = found["settled"], found["young"]
    what = f"the MCP servers of hosts, {SERVERS} in a file"
    return [
        Figure(
            what=f"{what} that stays, beside a bare stat", floor=ms(found["stat"]),
            ours=ms(asked), compared=f"{asked / found['stat']:.1f}x; within two seconds of a change {ms(young)}",
            mark=f"below {ms(MOST)}", holds=max(asked, young) < MOST,
        ),
        above(f"{what} that was changed, beside reading its JSON", found["parse"], found["anew"], most=0.01),
    ]  # fmt: skip


def figures(folder: Path, rounds: int) -> dict[str, float]:
    """Medians, in seconds of one call; ours and its floor by turns."""
    from runner.edges.host_config.host_config import HostConfiguration

    file, stray = folder / ".mcp.json", folder / "new.json"
    text = json.dumps({"mcpServers": {f"server-{number}": _entry(number) for number in range(SERVERS)}}, indent=2)
    file.write_text(text, encoding="utf-8")
    hosts = HostConfiguration({"HOME": str(folder / "home"), "TOKEN": "x"}, folder)
    path, length = str(file), itertools.count(1)

    def young() -> None:
        _many(hosts.servers)

    def stat() -> None:
        import os

        _many(lambda: os.stat(path))  # noqa: PTH116 - the least that there is

    def settled() -> None:
        _many(hosts.servers)

    def parse() -> None:
        json.loads(file.read_text(encoding="utf-8"))

    def change() -> None:
        stray.write_text(text + " " * next(length), encoding="utf-8")
        stray.replace(file)

    def anew() -> None:
        hosts.servers()

    found = _medians({"young": young}, rounds)
    time.sleep(SETTLED)
    found |= _medians({"stat": stat, "settled": settled}, rounds)
    before = hosts.servers()
    found |= _medians({"parse": parse, "anew": anew}, rounds, before=change)
    assert hosts.servers().keys() == before.keys()
    assert len(before) == SERVERS
    return {name: seconds / (1 if name in ("parse", "anew") else CALLS) for name, seconds in found.items()}


def _medians(
    works: Mapping[str, Callable[[], None]], rounds: int, before: Callable[[], None] = lambda: None
) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):  # the first round warms up, uncounted
        for name, work in works.items():
            before()
            started = time.perf_counter()
            work()
            if number:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(some) for name, some in taken.items()}


def _many(work: Callable[[], object]) -> None:
    for _ in range(CALLS):
        work()


def _entry(number: int) -> dict[str, object]:
    """Every other one over HTTP, with what real entries have."""
    if number % 2:
        return {
            "type": "http",
            "url": f"https://x{number}.example/mcp",
            "headers": {"Authorization": "Bearer ${TOKEN}"},
        }
    return {"command": "npx", "args": ["-y", f"@scope/server-{number}", "--root", "/data"], "env": {"KEY": "${TOKEN}"}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="only the figures")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bridge-run-bench-") as folder:
        found = figures(Path(folder), given.rounds)
    if given.json:
        print(json.dumps(found))
        return
    print("\n".join(f"{name:8} {ms(seconds)}" for name, seconds in found.items()))


if __name__ == "__main__":
    main()
