"""Autonomous tasks against the simulator, with real MCP servers: what is sent, counted, told, and left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kit.leftover import processes_of
from kit.project import wait_until
from kit.servers import ODD, python_server
from kit.simulator import simulator

from runner.app.bridge.autonomous.autonomous import TaskEnd, TaskEnded, run_autonomous
from runner.app.bridge.autonomous.file import Names
from runner.app.bridge.autonomous.task import AutonomousTask, TaskServer
from runner.app.bridge.house import BridgeHouse, BridgeSettings
from runner.record.events import ModelAnswered, ToolCalled
from runner.record.wire import Entry
from runner.words.errors import (
    BridgeError,
    CannotServeError,
    ContextError,
    LLMAuthenticationError,
    LLMConnectionError,
    LLMError,
    LLMResponseError,
    LLMValidationError,
    ModelNotFoundError,
    StepError,
    ToolServerError,
    ToolsUnreachableError,
    UsageError,
    WorkflowError,
)

TIME = {"command": python_server("mcp-server-time"), "args": ["--local-timezone", "UTC"]}
ASKS = [
    {"when": {"turn": 1, "offered": "*get_current_time"},
     "call": [{"tool": "clock__get_current_time", "arguments": {"timezone": "UTC"}}]},
]  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.parent / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[str]:
    with simulator({"models": {"small/one": one(*ASKS, {"say": "Noon."})}}, log=tmp_path / "log") as url:
        yield url


def one(*turns: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"loaded": {"context_length": 8192}, "turns": list(turns), **more}


def house(*endpoints: str, **settings: Any) -> BridgeHouse:
    return BridgeHouse(BridgeSettings(endpoints=endpoints, **settings), dict(os.environ))


def servers(**entries: Mapping[str, Any]) -> tuple[TaskServer, ...]:
    return named(entries)


def named(entries: Mapping[str, Mapping[str, Any]]) -> tuple[TaskServer, ...]:
    file = Path("mcp.json").absolute()
    file.write_text(json.dumps({"mcpServers": dict(entries)}), encoding="utf-8")
    return tuple(TaskServer(name=name, file=str(file)) for name in entries)


def do(url: str, task: AutonomousTask, **more: Any) -> TaskEnd:
    async def done() -> TaskEnd:
        mine = house(url)
        try:
            return await run_autonomous(mine, task, mcp_label="clock", **more)
        finally:
            await mine.close()

    return asyncio.run(done())


def requests() -> list[dict[str, Any]]:
    lines = map(json.loads, Path("log").read_text("utf-8").strip().split("\n"))
    return [line["request"] for line in lines if line["path"] == "/v1/chat/completions"]


def entries_of(end: TaskEnd) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(end.folder, "journal.jsonl").read_text("utf-8").splitlines()]


def test_a_task_is_a_run_of_one_step_with_its_journal(studio: str) -> None:
    end = do(studio, AutonomousTask(task="What time is it?", servers=servers(clock=TIME)))
    assert (end.text, end.value, end.model, end.rounds, end.tool_calls) == ("Noon.", None, "small/one", 2, 1)
    assert (end.finish, end.note, end.servers, end.warnings) == ("stop", None, ("clock",), ())
    result = json.loads(Path(end.folder, "result.json").read_text("utf-8"))
    assert (result["run"], result["status"], list(result["steps"])) == (end.run, "succeeded", ["answer"])
    assert result["steps"]["answer"]["usage"] == {
        "prompt_tokens": end.usage.prompt_tokens,
        "completion_tokens": end.usage.completion_tokens,
        "reasoning_tokens": 0,
        "cached_tokens": 0,
    }
    assert [one["type"] for one in entries_of(end)][-2:] == ["step_finished", "run_finished"]


def test_its_words_are_no_templates(studio: str) -> None:
    words, system = 'Why {{ inputs.secret }} and {% if %} and "{#"?\n\ttab \x7f \u2028 😀', "You {{ see }}."
    do(studio, AutonomousTask(task=words, system=system))
    first = requests()[0]["messages"]
    assert [message["content"] for message in first] == [system, words]


@pytest.mark.parametrize("name", [None, "", "default", "DEFAULT", " Default "])
def test_the_default_model_is_never_sent_by_that_word(studio: str, name: str | None) -> None:
    assert do(studio, AutonomousTask(task="Hello", model=name)).model == "small/one"
    assert {request["model"] for request in requests()} == {"small/one"}


def test_a_model_that_nobody_has_starts_nothing(studio: str) -> None:
    witness = {"command": sys.executable, "args": ["-c", "open('started', 'w')"]}
    with pytest.raises(ModelNotFoundError) as missing:
        do(studio, AutonomousTask(task="Hello", model="small/two", servers=servers(clock=witness)))
    assert "small/one" in missing.value.available_models
    assert missing.value.nearest == ("small/one",)
    assert not Path("started").exists()
    assert not Path(".bridge").exists()
    assert requests() == []


def test_a_model_that_came_since_the_list_was_kept_is_found() -> None:
    async def story() -> str:
        with simulator({"models": {"small/one": one({"say": "One."})}}) as url:
            mine = house(url)
            await mine.validator.validate("small/one")
            port = int(url.rpartition(":")[2])
        from runner.rehearse.simulator.reading import parse_script
        from runner.rehearse.simulator.serve import start_in_thread

        script = parse_script(json.dumps({"models": {"small/two": one({"say": "Two."})}}), "script.yaml")
        second = start_in_thread(script, port=port)
        try:
            return (await run_autonomous(mine, AutonomousTask(task="Hi", model="small/two"), mcp_label="")).text
        finally:
            await mine.close()
            second.close()

    assert asyncio.run(story()) == "Two."


def test_the_answer_may_be_json(studio: str) -> None:
    schema = {"type": "object", "required": ["hour"], "properties": {"hour": {"type": "integer"}}}
    with simulator({"models": {"small/one": one({"json": {"hour": 12}})}}) as url:
        end = do(url, AutonomousTask(task="The hour?", output_schema=schema))
    assert (end.value, json.loads(end.text)) == ({"hour": 12}, {"hour": 12})
    assert end.to_dict()["value"] == {"hour": 12}
    with pytest.raises(WorkflowError, match="no legal JSON Schema"):
        do(studio, AutonomousTask(task="The hour?", output_schema={"type": "hour"}))
    with pytest.raises(UsageError, match="`output_schema` has a key `schema`"):
        do(studio, AutonomousTask(task="The hour?", output_schema={"schema": "secrets.json"}))


def test_bounds_are_sent_and_kept() -> None:
    calls = {"call": [{"tool": "clock__get_current_time", "arguments": {"timezone": "UTC"}}]}
    turns = [{"when": {"offered": "clock__*"}, **calls}, {"say": "I was stopped."}]
    with simulator({"models": {"small/one": one(*turns)}}, log="log") as url:
        end = do(url, AutonomousTask(task="Go on", servers=servers(clock=TIME), max_rounds=2, max_tokens=64))
        assert (end.text, end.rounds, end.tool_calls, end.finish) == ("I was stopped.", 2, 1, "limit")
        assert end.note == "it reached its limit of 2 rounds and answered without tools"
        assert [request["max_tokens"] for request in requests()] == [64, 64]
        assert "tools" not in requests()[1]
        end = do(url, AutonomousTask(task="Go on", servers=servers(clock=TIME), tool_calls=0))
        assert (end.rounds, end.tool_calls, end.finish) == (1, 0, "limit")
        with pytest.raises(StepError) as spent:
            do(url, AutonomousTask(task="Go on", servers=servers(clock=TIME), tokens=1))
        assert spent.value.kind == "limit"


def test_an_answer_that_is_cut_off_says_so() -> None:
    with simulator({"models": {"small/one": one({"say": "It is", "finish": "length"})}}) as url:
        end = do(url, AutonomousTask(task="The time?", max_tokens=2))
    assert (end.text, end.finish) == ("It is", "length")
    assert end.note is not None
    assert end.note.startswith("the answer was cut off")


def test_globs_bound_the_tools_and_odd_names_of_servers_are_no_hindrance() -> None:
    script = {"models": {"small/one": one({"say": "Noon."})}}
    given = named({"my clock.1": TIME, "my_clock_1": TIME, "@me/clock": TIME})
    with simulator(script, log="log") as url:
        end = do(url, AutonomousTask(task="Hi", servers=given, tools=("my clock.1.get_*", "@me/clock")))
    assert end.servers == ("my clock.1", "my_clock_1", "@me/clock")
    (request,) = requests()
    assert [tool["function"]["name"] for tool in request["tools"]] == [
        "_me_clock__convert_time",
        "_me_clock__get_current_time",
        "my_clock_1_2__get_current_time",
    ]


def test_a_pattern_of_another_server_is_refused_before_anything_starts(studio: str) -> None:
    given = servers(clock=TIME)
    for pattern, near in (("get_current_time", ""), ("clok.convert_time", "did you mean `clock`? ")):
        with pytest.raises(UsageError) as refused:
            do(studio, AutonomousTask(task="Hi", servers=given, tools=(pattern,)))
        assert refused.value.message == f"`tools`: `{pattern}` is of no server that this task has"
        assert refused.value.hint == (
            f"{near}write `SERVER.TOOL`, with globs if need be, or `SERVER`; the servers of this task are `clock`"
        )


def test_who_is_given_no_tools_did_not_run_out_of_rounds(studio: str) -> None:
    for patterns in ((), ("clock.nothing*",)):
        end = do(studio, AutonomousTask(task="Hi", servers=servers(clock=TIME), tools=patterns))
        assert (end.text, end.finish) == ("Noon.", "stop")
    with simulator({"models": {"small/one": one({"say": "Noon."})}}) as url:
        end = do(url, AutonomousTask(task="Hi", servers=servers(clock=TIME), max_rounds=1))
    assert (end.finish, end.note) == ("limit", "it reached its limit of 1 rounds and answered without tools")


def test_a_server_that_is_left_out_takes_its_patterns_along(studio: str) -> None:
    given = servers(clock=TIME, gone={"command": "no-such-command"})
    task = AutonomousTask(task="Hi", servers=given, tools=("gone.*", "clock.get_*", "*.convert_*"), tolerant=True)
    end = do(studio, task)
    assert (end.tool_calls, end.servers) == (1, ("clock",))
    assert end.warnings[0].startswith("MCP server `gone` is left out")


def test_a_command_with_the_name_of_another_server_does_not_end_discovery(studio: str) -> None:
    given = servers(clock=TIME, docker={"command": "no-docker"}, github={"command": "docker"}, odd={"args": []})
    environment = {**os.environ, "PATH": "/nonexistent"}

    async def done() -> TaskEnd:
        mine = BridgeHouse(BridgeSettings(endpoints=(studio,)), environment)
        try:
            return await run_autonomous(mine, AutonomousTask(task="Hi", servers=given, tolerant=True), mcp_label="all")
        finally:
            await mine.close()

    end = asyncio.run(done())
    assert end.servers == ("clock",)
    assert [warning.split(" is left out: ")[0] for warning in end.warnings] == [
        "MCP server `docker`",
        "MCP server `github`",
        "MCP server `odd`",
    ]


def test_an_answer_that_never_fits_is_told_as_what_the_model_did() -> None:
    with simulator({"models": {"small/one": one({"say": "Noon."})}}) as url, pytest.raises(StepError) as failed:
        do(url, AutonomousTask(task="Hi", output_schema={"type": "object"}))
    assert failed.value.kind == "invalid_output"
    said = "no answer of `small/one` was accepted; of the last it was said: the answer is not JSON"
    assert failed.value.message.startswith(said)
    assert failed.value.hint is not None
    assert failed.value.hint.startswith("ask for less, or name another model, or leave `output_schema` out; what")


def test_legal_names_are_each_of_one_server() -> None:
    given = tuple(TaskServer(name=name, file="/f") for name in ("a b", "a_b", "-", "é", "a.b"))
    assert Names.of(given).legal == {"a b": "a_b_2", "a_b": "a_b", "-": "_", "é": "__2", "a.b": "a_b_3"}


def test_progress_tells_every_round_in_order(studio: str) -> None:
    told: list[tuple[float, float | None, str]] = []

    async def progress(done: float, total: float | None, words: str) -> None:
        await asyncio.sleep(0)
        told.append((done, total, words))

    do(studio, AutonomousTask(task="The time?", servers=servers(clock=TIME)), progress=progress)
    assert told == [
        (1.0, None, "MCP server `clock` is up with 2 tools"),
        (2.0, None, "round 1: called clock__get_current_time"),
        (3.0, None, "round 2: answered"),
    ]


def test_who_hears_no_more_harms_no_task(studio: str) -> None:
    async def gone(done: float, total: float | None, words: str) -> None:
        raise ConnectionResetError

    assert do(studio, AutonomousTask(task="The time?", servers=servers(clock=TIME)), progress=gone).text == "Noon."


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        ({"error": {"status": 401, "body": "no"}}, LLMAuthenticationError, "auth"),
        ({"error": {"status": 400, "body": {"error": "bad temperature"}}}, LLMValidationError, "request"),
        ({"wrong_model": "small/other"}, LLMResponseError, "wrong_model"),
        ("empty-answer", LLMResponseError, "empty"),
        ("crash", LLMError, "crash"),
    ],
)
def test_a_failure_is_raised_as_what_it_is(fault: object, error: type[BridgeError], kind: str) -> None:
    with simulator({"models": {"small/one": one({"fault": fault})}}) as url, pytest.raises(error) as failed:
        do(url, AutonomousTask(task="Hello"))
    assert failed.value.kind == kind
    assert failed.value.hint is not None
    folder = failed.value.hint.removeprefix("what happened is in ").removesuffix("/journal.jsonl")
    assert json.loads(Path(folder, "result.json").read_text("utf-8"))["status"] == "failed"


def test_a_prompt_without_room_is_a_context_error() -> None:
    small = {
        "max_context_length": 512,
        "loaded": {"context_length": 512},
        "overflow": "error",
        "turns": [{"say": "Hm."}],
    }
    with simulator({"models": {"small/one": small}}) as url, pytest.raises(ContextError):
        do(url, AutonomousTask(task="word " * 2000))


def test_its_own_time_is_no_timeout_of_a_server() -> None:
    slow = one({"say": "Late."}, first_token="30s")
    with simulator({"models": {"small/one": slow}}) as url, pytest.raises(StepError) as late:
        do(url, AutonomousTask(task="Hello", timeout=0.3))
    assert late.value.kind == "timeout"
    assert "give it more than 0.3 seconds" in str(late.value.hint)


def test_no_server_of_models_is_a_connection_error() -> None:
    async def story() -> None:
        mine = house("http://127.0.0.1:9")
        with pytest.raises(LLMConnectionError):
            await run_autonomous(mine, AutonomousTask(task="Hello"), mcp_label="")

    asyncio.run(story())


def test_servers_that_do_not_start_fail_the_task_or_are_left_out(studio: str) -> None:
    dead = {"command": "sh", "args": ["-c", "echo no disk >&2; exit 3"]}
    gone, unset = {"command": "nowhere-at-all"}, {"command": "sh", "args": ["${NOT_SET_AT_ALL}"]}
    with pytest.raises(ToolsUnreachableError, match="no disk"):
        do(studio, AutonomousTask(task="The time?", servers=servers(clock=TIME, dead=dead)))
    with pytest.raises(CannotServeError, match="nowhere-at-all"):
        do(studio, AutonomousTask(task="The time?", servers=servers(clock=TIME, gone=gone)))
    given = named({"clock": TIME, "dead": dead, "gone": gone, "un set": unset})
    end = do(studio, AutonomousTask(task="The time?", servers=given, tolerant=True))
    assert (end.text, end.tool_calls, end.servers) == ("Noon.", 1, ("clock",))
    assert [warning.partition(" is left out: ")[0] for warning in end.warnings] == [
        "MCP server `un set`",
        "MCP server `gone`",
        "MCP server `dead`",
    ]
    with pytest.raises(ToolsUnreachableError):
        do(studio, AutonomousTask(task="The time?", servers=servers(dead=dead), tolerant=True))


def test_a_server_that_dies_for_good_is_a_tool_server_error() -> None:
    dies = {"command": sys.executable, "args": [str(ODD), "dies"]}
    script = {"models": {"small/one": one({"call": [{"tool": "odd__echo", "arguments": {}}]})}}
    with simulator(script) as url, pytest.raises(ToolServerError) as dead:
        do(url, AutonomousTask(task="Say it", servers=servers(odd=dies)))
    assert dead.value.server == "odd"


@pytest.mark.parametrize(
    ("nonsense", "message"),
    [
        ({"task": " \n"}, "`task` is empty"),
        ({"max_rounds": 0}, "`max_rounds` is 0; it must be at least 1"),
        ({"max_tokens": -1}, "`max_tokens` is -1; it must be at least 1"),
        ({"tokens": 0}, "`tokens` is 0; it must be at least 1"),
        ({"tool_calls": -1}, "`tool_calls` is -1; it must be at least 0"),
        ({"timeout": 0}, "`timeout` is 0; it must be more than 0 seconds"),
        ({"timeout": float("inf")}, "`timeout` is inf; it must be more than 0 seconds"),
    ],
)
def test_nonsense_is_refused(nonsense: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        do("http://127.0.0.1:9", AutonomousTask(**{"task": "Hello", **nonsense}))
    assert refused.value.message == message


def test_a_failed_picture_and_a_blind_model_are_told(studio: str) -> None:
    with pytest.raises(CannotServeError, match="cannot see"):
        do(studio, AutonomousTask(task="What is it?", images=("{{ it }}.png",)))
    with (
        simulator({"models": {"small/eye": one({"say": "A cat."}, type="vlm")}}) as url,
        pytest.raises(BridgeError, match=r"\{\{ it \}\}\.png"),
    ):
        do(url, AutonomousTask(task="What is it?", images=("{{ it }}.png",)))


def test_ten_at_once_keep_their_own_counters() -> None:
    def calls(times: int, say: str) -> dict[str, Any]:
        call = [{"tool": "clock__get_current_time", "arguments": {"timezone": "UTC"}}]
        called = [{"when": {"turn": turn}, "call": call} for turn in range(1, times + 1)]
        return one(*called, {"say": say})

    script = {"models": {f"small/m{n}": calls(n % 4, f"I am {n}") for n in range(10)}}

    async def story(url: str) -> tuple[list[TaskEnd], dict[int, list[Entry]]]:
        mine, heard = house(url), {n: [] for n in range(10)}
        given = servers(clock=TIME)
        tasks = (
            run_autonomous(
                mine,
                AutonomousTask(task=f"Task {n}" * (n + 1), model=f"small/m{n}", servers=given, max_rounds=6),
                mcp_label="clock",
                listener=heard[n].append,
            )
            for n in range(10)
        )
        ends = await asyncio.gather(*tasks)
        await mine.close()
        return ends, heard

    with simulator(script) as url:
        ends, heard = asyncio.run(story(url))
    for n, end in enumerate(ends):
        assert (end.text, end.model) == (f"I am {n}", f"small/m{n}")
        assert (end.rounds, end.tool_calls) == (n % 4 + 1, n % 4)
        assert {entry.run for entry in heard[n]} == {end.run}
        answers = [entry.event for entry in heard[n] if isinstance(entry.event, ModelAnswered)]
        assert sum(answer.usage.total for answer in answers) == end.usage.total > 0
        assert sum(isinstance(entry.event, ToolCalled) for entry in heard[n]) == end.tool_calls
    assert len({end.folder for end in ends}) == 10
    assert len({end.usage.total for end in ends}) == 10


@pytest.mark.parametrize(
    ("asked", "loads"),
    [("AAA", ["load A", "unload A"]), ("AAB", ["load A", "unload A", "load B", "unload B"])],
)
def test_a_model_stays_for_the_next_task_until_another_needs_its_place(asked: str, loads: list[str]) -> None:
    script = {"models": {f"small/{name}": {"turns": [{"say": name, "times": 9}]} for name in "AB"}}

    async def story(url: str) -> list[str]:
        mine = house(url)
        ends = [
            await run_autonomous(mine, AutonomousTask(task="Who?", model=f"small/{n}"), mcp_label="") for n in asked
        ]
        await mine.close()
        return [end.text for end in ends]

    with simulator(script, log="log") as url:
        assert asyncio.run(story(url)) == list(asked)
    lines = [json.loads(line) for line in Path("log").read_text("utf-8").splitlines()]
    told = [(line["path"].rpartition("/")[2], line["request"]) for line in lines if line["path"].endswith("load")]
    assert [f"{verb} {(body.get('model') or body['instance_id'])[-1]}" for verb, body in told] == loads


def test_a_model_that_stays_is_told_to_who_watches() -> None:
    heard: list[Entry] = []

    async def story(url: str) -> list[str]:
        mine = BridgeHouse(BridgeSettings(endpoints=(url,)), dict(os.environ), watchers=[heard.append])
        await run_autonomous(mine, AutonomousTask(task="Who?", model="small/one"), mcp_label="")
        between = [type(entry.event).__name__ for entry in heard if entry.run == "bridge"]
        await mine.close()
        return between

    with simulator({"models": {"small/one": {"turns": [{"say": "I."}]}}}) as url:
        assert asyncio.run(story(url)) == ["ModelLoaded"]
    assert [type(entry.event).__name__ for entry in heard if entry.run == "bridge"] == ["ModelLoaded", "ModelUnloaded"]


def test_where_two_may_be_loaded_both_stay(tmp_path: Path) -> None:
    script = {"models": {f"small/{name}": {"turns": [{"say": name, "times": 9}]} for name in "AB"}}

    async def story() -> None:
        mine = house("desk")
        for name in "ABAB":
            await run_autonomous(mine, AutonomousTask(task="Who?", model=f"small/{name}"), mcp_label="")
        await mine.close()

    with simulator(script, log="log") as url:
        Path("bridge.toml").write_text(f'[endpoints.desk]\nurl = "{url}"\nmax_loaded = 2\n', "utf-8")
        asyncio.run(story())
    lines = [json.loads(line) for line in Path("log").read_text("utf-8").splitlines()]
    asked = Counter(line["path"].rpartition("/")[2] for line in lines)
    assert (asked["load"], asked["unload"]) == (2, 2)


@pytest.mark.parametrize("models", [10, 1])
@pytest.mark.parametrize("keep_loaded", [True, False])
def test_what_ten_at_once_load_is_shared_and_not_left_behind(*, models: int, keep_loaded: bool) -> None:
    """Who is done leaves the model to those who wait for it."""
    script = {"models": {f"small/m{n}": {"load_time": "200ms", "turns": [{"say": f"I am {n}"}]} for n in range(models)}}

    async def story(url: str) -> list[TaskEnd]:
        mine = house(url)
        tasks = (AutonomousTask(task="Who?", model=f"small/m{n % models}", keep_loaded=keep_loaded) for n in range(10))
        ends = await asyncio.gather(*(run_autonomous(mine, task, mcp_label="") for task in tasks))
        await mine.close()
        return ends

    with simulator(script, log="log") as url:
        assert [end.text for end in asyncio.run(story(url))] == [f"I am {n % models}" for n in range(10)]
    lines = map(json.loads, Path("log").read_text("utf-8").strip().split("\n"))
    asked = Counter(line["path"].rpartition("/")[2] for line in lines)
    assert asked["completions"] == 10
    if keep_loaded:
        assert (asked["load"], asked["unload"]) == (models, 0)
    else:
        assert (asked["load"], asked["unload"]) == (models, models)


@pytest.mark.parametrize(("model", "result"), [("small/one", "success"), ("small/two", "model_not_found")])
def test_who_keeps_count_hears_of_every_end(studio: str, model: str, result: str) -> None:
    async def story() -> None:
        mine, ended = house(studio), []
        mine.task_watchers = (ended.append,)  # type: ignore[attr-defined]
        with contextlib.suppress(ModelNotFoundError):
            await run_autonomous(mine, AutonomousTask(task="Hello", model=model), mcp_label="clock")
        await mine.close()
        assert [(one.mcp_name, one.result, one.rounds) for one in ended] == [("clock", result, result == "success")]
        assert ended[0].seconds > 0

    asyncio.run(story())


def test_cancelling_leaves_no_process_and_a_closed_journal() -> None:
    async def story(url: str) -> None:
        mine, called = house(url), asyncio.Event()

        def listener(entry: Entry) -> None:
            if isinstance(entry.event, ToolCalled):
                called.set()

        waits = {"command": sys.executable, "args": [str(ODD), "slow", "30"], "cwd": str(Path.cwd())}
        task = AutonomousTask(task="Wait", servers=servers(odd=waits, clock={**TIME, "cwd": str(Path.cwd())}))
        ended: list[TaskEnded] = []
        mine.task_watchers = (ended.append,)  # type: ignore[attr-defined]
        running = asyncio.create_task(run_autonomous(mine, task, mcp_label="odd", listener=listener))
        await asyncio.wait_for(called.wait(), 30)
        assert processes_of(Path.cwd())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await mine.close()
        assert [(one.mcp_name, one.result, one.rounds) for one in ended] == [("odd", "cancelled", 1)]

    call = {"tool": "odd__echo", "arguments": {"message": "slow"}}
    with simulator({"models": {"small/one": one({"call": [call]})}}) as url:
        asyncio.run(story(url))
    wait_until(lambda: not processes_of(Path.cwd()), "no process is left", within=3)
    (result,) = Path(".bridge/runs").glob("*/result.json")
    assert json.loads(result.read_text("utf-8"))["status"] == "cancelled"
