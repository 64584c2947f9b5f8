"""What ``make bench`` runs: every figure as a ratio to a floor measured in the same minutes, into RESULTS.md.

python benchmarks/run.py [--repeat 7] [--only help,prompt,…] (all: --help)
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import bridge
import bridge_config
import engine
import files
import flow
import schedule
import talk
from figure import Figure, above, absolute, memory, missing, ms, whole
from measure import FLOOR, HERE, Medians, bridge_run, by_turns, script, zero_server

EVERYTHING = HERE.parent / "tests/servers/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
EMPTY_CLICK = "import click\n@click.group()\ndef main(): 'Nothing.'\nmain(prog_name='empty')"
LOCK = """\
version: 1
model_servers:
  - {flavour: lmstudio-v1, manages: true, loads_on_demand: true, models: [{key: zero-model, names: [zero-model]}]}
mcp_servers: []
"""
BARE_YAML = "import sys, yaml\nfor name in sys.argv[1:]: yaml.load(open(name), yaml.CSafeLoader)"


def bench_help(folder: Path, repeat: int) -> list[Figure]:
    """An empty click program beside ``bridge-run --help``."""
    pair = {"floor": script(folder, "-c", EMPTY_CLICK, "--help"), "ours": bridge_run(folder, "--help")}
    found = by_turns(pair, repeat)
    return [whole("`--help` beside an empty click program", found["floor"], found["ours"], most=2.0)]


def bench_prompt(folder: Path, repeat: int) -> list[Figure]:
    """One prompt, whole process, and its memory."""
    with zero_server() as server:
        pair = {
            "floor": script(folder, FLOOR, "prompt", server.url),
            "ours": bridge_run(folder, str(files.one_prompt(folder)), "--quiet", url=server.url),
        }
        found = by_turns(pair, repeat)
    return [
        whole("one prompt, whole process", found["floor"], found["ours"], most=1.6),
        memory("one prompt, peak memory", found["floor"], found["ours"], most=60),
    ]


def bench_chain(folder: Path, repeat: int) -> list[Figure]:
    """What one more step costs: a chain of 200, on the server's watch, so that no start-up blurs it."""
    with zero_server() as server:
        pair = {
            "floor": script(folder, FLOOR, "chain", server.url, "200"),
            "ours": bridge_run(folder, str(files.chain(folder, 200)), "--quiet", url=server.url),
        }
        found = by_turns(pair, repeat, server)
    return [
        above("a step (chain of 200)", found["floor"].span / 199, found["ours"].span / 199, most=0.003),
        whole("chain of 200, whole process", found["floor"], found["ours"]),
    ]


def bench_tools(folder: Path, repeat: int) -> list[Figure]:
    """What one more tool round costs, and the whole process: 20 rounds with server-everything over stdio."""
    if not EVERYTHING.exists():
        return [missing("a tool round", "the npm servers are not installed")]
    command = ["node", str(EVERYTHING)]
    with zero_server("--tool-rounds", "20") as server:
        pair = {
            "floor": script(folder, FLOOR, "tools", server.url, *command),
            "ours": bridge_run(folder, str(files.tools(folder, command)), "--quiet", url=server.url),
        }
        found = by_turns(pair, repeat, server)
    return [
        above("a tool round (20 rounds)", found["floor"].span / 20, found["ours"].span / 20, most=0.005),
        whole("20 tool rounds, whole process", found["floor"], found["ours"]),
    ]


def bench_fan(folder: Path, repeat: int) -> list[Figure]:
    """40 independent steps at 50 ms, from the first prompt's arrival to the last answer, on the server's watch.

    By arithmetic the best is 40 / parallel * 50 ms, which counts a request as free; the bare script falls short of it
    too. The fair ideal is what that script reaches on the same server in the same minutes: the mark is 95 % of its
    speed, and the share of the arithmetic ideal is told beside it.
    """
    figures = []
    for parallel in (4, 8):
        ideal = 40 / parallel * 0.05
        with zero_server("--delay", "50") as server:
            pair = {
                "floor": script(folder, FLOOR, "fan", server.url, "40", str(parallel)),
                "ours": bridge_run(folder, str(files.fan(folder, 40, parallel)), "--quiet", url=server.url),
            }
            found = by_turns(pair, 3 * repeat, server)  # short, and two processes at a time: the noisiest figure
        floor, ours = found["floor"].span, found["ours"].span
        figure = Figure(
            what=f"40 steps at 50 ms, {parallel} at once", floor=ms(floor), ours=ms(ours),
            compared=f"{floor / ours:.1%} of the floor's speed; of {ms(ideal)} by arithmetic {ideal / ours:.1%}"
            f" (floor {ideal / floor:.1%})",
            mark="at least 95 % of the floor's speed", holds=floor / ours >= 0.95,
        )  # fmt: skip
        figures.append(figure)
    return figures


def bench_check(folder: Path, repeat: int) -> list[Figure]:
    """``check --offline`` beside PyYAML's C loader alone on the same files."""
    marks = {200: 0.4, 500: None, 1000: None, 2000: 1.0}
    commands = {}
    for length in marks:
        path = str(files.realistic(folder, length))
        commands[f"floor {length}"] = script(folder, "-c", BARE_YAML, path)
        commands[f"ours {length}"] = bridge_run(folder, "check", "--offline", path)
    small = folder / "small"
    small.mkdir()
    for number in range(200):
        files.realistic(small, 10, f"small-{number}")
    commands["floor files"] = script(folder, "-c", BARE_YAML, *sorted(map(str, small.iterdir())))
    commands["ours files"] = bridge_run(folder, "check", "--offline", str(small))
    (folder / "bridge.lock").write_text(LOCK, encoding="utf-8")
    commands["locked files"] = bridge_run(folder, "check", "--locked", str(small))
    found = by_turns(commands, repeat)
    figures = [
        absolute(f"check one file of {length:,} steps", found[f"floor {length}"], found[f"ours {length}"], most)
        for length, most in marks.items()
    ]
    figures.append(absolute("check 200 files of 10 steps", found["floor files"], found["ours files"], 2.0))
    figures.append(absolute("the same by the lock (`--locked`)", found["floor files"], found["locked files"], 2.0))
    return [*figures, _growth(found)]


def bench_memory(folder: Path, repeat: int) -> list[Figure]:
    """Peak memory of a run of 1,000 steps."""
    with zero_server() as server:
        pair = {
            "floor": script(folder, FLOOR, "chain", server.url, "1000"),
            "ours": bridge_run(folder, str(files.chain(folder, 1000)), "--quiet", url=server.url),
        }
        found = by_turns(pair, min(repeat, 3))
    return [memory("a run of 1,000 steps, peak memory", found["floor"], found["ours"], most=150)]


def _growth(found: Mapping[str, Medians]) -> Figure:
    """Processor time of one more step between 500 and 1,000, and between 1,000 and 2,000: equal in linear growth."""

    def steps(who: str) -> tuple[float, float]:
        at = {length: found[f"{who} {length}"].processor for length in (500, 1000, 2000)}
        return (at[1000] - at[500]) / 500, (at[2000] - at[1000]) / 1000

    floor, ours = steps("floor"), steps("ours")
    return Figure(
        what="check, processor time of a step: 500 to 1,000, then 1,000 to 2,000",
        floor=" / ".join(ms(step) for step in floor), ours=" / ".join(ms(step) for step in ours),
        compared=f"{ours[1] / ours[0]:.2f}x", mark="linear: at most 1.3x", holds=ours[1] <= 1.3 * ours[0],
    )  # fmt: skip


BENCHES: Mapping[str, Callable[[Path, int], list[Figure]]] = {
    "help": bench_help, "prompt": bench_prompt, "chain": bench_chain, "tools": bench_tools, "fan": bench_fan,
    "check": bench_check, "memory": bench_memory, "validator": talk.bench_validator, "stream": talk.bench_stream,
    "retry": talk.bench_retry, "talk": talk.bench_talk, "cache": engine.bench_prompt_cache,
    "embedded": engine.bench_embedded, "schedule": schedule.bench_schedule, "stages": flow.bench_stages,
    "large": flow.bench_large, "hosts": bridge_config.bench_bridge_config, "round": bridge.bench_round,
    "calls": bridge.bench_calls,
}  # fmt: skip


def report(figures: list[Figure], repeat: int, load: tuple[float, float]) -> str:
    """The results as a page of Markdown."""
    lines = [
        "# Speed and size\n",
        "Written by `make bench`. Times are medians of whole processes, floor and bridge-run by turns in the same",
        "minutes, so that the ratios mean something on a busy machine too. What each floor does is in `floor.py`;",
        "the model server is `zero_server.py`, which costs next to nothing, in the shape of an LM Studio that can be",
        "told to load and has the model loaded: every step holds a lease on it. What lies between an answer and the",
        "next request is on the server's watch; a token is processor time of the client; the lines of llama.cpp are",
        "its own server with a model of noise. What a schedule saves is reckoned on a virtual clock (`schedule.py`);",
        "the ten items are real runs on the simulator of the product.\n",
        f"- {time.strftime('%Y-%m-%d', time.gmtime())}, {platform.system()} on {platform.machine()},"
        f" {os.cpu_count()} cores, Python {platform.python_version()}",
        f"- {repeat} repetitions; load {load[0]:.1f} at the start, {load[1]:.1f} at the end: above {os.cpu_count()} the"
        " machine was shared, so trust ratios before milliseconds\n",
        "| what | floor | bridge-run | compared | mark | holds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    verdict = {True: "yes", False: "**no**", None: "–"}
    lines += [f"| {f.what} | {f.floor} | {f.ours} | {f.compared} | {f.mark} | {verdict[f.holds]} |" for f in figures]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure what is asked for; 1 if a mark does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--only", default=",".join(BENCHES), help="some of: " + ", ".join(BENCHES))
    given = parser.parse_args()
    figures: list[Figure] = []
    before = os.getloadavg()[0]
    for name in given.only.split(","):
        with tempfile.TemporaryDirectory(prefix="bridge-run-bench-") as folder:
            figures += BENCHES[name](Path(folder), given.repeat)
        print(f"{name}: measured", file=sys.stderr)
    page = report(figures, given.repeat, (before, os.getloadavg()[0]))
    print(page)
    if given.only == ",".join(BENCHES):
        (HERE / "RESULTS.md").write_text(page, encoding="utf-8")
    return 1 if any(figure.holds is False for figure in figures) else 0


if __name__ == "__main__":
    raise SystemExit(main())
