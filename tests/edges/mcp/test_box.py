"""MCP servers over stdio: real ones, and one that misbehaves in every way we know of."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import pytest
from kit.servers import Workbench, left_of, members, node_server, python_server

from runner.chat.toolbox import ToolResult
from runner.words.errors import ToolServerError


@pytest.fixture
def bench(tmp_path):
    """Tool boxes whose servers are all gone after the test, whatever happened."""
    bench = Workbench(tmp_path)
    yield bench
    bench.offspring.kill_all_now()


def run(box, use):
    """Start the box, use it, close it; nothing of its group may be left."""

    async def go():
        facts = await box.start()
        try:
            return await use(facts)
        finally:
            await box.close()

    return asyncio.run(go())


def start_error(box) -> ToolServerError:
    """Why it does not start."""

    async def go():
        await box.start()

    with pytest.raises(ToolServerError) as caught:
        asyncio.run(go())
    return caught.value


def test_lists_and_calls_server_everything(bench):
    box = bench.stdio(node_server("mcp-server-everything"))

    async def use(facts):
        assert (facts.name, facts.version, facts.protocol) == ("mcp-servers/everything", "2.0.0", "2025-11-25")
        names = [tool.name for tool in box.tools]
        assert names == sorted(names)
        assert "simulate-research-query" not in names  # answers only as a background task
        assert await box.call("echo", {"message": "hello"}) == ToolResult(text="Echo: hello")
        weather = await box.call("get-structured-content", {"location": "New York"})
        assert weather.structured == json.loads(weather.text)
        image = await box.call("get-tiny-image", {})
        assert image.blobs[0].mime_type == "image/png"
        assert image.blobs[0].data.startswith(b"\x89PNG")
        assert "[blob 1: image/png, " in image.text
        links = await box.call("get-resource-links", {"count": 2})
        assert "[resource Text Resource 2 <demo://resource/dynamic/text/2>: " in links.text
        bad = await box.call("get-sum", {"a": "one"})
        assert bad.is_error
        unknown = await box.call("nope", {})
        assert unknown.is_error
        assert "nope" in unknown.text

    run(box, use)
    assert bench.groups() == ()


def test_three_real_servers_start_in_parallel_and_leave_nothing(bench, tmp_path):
    os.system(f"git init -q {tmp_path}")
    (tmp_path / "a.txt").write_text("hello")
    boxes = [
        bench.stdio(node_server("mcp-server-filesystem"), str(tmp_path)),
        bench.stdio(python_server("mcp-server-git"), "--repository", str(tmp_path)),
        bench.stdio(python_server("mcp-server-time"), "--local-timezone", "UTC"),
    ]

    async def go():
        facts = await asyncio.gather(*(box.start() for box in boxes))
        groups = bench.groups()
        assert all(members(group) for group in groups)
        texts = [
            await boxes[0].call("read_text_file", {"path": str(tmp_path / "a.txt")}),
            await boxes[1].call("git_status", {"repo_path": str(tmp_path)}),
            await boxes[2].call("get_current_time", {"timezone": "UTC"}),
        ]
        await asyncio.gather(*(box.close() for box in boxes))
        return facts, groups, texts

    facts, groups, texts = asyncio.run(go())
    assert [one.protocol for one in facts] == ["2025-11-25", "2026-07-28", "2026-07-28"]
    assert len(groups) == 3
    assert [left_of(group) for group in groups] == [[], [], []]
    assert [text.is_error for text in texts] == [False, False, False]
    assert texts[0].text == "hello"
    assert "a.txt" in texts[1].text
    assert [tool.effect for tool in boxes[1].tools if tool.name in ("git_diff", "git_commit")] == ["unsafe", "none"]


def test_memory_server_keeps_its_own_environment(bench, tmp_path):
    box = bench.stdio(node_server("mcp-server-memory"), env={"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")})

    async def use(_):
        await box.call("create_entities", {"entities": [{"name": "a", "entityType": "b", "observations": ["c"]}]})

    run(box, use)
    assert '"name":"a"' in (tmp_path / "memory.jsonl").read_text()


def test_eight_calls_at_once_each_get_their_own_answer(bench):
    box = bench.stdio(node_server("mcp-server-everything"))

    async def use(_):
        answers = await asyncio.gather(*(box.call("echo", {"message": str(n)}) for n in range(8)))
        assert [answer.text for answer in answers] == [f"Echo: {n}" for n in range(8)]

    run(box, use)


def test_a_cancelled_call_leaves_the_session_alive(bench):
    box = bench.stdio(node_server("mcp-server-everything"))

    async def use(_):
        call = asyncio.create_task(box.call("trigger-long-running-operation", {"duration": 30, "steps": 30}))
        await asyncio.sleep(0.2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await box.call("echo", {"message": "still here"})).text == "Echo: still here"

    run(box, use)


def test_a_call_that_takes_too_long_is_a_result_that_says_so(bench):
    box = bench.odd("slow", "1.0", timeout=0.3)

    async def use(_):
        slow = await box.call("echo", {"message": "slow"})
        await asyncio.sleep(1.0)
        assert slow == ToolResult(
            is_error=True,
            text="tool `echo` of `srv` did not answer within 0.3s; "
            "the call was cancelled, what it did until then is unknown",
        )
        assert (await box.call("echo", {"message": "quick"})).text == "quick"

    run(box, use)


def test_death_in_a_call_is_told_with_the_last_words_and_a_restart_helps(bench):
    box = bench.odd("dies")

    async def use(_):
        with pytest.raises(ToolServerError) as caught:
            await box.call("echo", {})
        assert caught.value.message == (
            "MCP server `srv` was ended by SIGKILL while it was used; last on its stderr: the disk is gone"
        )
        assert caught.value.stderr == "the disk is gone"
        with pytest.raises(ToolServerError, match="was ended by SIGKILL"):
            await box.call("echo", {})
        dead = bench.groups()
        await asyncio.gather(*(box.restart() for _ in range(4)))  # every step that saw it asks for it
        assert len(bench.groups()) == 1
        assert bench.groups() != dead
        assert [tool.name for tool in box.tools] == ["echo"]

    run(box, use)
    assert bench.groups() == ()


def test_all_calls_in_flight_learn_of_the_death(bench):
    box = bench.stdio(node_server("mcp-server-everything"))

    async def use(_):
        long = {"duration": 30, "steps": 30}
        calls = [asyncio.create_task(box.call("trigger-long-running-operation", long)) for _ in range(3)]
        await asyncio.sleep(0.2)
        os.killpg(bench.groups()[0], signal.SIGKILL)
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [str(end) for end in ends] == [
            "MCP server `srv` was ended by SIGKILL while it was used; "
            "last on its stderr: Starting default (STDIO) server..."
        ] * 3
        await box.restart()
        assert (await box.call("echo", {"message": "back"})).text == "Echo: back"

    run(box, use)


def test_a_restart_leaves_a_living_server_alone(bench):
    box = bench.odd("good")

    async def use(_):
        before = bench.groups()
        await box.restart()
        assert bench.groups() == before

    run(box, use)


def test_a_helper_that_holds_the_output_open_hides_no_death_and_does_not_survive(bench):
    box = bench.odd("dies-with-helper")

    async def use(_):
        group = bench.groups()[0]
        with pytest.raises(ToolServerError, match="exited with code 7 while it was used"):
            await box.call("echo", {})
        assert members(group)
        return group

    assert left_of(run(box, use)) == []


@pytest.mark.parametrize("mode", ["helper", "ignores-eof", "stubborn"])
def test_close_ends_the_whole_group(bench, mode):
    box = bench.odd(mode)

    async def use(_):
        return bench.groups()[0], members(bench.groups()[0])

    group, before = run(box, use)
    assert before
    assert left_of(group) == []
    assert bench.groups() == ()


@pytest.mark.parametrize("hangs", [True, False])
def test_a_server_that_is_busy_for_nobody_has_less_time_to_take_its_leave(bench, tmp_path, hangs):
    """Hosts kill us four seconds after they are gone: two graces of two seconds would leave it behind."""
    box = bench.odd("leave-taking", str(tmp_path))

    async def use(_):
        if hangs:
            call = asyncio.create_task(box.call("echo", {"message": "hang"}))
            while not (tmp_path / "called").exists():  # noqa: ASYNC110  what another process does is no event
                await asyncio.sleep(0.02)
            call.cancel()
            await asyncio.wait((call,))
        return bench.groups()[0]

    assert left_of(run(box, use)) == []
    assert (tmp_path / "left").exists() is not hangs


def test_a_cancelled_close_still_ends_the_group(bench):
    box = bench.odd("stubborn")

    async def go():
        await box.start()
        group = bench.groups()[0]
        closing = asyncio.create_task(box.close())
        await asyncio.sleep(0.1)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        return group

    assert left_of(asyncio.run(go())) == []


def test_kill_all_now_ends_every_group_without_an_event_loop(bench):
    box = bench.odd("stubborn")

    async def go():
        await box.start()
        group = bench.groups()[0]
        bench.offspring.kill_all_now()
        assert len(bench.offspring) == 0
        await box.close()
        return group

    assert left_of(asyncio.run(go())) == []


def test_a_cancelled_start_leaves_nothing(bench):
    box = bench.odd("silent")

    async def go():
        starting = asyncio.create_task(box.start())
        await asyncio.sleep(0.3)
        group = bench.groups()[0]
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        return group

    assert left_of(asyncio.run(go())) == []


def test_close_may_come_first_twice_and_last(bench):
    box = bench.odd("good")

    async def go():
        await box.close()
        with pytest.raises(ToolServerError, match="MCP server `srv` was not started"):
            await box.call("echo", {})
        await box.start()
        await box.close()
        await box.close()
        with pytest.raises(ToolServerError, match="MCP server `srv` was closed"):
            await box.call("echo", {})

    asyncio.run(go())


def by_hand(mode: str) -> str:
    """The hint to try that server by hand."""
    from kit.servers import ODD

    return f"try it by hand: {sys.executable} {ODD} {mode} ''"


def test_a_command_that_does_not_exist(bench):
    error = start_error(bench.stdio("no-such-server"))
    assert error.message == "cannot start MCP server `srv`: there is no command `no-such-server`"
    assert error.hint == "install it, or correct `command` and `cwd` under `mcp_servers.srv`"


def test_a_command_that_cannot_be_executed(bench, tmp_path):
    (tmp_path / "server.sh").write_text("#!/bin/sh")
    error = start_error(bench.stdio("./server.sh"))
    assert error.message == "cannot start MCP server `srv`: `./server.sh` cannot be executed"


def test_a_folder_that_does_not_exist(bench):
    error = start_error(bench.stdio(sys.executable, cwd="nowhere"))
    assert error.message == "cannot start MCP server `srv`: its folder `nowhere` does not exist"


def test_a_server_that_exits_at_once_is_told_with_its_reason(bench):
    error = start_error(bench.odd("exit"))
    assert (
        error.message
        == "MCP server `srv` exited with code 3 before it was ready; last on its stderr: API_KEY is missing"
    )
    assert error.stderr == "starting\nAPI_KEY is missing"
    assert error.hint == by_hand("exit")


def test_a_server_that_never_answers(bench):
    error = start_error(bench.odd("silent", start_timeout=1.5))
    assert error.message == "MCP server `srv` did not answer within 1.5s of its start"
    assert error.hint == "raise `start_timeout` under `mcp_servers.srv` if it needs longer"
    assert bench.groups() == ()


def test_a_program_that_speaks_no_mcp(bench):
    error = start_error(bench.odd("babble", start_timeout=1.5))
    assert error.message == (
        "MCP server `srv` did not answer within 1.5s of its start; "
        "it wrote to stdout what is no MCP message: 'I speak no MCP'"
    )
    assert error.hint == by_hand("babble")


def test_a_list_of_tools_without_end(bench):
    error = start_error(bench.odd("pages"))
    assert error.message == "MCP server `srv` is of no use: its list of tools has more than 100 pages"


def test_a_banner_on_stdout_is_skipped(bench):
    box = bench.odd("banner")

    async def use(facts):
        assert (facts.name, facts.version) == ("odd", "1.2")
        assert (await box.call("echo", {"message": "hi"})).text == "hi"

    run(box, use)


def test_one_tool_without_a_schema_does_not_cost_the_others(bench):
    box = bench.odd("no-schema")

    async def use(_):
        assert [(tool.name, dict(tool.input_schema)) for tool in box.tools] == [
            (name, {"type": "object", "properties": {}}) for name in ("bare", "echo", "null")
        ]
        assert (await box.call("echo", {"message": "hi"})).text == "hi"

    run(box, use)


def test_of_two_tools_with_one_name_the_first_counts(bench):
    box = bench.odd("twins")

    async def use(_):
        assert [(tool.name, tool.description) for tool in box.tools] == [
            ("echo", "Says it again."),
            ("zebra", "Says it again."),
        ]

    run(box, use)


def test_effects_come_from_the_annotations(bench):
    box = bench.odd("hints")

    async def use(_):
        assert {tool.name: tool.effect for tool in box.tools} == {
            "reads": "none",
            "repeats": "idempotent",
            "unknown": "unsafe",
        }

    run(box, use)


def test_content_of_an_unknown_type_is_shown_as_json(bench):
    box = bench.odd("unknown-content")

    async def use(_):
        assert (await box.call("echo", {"message": "hi"})).text == 'hi\n{"type": "hologram", "beam": 3}'

    run(box, use)


def test_structured_content_that_misses_its_schema_is_handed_on(bench):
    box = bench.odd("wrong-output")

    async def use(_):
        assert box.tools[0].output_schema == {"type": "object", "required": ["n"]}
        result = await box.call("echo", {"message": "hi"})
        assert (result.text, result.structured, result.has_structured) == ("hi", {"m": 1}, True)

    run(box, use)


def test_an_error_of_the_protocol_is_text_for_the_model(bench):
    box = bench.odd("error-code")

    async def use(_):
        refused = await box.call("echo", {})
        assert refused == ToolResult(text="`srv` refused the call of `echo`: out of paper", is_error=True)

    run(box, use)


def test_a_result_of_50_megabytes_arrives_whole(bench):
    box = bench.odd("huge", "50000000")

    async def use(_):
        assert len((await box.call("echo", {})).text) == 50_000_000

    run(box, use)


@pytest.mark.parametrize("mode", ["huge", "late-id"])
def test_a_result_over_the_limit_fails_its_call_and_nothing_else(bench, mode):
    box = bench.odd(mode, "70000000")

    async def use(_):
        result = await box.call("echo", {})
        assert result == ToolResult(
            is_error=True,
            text="`srv` refused the call of `echo`: "
            "it answered with a message of 66.8 MB, more than 64.0 MB; ask it for less",
        )
        assert (await box.call("echo", {})).is_error

    run(box, use)


def test_a_flood_on_stderr_blocks_nothing_and_its_end_is_kept(bench):
    box = bench.odd("flood")

    async def use(_):
        for _ in range(3):
            assert (await box.call("echo", {"message": "hi"})).text == "hi"

    run(box, use)


def test_the_child_sees_little_of_our_environment(bench, monkeypatch):
    monkeypatch.setenv("MY_SECRET", "s3cret")
    box = bench.odd("environment", env={"GIVEN": "yes"})

    async def use(_):
        seen = json.loads((await box.call("echo", {})).text)
        assert seen["GIVEN"] == "yes"
        assert "PATH" in seen
        assert "MY_SECRET" not in seen

    run(box, use)
