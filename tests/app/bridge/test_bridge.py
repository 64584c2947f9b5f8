"""The three autonomous tools and the same from Python: which servers a task gets, and what it is refused for."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from kit.servers import python_server
from kit.simulator import simulator

from runner import Bridge, Entry, LLMConnectionError, McpNotFoundError, ModelNotFoundError, UsageError
from runner.app.bridge.autonomous.servers import label_of
from runner.app.bridge.autonomous.tools import AUTONOMOUS_TOOLS, task_of
from runner.app.bridge.bridge import Bridge as RealBridge
from runner.app.bridge.house import BridgeHouse, BridgeSettings
from runner.record.events import ToolServerStarted
from runner.words.errors import BridgeError

TIME = {"command": python_server("mcp-server-time"), "args": ["--local-timezone", "UTC"]}
GIT = {"command": python_server("mcp-server-git")}
OURSELVES = {"command": "bridge-run", "args": ["serve"]}
TOOLS = {tool.offer.name: tool for tool in AUTONOMOUS_TOOLS}
SCRIPT: Mapping[str, Any] = {
    "models": {
        "small/one": {
            "loaded": {"context_length": 16384},
            "turns": [
                {
                    "when": {"turn": 1, "offered": "clock__get_current_time"},
                    "call": [{"tool": "clock__get_current_time", "arguments": {"timezone": "UTC"}}],
                },
                {"say": "Noon."},
            ],
        },
        "small/two": {"turns": [{"say": "I am two."}]},
    }
}


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.parent / "cache"))
    monkeypatch.delenv("MCP_JSON_PATH", raising=False)
    hosts(clock=TIME, git=GIT, off={**TIME, "disabled": True}, bridge=OURSELVES)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[str]:
    with simulator(SCRIPT, log=tmp_path / "log") as url:
        yield url


def hosts(file: str = ".mcp.json", /, **entries: Mapping[str, Any]) -> None:
    Path(file).write_text(json.dumps({"mcpServers": entries}), encoding="utf-8")


def offered() -> list[list[str]]:
    lines = map(json.loads, Path("log").read_text("utf-8").strip().split("\n"))
    requests = [line["request"] for line in lines if line["path"] == "/v1/chat/completions"]
    return [[tool["function"]["name"] for tool in request.get("tools", ())] for request in requests]


def with_bridge(url: str, story: Callable[[Bridge], Awaitable[None]], **settings: Any) -> None:
    async def told() -> None:
        async with Bridge(url, **settings) as bridge:
            await story(bridge)

    asyncio.run(told())


async def call(house: BridgeHouse, name: str, **arguments: Any) -> Mapping[str, Any]:
    async def progress(done: float, total: float | None, words: str) -> None:
        pass

    tool = TOOLS[name]
    jsonschema.validate(arguments, tool.offer.input_schema)
    answer = await tool.work(house, arguments, progress)
    jsonschema.validate(answer, tool.offer.output_schema or {})
    return json.loads(json.dumps(answer))  # type: ignore[no-any-return]


def called(url: str, name: str, **arguments: Any) -> Mapping[str, Any]:
    async def told() -> Mapping[str, Any]:
        house = BridgeHouse(BridgeSettings(endpoints=(url,)), dict(os.environ))
        try:
            return await call(house, name, **arguments)
        finally:
            await house.close()

    return asyncio.run(told())


def test_a_task_gets_the_server_it_names(studio: str) -> None:
    answer = called(studio, "autonomous_with_mcp", mcp_name="clock", task="The time?")
    assert (answer["text"], answer["rounds"], answer["tool_calls"], answer["servers"]) == ("Noon.", 2, 1, ["clock"])
    assert offered()[0] == ["clock__convert_time", "clock__get_current_time"]


def test_a_task_gets_all_servers_it_names_once(studio: str) -> None:
    answer = called(studio, "autonomous_with_multiple_mcps", mcp_names=["git", "clock", "git"], task="The time?")
    assert answer["servers"] == ["git", "clock"]
    assert {name.partition("__")[0] for name in offered()[0]} == {"clock", "git"}


def test_discovery_takes_what_is_enabled_and_never_ourselves(studio: str) -> None:
    answer = called(studio, "autonomous_discover_and_execute", task="The time?", model=None, tools=["clock"])
    assert (answer["servers"], answer["warnings"], answer["text"]) == (["clock", "git"], [], "Noon.")
    assert offered()[0] == ["clock__convert_time", "clock__get_current_time"]


def test_discovery_goes_on_without_what_cannot_start(studio: str) -> None:
    hosts(clock=TIME, gone={"command": "nowhere-at-all"})
    answer = called(studio, "autonomous_discover_and_execute", task="The time?")
    assert answer["servers"] == ["clock"]
    (warning,) = answer["warnings"]
    assert warning.startswith("MCP server `gone` is left out: ")


def test_discovery_tells_of_files_that_it_could_not_read(studio: str) -> None:
    Path(".lmstudio").mkdir()
    file = Path(".lmstudio/mcp.json").absolute()
    file.write_text('{"mcpServers": {"git": }}', "utf-8")

    async def story(bridge: Bridge) -> None:
        end = await bridge.autonomous_discover_and_execute("The time?")
        assert end.servers == ("clock", "git")
        assert end.warnings == (f"the MCP servers of {file}:1:24 are left out: not valid JSON: Expecting value",)

    with_bridge(studio, story, merge_mcp_json=True)


def test_discovery_of_nothing_is_an_error(studio: str) -> None:
    hosts(off={**TIME, "disabled": True})
    with pytest.raises(McpNotFoundError, match=r"no MCP server is enabled in .*\.mcp\.json"):
        called(studio, "autonomous_discover_and_execute", task="The time?")
    Path(".mcp.json").unlink()
    with pytest.raises(McpNotFoundError, match="no file of MCP servers was found"):
        called(studio, "autonomous_discover_and_execute", task="The time?")


@pytest.mark.parametrize(("name", "why"), [("cloc", "did you mean"), ("off", "disabled"), ("bridge", "itself")])
def test_a_server_that_is_not_there_is_told_with_those_that_are(studio: str, name: str, why: str) -> None:
    with pytest.raises(McpNotFoundError) as missing:
        called(studio, "autonomous_with_mcp", mcp_name=name, task="The time?")
    assert missing.value.available_mcps == ("clock", "git")
    assert why in f"{missing.value} {missing.value.hint}"


@pytest.mark.parametrize("tool", list(TOOLS))
def test_the_model_is_judged_before_anything_else(studio: str, tool: str) -> None:
    given = {"autonomous_with_mcp": {"mcp_name": "nope"}, "autonomous_with_multiple_mcps": {"mcp_names": ["nope"]}}
    with pytest.raises(ModelNotFoundError) as missing:
        called(studio, tool, task="The time?", model="small/three", **given.get(tool, {}))
    assert "small/two" in missing.value.to_dict()["available_models"]  # type: ignore[operator]
    assert not Path(".bridge").exists()


def test_a_task_asks_for_its_model_once(studio: str) -> None:
    """So that verifications are counted as what they are."""
    asked: list[tuple[str, str]] = []

    async def told() -> None:
        house = BridgeHouse(BridgeSettings(endpoints=(studio,)), dict(os.environ))
        house.validator.watch(lambda one: asked.append((one.model, one.result)))
        await call(house, "autonomous_with_mcp", mcp_name="clock", task="The time?")
        await house.close()

    asyncio.run(told())
    assert asked == [("small/one", "found")]


def test_what_is_left_out_or_null_is_the_default() -> None:
    bare = task_of({"task": "Hello"})
    assert task_of({"task": "Hello", "model": None, "max_tokens": None, "tools": None}) == bare
    properties = TOOLS["autonomous_with_mcp"].offer.input_schema["properties"]
    defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    assert task_of({"task": "Hello", **defaults}) == bare
    assert task_of({"task": "Hello", "tools": ["a.*"], "images": ["b.png"]}).tools == ("a.*",)


def test_every_offer_is_a_legal_schema_with_a_description_of_everything() -> None:
    for tool in AUTONOMOUS_TOOLS:
        jsonschema.Draft202012Validator.check_schema(tool.offer.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.offer.output_schema)
        assert all(schema["description"] for schema in tool.offer.input_schema["properties"].values())
        assert (tool.long, tool.offer.read_only, tool.offer.destructive, tool.offer.open_world) == (
            True, False, True, True,
        )  # fmt: skip


def test_python_and_mcp_offer_the_same_arguments() -> None:
    for name, tool in TOOLS.items():
        parameters = inspect.signature(getattr(RealBridge, name)).parameters
        assert set(parameters) - {"self", "on_event", "keep_loaded"} == set(tool.offer.input_schema["properties"])
        for argument, schema in tool.offer.input_schema["properties"].items():
            default = parameters[argument].default
            wanted = schema.get("default", inspect.Parameter.empty)
            assert (list(default) if isinstance(default, tuple) else default) == wanted, argument


def test_the_bridge_does_the_same_from_python(studio: str) -> None:
    async def story(bridge: Bridge) -> None:
        heard: list[object] = []
        end = await bridge.autonomous_with_mcp("clock", "The time?", on_event=lambda entry: heard.append(entry.event))
        assert (end.text, end.model, end.tool_calls) == ("Noon.", "small/one", 1)
        assert [event.server for event in heard if isinstance(event, ToolServerStarted)] == ["clock"]
        end = await bridge.autonomous_with_multiple_mcps(["clock", "git"], "Who are you?", "small/two")
        assert (end.text, end.model, end.servers) == ("I am two.", "small/two", ("clock", "git"))
        end = await bridge.autonomous_discover_and_execute(
            "The time?", model="default", tools=["clock.*"], max_rounds=3
        )
        assert (end.text, end.servers) == ("Noon.", ("clock", "git"))
        assert Path(end.folder).parent == Path("kept")
        assert "small/two" in await bridge.models.available_models()

    with_bridge(studio, story, run_dir="kept")


def test_the_bridge_lists_servers_and_reads_their_file_anew() -> None:
    async def story(bridge: Bridge) -> None:
        found = {server.name: server.enabled for server in await bridge.list_available_mcps()}
        assert found == {"clock": True, "git": True, "off": False, "bridge": False}
        hosts("other.json", git=GIT)
        assert [server.name for server in await bridge.list_available_mcps()] == ["git"]

    hosts("other.json", clock=TIME, git=GIT, off={**TIME, "disabled": True}, bridge=OURSELVES)
    with_bridge("http://127.0.0.1:9", story, mcp_json=Path("other.json"))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"model": "small/three"}, ModelNotFoundError),
        ({"mcp_names": ["clock", "nope"]}, McpNotFoundError),
        ({"mcp_names": []}, UsageError),
        ({"max_rounds": 0}, UsageError),
        ({"task": ""}, UsageError),
        ({"task": None}, UsageError),
        ({"model": 3}, UsageError),
        ({"mcp_names": [3]}, UsageError),
        ({"max_rounds": "5"}, UsageError),
        ({"timeout": True}, UsageError),
        ({"system": 3}, UsageError),
        ({"tools": 3}, UsageError),
        ({"images": [3]}, UsageError),
    ],
)
def test_the_bridge_raises_what_is_wrong(studio: str, given: dict[str, Any], error: type[BridgeError]) -> None:
    async def story(bridge: Bridge) -> None:
        with pytest.raises(error):
            await bridge.autonomous_with_multiple_mcps(**{"mcp_names": ["clock"], "task": "The time?", **given})

    with_bridge(studio, story)


def test_one_name_is_one_name_and_not_its_letters(studio: str) -> None:
    async def story(bridge: Bridge) -> None:
        end = await bridge.autonomous_with_multiple_mcps("clock", "The time?", tools="clock.get_*")
        assert (end.text, end.servers) == ("Noon.", ("clock",))

    with_bridge(studio, story)
    assert offered()[0] == ["clock__get_current_time"]


def test_what_a_listener_raises_leaves_the_counters_right(studio: str) -> None:
    def hear(entry: Entry) -> None:
        raise KeyError(entry.seq)

    async def story(bridge: Bridge) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        end = await bridge.autonomous_with_mcp("clock", "The time?", on_event=hear)
        assert (end.text, end.rounds, end.tool_calls) == ("Noon.", 2, 1)
        assert end.warnings == ("`on_event` raised KeyError at entry 1, and heard no more of the run: 1",)

    with_bridge(studio, story)


def test_a_closed_bridge_says_so(studio: str) -> None:
    async def story(bridge: Bridge) -> None:
        await bridge.close()
        with pytest.raises(UsageError, match="the bridge is closed"):
            await bridge.autonomous_with_mcp("clock", "The time?")

    with_bridge(studio, story)


def test_the_bridge_without_a_server_of_models() -> None:
    async def story(bridge: Bridge) -> None:
        with pytest.raises(LLMConnectionError):
            await bridge.autonomous_with_mcp("clock", "The time?")

    with_bridge("http://127.0.0.1:9", story)


def test_several_servers_are_counted_under_one_label() -> None:
    assert label_of(["b", "a", "b"]) == "a+b"
