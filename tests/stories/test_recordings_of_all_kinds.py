"""Recordings of what is less usual: errors and blobs of tools, pictures, artifacts, servers of a step's own, calls of
files, items that are tried again, people, and a tool server that dies under several steps.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from kit.project import Ended, Project
from kit.stage import HEAD, Stage, model

SERVERS = Path(__file__).parents[1] / "servers"
SEEING = "qwen/qwen2.5-vl-7b"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


@pytest.fixture
def flow(project: Project) -> Project:
    """A project in which commands find the tools of the system, and the servers of the tests."""
    for name in ("counter.py", "teller.py"):
        shutil.copy(SERVERS / name, project.folder / name)
    return project


def lasting(result: Any) -> Any:
    """A result without ids, times and addresses."""
    if isinstance(result, dict):
        return {
            name: lasting(value) for name, value in result.items() if name not in ("run", "seconds", "at", "endpoint")
        }
    return [lasting(value) for value in result] if isinstance(result, list) else result


def same_again(project: Project, *options: str, code: int = 0) -> list[dict[str, Any]]:
    """Record the workflow, take away all that it used, replay it twice; the lines of the recording."""
    first = project.run("flow.yaml", "--record", *options)
    assert first.code == code, first
    before = project.result()
    for name in ("counter.py", "teller.py"):
        (project.folder / name).unlink()
    nothing = {"PATH": str(project.folder / "nowhere"), "BRIDGE_RUN_ENDPOINT": "http://127.0.0.1:9"}
    for _ in range(2):
        again: Ended = project.run("flow.yaml", "--replay", "--strict", env=nothing)
        assert (again.code, again.raw_out) == (code, first.raw_out), again
        assert "not used" not in again.err
        assert lasting(project.result()) == lasting(before)
    lines = (project.folder / "flow.recording.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]


def answers(lines: list[dict[str, Any]], unit: str, kind: str = "call") -> list[Any]:
    return [line["answer"] for line in lines if line.get("unit") == unit and line["kind"] == kind]


TELLER = f"  tell: {{command: {sys.executable}, args: [teller.py], env: {{TOKEN: word}}}}\n"
COUNTER = f"  counter: {{command: {sys.executable}, args: [counter.py, started.txt], isolate: true}}\n"


def test_errors_structures_and_blobs_of_tools(flow: Project, stage: Stage) -> None:
    ways = ("text", "structured", "error", "image", "blob", "resource")
    steps = "".join(f"  - {{id: {way}, tool: tell.{way}}}\n" for way in ways)
    call = [{"tool": f"tell__{way}", "arguments": {}} for way in ("error", "image", "nothing")]
    turns = [{"when": {"turn": 1}, "call": call}, {"say": "seen"}]
    stage.serve({SEEING: {**model("seen"), "tool_use": True, "turns": turns}})
    flow.write("flow.yaml", f"{HEAD}mcp_servers:\n{TELLER}steps:\n{steps}"
               f"  - {{id: ask, model: {SEEING}, mcp_servers: [tell], task: Try them}}\n")  # fmt: skip
    lines = same_again(flow, code=1)
    assert [one["result"]["is_error"] for one in answers(lines, "error")] == [True]
    assert answers(lines, "structured")[0]["result"]["structured"] == {"token": "word", "word": ["word"]}
    assert [blob["mime_type"] for blob in answers(lines, "image")[0]["result"]["blobs"]] == ["image/png"]
    assert len(answers(lines, "ask")) == 2  # a tool that is not there is not called


def test_pictures_are_told_by_their_bytes(flow: Project, stage: Stage) -> None:
    stage.serve({SEEING: model("A red dot.", loaded={"context_length": 16384}, vision=True)})
    flow.write("a.png", PNG)
    flow.write("flow.yaml", f"{HEAD}steps:\n  - {{id: look, model: {SEEING}, images: [a.png], task: What is there?}}\n")
    same_again(flow)
    flow.write("a.png", PNG + b"more")
    ended = flow.run("flow.yaml", "--replay")
    assert ended.code == 1
    assert "messages[0].images[0].sha256: " in flow.result()["steps"]["look"]["error"]["message"]


def test_artifacts_are_listed_as_they_were(flow: Project) -> None:
    flow.write("flow.yaml", (
        f"{HEAD}steps:\n"
        "  - {id: build, run: [sh, -c, 'mkdir -p out && echo hi > out/a.txt'], artifacts: ['out/*.txt', 'out/*.no']}\n"
        "  - {id: use, run: [cat, '{{ steps.build.artifacts[0] }}']}\n"
        "  - {id: each, for_each: steps.build.artifacts, run: [wc, -c, '{{ item }}']}\n"
    ))  # fmt: skip
    lines = same_again(flow)
    assert answers(lines, "build", "kept") == [
        {"kept": {"paths": [".bridge/runs/[run id]/kept/build/out/a.txt"], "empty": ["out/*.no"]}}
    ]


def test_each_item_has_the_server_of_its_own(flow: Project) -> None:
    flow.write("flow.yaml", (
        f"{HEAD}mcp_servers:\n{COUNTER}steps:\n"
        "  - {id: each, for_each: [a, b, c], tool: counter.count}\n  - {id: alone, tool: counter.count}\n"
    ))  # fmt: skip
    lines = same_again(flow)
    started = [line.get("unit", "the run") for line in lines if line["kind"] == "server"]
    assert started == ["the run", "each[0]", "each[1]", "each[2]", "alone"]
    assert (flow.folder / "started.txt").read_text().count("\n") == 5  # none in the replays


def test_called_files_with_servers_of_their_own_and_items_that_are_tried_again(flow: Project, stage: Stage) -> None:
    turns = [
        {"when": {"user": "Draft two"}, "fault": "status-503", "times": 2},
        {"when": {"user": "Draft"}, "say": "a draft"},
        {"say": "fine"},
    ]
    stage.serve({SEEING: {**model("fine"), "turns": turns}})
    flow.write("inner.yaml", (
        f"version: 1\nname: inner\ninputs: {{word: {{type: string}}}}\nmcp_servers:\n{TELLER}steps:\n"
        "  - {id: tell, tool: tell.text}\n"
        f"  - id: draft\n    model: {SEEING}\n    task: Draft {{{{ inputs.word }}}}\n"
        "    retry: {attempts: 4, wait: 300ms}\n"
    ))  # fmt: skip
    flow.write("flow.yaml", (
        f"{HEAD}steps:\n"
        "  - {id: call, for_each: [one, two, three], workflow: ./inner.yaml, with: {word: '{{ item }}'}}\n"
        f"  - {{id: end, needs: [call], model: {SEEING}, task: Say fine}}\n"
    ))  # fmt: skip
    lines = same_again(flow)
    tried = answers(lines, "call[1]/draft", "chat")
    assert [sorted(one) for one in tried] == [["error"], ["error"], ["answer"]]
    assert len(answers(lines, "call[2]/tell")) == 1


def test_what_people_answered(flow: Project) -> None:
    flow.write("inner.yaml", (
        "version: 1\nname: inner\nsteps:\n  - {id: gate, approve: Really?, choices: [go, stop], default: stop}\n"
        "outputs: {gate: '{{ steps.gate.output }}'}\n"
    ))  # fmt: skip
    flow.write("flow.yaml", (
        f"{HEAD}steps:\n  - {{id: gate, for_each: [api, web], approve: 'Ship {{{{ item }}}}?'}}\n"
        "  - {id: call, workflow: ./inner.yaml}\n"
        "  - {id: ship, when: \"steps.gate.output[0] == 'yes'\", run: [echo, shipped]}\n"
    ))  # fmt: skip
    lines = same_again(flow, "--answer", "gate[0]=yes", "--answer", "gate[1]=no")
    assert [one["answer"]["choice"] for n in (0, 1) for one in answers(lines, f"gate[{n}]", "answer")] == ["yes", "no"]
    ended = flow.run("flow.yaml", "--replay", "--answer", "gate[0]=no")
    assert (ended.code, flow.result()["steps"]["ship"]["status"]) == (0, "skipped")


def test_a_server_that_dies_under_several_steps(flow: Project) -> None:
    """Which step is cut off by the death, and which finds the server anew or gone, is as it was recorded."""
    steps = "".join(f"  - {{id: {kind}{n}, tool: tell.{kind}}}\n" for n in range(4) for kind in ("text", "die", "log"))
    flow.write("flow.yaml", f"{HEAD}mcp_servers:\n{TELLER}steps:\n{steps}")
    same_again(flow, code=1)
