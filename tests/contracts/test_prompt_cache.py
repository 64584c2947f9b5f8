"""A local model's time goes into reading the prompt again: what a real llama.cpp server has to read of each request.

The server counts the tokens of a prompt and how many of them it still knew. What is new in a request is what its prompt
is longer than the one before; read may be 1.05 times that.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from kit.llama_server import MODEL, llama_server

from runner.chat.assemble import read_usage
from runner.chat.form import FULL, Form, shaped
from runner.chat.messages import ChatRequest, Message, ToolCall, ToolSpec, Usage
from runner.edges.model_server.wire import encode_chat

MOST = 1.05
ROUNDS = 8
BEGINNING = "You are a careful helper of few words. " * 6
FLOW = f"""version: 1
name: cache
defaults: {{retry: {{attempts: 1}}, system: "{BEGINNING}"}}
steps:
  - id: first
    task: Say it with all the care of the world.
    output: {{type: string, enum: ["yes"]}}
    expect: [{{that: "false", message: "not yet, think of it once more and say it again"}}]
    repair: {ROUNDS}
    on_error: continue
  - id: second
    needs: [first]
    task: Another item with the same beginning.
    output: {{type: string, enum: ["yes"]}}
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with llama_server(slots=1, context=8192) as url:
        yield url


def read(usage: Usage) -> int:
    return usage.prompt_tokens - usage.cached_tokens


def test_each_round_of_a_run_reads_only_what_is_new(address, tmp_path):
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    command = [sys.executable, "-m", "runner.cli.main", "flow.yaml", "--endpoint", address, "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    journal = next(Path(tmp_path).glob(".bridge/runs/*/journal.jsonl")).read_text("utf-8").splitlines()
    answers = [event for event in map(json.loads, journal) if event["type"] == "model_answered"]
    usages = [
        Usage(e["usage"]["prompt_tokens"], cached_tokens=e["usage"]["cached_tokens"])
        for e in answers
        if e["step"] == "first"
    ]
    assert len(usages) == ROUNDS + 1
    for before, after in itertools.pairwise(usages):
        assert read(after) <= MOST * (after.prompt_tokens - before.prompt_tokens)
    second = next(e["usage"] for e in answers if e["step"] == "second")
    assert second["cached_tokens"] >= len(BEGINNING), (
        "steps of one shape share their beginning (a token is a byte here)"
    )


@pytest.mark.parametrize("form", [FULL, Form(text_tools=True, merged_roles=True), Form(minimal_schemas=True)])
def test_each_tool_round_reads_only_what_is_new_in_every_form(address, form):
    usages = list(_tool_rounds(address, form))
    for before, after in itertools.pairwise(usages):
        assert read(after) <= MOST * (after.prompt_tokens - before.prompt_tokens)
        assert after.cached_tokens >= before.prompt_tokens * 0.9, "the beginning is known from the round before"


def _tool_rounds(address: str, form: Form) -> Iterator[Usage]:
    """What our requests of one conversation cost; their answers, which are noise, are replaced by calls."""
    tool = ToolSpec("files__read", "Reads a file.", {"type": "object", "properties": {"path": {"type": "string"}}})
    history = [Message("system", BEGINNING), Message("user", "Read the files.")]
    for number in range(ROUNDS):
        request = shaped(ChatRequest(model=MODEL, messages=tuple(history), tools=(tool,)), form)
        body = json.loads(encode_chat(request, flavour="llama.cpp")) | {"stream": False, "max_tokens": 1}
        answer = httpx.post(f"{address}/v1/chat/completions", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        yield read_usage(answer.json()["usage"])
        call = ToolCall(f"call{number}", tool.name, json.dumps({"path": f"part-{number}.txt"}))
        history += [
            Message("assistant", "", (call,)),
            Message("tool", f"line of part {number}\n" * 12, tool_call_id=call.id),
        ]
