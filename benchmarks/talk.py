"""What a conversation with a model server costs: its stream, its failures, its length, the question what models it has.

Every server here is ``zero_server.py`` in the shape of an LM Studio that has the model loaded.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import files
from figure import Figure, above, ms
from measure import FLOOR, HERE, Medians, Sample, bridge_run, by_turns, newest_journal, script, zero_server

TOKENS = 2000
ANSWERS = 5
PACE = 0.5
RETRIES = 40
WAIT = 0.01
ROUNDS = 50
EARLY, LATE = slice(5, 15), slice(ROUNDS - 10, ROUNDS)
ENGLISH = "The quick brown fox jumps over the lazy dog, twice on a Sunday; then it rests.\n" * 63
MIXED = "Die Größe – ändert sich „zweimal“; быстрая лиса прыгает, 狐は怠け者の犬を飛び越える。\n" * 77
"""5 kB each; the second holds letters of every kind that the estimate of tokens tells apart."""


def bench_validator(folder: Path, repeat: int) -> list[Figure]:
    """``ModelValidator.validate`` beside a bare httpx GET of the same list, in one process by turns."""
    with zero_server() as server:
        argv = [sys.executable, str(HERE / "validator.py"), "--rounds", str(20 * repeat), "--json", server.url]
        found = json.loads(subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True).stdout)
    bare, cached = found["bare"], found["cached"]
    return [
        Figure(
            what="the models of a server, cached: `validate`", floor=ms(bare), ours=ms(cached),
            compared=f"{cached / bare:.4f}x a GET", mark="below 0.1 ms", holds=cached < 0.0001,
        ),
        above("the same, cold", bare, found["cold"]),
        above(f"the same, {found['callers']} cold at once, all of them", bare, found["many"]),
        above(f"the same, {found['callers']} in a row, beside them at once", found["many"], found["row"]),
    ]  # fmt: skip


def bench_stream(folder: Path, repeat: int) -> list[Figure]:
    """Processor time of one more token: answers of 2,000 against answers of one, so that no start-up is in it."""
    figures = []
    for pace, how in ((0.0, "as fast as it is read"), (PACE, f"{PACE:g} ms apart")):
        answers = 1 if pace else ANSWERS
        path = str(files.fan(folder, answers, 1))
        with (
            zero_server("--tokens", "1") as one,
            zero_server("--tokens", str(TOKENS), "--pace", str(pace)) as many,
        ):
            commands = {
                "floor 1": script(folder, FLOOR, "fan", one.url, str(answers), "1"),
                "ours 1": bridge_run(folder, path, "--quiet", url=one.url),
                "floor": script(folder, FLOOR, "fan", many.url, str(answers), "1"),
                "ours": bridge_run(folder, path, "--quiet", url=many.url),
            }
            found = by_turns(commands, 2 * repeat)
        pieces = answers * (TOKENS - 1)
        floor = (found["floor"].processor - found["floor 1"].processor) / pieces
        ours = (found["ours"].processor - found["ours 1"].processor) / pieces
        figures.append(above(f"a token of a stream of {TOKENS:,}, {how}, processor time", floor, ours))
    return figures


def bench_retry(folder: Path, repeat: int) -> list[Figure]:
    """From a 503 to the next request, less the wait that was asked for: a bare script, and ours by its journal."""
    path = files.failing(folder, RETRIES, f"{WAIT * 1000:g}ms")
    floor_gaps: list[list[float]] = []
    our_gaps: list[list[float]] = []
    with zero_server("--fail") as server:
        floor = script(folder, FLOOR, "retry", server.url, str(RETRIES), str(WAIT))
        ours = bridge_run(folder, str(path), "--quiet", url=server.url)
        for _ in range(repeat + 1):
            floor.run()
            floor_gaps.append([gap - WAIT for gap in server.watch().gaps[::2]])
            ours.run()
            waits = [event["wait"] for event in newest_journal(folder) if event["type"] == "step_retried"]
            our_gaps.append([gap - wait for gap, wait in zip(server.watch().gaps[::2], waits, strict=True)])
    first = [[some[0] for some in gaps[1:]] for gaps in (floor_gaps, our_gaps)]
    rest = [[gap for some in gaps[1:] for gap in some[1:]] for gaps in (floor_gaps, our_gaps)]
    return [
        above("from a failure to its retry, beyond the wait", statistics.median(rest[0]), statistics.median(rest[1])),
        above("the same, the first of a process", statistics.median(first[0]), statistics.median(first[1])),
    ]


def bench_talk(folder: Path, repeat: int) -> list[Figure]:
    """From an answer to the next request in a growing conversation: 50 results of 5 kB, read with the built-in tool."""
    figures = []
    for text, what in ((ENGLISH, "5 kB"), (MIXED, "5 kB of many alphabets")):
        path = str(files.long_talk(folder, ROUNDS, text))
        options = ("--tool-rounds", str(ROUNDS), "--tool", "read", "--arguments", '{"path": "part-{}.txt"}')
        with zero_server(*options) as server:
            pair = {
                "floor": script(folder, FLOOR, "read", server.url, str(folder / "parts")),
                "ours": bridge_run(folder, path, "--quiet", url=server.url),
            }
            found = by_turns(pair, repeat, server)
        early, late = (
            [_gap(found[who], part) for who in ("floor", "ours")] for part in (EARLY, LATE)
        )  # fmt: skip
        figures.append(above(f"round 10 of a talk, results of {what}", early[0], early[1]))
        grown = late[1] - early[1] - (late[0] - early[0])
        note = f"; grew by {ms(grown)} more than the floor"
        figures.append(above(f"round {ROUNDS - 5} of the same", late[0], late[1], most=0.005, note=note))
    return figures


def _gap(found: Medians, part: slice) -> float:
    return statistics.median(_gaps(found.samples, part))


def _gaps(samples: Sequence[Sample], part: slice) -> list[float]:
    return [gap for sample in samples for gap in sample.gaps[part]]
