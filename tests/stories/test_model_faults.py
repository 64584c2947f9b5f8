"""What a small model does wrong, and what a person sees of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kit.project import Project
from syrupy.assertion import SnapshotAssertion

Serve = Callable[..., str]
FAST = "defaults: {retry: {attempts: 2, wait: 1ms, max_wait: 2ms}}\n"
ASK = f"version: 1\nname: ask\n{FAST}steps:\n  - id: answer\n    task: Say something.\n"
JSON = ASK + "    output: {type: object, required: [n], properties: {n: {type: integer}}}\n"
TOOLS = (
    f"version: 1\nname: look\n{FAST}"
    "mcp_servers:\n  files: {builtin: files, root: .}\n"
    "steps:\n  - id: look\n    mcp_servers: [files]\n    task: Read notes.txt and say what it is about.\n"
)


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": tool, "arguments": arguments}


def test_an_answer(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([{"say": "Hello."}])
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml")) == snapshot


def test_nothing(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([{"fault": "empty"}])
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml")) == snapshot


def test_prose_then_json(project: Project, serve: Serve) -> None:
    serve(
        [{"when": {"turn": 1}, "say": "The number is seven."}, {"when": {"turn": 2}, "say": '```json\n{"n": 7}\n```'}]
    )
    project.write("ask.yaml", JSON)
    ended = project.run("ask.yaml", "--output", "json")
    assert ended.code == 0, ended
    assert project.result()["outputs"] == {"answer": {"n": 7}}
    [refused] = [e for e in project.journal() if e["type"] == "answer_refused"]
    assert (refused["kind"], refused["left"]) == ("invalid_output", 1)
    assert "is not JSON" in refused["message"]


def test_the_wrong_json_thrice(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([{"say": '{"n": "seven"}'}])
    project.write("ask.yaml", JSON)
    assert str(project.run("ask.yaml")) == snapshot


def test_an_unknown_tool(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([
        {"when": {"turn": 1}, "call": [call("files__open", path="notes.txt")]},
        {
            "when": {"turn": 2, "tool_result": "there is no tool named files__open"},
            "call": [call("files__read", path="notes.txt")],
        },
        {"when": {"turn": 3, "tool_result": "buy milk"}, "say": "It is a shopping list."},
    ])  # fmt: skip
    project.write("notes.txt", "buy milk\n")
    project.write("look.yaml", TOOLS)
    assert str(project.run("look.yaml")) == snapshot


def test_a_slightly_wrong_tool_name_is_understood(project: Project, serve: Serve) -> None:
    serve([
        {"when": {"turn": 1}, "call": [call("files.read", path="notes.txt")]},
        {"when": {"tool_result": "buy milk"}, "say": "It is a shopping list."},
    ])  # fmt: skip
    project.write("notes.txt", "buy milk\n")
    project.write("look.yaml", TOOLS)
    assert project.run("look.yaml").out == "It is a shopping list.\n"


def test_arguments_that_do_not_parse_and_that_do_not_fit(
    project: Project, serve: Serve, snapshot: SnapshotAssertion
) -> None:
    serve([
        {"when": {"turn": 1}, "call": [{"tool": "files__read", "arguments_text": '{"path": "notes.txt"'}]},
        {"when": {"turn": 2, "tool_result": "not valid JSON"}, "call": [call("files__read", file="notes.txt")]},
        {"when": {"turn": 3, "tool_result": "do not fit"}, "call": [call("files__read", path="notes.txt", start="1")]},
        {"when": {"turn": 4, "tool_result": "buy milk"}, "say": "It is a shopping list."},
    ])  # fmt: skip
    project.write("notes.txt", "buy milk\n")
    project.write("look.yaml", TOOLS)
    assert str(project.run("look.yaml")) == snapshot


def test_several_calls_of_one_answer_return_in_order(project: Project, serve: Serve) -> None:
    names = ["c.txt", "a.txt", "missing.txt", "b.txt"]
    serve([
        {"when": {"turn": 1}, "call": [call("files__read", path=name) for name in names]},
        {"when": {"turn": 2}, "say": "done"},
    ])  # fmt: skip
    for name in names:
        if name != "missing.txt":
            project.write(name, f"this is {name}\n")
    project.write("look.yaml", TOOLS)
    assert project.run("look.yaml").code == 0
    asked = [e for e in project.journal() if e["type"] == "model_asked"][1]
    told = [m["content"] for m in asked["messages"] if m["role"] == "tool"]
    found = [next((name for name in names if f"this is {name}" in text), "missing.txt") for text in told]
    assert found == names


def test_the_same_call_again_and_again(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([
        {"when": {"offered": "files__read"}, "call": [call("files__read", path="notes.txt")]},
        {"say": "I give up: it is a shopping list."},
    ])  # fmt: skip
    project.write("notes.txt", "buy milk\n")
    project.write("look.yaml", TOOLS)
    ended = project.run("look.yaml")
    assert str(ended) == snapshot
    reads = [e for e in project.journal() if e["type"] == "tool_returned" and not e["is_error"]]
    assert len(reads) == 3


def test_the_last_round_offers_no_tools(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([
        {"when": {"turn": 1}, "call": [call("files__list", path=".")]},
        {"when": {"turn": 2, "offered": "files__read"}, "call": [call("files__read", path="notes.txt")]},
        {"when": {"turn": 3, "offered": "files__read"}, "say": "tools were offered in the last round"},
        {"when": {"turn": 3}, "say": "It is a shopping list."},
    ])  # fmt: skip
    project.write("notes.txt", "buy milk\n")
    project.write("look.yaml", TOOLS + "    limits: {rounds: 3}\n")
    assert str(project.run("look.yaml")) == snapshot


def test_a_cut_off_call_is_never_made(project: Project, serve: Serve) -> None:
    half = '{"path": "notes.txt", "start'
    serve([
        {"when": {"turn": 1}, "call": [{"tool": "files__read", "arguments_text": half}], "finish": "length"},
        {"when": {"turn": 2, "user": "cut off"}, "call": [call("files__read", path="notes.txt")]},
        {"when": {"tool_result": "buy milk"}, "say": "It is a shopping list."},
    ])  # fmt: skip
    project.write("notes.txt", "buy milk\n")
    project.write("look.yaml", TOOLS)
    ended = project.run("look.yaml")
    assert ended.out == "It is a shopping list.\n", ended
    history = [m for e in project.journal() if e["type"] == "model_asked" for m in e["messages"]]
    assert half not in str(history)
    assert len([e for e in project.journal() if e["type"] == "tool_called"]) == 1


@pytest.mark.parametrize(
    "fault",
    [
        "cut",
        "no_finish",
        {"error": {"status": 500, "body": "Internal Server Error"}},
        {"error_event": "The model has crashed without additional information. (Exit code: 6)"},
    ],
)
def test_a_stumble_of_the_server_is_repeated(project: Project, serve: Serve, fault: Any) -> None:
    serve([{"say": "half of an ans", "fault": fault, "times": 1}, {"say": "a whole answer"}])
    project.write("ask.yaml", ASK)
    ended = project.run("ask.yaml")
    assert ended.out == "a whole answer\n", ended
    assert len([e for e in project.journal() if e["type"] == "step_retried"]) == 1
    assert project.result()["steps"]["answer"]["attempts"] == 2


def test_a_stumble_after_an_edit_does_not_make_the_edit_twice(project: Project, serve: Serve) -> None:
    edit = call("files__edit", path="notes.txt", old="milk", new="milk and milk")
    serve([
        {"when": {"turn": 1}, "call": [edit]},
        {"when": {"turn": 2}, "say": "half", "fault": "cut", "times": 1},
        {"when": {"turn": 2}, "say": "doubled the milk"},
    ])  # fmt: skip
    project.write("notes.txt", "buy milk\n")
    project.write("look.yaml", TOOLS.replace("root: .", "root: ., write: true"))
    assert project.run("look.yaml").out == "doubled the milk\n"
    assert (project.folder / "notes.txt").read_text() == "buy milk and milk\n"


def test_another_model_answers(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([{"say": "Hello.", "fault": {"wrong_model": "google/gemma-3-1b"}}])
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml")) == snapshot


def test_an_answer_cut_by_max_tokens_is_said_so(project: Project, serve: Serve, snapshot: SnapshotAssertion) -> None:
    serve([{"say": "Once upon a", "finish": "length"}])
    project.write("ask.yaml", ASK)
    assert str(project.run("ask.yaml")) == snapshot
