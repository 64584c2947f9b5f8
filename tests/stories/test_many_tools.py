"""A tool server with more tools than anybody would guess: its model is loaded with room for what it offers."""

from __future__ import annotations

import json

import pytest
from kit.project import Project
from kit.stage import CHAT, CODER, LOAD, Stage, model

SERVER = '''"""An MCP server of 150 tools that say a lot about themselves."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("many")


def some_tool(number):
    def tool(path: str, pattern: str = "", limit: int = 10) -> str:
        return path

    tool.__name__ = f"tool_{number}"
    tool.__doc__ = "It looks for one thing of many, and says what it has found of it. " * 4
    return tool


for number in range(150):
    server.tool()(some_tool(number))
server.run()
'''
FILE = f"""version: 1
name: many
defaults: {{model: {CODER}}}
mcp_servers:
  many: {{command: python, args: [many.py]}}
steps:
  - {{id: all, mcp_servers: [many], task: Find it.}}
  - {{id: some, mcp_servers: [many], tools: ['many.tool_1', 'many.tool_14*'], task: Find it.}}
"""
PART = f"""version: 1
name: part
defaults: {{model: {CODER}}}
mcp_servers:
  many: {{command: python, args: [many.py]}}
steps:
  - {{id: all, mcp_servers: [many], task: Find it.}}
"""


@pytest.fixture
def many(project: Project) -> Project:
    project.write("many.py", SERVER)
    project.write("many.yaml", FILE)
    return project


def planned(project: Project, *options: str) -> dict[str, int]:
    """The context of each step, as the plan says it."""
    ended = project.run("many.yaml", "--dry-run", "--format", "json", *options)
    assert ended.code == 0, ended
    return {step["id"]: step["needs"]["context"] for step in json.loads(ended.raw_out)["steps"]}


def test_a_cold_model_is_loaded_with_room_for_all_that_it_is_offered(many: Project, stage: Stage) -> None:
    server = stage.serve({CODER: model(max_context_length=131_072)})
    guessed, counted = planned(many), planned(many, "--tools")
    assert counted["all"] > 20_000 > guessed["all"]
    assert counted["some"] < counted["all"] / 5
    ended = many.run("many.yaml")
    assert ended.code == 0, ended
    [load] = server.requests(LOAD)
    assert load["context_length"] >= counted["all"]
    assert sorted(len(request["tools"]) for request in server.requests(CHAT)) == [12, 150]


def test_the_lock_knows_it_without_any_server(many: Project, stage: Stage) -> None:
    stage.serve({CODER: model(max_context_length=131_072)})
    counted = planned(many, "--tools")
    assert many.run("lock", "many.yaml").code == 0
    assert planned(many, "--locked") == counted


def test_a_model_that_can_never_hold_them_is_told_before_it_is_loaded(many: Project, stage: Stage) -> None:
    server = stage.serve({CODER: model(max_context_length=16_384)})
    for ended in (many.run("many.yaml"), many.run("many.yaml", "--dry-run", "--tools")):
        assert ended.code == 4, ended
        assert "BR307" in ended.err
        assert "many.yaml:7" in ended.err
    assert many.run("check", "--tools", "many.yaml").code == 4
    assert many.result()["exit_code"] == 4
    assert server.requests(LOAD) == []


def test_the_tools_of_a_called_file_count_too(many: Project, stage: Stage) -> None:
    server = stage.serve({CODER: model(max_context_length=131_072)})
    many.write("part.yaml", PART)
    many.write("whole.yaml", "version: 1\nname: whole\nsteps:\n  - {id: call, workflow: ./part.yaml}\n")
    ended = many.run("whole.yaml")
    assert ended.code == 0, ended
    assert server.requests(LOAD)[0]["context_length"] > 20_000


def test_a_recording_is_replayed_with_the_load_that_it_has(many: Project, stage: Stage) -> None:
    server = stage.serve({CODER: model(max_context_length=131_072)})
    assert many.run("many.yaml", "--record").code == 0
    [load] = server.requests(LOAD)
    (many.folder / "many.py").unlink()
    ended = many.run("many.yaml", "--replay", env={"BRIDGE_RUN_ENDPOINT": "http://127.0.0.1:9"})
    assert ended.code == 0, ended
    assert f"context {load['context_length']:,}" in ended.err


def test_real_tools_that_changed_since_fail_the_steps_that_see_them_alone(many: Project, stage: Stage) -> None:
    stage.serve({CODER: model(max_context_length=131_072)})
    assert many.run("many.yaml", "--record").code == 0
    many.write("many.py", SERVER.replace("in range(150)", "in {*range(150)} - {*range(50, 140)}"))
    ended = many.run("many.yaml", "--replay", "models")
    assert ended.code == 1, ended
    assert many.result()["steps"]["some"]["status"] == "succeeded"
    assert "\n  tools: [-many__tool_100" in many.result()["steps"]["all"]["error"]["message"]
