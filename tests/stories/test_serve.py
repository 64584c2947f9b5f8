"""``bridge-run serve`` as hosts use it: real clients of 2025 and 2026 over both transports."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from kit.host import WIRES, Host, host, http_client, serving
from kit.leftover import processes_of
from kit.project import BRIDGE_RUN, Project, wait_until
from kit.servers import ODD
from kit.simulator import simulator
from syrupy.assertion import SnapshotAssertion

pytestmark = pytest.mark.unmeasured
CODER = "qwen/qwen3-coder-30b"
NAP = """
version: 1
name: nap
description: Sleeps, with a child that sleeps too.
inputs:
  seconds: {type: number, default: 0.1}
steps:
  - {id: nap, run: [sh, -c, "sleep {{ inputs.seconds }} & wait; echo slept"]}
"""
ASK = """
version: 1
name: ask
steps:
  - {id: gate, approve: "Shall it go on?"}
  - {id: say, run: [echo, "{{ steps.gate.output }}"]}
"""
GREET = """
version: 1
name: greet
description: Greets somebody.
inputs:
  who: {type: string}
steps:
  - {id: hello, task: "Greet {{ inputs.who }}."}
"""
FAILS = 'version: 1\nname: fails\nsteps: [{id: bad, run: ["false"]}]\n'
BROKEN = "version: 1\nname: broken\nsteps: [{id: bad, run: [echo], nam: 1}]\n"
Serve = Callable[..., str]
ON_EVERY_WIRE = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture
def files(project: Project) -> Project:
    """A project with workflows, whose home has no configuration of hosts."""
    project.environment["HOME"] = str(project.folder.parent)
    for name, text in {"nap": NAP, "ask": ASK, "greet": GREET, "fails": FAILS, "broken": BROKEN}.items():
        project.write(f"workflows/{name}.yaml", text)
    return project


def on(project: Project, wire: str, story: Callable[[Host], Awaitable[None]], *options: str) -> None:
    """Tell a story to a host, and see that nothing is left."""

    async def told() -> None:
        async with host(project, wire, *options) as one:
            await story(one)

    try:
        asyncio.run(told())
    except BaseExceptionGroup as group:  # the SDK's, around what the story raised
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    nothing_is_left(project)


def nothing_is_left(project: Project) -> None:
    wait_until(lambda: not processes_of(project.folder), f"no process is left in {project.folder}", within=10)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1500):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within 30 s")


def sleeps(project: Project, seconds: int) -> bool:
    return any(f"sleep {seconds}" in line for line in processes_of(project.folder))


@ON_EVERY_WIRE
def test_a_day_of_a_host(files: Project, serve: Serve, wire: str) -> None:
    """Every tool about workflows and tasks, on every wire."""
    serve([{"say": "Hello Ada."}] * 3)

    async def story(one: Host) -> None:
        listed = await one.call("list_workflows")
        assert [(row["file"], row["tool"], row["ok"]) for row in listed.structured["workflows"]] == [
            ("workflows/ask.yaml", "workflow_ask", True),
            ("workflows/broken.yaml", None, False),
            ("workflows/fails.yaml", "workflow_fails", True),
            ("workflows/greet.yaml", "workflow_greet", True),
            ("workflows/nap.yaml", "workflow_nap", True),
        ]
        (finding,) = listed.structured["workflows"][1]["findings"]
        assert (finding["code"], finding["line"], finding["help"]) == ("BR217", 3, "did you mean `name`?")

        greeted = await one.call("workflow_greet", who="Ada", model=CODER)
        assert (greeted.is_error, greeted.text) == (False, "Hello Ada.\n")
        assert greeted.structured["outputs"] == {"hello": "Hello Ada."}
        assert greeted.structured["steps"]["hello"]["model"] == CODER
        messages = [message for _, _, message in greeted.progress]
        assert "round 1: answered" in " ".join(str(message) for message in messages)
        numbers = [done for done, _, _ in greeted.progress]
        assert numbers == sorted(set(numbers))

        by_name = await one.call("run_workflow", workflow="greet", inputs={"who": "Bob"}, model="default")
        assert by_name.structured["status"] == "succeeded"
        checked = await one.call("check_workflow", workflow="workflows/broken.yaml")
        assert (checked.is_error, checked.structured["ok"]) == (False, False)
        assert "workflows/broken.yaml:3" in checked.text

        started = await one.call("start_task", tool="workflow_nap", arguments={"seconds": 0.2})
        task = started.structured["task_id"]
        assert started.structured["status"] == "working"
        result = await one.call("task_result", task_id=task)
        assert result.structured["result"]["outputs"] == {"nap": "slept"}
        status = await one.call("task_status", task_id=task)
        assert status.structured["status"] == "completed"
        gone = await one.call("cancel_task", task_id=task)
        assert (gone.is_error, gone.structured["status"]) == (False, "completed")

    on(files, wire, story)


@ON_EVERY_WIRE
def test_a_host_without_patience_ends_what_it_started(files: Project, wire: str) -> None:
    async def story(one: Host) -> None:
        calling = asyncio.create_task(one.call("workflow_nap", seconds=1234))
        await until(lambda: sleeps(files, 1234))
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await until(lambda: not sleeps(files, 1234))
        (row,) = (await one.call("task_status")).structured["tasks"]
        while row["status"] == "working":  # its journal is still being closed
            (row,) = (await one.call("task_status")).structured["tasks"]
        assert row["status"] == "cancelled"

    on(files, wire, story)


@pytest.mark.parametrize("wire", ["stdio-2026", "http-2025"])
def test_a_cancelled_call_leaves_no_tool_server(files: Project, wire: str) -> None:
    files.write("odd.py", ODD.read_text("utf-8"))
    files.write(
        "workflows/slow.yaml",
        "version: 1\nname: slow\n"
        "mcp_servers:\n  odd: {command: python, args: [odd.py, slow, '1240']}\n"
        "steps: [{id: call, tool: odd.echo, arguments: {message: slow}}]\n",
    )

    async def story(one: Host) -> None:
        calling = asyncio.create_task(one.call("workflow_slow"))
        await until(
            lambda: any(entry["type"] == "tool_called" for run in files.runs()[:1] for entry in files.journal())
        )
        assert any("odd.py slow" in line for line in processes_of(files.folder))
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await until(lambda: not any("odd.py slow" in line for line in processes_of(files.folder)))

    on(files, wire, story)


@ON_EVERY_WIRE
def test_a_host_that_waits_two_seconds_gets_the_result_of_longer_work(files: Project, wire: str) -> None:
    async def story(one: Host) -> None:
        working = await one.call("workflow_nap", seconds=3, patience=2)
        assert working.structured["status"] == "working"
        while working.structured["status"] == "working":
            working = await one.call("task_result", task_id=working.structured["task_id"], patience=2)
        assert working.structured["result"]["outputs"] == {"nap": "slept"}

    on(files, wire, story, "--wait", "0.5")


@ON_EVERY_WIRE
def test_a_task_is_cancelled_with_all_it_started(files: Project, wire: str) -> None:
    async def story(one: Host) -> None:
        started = await one.call(
            "start_task", tool="run_workflow", arguments={"workflow": "nap", "inputs": {"seconds": 1235}}
        )
        await until(lambda: sleeps(files, 1235))
        ended = await one.call("cancel_task", task_id=started.structured["task_id"])
        assert ended.structured["status"] == "cancelled"
        assert not sleeps(files, 1235)
        result = await one.call("task_result", task_id=started.structured["task_id"])
        assert (result.error["code"], result.error["kind"]) == ("StepError", "cancelled")

    on(files, wire, story)


def test_what_is_wrong_is_told_in_structure_and_in_words(files: Project, serve: Serve) -> None:
    serve([{"say": "never"}])

    async def story(one: Host) -> None:
        wrong = await one.call("workflow_greet", whom="Ada")
        assert wrong.error["code"] == "ArgumentsError"
        assert wrong.error["problems"] == [
            {"argument": "who", "message": "it is required"},
            {"argument": "whom", "message": "there is no such argument; did you mean `who`?"},
        ]
        no_model = await one.call("workflow_greet", who="Ada", model="qwen/qwen3-coder-3b")
        assert (no_model.error["code"], no_model.error["available_models"]) == (
            "ModelNotFoundError",
            [CODER, f"{CODER}@q4_k_m"],
        )
        assert no_model.error["nearest"][0] == CODER
        failed = await one.call("workflow_fails")
        assert (failed.error["code"], failed.error["kind"], failed.error["retryable"]) == (
            "RunFailedError", "command", False,
        )  # fmt: skip
        assert failed.error["steps"]["bad"]["status"] == "failed"
        broken = await one.call("run_workflow", workflow="workflows/broken.yaml")
        (finding,) = broken.error["diagnostics"]
        assert (finding["code"], finding["line"], finding["column"]) == ("BR217", 3, 32)
        for word in ("\0", "a" * 5000):
            nothing = await one.call("run_workflow", workflow=word)
            assert nothing.error["message"] == f"there is no workflow `{word[:200]}`"
        outside = await one.call("run_workflow", workflow="../other.yaml")
        assert outside.error["message"] == "`../other.yaml` lies outside of the folder that is served"
        unknown = await one.call("run_workflows")
        assert (unknown.error["code"], unknown.error["hint"]) == ("ToolNotFoundError", "did you mean `run_workflow`?")
        task = await one.call("start_task", tool="workflow_greet", arguments={})
        assert task.error["code"] == "ArgumentsError"
        quick = await one.call("start_task", tool="list_workflows")
        assert quick.error["hint"] == "call `list_workflows` itself"
        about = await one.call("start_task", tool="task_result", arguments={"task_id": "task-0"})
        assert (about.error["message"], about.error["hint"]) == (
            "`task_result` is about tasks, so there is no task of it",
            "call `task_result` itself",
        )
        tells = "`list_workflows` tells which files there are, and what is wrong with one that is no tool"
        for name, near in (("broken", ""), ("nope", ""), ("greeet", "did you mean `workflow_greet`? ")):
            gone = await one.call(f"workflow_{name}")
            assert (gone.error["code"], gone.error["hint"]) == ("ToolNotFoundError", near + tells)
        missing = await one.call("task_result", task_id="task-0")
        assert missing.error["code"] == "TaskNotFoundError"
        rows = (await one.call("task_status")).structured["tasks"]
        assert {row["status"] for row in rows} == {"failed"}
        assert len(rows) == 6  # what did not fit began no task

    on(files, "stdio-2026", story, "--no-model-tools")


def test_a_file_whose_model_is_missing_says_which_there_are(files: Project, serve: Serve) -> None:
    serve([])
    files.write("workflows/other.yaml", "version: 1\nname: other\nsteps: [{id: a, model: not/there, task: Say}]\n")

    async def story(one: Host) -> None:
        said = await one.call("workflow_other")
        assert (said.error["code"], said.error["available_models"]) == (
            "CannotServeError",
            [CODER, f"{CODER}@q4_k_m"],
        )
        assert [finding["code"] for finding in said.error["diagnostics"]] == ["BR301"]

    on(files, "stdio-2025", story)


def test_inputs_with_names_of_ours_have_arguments_of_their_own(files: Project) -> None:
    said = "{{ inputs.model }} {{ inputs.input_model }} {{ inputs.wait }}"
    inputs = "{model: {type: string}, input_model: {type: string, default: b}, wait: {type: integer, default: 3}}"
    files.write(
        "workflows/names.yaml",
        f'version: 1\nname: names\ninputs: {inputs}\nsteps: [{{id: say, run: [echo, "{said}"]}}]\n',
    )

    async def story(one: Host) -> None:
        schema = (await one.tools())["workflow_names"].input_schema
        assert (schema["required"], list(schema["properties"])[:3]) == (
            ["input_input_model"], ["input_input_model", "input_model", "input_wait"],
        )  # fmt: skip
        given = await one.call("workflow_names", input_input_model="a", input_wait=4, wait=30)
        assert given.structured["outputs"] == {"say": "a b 4"}
        none = await one.call("run_workflow", workflow="names")
        assert none.error["hint"] == "give it: `inputs: {model: …}`"

    on(files, "stdio-2026", story)


def test_a_link_that_leads_out_of_the_folder_is_no_tool(files: Project) -> None:
    outside = files.folder.parent / "outside.yaml"
    outside.write_text(NAP.replace("nap", "outside"), "utf-8")
    (files.folder / "workflows" / "link.yaml").symlink_to(outside)

    async def story(one: Host) -> None:
        assert "workflow_outside" not in await one.tools()
        rows = {row["file"]: row for row in (await one.call("list_workflows")).structured["workflows"]}
        (finding,) = rows["workflows/link.yaml"]["findings"]
        said = "this leads out of the folder that is served, and files outside of it are not run"
        assert (finding["code"], finding["message"]) == ("BR200", said)
        refused = await one.call("run_workflow", workflow="workflows/link.yaml")
        assert refused.error["code"] == "UsageError"

    on(files, "stdio-2026", story)


def test_a_host_is_told_of_its_arguments_and_not_of_a_command_line(files: Project, serve: Serve) -> None:
    serve([])
    both = {CODER: {"loaded": True}, "other/one": {"loaded": True}, "embedder": {"type": "embedding"}}
    with simulator({"models": both}) as url:
        files.environment["BRIDGE_RUN_ENDPOINT"] = url

        async def story(one: Host) -> None:
            for answers, message in (
                ({"gate": "maybe"}, "`answers: {gate: maybe}`: `maybe` is no answer to `gate`"),
                ({"gat": "yes"}, "`answers: {gat: yes}`: there is no question `gat`"),
            ):
                said = await one.call("workflow_ask", answers=answers)
                assert (said.error["code"], said.error["message"]) == ("UsageError", message)
            none = await one.call("workflow_nap", answers={"gate": "yes"})
            assert none.error["hint"] == "it has no `approve` step; leave `answers` out"
            alias = await one.call("workflow_greet", who="Ada", models={"x": CODER})
            assert alias.error["message"] == f"`models: {{x: {CODER}}}`: the file has no model alias `x`"
            assert alias.error["hint"] == f"it declares none; `model: {CODER}` swaps the default model"
            wrong = await one.call("run_workflow", workflow="greet", inputs={"who": ["Ada"]})
            assert wrong.error["hint"] == "write it like this in `inputs`: `who: …`"
            which = await one.call("workflow_greet", who="Ada")
            assert which.error["hint"] == (
                f"name one of them: `model: {CODER}` for once, or `defaults: {{model: {CODER}}}` in the file"
            )
            assert {CODER, "other/one"} <= set(which.error["available_models"])
            embeds = await one.call("workflow_greet", who="Ada", model="embedder")
            assert "(asked for by `model: embedder`)" in embeds.error["message"]
            assert CODER in embeds.error["available_models"]

        on(files, "stdio-2026", story)


def test_what_a_call_loaded_is_no_reason_to_ask_which_model_a_file_means(files: Project) -> None:
    """`get_current_model` tells the default, so a workflow takes it too."""
    models = {CODER: {"loaded": True, "default": {"say": "Hello."}}, "other/one": {"default": {"say": "Other."}}}
    with simulator({"models": models}) as url:
        files.environment["BRIDGE_RUN_ENDPOINT"] = url

        async def story(one: Host) -> None:
            await one.call("ensure_model_loaded", model="other/one")
            assert (await one.call("get_current_model")).structured["model"] == CODER
            said = await one.call("workflow_greet", who="Ada", model="default")
            assert said.structured["steps"]["hello"]["model"] == CODER
            assert (await one.call("check_workflow", workflow="greet")).structured["ok"] is True

        on(files, "stdio-2025", story)


def test_a_run_that_needs_a_person_says_what_it_waits_for(files: Project) -> None:
    async def story(one: Host) -> None:
        paused = await one.call("workflow_ask")
        assert (paused.is_error, paused.structured["status"]) == (False, "paused")
        assert paused.structured["questions"] == [
            {"id": "gate", "question": "Shall it go on?", "choices": ["yes", "no"], "default": None}
        ]
        assert f"bridge-run resume {paused.structured['run']}" in paused.structured["hint"]
        answered = await one.call("workflow_ask", answers={"gate": "no"})
        assert answered.structured["outputs"] == {"say": "no"}

    on(files, "stdio-2026", story)


def test_the_tools_as_hosts_see_them(files: Project, snapshot: SnapshotAssertion) -> None:
    async def story(one: Host) -> None:
        tools = await one.tools()
        assert list(tools) == list(await one.tools())
        own = [tool for name, tool in tools.items() if "workflow" in name or "task" in name]
        shown = {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in own}
        assert json.dumps(shown, indent=1, ensure_ascii=False) == snapshot

    on(files, "stdio-2026", story, "--no-model-tools")


@pytest.mark.parametrize("wire", ["stdio-2025", "http-2025"])
def test_a_host_is_told_when_a_file_comes_or_goes(files: Project, wire: str) -> None:
    async def told() -> None:
        changed = asyncio.Event()

        async def hear(message: Any) -> None:
            if "ToolListChanged" in type(getattr(message, "root", message)).__name__:
                changed.set()

        async with host(files, wire) as one:
            one.client.session._message_handler = hear
            before = await one.tools()
            files.write("workflows/second.yaml", NAP.replace("name: nap", "name: second"))
            async with asyncio.timeout(30):
                await changed.wait()
            assert set(await one.tools()) - set(before) == {"workflow_second"}

    asyncio.run(told())


def test_two_hosts_at_once_hear_only_of_their_own_work(files: Project) -> None:
    async def told() -> None:
        process, url = serving(files)
        try:
            async with host(files, "http-2025", url=url) as one, host(files, "http-2026", url=url) as other:
                first, second = await asyncio.gather(
                    one.call("workflow_nap", seconds=0.6), other.call("workflow_ask", answers={"gate": "yes"})
                )
                assert first.structured["outputs"] == {"nap": "slept"}
                assert second.structured["outputs"] == {"say": "yes"}
                assert not any("gate" in str(message) for _, _, message in first.progress)
        finally:
            process.terminate()
            process.communicate(timeout=30)
        assert process.returncode == 130

    asyncio.run(told())
    nothing_is_left(files)


@pytest.mark.parametrize("year", ["2025", "2026"])
def test_a_host_that_dies_over_http_ends_what_it_started(files: Project, year: str) -> None:
    program = (
        "import asyncio, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from mcp import Client\n"
        "from kit.host import http_client\n"
        "async def main():\n"
        "    async with http_client(sys.argv[1]) as transport, Client(transport, mode=sys.argv[2]) as client:\n"
        "        await client.call_tool('workflow_nap', {'seconds': 1236})\n"
        "asyncio.run(main())\n"
    )
    server, url = serving(files)
    with tempfile.TemporaryFile() as nowhere:
        mode = {"2025": "legacy", "2026": "auto"}[year]
        dying = subprocess.Popen([sys.executable, "-c", program, url, mode], stdout=nowhere, stderr=nowhere)
        wait_until(lambda: sleeps(files, 1236), "the work has begun")
        dying.kill()
        dying.wait()
        wait_until(lambda: not sleeps(files, 1236), "the work has ended")
    assert server.poll() is None
    server.terminate()
    server.communicate(timeout=30)
    assert server.returncode == 130


@pytest.mark.parametrize("how", ["end of stdin", "SIGTERM", "SIGINT"])
def test_the_end_of_a_server_is_the_end_of_what_it_started(files: Project, how: str) -> None:
    request = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
    request["params"] = {"name": "workflow_nap", "arguments": {"seconds": 1237}}
    process = by_hand(files)
    say(process, *_HELLO, request)
    wait_until(lambda: sleeps(files, 1237), "the work has begun")
    if how == "end of stdin":
        process.stdin.close()
    else:
        process.send_signal(getattr(signal, how))
    assert process.wait(30) == (0 if how == "end of stdin" else 130)
    closed(process)
    nothing_is_left(files)
    assert files.result()["status"] == "cancelled"


def test_a_request_that_cannot_be_read_is_answered_under_its_id(files: Project) -> None:
    """JavaScript sends half an emoji as an escape that stands for no character; no host may wait for nothing."""
    process = by_hand(files)
    say(process, *_HELLO)
    half = '{"method":"tools/call","params":{"name":"workflow_nap","arguments":{"who":"\\ud83d"}},"jsonrpc":"2.0"'
    process.stdin.write(half + ',"id":7}\n' + '{"id":"eight","method":8}\n' + '{"id":7,"result":1}\n' + '{"id":true}\n')
    process.stdin.flush()
    lines = {line.get("id"): line for line in (json.loads(process.stdout.readline()) for _ in range(5))}
    process.stdin.close()
    assert lines[7]["result"]["structuredContent"]["error"]["problems"] == [
        {"argument": "who", "message": "there is no such argument"}
    ]
    refused = {"code": -32600, "message": "a line that is no JSON-RPC message"}
    assert (lines["eight"]["error"], lines[None]["error"]) == (refused, refused)
    assert process.wait(30) == 0
    closed(process)


def test_what_comes_that_is_no_message_is_refused_and_the_next_is_answered(files: Project) -> None:
    process = by_hand(files)
    process.stdin.write("hello?\n\n" + "x" * (16 * 1024 * 1024 + 1) + "\n")
    say(process, *_HELLO, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    process.stdin.close()
    lines = [json.loads(line) for line in process.stdout]
    assert [line.get("id") for line in lines][:3] == [None, None, 1]
    assert [line["error"] for line in lines[:2]] == [
        {"code": -32700, "message": "a line that is no JSON-RPC message"},
        {"code": -32600, "message": "a message of more than 16.0 MB, which is not read"},
    ]
    assert lines[2]["result"]["serverInfo"]["name"] == "bridge-run"
    assert lines[2]["result"]["capabilities"]["tools"] == {"listChanged": True}
    assert process.wait(30) == 0
    assert "serves" in process.stderr.read()
    closed(process)


_HELLO = (
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "by hand", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
)


def by_hand(project: Project) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [BRIDGE_RUN, "serve"],
        cwd=project.folder,
        env=project.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    project.started.append(process)
    return process


def closed(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def say(process: subprocess.Popen[str], *messages: Any) -> None:
    assert process.stdin is not None
    for message in messages:
        process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def refused(project: Project, *options: str, **environment: str) -> str:
    return str(project.run("serve", *options, env=environment))


def test_what_is_refused_before_anything_is_served(files: Project, snapshot: SnapshotAssertion) -> None:
    told = {
        "open to all": refused(files, "--http", "0.0.0.0:0"),
        "no address": refused(files, "--http", "here"),
        "weak token": refused(files, "--http", "0", BRIDGE_RUN_SERVE_TOKEN="secret"),
        "no token": refused(files, "--http", "0", "--token-env", "NOT_SET"),
        "no host": refused(files, "--http", "0", "--allow-host", "*"),
        "no origin": refused(files, "--http", "0", "--allow-origin", "page.example"),
        "a page": refused(files, "--http", "0", "--allow-origin", "http://page.example/"),
        "no HTTP": refused(files, "--allow-host", "example.org"),
        "no folder": refused(files, "--folder", "nowhere"),
        "bad endpoint": refused(files, "--endpoint", "nonsense://x"),
    }
    assert "\n".join(f"== {name}\n{text}" for name, text in told.items()) == snapshot


def test_runs_are_kept_in_the_state_folder_where_a_project_makes_no_sense(project: Project) -> None:
    home = project.folder
    project.environment |= {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    project.write("workflows/nap.yaml", NAP)

    async def story(one: Host) -> None:
        said = await one.call("workflow_nap")
        assert Path(said.structured["folder"]).is_relative_to(home / "state/bridge-run/runs")

    on(project, "stdio-2026", story)
    assert not (home / ".bridge").exists()


def test_a_server_for_other_machines_knows_itself_by_the_names_it_has_there(files: Project) -> None:
    urls = {
        "here": "http://localhost:PORT/mcp",
        "machine": f"http://{socket.gethostname()}:PORT/mcp",
        "allowed": "http://bridge.example:PORT/mcp",
        "proxied": "https://bridge.example/mcp",
        "other": "http://localhost:1/mcp",
    }
    server, url = serving(files, "--http", "0.0.0.0:0", "--allow-host", "bridge.example")
    port = url.rsplit(":", 1)[1].partition("/")[0]
    files.write(".mcp.json", {"mcpServers": {name: {"url": at.replace("PORT", port)} for name, at in urls.items()}})

    async def story() -> None:
        async with host(files, "http-2026", url=f"http://127.0.0.1:{port}/mcp") as one:
            rows = (await one.call("list_available_mcps")).structured["mcps"]
            assert [row["name"] for row in rows if row["enabled"]] == ["other"]

    asyncio.run(story())
    server.terminate()
    server.communicate(timeout=30)


def test_its_tool_calls_are_told_to_a_model_over_http_without_a_word_on_stdout(files: Project) -> None:
    process, url = serving(files)

    async def told() -> None:
        from mcp import Client

        async with http_client(url) as transport, Client(transport) as client:
            await Host(client).call("workflow_nap")

    asyncio.run(told())
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert out == ""
