"""What ``make bench`` runs: every figure as a ratio to a floor measured in the same minutes, into RESULTS.md.

python benchmarks/run.py [--repeat 7] [--only help,prompt,chain,tools,fan,check,memory]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import files
from measure import HERE, Command, by_turns, median_megabytes, median_seconds, zero_server

PYTHON = sys.executable
BRIDGE_RUN = str(Path(sys.executable).with_name("bridge-run"))
FLOOR = str(HERE / "floor.py")
EVERYTHING = HERE.parent / "tests/servers/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
EMPTY_CLICK = "import click\n@click.group()\ndef main(): 'Nothing.'\nmain(prog_name='empty')"
BARE_YAML = "import sys, yaml\nfor name in sys.argv[1:]: yaml.load(open(name), yaml.CSafeLoader)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the results: ours beside the floor's, ``holds`` against the mark (None: there is no mark)."""

    what: str
    floor: str
    ours: str
    compared: str
    mark: str
    holds: bool | None


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if abs(seconds) < 0.1 else f"{seconds * 1000:.0f} ms"


def _script(folder: Path, *arguments: str) -> Command:
    return Command(argv=(PYTHON, *arguments), cwd=folder, env={})


def _ours(folder: Path, *arguments: str, url: str = "") -> Command:
    env = {"BRIDGE_RUN_ENDPOINT": url, "NO_COLOR": "1"} if url else {"NO_COLOR": "1"}
    return Command(argv=(BRIDGE_RUN, *arguments), cwd=folder, env=env)


def bench_help(folder: Path, repeat: int) -> list[Figure]:
    """An empty click program beside ``bridge-run --help``."""
    pair = {"floor": _script(folder, "-c", EMPTY_CLICK, "--help"), "ours": _ours(folder, "--help")}
    return [_whole("`--help` beside an empty click program", pair, repeat, most=2.0)]


def bench_prompt(folder: Path, repeat: int) -> list[Figure]:
    """One prompt, whole process, and its memory."""
    with zero_server() as server:
        pair = {
            "floor": _script(folder, FLOOR, "prompt", server.url),
            "ours": _ours(folder, str(files.one_prompt(folder)), "--quiet", url=server.url),
        }
        samples = by_turns(pair, repeat)
    floor, ours = (median_seconds(samples[name]) for name in pair)
    fat, thin = median_megabytes(samples["ours"]), median_megabytes(samples["floor"])
    return [
        Figure(
            what="one prompt, whole process", floor=_ms(floor), ours=_ms(ours), compared=f"{ours / floor:.2f}x",
            mark="at most 1.6x", holds=ours <= 1.6 * floor,
        ),
        Figure(
            what="one prompt, peak memory", floor=f"{thin:.0f} MB", ours=f"{fat:.0f} MB", compared=f"{fat / thin:.2f}x",
            mark="at most 60 MB", holds=fat <= 60,
        ),
    ]  # fmt: skip


def bench_chain(folder: Path, repeat: int) -> list[Figure]:
    """What one more step costs: chains of 200 and of 1, whole processes, the difference shared out."""
    with zero_server() as server:
        samples = by_turns(
            {
                "floor 1": _script(folder, FLOOR, "chain", server.url, "1"),
                "ours 1": _ours(folder, str(files.chain(folder, 1)), "--quiet", url=server.url),
                "floor 200": _script(folder, FLOOR, "chain", server.url, "200"),
                "ours 200": _ours(folder, str(files.chain(folder, 200)), "--quiet", url=server.url),
            },
            repeat,
        )
    seconds = {name: median_seconds(some) for name, some in samples.items()}
    floor, ours = ((seconds[f"{who} 200"] - seconds[f"{who} 1"]) / 199 for who in ("floor", "ours"))
    return [_above("a step (chain of 200)", floor, ours, most=0.003)]


def bench_tools(folder: Path, repeat: int) -> list[Figure]:
    """What one more tool round costs, and the whole process with one: server-everything over stdio."""
    if not EVERYTHING.exists():
        why = "not measured: the npm servers are not installed"
        return [Figure(what="a tool round", floor="–", ours="–", compared=why, mark="at most 5 ms above", holds=None)]
    command = ["node", str(EVERYTHING)]
    path = str(files.tools(folder, command))
    with zero_server("--tool-rounds", "1") as one, zero_server("--tool-rounds", "21") as many:
        samples = by_turns(
            {
                "floor 1": _script(folder, FLOOR, "tools", one.url, *command),
                "ours 1": _ours(folder, path, "--quiet", url=one.url),
                "floor 21": _script(folder, FLOOR, "tools", many.url, *command),
                "ours 21": _ours(folder, path, "--quiet", url=many.url),
            },
            repeat,
        )
    seconds = {name: median_seconds(some) for name, some in samples.items()}
    floor, ours = ((seconds[f"{who} 21"] - seconds[f"{who} 1"]) / 20 for who in ("floor", "ours"))
    whole = Figure(
        what="one tool round, whole process", floor=_ms(seconds["floor 1"]), ours=_ms(seconds["ours 1"]),
        compared=f"{seconds['ours 1'] / seconds['floor 1']:.2f}x", mark="–", holds=None,
    )  # fmt: skip
    return [_above("a tool round (20 more)", floor, ours, most=0.005), whole]


def bench_fan(folder: Path, repeat: int) -> list[Figure]:
    """40 independent steps at 50 ms, from the first prompt's arrival to the last answer, on the server's watch."""
    figures = []
    for parallel in (4, 8):
        ideal = 40 / parallel * 0.05
        with zero_server("--delay", "50") as server:
            command = _ours(folder, str(files.fan(folder, 40, parallel)), "--quiet", url=server.url)
            spans = []
            for _ in range(repeat):
                command.run()
                spans.append(server.span())
        took = statistics.median(spans)
        figure = Figure(
            what=f"40 steps at 50 ms, {parallel} at once", floor=_ms(ideal), ours=_ms(took),
            compared=f"{ideal / took:.1%} of the ideal", mark="at least 95 %", holds=ideal / took >= 0.95,
        )  # fmt: skip
        figures.append(figure)
    return figures


def bench_check(folder: Path, repeat: int) -> list[Figure]:
    """``check --offline`` beside PyYAML's C loader alone on the same files."""
    marks = {200: 0.4, 500: None, 1000: None, 2000: 1.0}
    commands, paths = {}, {length: str(files.realistic(folder, length)) for length in marks}
    for length, path in paths.items():
        commands[f"floor {length}"] = _script(folder, "-c", BARE_YAML, path)
        commands[f"ours {length}"] = _ours(folder, "check", "--offline", path)
    small = folder / "small"
    small.mkdir()
    for number in range(200):
        files.realistic(small, 10, f"small-{number}")
    commands["floor files"] = _script(folder, "-c", BARE_YAML, *sorted(map(str, small.iterdir())))
    commands["ours files"] = _ours(folder, "check", "--offline", str(small))
    seconds = {name: median_seconds(some) for name, some in by_turns(commands, repeat).items()}
    figures = [
        _absolute(f"check one file of {length:,} steps", seconds[f"floor {length}"], seconds[f"ours {length}"], most)
        for length, most in marks.items()
    ]
    figures.append(_absolute("check 200 files of 10 steps", seconds["floor files"], seconds["ours files"], 2.0))
    return [*figures, _growth(seconds)]


def bench_memory(folder: Path, repeat: int) -> list[Figure]:
    """Peak memory of a run of 1,000 steps."""
    with zero_server() as server:
        samples = by_turns(
            {
                "floor": _script(folder, FLOOR, "chain", server.url, "1000"),
                "ours": _ours(folder, str(files.chain(folder, 1000)), "--quiet", url=server.url),
            },
            min(repeat, 3),
        )
    thin, fat = median_megabytes(samples["floor"]), median_megabytes(samples["ours"])
    return [
        Figure(
            what="a run of 1,000 steps, peak memory", floor=f"{thin:.0f} MB", ours=f"{fat:.0f} MB",
            compared=f"{fat / thin:.2f}x", mark="at most 150 MB", holds=fat <= 150,
        )
    ]  # fmt: skip


def _whole(what: str, pair: Mapping[str, Command], repeat: int, most: float) -> Figure:
    samples = by_turns(pair, repeat)
    floor, ours = median_seconds(samples["floor"]), median_seconds(samples["ours"])
    return Figure(
        what=what, floor=_ms(floor), ours=_ms(ours), compared=f"{ours / floor:.2f}x", mark=f"at most {most:g}x",
        holds=ours <= most * floor,
    )  # fmt: skip


def _above(what: str, floor: float, ours: float, most: float) -> Figure:
    return Figure(
        what=what, floor=_ms(floor), ours=_ms(ours), compared=f"{ours / floor:.2f}x, {_ms(ours - floor)} above",
        mark=f"at most {most * 1000:g} ms above", holds=ours - floor <= most,
    )  # fmt: skip


def _absolute(what: str, floor: float, ours: float, most: float | None) -> Figure:
    return Figure(
        what=what, floor=_ms(floor), ours=_ms(ours), compared=f"{ours / floor:.2f}x",
        mark=f"at most {most:g} s" if most else "–", holds=ours <= most if most else None,
    )  # fmt: skip


def _growth(seconds: Mapping[str, float]) -> Figure:
    """Cost of a step between 500 and 1,000, and between 1,000 and 2,000: equal where growth is linear."""
    ours = (seconds["ours 1000"] - seconds["ours 500"]) / 500, (seconds["ours 2000"] - seconds["ours 1000"]) / 1000
    bare = (seconds["floor 1000"] - seconds["floor 500"]) / 500, (seconds["floor 2000"] - seconds["floor 1000"]) / 1000
    return Figure(
        what="check, a step more: 500 to 1,000, then 1,000 to 2,000",
        floor=" / ".join(f"{step * 1000:.3f} ms" for step in bare),
        ours=" / ".join(f"{step * 1000:.3f} ms" for step in ours),
        compared=f"{ours[1] / ours[0]:.2f}x", mark="linear: at most 1.3x", holds=ours[1] <= 1.3 * ours[0],
    )  # fmt: skip


BENCHES: Mapping[str, Callable[[Path, int], list[Figure]]] = {
    "help": bench_help, "prompt": bench_prompt, "chain": bench_chain, "tools": bench_tools, "fan": bench_fan,
    "check": bench_check, "memory": bench_memory,
}  # fmt: skip


def report(figures: list[Figure], repeat: int, load: tuple[float, float]) -> str:
    """The results as a page of Markdown."""
    lines = [
        "# Speed and size\n",
        "Written by `make bench`. Times are medians of whole processes, floor and bridge-run by turns in the same",
        "minutes, so that the ratios mean something on a busy machine too. What each floor does is in `floor.py`;",
        "the model server is `zero_server.py`, which costs next to nothing.\n",
        f"- {time.strftime('%Y-%m-%d', time.gmtime())}, {platform.system()} on {platform.machine()},"
        f" {os.cpu_count()} cores, Python {platform.python_version()}",
        f"- {repeat} repetitions; load {load[0]:.1f} at the start, {load[1]:.1f} at the end\n",
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
