"""Every tool that `bridge-run serve` offers, called by a real host over both transports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kit.host import Said, host
from kit.project import Project
from kit.servers import ODD
from kit.simulator import simulator

pytestmark = pytest.mark.unmeasured
TALKER = {"loaded": {"context_length": 8192}, "tool_use": True, "default": {"say": "Done."}}
EMBEDDER = {"type": "embedding", "max_context_length": 512, "dimensions": 4}
SCRIPT = {
    "settings": {"downloadable": {"new/one": "2MB"}, "download_speed": "40MB"},
    "models": {
        "small/one": TALKER,
        "big/two": {"default": {"say": "Two."}},
        "embedder": EMBEDDER,
        "new/one": {"default": {"say": "New."}},
    },
}


@pytest.fixture
def bridged(project: Project) -> Iterator[Project]:
    """A project with a workflow, a tool server of its host, and models."""
    project.environment["HOME"] = str(project.folder.parent)
    project.write("odd.py", ODD.read_text("utf-8"))
    servers = {name: {"command": "python", "args": ["./odd.py", "good"]} for name in ("odd", "even")}
    project.write(".mcp.json", {"mcpServers": servers})
    project.write("workflows/ask.yaml", "version: 1\nname: ask\nsteps: [{id: say, model: small/one, task: Hello}]\n")
    with simulator(SCRIPT) as url:
        project.environment["BRIDGE_RUN_ENDPOINT"] = url
        yield project


@pytest.mark.parametrize("wire", ["stdio-2026", "http-2025"])
def test_every_tool_answers_a_host(bridged: Project, wire: str) -> None:
    async def story() -> None:
        async with told_plainly(), host(bridged, wire) as one:
            called: set[str] = set()

            async def good(name: str, **arguments: Any) -> Said:
                called.add(name)
                said = await one.call(name, **arguments)
                assert not said.is_error, (name, said.text)
                return said

            await about_models(good)
            await about_tasks(good)
            assert called == set(await one.tools())

    asyncio.run(story())


@asynccontextmanager
async def told_plainly() -> AsyncIterator[None]:
    """What the story raises, without the groups that the SDK puts around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


async def about_models(good: Any) -> None:
    hello = [{"role": "user", "content": "Hello"}]
    assert (await good("health_check")).structured["healthy"] is True
    listed = (await good("list_models")).structured["models"]
    assert [model["id"] for model in listed] == ["small/one", "big/two", "embedder"]
    assert (await good("get_current_model")).structured["model"] == "small/one"
    said = await good("chat_completion", messages=hello)
    assert (said.text, said.structured["model"]) == ("Done.", "small/one")
    assert (await good("chat_completion", messages=hello, model="big/two")).text == "Two."
    await good("text_completion", prompt="Once")
    await good("create_response", input="Who?")
    vectors = await good("generate_embeddings", input=["a", "b"], model="embedder")
    assert vectors.structured["model"] == "embedder"
    await good("load_model", model="big/two")
    await good("ensure_model_loaded", model="big/two")
    loaded = (await good("list_loaded_models")).structured["models"]
    assert "big/two" in [model["id"] for model in loaded]
    await good("unload_model", model="big/two")
    assert (await good("list_downloaded_models")).structured["count"] == 3
    assert (await good("download_model", model="new/one")).structured["status"] == "completed"
    await good("server_status")


async def about_tasks(good: Any) -> None:
    mcps = (await good("list_available_mcps", tools=True)).structured["mcps"]
    assert [(one["name"], one["problem"]) for one in mcps] == [("odd", None), ("even", None)]
    task = {"task": "Say it is done.", "model": "small/one"}
    alone = await good("autonomous_with_mcp", mcp_name="odd", **task)
    assert (alone.text, alone.structured["model"], alone.structured["servers"]) == ("Done.", "small/one", ["odd"])
    both = await good("autonomous_with_multiple_mcps", mcp_names=["odd", "even"], **task)
    assert both.structured["servers"] == ["odd", "even"]
    every = await good("autonomous_discover_and_execute", **task)
    assert every.structured["servers"] == ["odd", "even"]
    assert (await good("run_workflow", workflow="ask")).text == "Done.\n"
    assert (await good("workflow_ask")).structured["outputs"] == {"say": "Done."}
    assert (await good("check_workflow", workflow="ask")).structured["ok"] is True
    assert len((await good("list_workflows")).structured["workflows"]) == 1
    begun = await good("start_task", tool="autonomous_with_mcp", arguments={"mcp_name": "odd", **task})
    result = await good("task_result", task_id=begun.structured["task_id"])
    assert result.structured["result"]["text"] == "Done."
    await good("task_status")
    assert (await good("cancel_task", task_id=begun.structured["task_id"])).structured["status"] == "completed"
