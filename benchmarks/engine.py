"""What is measured on a real llama.cpp server with a model of noise: prompts read again, and the start of an own one.

Server and model are those of the tests; the extra ``embedded`` and what makes the model must be installed.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import files
from figure import Figure, above, missing
from measure import HERE, bridge_run, newest_journal

sys.path.append(str(HERE.parent / "tests"))

ENGINE = HERE.parent / "runner/edges/embedded/embedded_server.py"
ROUNDS = 12
MOST_READ = 1.05


def bench_prompt_cache(folder: Path, _repeat: int) -> list[Figure]:
    """Tokens of the prompt that the server read in each round, beside those that were new: no clock is in it."""
    what = f"tokens of a prompt read a round, {ROUNDS} rounds on llama.cpp's server"
    if not _installed():
        return [missing(what, "the extra `embedded` is not installed")]
    path = str(files.refused(folder, ROUNDS))
    with import_module("kit.llama_server").llama_server(slots=1, context=8192) as url:
        bridge_run(folder, path, "--quiet", url=url).run()
    usages = [event["usage"] for event in newest_journal(folder) if event["type"] == "model_answered"]
    new = [after["prompt_tokens"] - before["prompt_tokens"] for before, after in itertools.pairwise(usages)]
    read = [usage["prompt_tokens"] - usage["cached_tokens"] for usage in usages[1:]]
    worst = max(some / least for some, least in zip(read, new, strict=True))
    figure = Figure(
        what=what, floor=f"{sum(new) / len(new):.0f} new", ours=f"{sum(read) / len(read):.0f} read",
        compared=f"{sum(read) / sum(new):.3f}x, the worst round {worst:.3f}x; the last prompt has"
        f" {usages[-1]['prompt_tokens']:,}",
        mark=f"at most {MOST_READ}x", holds=worst <= MOST_READ,
    )  # fmt: skip
    return [figure]


def bench_embedded(folder: Path, repeat: int) -> list[Figure]:
    """From nothing to a healthy server of our own, beside the very process that it is, started by hand."""
    what = "an embedded server (a model of 0.5 MB), from its start to healthy"
    if not _installed():
        return [missing(what, "the extra `embedded` is not installed")]
    model = str(import_module("kit.tiny_gguf").tiny_model())
    path = str(files.bounded(folder))
    bare: list[float] = []
    ours: list[float] = []
    for number in range(2 * repeat + 1):  # the first round warms up, uncounted
        alone = _start_alone(model)
        bridge_run(folder, path, "--quiet", url=f"embedded:{model}").run()
        loaded = next(event for event in newest_journal(folder) if event["type"] == "model_loaded")
        if number:
            bare.append(alone)
            ours.append(loaded["seconds"])
    return [above(what, statistics.median(bare), statistics.median(ours))]


def _start_alone(model: str) -> float:
    """Seconds until the engine's own process says that it listens, with the settings that a run gives it."""
    setting: dict[str, Any] = {
        "path": model, "alias": "noise", "key": "secret", "context": 8192, "slots": 1, "memory": 0, "embedding": False,
        "batch": None, "flash_attention": None, "cache_on_gpu": True,
    }  # fmt: skip
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-P", str(ENGINE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(setting).encode() + b"\n")
        process.stdin.flush()
        if b"address" not in process.stdout.readline():
            raise RuntimeError("the engine did not start")
        seconds = time.perf_counter() - started
        process.stdin.close()  # at which it ends
    return seconds


def _installed() -> bool:
    return all(map(find_spec, ("xllamacpp", "gguf", "numpy")))
