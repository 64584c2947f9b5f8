"""The desk with tools of a test: what is wrong with arguments, bugs, and long work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.app.bridge.desk import BridgeDesk
from runner.app.bridge.house import BridgeHouse, BridgeSettings
from runner.app.bridge.tool import Tool
from runner.chat.offer import Answered, Offer, Progress

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "times": {"type": "integer", "minimum": 1, "default": 2},
        "options": {"type": "object", "properties": {"loud": {"type": "boolean"}}, "additionalProperties": False},
    },
    "additionalProperties": False,
}


async def greet(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    return {"said": f"hello {arguments['name']}" * arguments["times"], "text": "greeted"}


async def breaks(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    raise RuntimeError("the cat sat on the keyboard")


async def never(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def tool(name: str, work: Any, *, long: bool = False) -> Tool:
    offer = Offer(
        name=name,
        title=name,
        description=name,
        input_schema=SCHEMA,
        output_schema={"type": "object", "required": ["said"]},
    )
    return Tool(offer=offer, work=work, long=long)


CLEANED = asyncio.Event()
"""Set when `slow` may end."""


async def slow(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    try:
        await progress(1.0, None, "at work")
        await asyncio.Event().wait()
    finally:
        await CLEANED.wait()
    raise AssertionError("unreachable")


TOOLS = (
    tool("greet", greet),
    tool("breaks", breaks),
    tool("never", never, long=True),
    tool("slow", slow, long=True),
)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never held")


async def quiet(done: float, total: float | None, message: str) -> None:
    """Nobody listens."""


def at_the_desk(folder: Path, story: Callable[[BridgeDesk], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        house = BridgeHouse(BridgeSettings(folder=folder), {"HOME": str(folder)})
        try:
            return await story(BridgeDesk(house, TOOLS, wait=0.01))
        finally:
            await house.close()

    return asyncio.run(go())


def call(folder: Path, tool: str, /, **arguments: Any) -> Answered:
    answered: Answered = at_the_desk(folder, lambda desk: desk.call(tool, arguments, quiet))
    return answered


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert call(tmp_path, "greet", name="Ada") == Answered(
        structured={"said": "hello Adahello Ada", "text": "greeted"}, text="greeted"
    )


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        ({}, [("name", "it is required")]),
        ({"nam": "Ada"}, [("name", "it is required"), ("nam", "there is no such argument; did you mean `name`?")]),
        ({"name": 3}, [("name", "expected a text, got the number 3")]),
        ({"name": "Ada", "times": 0}, [("times", "expected at least 1, got 0")]),
        ({"name": "Ada", "options": {"lout": True}}, [("options.lout", "there is no such argument")]),
        ({"name": "Ada", "options": {"loud": 1}}, [("options.loud", "expected true or false, got the number 1")]),
    ],
)
def test_every_wrong_argument_is_named(
    tmp_path: Path, arguments: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    answered = call(tmp_path, "greet", **arguments)
    assert answered.is_error
    error = answered.structured["error"]
    assert (error["code"], error["kind"], error["retryable"]) == ("ArgumentsError", "request", False)
    assert [(one["argument"], one["message"]) for one in error["problems"]] == problems
    assert error["hint"] == "the arguments are `name` (required), `times`, `options`"
    assert answered.text is not None
    assert answered.text.startswith("error: the arguments do not fit the tool `greet`: `")


def test_a_bug_is_no_traceback_but_a_file_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    error = call(tmp_path, "breaks", name="Ada").structured["error"]
    assert (error["code"], error["message"]) == (
        "BUG",
        "a bug in bridge-run: RuntimeError: the cat sat on the keyboard",
    )
    assert "Traceback" not in str(error)
    assert "in breaks" in Path(error["file"]).read_text("utf-8")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    assert "file" not in call(tmp_path, "breaks", name="Ada").structured["error"]


def test_a_broken_file_of_mcp_servers_is_told_without_its_words(tmp_path: Path) -> None:
    (tmp_path / ".mcp.json").write_text('{"mcpServers": {"a": {"headers": {"X": "hush-hush"},,}}}')

    async def story(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        return {"servers": list(house.hosts.servers())}

    async def ask() -> Answered:
        house = BridgeHouse(BridgeSettings(folder=tmp_path), {"HOME": str(tmp_path)})
        return await BridgeDesk(house, [tool("look", story)]).call("look", {"name": "x"}, quiet)

    answered = asyncio.run(ask())
    (finding,) = answered.structured["error"]["diagnostics"]
    assert (finding["code"], finding["line"]) == ("BR404", 1)
    assert answered.text is not None
    assert answered.text.startswith("error[BR404]: ")
    assert "hush" not in answered.text + str(answered.structured)


def test_long_work_goes_on_and_ends_with_the_house(tmp_path: Path) -> None:
    async def story(desk: BridgeDesk) -> tuple[Answered, Any]:
        working = await desk.call("never", {"name": "Ada"}, quiet)
        return working, desk.house.tasks.find(working.structured["task_id"])

    working, task = at_the_desk(tmp_path, story)
    assert (working.structured["status"], working.is_error) == ("working", False)
    assert task.status == "cancelled"


def test_long_work_may_be_waited_for_and_be_still_working(tmp_path: Path) -> None:
    async def story(desk: BridgeDesk) -> None:
        (never,) = (offer for offer in await desk.offers() if offer.name == "never")
        assert never.input_schema["properties"]["wait"]["default"] == 0.01
        assert never.output_schema is not None
        assert [one["required"] for one in never.output_schema["anyOf"]] == [["said"], ["status", "task_id", "hint"]]
        started = await desk.call("start_task", {"tool": "never", "arguments": {"name": "Ada"}}, quiet)
        task = started.structured["task_id"]
        result = await desk.call("task_result", {"task_id": task, "wait": 0}, quiet)
        assert result.structured["status"] == "working"
        assert (await desk.call("task_status", {"task_id": task}, quiet)).structured["status"] == "working"

    at_the_desk(tmp_path, story)


def test_a_call_that_waits_is_told_that_its_task_was_cancelled(tmp_path: Path) -> None:
    async def story(desk: BridgeDesk) -> Answered:
        begun = asyncio.Event()

        async def hear(done: float, total: float | None, message: str) -> None:
            begun.set()

        waiting = asyncio.create_task(desk.call("never", {"name": "Ada", "wait": 60}, hear))
        await begun.wait()
        (task,) = desk.house.tasks.all()
        await desk.call("cancel_task", {"task_id": task.id}, quiet)
        return await waiting

    answered = at_the_desk(tmp_path, story)
    assert answered.is_error
    assert answered.structured["error"]["kind"] == "cancelled"


def test_a_task_that_was_cancelled_and_still_cleans_up_is_not_told_to_go_on(tmp_path: Path) -> None:
    heard: list[str] = []

    async def hear(done: float, total: float | None, message: str) -> None:
        heard.append(message)

    async def story(desk: BridgeDesk) -> None:
        CLEANED.clear()
        first = asyncio.create_task(desk.call("slow", {"name": "Ada", "wait": 60}, hear))
        await until(lambda: "at work" in heard)
        (task,) = desk.house.tasks.all()
        ending = asyncio.create_task(desk.call("cancel_task", {"task_id": task.id}, quiet))
        await until(lambda: task.cancelling)
        cleaning = await desk.call("task_result", {"task_id": task.id, "wait": 0}, quiet)
        assert (cleaning.structured["status"], cleaning.is_error) == ("working", False)
        hint = "it is cancelled, and still cleans up; `task_status` says when that is done"
        assert (cleaning.structured["hint"], cleaning.text) == (hint, f"working: {hint}")
        CLEANED.set()
        for answered in (await first, await desk.call("task_result", {"task_id": task.id}, quiet)):
            assert answered.is_error
            assert answered.structured["error"]["message"] == f"{task.id} was cancelled"
            assert answered.structured["status"] == "cancelled"
        assert (await ending).structured["status"] == "cancelled"

    at_the_desk(tmp_path, story)


def test_two_who_wait_for_one_task_both_hear_how_far_it_is(tmp_path: Path) -> None:
    async def story(desk: BridgeDesk) -> None:
        started = await desk.call("start_task", {"tool": "never", "arguments": {"name": "Ada"}}, quiet)
        task = desk.house.tasks.find(started.structured["task_id"])
        heard: dict[str, list[str]] = {"first": [], "second": []}

        def waits(who: str, seconds: float) -> asyncio.Task[Answered]:
            async def hear(done: float, total: float | None, message: str) -> None:
                heard[who].append(message)

            return asyncio.create_task(desk.call("task_result", {"task_id": task.id, "wait": seconds}, hear))

        first, second = waits("first", 60), waits("second", 60)
        await until(lambda: all(heard.values()))
        await task.tell(1.0, None, "round 1")
        await until(lambda: all("round 1" in one for one in heard.values()))
        first.cancel()
        await asyncio.wait((first,))
        await task.tell(2.0, None, "round 2")
        await until(lambda: "round 2" in heard["second"])
        assert "round 2" not in heard["first"]
        second.cancel()

    at_the_desk(tmp_path, story)
