"""Conversations that outgrow the model's context: shortened with a note to the model, ended; never silently cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from kit.leftover import assert_closed, events
from kit.project import Project
from kit.stage import CHAT, CODER, Served, Stage, flow, model
from syrupy.assertion import SnapshotAssertion

FILES = 6
NOTE = "left out to save room"
HEAD = "mcp_servers: {files: {builtin: files, root: data}}\n"


@pytest.fixture
def reader(project: Project) -> str:
    """Six files of about 1,700 tokens each, and the step that reads them all."""
    for number in range(FILES):
        project.write(f"data/f{number}.txt", f"line {number} of a long file\n" * 300)
    return f"{{id: survey, model: {CODER}, mcp_servers: [files], task: Read all and sum up.}}"


def reads(context: int = 8192, **facts: Any) -> dict[str, Any]:
    calls = [{"call": [{"tool": "files__read", "arguments": {"path": f"f{n}.txt"}}], "times": 1} for n in range(FILES)]
    return model(loaded={"context_length": context}, turns=[*calls, {"say": "All read."}], **facts)


def results(server: Served, request: int) -> list[str]:
    """What the model was shown of its tool results."""
    return [m["content"] for m in server.requests(CHAT)[request]["messages"] if m["role"] == "tool"]


def test_the_oldest_results_are_shortened_and_the_model_is_told(
    project: Project, stage: Stage, reader: str, snapshot: SnapshotAssertion
) -> None:
    server = stage.serve({CODER: reads()})
    project.write("ask.yaml", flow(reader, head=HEAD))
    assert str(project.run("ask.yaml")) == snapshot
    last = results(server, -1)
    assert len(last) == FILES
    assert NOTE in last[0]
    assert NOTE not in last[-1]
    assert project.result()["steps"]["survey"]["warnings"] != []
    assert_closed(project, "succeeded")


def test_between_two_trims_a_request_begins_as_the_one_before(project: Project, stage: Stage, reader: str) -> None:
    server = stage.serve({CODER: reads()})
    project.write("ask.yaml", flow(reader, head=HEAD))
    assert project.run("ask.yaml").code == 0
    histories = [request["messages"] for request in server.requests(CHAT)]
    rewritten = [n for n, (a, b) in enumerate(pairwise(histories)) if b[: len(a)] != a]
    assert len(rewritten) == len(events(project, "history_trimmed")) > 0


def test_a_step_may_forbid_it(project: Project, stage: Stage, reader: str, snapshot: SnapshotAssertion) -> None:
    stage.serve({CODER: reads()})
    project.write("ask.yaml", flow(reader.replace("}", ", context: fail}"), head=HEAD))
    assert str(project.run("ask.yaml")) == snapshot
    assert project.result()["steps"]["survey"]["error"]["kind"] == "context"


def test_a_larger_context_shortens_nothing(project: Project, stage: Stage, reader: str) -> None:
    stage.serve({CODER: reads(32768)})
    project.write("ask.yaml", flow(reader, head=HEAD))
    assert project.run("ask.yaml").code == 0
    assert events(project, "history_trimmed") == []


@pytest.mark.parametrize("way", ["overflow-error", "overflow-event", "overflow-cut"])
def test_a_server_that_holds_less_than_it_says(project: Project, stage: Stage, reader: str, way: str) -> None:
    """It refuses, complains within the stream, or cuts the prompt in silence: each time less is sent."""
    server = stage.serve({CODER: reads(32768, faults=[{"name": way, "on": 4}])})
    project.write("ask.yaml", flow(reader, head=HEAD))
    ended = project.run("ask.yaml")
    assert (ended.code, ended.out) == (0, "All read.\n")
    assert len(events(project, "history_trimmed")) >= 1
    assert any(NOTE in one for one in results(server, -1))


def test_a_pool_that_others_fill_is_waited_for(project: Project, stage: Stage, reader: str) -> None:
    stage.serve({CODER: reads(32768, faults=[{"name": "overflow-pool", "on": 4}])})
    project.write("ask.yaml", flow(reader, head=HEAD))
    assert project.run("ask.yaml").code == 0
    assert events(project, "history_trimmed") == []


@pytest.mark.parametrize("way", ["overflow-error", "overflow-cut"])
def test_one_prompt_that_cannot_be_shortened(
    project: Project, stage: Stage, snapshot: SnapshotAssertion, way: str
) -> None:
    stage.serve({CODER: model(loaded={"context_length": 8192}, faults=[{"name": way, "on": "every"}])})
    text = " ".join(f"Line {number} says something of its own." for number in range(150))
    project.write("ask.yaml", flow(f"{{id: sum, model: {CODER}, task: '{text}'}}"))
    ended = project.run("ask.yaml")
    assert str(ended) == snapshot
    assert project.result()["steps"]["sum"]["error"]["kind"] == "context"


def test_a_prompt_that_no_context_of_the_model_holds(
    project: Project, stage: Stage, snapshot: SnapshotAssertion
) -> None:
    server = stage.serve({CODER: model(max_context_length=2048)})
    step = f"{{id: sum, model: {CODER}, task: 'Sum up: {{{{ inputs.text }}}}'}}"
    project.write("ask.yaml", flow(step, head="inputs: {text: {type: string}}\n"))
    project.write("long.txt", "Something of its own. " * 800)
    assert str(project.run("ask.yaml", "-i", "text=@long.txt")) == snapshot
    assert project.runs() == []
    assert server.requests(CHAT) == []
