"""Scenarios at the edges: odd words, odd names, odd tool servers."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from kit.scene import Scene, ask, loaded, servers
from kit.servers import ODD

import runner
from runner import Bridge, ModelNotFoundError
from runner.app.bridge.house import BridgeHouse
from runner.words.errors import BridgeError, CannotServeError, McpNotFoundError, UsageError, WorkflowError


def odd(mode: str, *more: str) -> dict[str, object]:
    return {"command": sys.executable, "args": [str(ODD), mode, *more]}


@pytest.mark.parametrize("task", ["", "   \n"])
def test_a_task_without_words_is_refused(scene: Scene, task: str) -> None:
    scene.studio({"small/one": loaded()})
    with pytest.raises(UsageError, match="`task` is empty"):
        scene.do(task)
    assert scene.heard() == []


@pytest.mark.parametrize("task", ["{{ secrets.TOKEN }} {% for %}", "ünïcödé 😀 \u2028 \x00 end", "x" * 20_000])
def test_words_reach_the_model_as_they_are(scene: Scene, task: str) -> None:
    scene.studio({"small/one": loaded()})
    scene.do(task)
    assert scene.heard()[0]["messages"][-1]["content"] == task


@pytest.mark.parametrize("name", ["", "DEFAULT", " default "])
def test_the_word_default_never_reaches_a_server(scene: Scene, name: str) -> None:
    scene.studio({"small/one": loaded()})
    assert scene.do(model=name).model == "small/one"
    assert [body["model"] for body in scene.heard()] == ["small/one"]


def test_names_of_servers_that_are_wrong(scene: Scene) -> None:
    scene.studio({"small/one": loaded()})
    servers(odd=odd("good"), off={**odd("good"), "disabled": True})

    async def story() -> None:
        async with Bridge(scene.url, mcp_json="mcp.json") as bridge:
            with pytest.raises(McpNotFoundError) as missing:
                await bridge.autonomous_with_mcp("ood", "Hello")
            assert missing.value.available_mcps == ("odd",)
            assert "odd" in str(missing.value.hint)
            with pytest.raises(McpNotFoundError, match="disabled"):
                await bridge.autonomous_with_mcp("off", "Hello")
            with pytest.raises(UsageError):
                await bridge.autonomous_with_multiple_mcps([], "Hello")
            end = await bridge.autonomous_with_multiple_mcps(["odd", "odd"], "Hello")
            assert end.servers == ("odd",)
            with pytest.raises(ModelNotFoundError):
                await bridge.autonomous_with_mcp("odd", "Hello", model="nobody/has")

    asyncio.run(story())


def test_two_servers_with_a_tool_of_the_same_name_are_told_apart(scene: Scene) -> None:
    calls = [{"tool": "left__echo", "arguments": {}}, {"tool": "right__echo", "arguments": {}}]
    scene.studio({"small/one": loaded({"when": {"turn": 1}, "call": calls})})
    end = scene.do(servers=servers(left=odd("good"), right=odd("good")))
    assert (end.text, end.tool_calls) == ("Hi.", 2)
    assert {tool["function"]["name"] for tool in scene.heard()[0]["tools"]} == {"left__echo", "right__echo"}


@pytest.mark.parametrize("mode", ["garbage", "banner", "no-schema", "floods", "twins"])
def test_a_tool_server_with_bad_manners_is_used_all_the_same(scene: Scene, mode: str) -> None:
    scene.studio({"small/one": loaded({"when": {"turn": 1}, "call": [{"tool": "odd__echo", "arguments": {}}]})})
    end = scene.do(servers=servers(odd=odd(mode)))
    assert (end.text, end.tool_calls) == ("Hi.", 1)


def test_a_tool_server_that_ends_at_once_says_why(scene: Scene) -> None:
    scene.studio({"small/one": loaded()})
    with pytest.raises(CannotServeError, match="no licence"):
        scene.do(servers=servers(odd={"command": "sh", "args": ["-c", "echo no licence >&2; exit 3"]}))
    assert scene.heard() == []


def test_a_tool_server_that_dies_once_is_started_again(scene: Scene) -> None:
    scene.studio({"small/one": loaded({"when": {"turn": 1}, "call": [{"tool": "odd__echo", "arguments": {}}]})})
    end = scene.do(servers=servers(odd=odd("dies-once", str(Path("died").absolute()))))
    assert end.text == "Hi."
    assert Path("died").exists()


def test_a_schema_that_is_none_is_refused_before_anything_starts(scene: Scene) -> None:
    scene.studio({"small/one": loaded()})
    with pytest.raises((WorkflowError, UsageError)):
        scene.do(output_schema={"type": "strin"})
    assert scene.heard() == []


def test_a_tool_that_the_model_makes_up_is_told_to_it(scene: Scene) -> None:
    scene.studio({"small/one": loaded({"when": {"turn": 1}, "call": [{"tool": "delete_everything", "arguments": {}}]})})
    assert scene.do(servers=servers(odd=odd("good"))).text == "Hi."
    assert "odd__echo" in scene.heard()[-1]["messages"][-1]["content"]


def test_a_call_that_the_model_writes_as_text_is_made(scene: Scene) -> None:
    written = '<tool_call>{"name": "odd__echo", "arguments": {}}</tool_call>'
    scene.studio({"small/one": loaded({"when": {"turn": 1}, "say": written})})
    end = scene.do(servers=servers(odd=odd("good")))
    assert (end.text, end.tool_calls) == ("Hi.", 1)


def test_a_broken_file_of_servers_is_told_with_its_line_and_mends_itself(scene: Scene) -> None:
    scene.studio({"small/one": loaded()})
    given = servers(odd=odd("good"))
    whole = Path("mcp.json").read_text("utf-8")

    async def story(house: BridgeHouse) -> None:
        _write('{"mcpServers": {\n  "odd": oops\n}}')
        with pytest.raises(WorkflowError) as broken:
            house.hosts.find("odd")
        (finding,) = broken.value.diagnostics
        assert finding.span is not None
        assert finding.span.line == 2
        _write(whole)
        assert house.hosts.find("odd").name == "odd"
        assert (await ask(house, servers=given)).text == "Hi."

    scene.in_house(story, mcp_json="mcp.json")


def _write(text: str) -> None:
    Path("mcp.json").write_text(text, "utf-8")


def test_what_cannot_be_a_workflow_raises_and_nothing_else(scene: Scene) -> None:
    Path("broken.yaml").write_text("version: 1\nname: [", "utf-8")
    for file in ("broken.yaml", "nowhere.yaml", "."):
        with pytest.raises(BridgeError):
            runner.run_sync(file)
