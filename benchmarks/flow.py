"""Fan-outs as they really run: through two models on a server that holds one, and of thousands of items."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from figure import Figure, ms
from measure import bridge_run, by_turns, zero_server

ITEMS = 10
LOAD = 1.0
"""Seconds to load a model."""
ANSWER = 0.2
"""Seconds of an answer."""
AT_ONCE = 4
"""Requests that the simulated model answers at once, as LM Studio's default is."""
SCRIPT = f"""
models:
  a: {{load_time: {LOAD * 1000:.0f}ms, first_token: {ANSWER * 1000:.0f}ms, turns: [{{say: drafted}}]}}
  b: {{load_time: {LOAD * 1000:.0f}ms, first_token: {ANSWER * 1000:.0f}ms, turns: [{{say: reviewed}}]}}
"""
CALLEE = """
version: 1
name: pair
inputs: {topic: {type: integer}}
defaults: {sampling: {max_tokens: 100}}
steps:
  - {id: draft, model: a, task: "Draft {{ inputs.topic }}"}
  - {id: review, model: b, task: "Review {{ steps.draft.output }}"}
"""
LARGE = """
version: 1
name: large
steps:
  - {id: each, for_each: %s, model: zero-model, task: "Item {{ item }}"}
"""


def bench_stages(folder: Path, repeat: int) -> list[Figure]:
    """10 items drafted by one model and reviewed by another, beside the time that nobody can beat."""
    (folder / "pair.yaml").write_text(CALLEE, encoding="utf-8")
    pairs = f"version: 1\nname: pairs\nsteps:\n  - {{id: each, for_each: {list(range(ITEMS))}, workflow: pair.yaml, "
    (folder / "pairs.yaml").write_text(pairs + "with: {topic: '{{ item }}'}}\n", encoding="utf-8")
    waves = -(-ITEMS // AT_ONCE)
    ideal = 2 * (LOAD + waves * ANSWER)
    with simulator(folder) as url:
        command = bridge_run(folder, "pairs.yaml", "--quiet", url=url)
        ours = by_turns({"ours": command}, min(repeat, 3))["ours"].seconds
    result = max(folder.glob(".bridge/runs/*/result.json"))
    loads = sum(model["loads"] for model in json.loads(result.read_text("utf-8"))["models"])
    figure = Figure(
        what=f"{ITEMS} items through 2 models, loads of {LOAD:g} s, 1 in memory", floor=f"{ms(ideal)} by arithmetic",
        ours=ms(ours), compared=f"{ours / ideal:.2f}x, {loads} loads ({2 * ITEMS} in naive order)",
        mark="at most 1.15x and 2 loads", holds=ours <= 1.15 * ideal and loads == 2,
    )  # fmt: skip
    return [figure]


def bench_large(folder: Path, repeat: int) -> list[Figure]:
    """Fan-outs of 1,000 and of 5,000 items whose answers cost nothing: time and memory of one more item."""
    commands = {}
    with zero_server() as server:
        for count in (1_000, 5_000):
            path = folder / f"large-{count}.yaml"
            path.write_text(LARGE % list(range(count)), encoding="utf-8")
            commands[str(count)] = bridge_run(folder, path.name, "--quiet", url=server.url)
        found = by_turns(commands, min(repeat, 3))
    small, large = found["1000"], found["5000"]
    growth = (large.processor - small.processor) / 4_000 / (small.processor / 1_000)
    return [
        Figure(
            what="processor time of an item: of 1,000, then of 4,000 more", floor=ms(small.processor / 1_000),
            ours=ms((large.processor - small.processor) / 4_000), compared=f"{growth:.2f}x",
            mark="linear: at most 1.1x", holds=growth <= 1.1,
        ),
        Figure(
            what="peak memory of a fan-out: 1,000 items, 5,000", floor=f"{small.megabytes:.0f} MB",
            ours=f"{large.megabytes:.0f} MB",
            compared=f"{(large.megabytes - small.megabytes) * 1024 / 4_000:.1f} KB an item",
            mark="at most 150 MB", holds=large.megabytes <= 150,
        ),
    ]  # fmt: skip


@contextmanager
def simulator(folder: Path) -> Iterator[str]:
    """The address of the product's own simulator, a process that ends with the block."""
    (folder / "pairs.sim.yaml").write_text(SCRIPT, encoding="utf-8")
    argv = [str(Path(sys.executable).with_name("bridge-run")), "simulate", "pairs.sim.yaml"]
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        try:
            assert child.stdout is not None
            yield next(word for word in child.stdout.readline().split() if word.startswith("http://"))
        finally:
            child.terminate()
