"""Two thousand steps on a server that fails in every tenth request: each ends right or classified, nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from kit.leftover import processes_of
from kit.simulator import simulator

from runner.words.errors import FAILURE_KINDS

STEPS = 2000
MODEL = "qwen/qwen3-8b"
OFTEN = 0.1
"""The part of the requests that a fault strikes, all faults together."""
FAULTS = (
    "cut-mid-line", "cut-after-finish", "no-done", "no-finish", "error-first", "error-midway", "crash", "crash-midway",
    "unload-midway", "no-models-loaded", "peer-lost", "overflow-pool", "empty-answer", "zero-usage", "status-500",
    "json-in-reasoning", "fenced-json", "whole-arguments", "partial-arguments", "empty-call-id", "invalid-arguments",
    "truncated-arguments", "unknown-tool", "missing-calls", "call-in-thought", "markup-qwen-json", "markup-harmony",
    "markup-mistral", "markup-lfm", "status-503", "html-page",
)  # fmt: skip
SCRIPT = {
    "faults": [
        {"name": name, "probability": OFTEN / len(FAULTS), "seed": number} for number, name in enumerate(FAULTS, 1)
    ],
    "models": {
        MODEL: {
            "max_context_length": 32768,
            "parallel": 8,
            "turns": [
                {
                    "when": {"user": "^read|Make the call again"},
                    "call": [{"tool": "files__read", "arguments": {"path": "note.txt"}}],
                },
                {"when": {"tool_result": "buy milk"}, "say": "milk"},
                {"when": {"user": "json"}, "json": {"ok": True}},
            ],
            "default": {"say": "fine"},
        }
    },
}
SCRIPT["models"][MODEL]["turns"].reverse()  # what a tool said is looked at before what the user said
RIGHT = {"read": "milk", "json": {"ok": True}, "say": "fine"}


def step(number: int) -> str:
    kind = ("say", "read", "say", "json")[number % 4]
    more = {
        "read": ", mcp_servers: [files], task: read the note",
        "json": ", task: some json please, output: {type: object, required: [ok], properties: {ok: {const: true}}}",
        "say": ", task: say something",
    }
    return f"  - {{id: {kind}_{number}{more[kind]}}}\n"


def flow() -> str:
    return (
        "version: 1\nname: soak\n"
        f"models: {{worker: {MODEL}}}\n"
        "mcp_servers: {files: {builtin: files, root: .}}\n"
        "defaults: {model: worker, timeout: 60s, retry: {attempts: 4, wait: 5ms, max_wait: 20ms}}\n"
        "steps:\n" + "".join(map(step, range(STEPS)))
    )


class Watch(threading.Thread):
    """Looks at a process while it lives: its memory in megabytes and its open files, every tenth of a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.place = Path(f"/proc/{pid}")
        self.memory: list[float] = []
        self.files: list[int] = []

    def run(self) -> None:
        while True:
            try:
                pages = int((self.place / "statm").read_text().split()[1])
                self.files.append(len(list((self.place / "fd").iterdir())))
            except (OSError, IndexError):
                return
            self.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 1024**2)
            time.sleep(0.1)


@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_two_thousand_steps_survive_or_say_why(tmp_path):
    (tmp_path / "flow.yaml").write_text(flow(), encoding="utf-8")
    (tmp_path / "note.txt").write_text("buy milk\n", encoding="utf-8")
    command = [sys.executable, "-m", "runner.cli.main", "flow.yaml", "--quiet", "--output", "json", "--endpoint"]
    with simulator(SCRIPT, log=tmp_path / "log.jsonl") as url:
        with subprocess.Popen(
            [*command, url], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            watch = Watch(process.pid)
            watch.start()
            said, complained = process.communicate(timeout=500)
        assert not processes_of(tmp_path)
    result = json.loads(said)
    assert complained == ""
    assert len(result["steps"]) == STEPS
    wrong = {
        name: step
        for name, step in result["steps"].items()
        if not (step["output"] == RIGHT[name.split("_")[0]] if step["status"] == "succeeded" else _classified(step))
    }
    assert wrong == {}
    ended = Counter(step["status"] for step in result["steps"].values())
    assert ended["succeeded"] >= 0.99 * STEPS, (ended, _kinds(result))
    assert _statuses(tmp_path / "log.jsonl") > {200, 500, 503}, "faults did strike"
    assert max(watch.files) <= 64, "connections and files are let go"
    settled = watch.memory[len(watch.memory) // 4]
    assert watch.memory[-2] - settled <= 40, "memory grows with the results that are kept, and with nothing else"


def _classified(step: dict) -> bool:
    return step["status"] == "failed" and step["error"]["kind"] in set(FAILURE_KINDS) - {"bug", "cancelled"}


def _kinds(result: dict) -> Counter:
    return Counter(
        (step["error"]["kind"], step["error"]["message"][:100]) for step in result["steps"].values() if step["error"]
    )


def _statuses(log: Path) -> set[int]:
    return {json.loads(line)["status"] for line in log.read_text("utf-8").splitlines()}
