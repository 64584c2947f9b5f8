"""Workflows from Python: runs to their end, runs that are watched, and what is raised."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kit.leftover import processes_of
from kit.project import wait_until
from kit.simulator import simulator

import runner
from runner.app.api.run import Failure, Question, StepResult
from runner.record.events import RunFinished, RunStarted, StepFinished, StepStarted

HELLO = """
version: 1
name: hello
inputs: {who: {type: string, default: you}, times: {type: integer, default: 1}}
steps:
  - {id: hi, run: [echo, "hello {{ inputs.who }}"]}
  - {id: each, for_each: "range(inputs.times) | list", run: [echo, "{{ item }}"], needs: [hi]}
"""
FAILS = """
version: 1
name: fails
steps:
  - {id: good, run: [echo, fine]}
  - {id: bad, run: [sh, -c, "echo no disk >&2; exit 3"]}
  - {id: after, needs: [bad], run: [echo, never]}
"""
ASKS = """
version: 1
name: asks
steps:
  - {id: go, approve: "Shall I?"}
  - {id: done, run: [echo, done], when: "steps.go.output == 'yes'"}
"""
SLEEPS = """
version: 1
name: sleeps
steps:
  - {id: long, run: [sleep, "600"]}
"""
ASK_MODEL = """
version: 1
name: ask
models: {writer: small/one}
steps:
  - {id: answer, model: writer, task: Who are you?}
"""
MODELS = {"models": {f"small/{n}": {"loaded": True, "turns": [{"say": f"I am {n}"}]} for n in ("one", "two")}}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.parent / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    for name, text in (("hello", HELLO), ("fails", FAILS), ("asks", ASKS), ("sleeps", SLEEPS), ("ask", ASK_MODEL)):
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def studio() -> Iterator[str]:
    with simulator(MODELS) as url:
        yield url


def test_three_lines_do(capfd: pytest.CaptureFixture[str]) -> None:
    run = runner.run_sync("hello.yaml")
    assert run.outputs == {"each": ["0"]}
    assert (run.status, run.exit_code, run.ok, run.error, run.questions) == ("succeeded", 0, True, None, ())
    assert run.raise_for_status() is run
    assert capfd.readouterr() == ("", "")


def test_a_run_is_what_its_folder_says() -> None:
    run = runner.run_sync(Path("hello.yaml"), {"who": "me", "times": 2}, run_dir=Path("kept"))
    kept = json.loads(Path(run.folder, "result.json").read_text("utf-8"))
    assert Path(run.folder) == Path("kept", run.id)
    assert (run.workflow, run.file, run.seconds) == ("hello", "hello.yaml", kept["seconds"])
    assert list(run.steps) == ["hi", "each"]
    assert run.steps["hi"].output == "hello me"
    items = run.steps["each"].items
    assert items is not None
    assert [(item.status, item.output) for item in items] == [("succeeded", "0"), ("succeeded", "1")]


def test_models_and_servers_are_options(studio: str) -> None:
    run = runner.run_sync("ask.yaml", endpoints=studio)
    assert (run.outputs, run.steps["answer"].model) == ({"answer": "I am one"}, "small/one")
    assert run.usage == run.steps["answer"].usage
    assert run.usage.total > 0
    assert runner.run_sync("ask.yaml", models={"writer": "small/two"}, endpoints=[studio]).outputs == {
        "answer": "I am two"
    }
    Path("one.sim.yaml").write_text(json.dumps(MODELS), encoding="utf-8")
    assert runner.run_sync("ask.yaml", simulate="one.sim.yaml", models="writer=small/two").outputs == {
        "answer": "I am two"
    }


def test_what_fails_in_a_run_is_told_by_it() -> None:
    run = runner.run_sync("fails.yaml")
    assert (run.status, run.exit_code, run.ok) == ("failed", 1, False)
    assert run.error is not None
    assert (run.error.kind, run.error.step) == ("command", "bad")
    assert run.error == run.steps["bad"].error
    assert {name: step.status for name, step in run.steps.items()} == {
        "good": "succeeded",
        "bad": "failed",
        "after": "skipped",
    }
    with pytest.raises(runner.StepError, match=r"step `bad`: .*no disk") as failed:
        run.raise_for_status()
    assert (failed.value.kind, failed.value.hint) == ("command", f"what happened is in {run.folder}/journal.jsonl")


def test_a_question_pauses_it_and_an_answer_goes_on() -> None:
    run = runner.run_sync("asks.yaml")
    assert (run.status, run.exit_code, run.error) == ("paused", 8, None)
    assert run.questions == (Question(id="go", question="Shall I?", choices=("yes", "no"), default=None),)
    assert run.steps["done"].status == "waiting"
    with pytest.raises(runner.StepError) as waits:
        run.raise_for_status()
    assert str(waits.value) == f"run {run.id} is paused: it waits for an answer to `go`"
    assert waits.value.hint == f"answer with `answers={{…}}`, or go on by `bridge-run resume {run.id}`"
    assert runner.run_sync("asks.yaml", answers={"go": "yes"}).outputs == {"done": "done"}
    assert runner.run_sync("asks.yaml", yes=True).outputs == {"done": "done"}
    assert runner.run_sync("asks.yaml", answers={"go": "no"}).steps["done"].status == "skipped"


def test_what_keeps_it_from_starting_is_raised(studio: str) -> None:
    with pytest.raises(runner.UsageError, match=r"nope\.yaml"):
        runner.run_sync("nope.yaml")
    with pytest.raises(runner.UsageError, match="has no input `colour`"):
        runner.run_sync("hello.yaml", {"colour": "red"})
    Path("broken.yaml").write_text("version: 1\nname: broken\nsteps: []\n", encoding="utf-8")
    with pytest.raises(runner.WorkflowError) as broken:
        runner.run_sync("broken.yaml")
    assert broken.value.diagnostics[0].span is not None
    with pytest.raises(runner.CannotServeError):
        runner.run_sync("ask.yaml", models={"writer": "small/three"}, endpoints=studio)
    with pytest.raises(runner.OutsideError):
        runner.run_sync("ask.yaml", endpoints="http://127.0.0.1:9")


def test_run_sync_in_an_event_loop_says_what_to_write() -> None:
    async def story() -> None:
        with pytest.raises(runner.UsageError) as refused:
            runner.run_sync("hello.yaml")
        assert refused.value.hint == "write `await runner.run(…)` there"
        with pytest.raises(runner.UsageError, match="`check` was called inside of a running event loop"):
            runner.check("hello.yaml")
        assert (await asyncio.to_thread(runner.check, "hello.yaml")).ok

    asyncio.run(story())


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "file": (lambda: runner.run_sync(None), "`file` is nothing; it must be a path"),  # type: ignore[arg-type]
    "bytes": (lambda: runner.run_sync(b"a"), "`file` is of the type `bytes`; it must be a path"),  # type: ignore[arg-type]
    "inputs": (
        lambda: runner.run_sync("hello.yaml", "who=me"),  # type: ignore[arg-type]
        "`inputs` is the text `who=me`; it must be a mapping of names to values",
    ),
    "name": (
        lambda: runner.run_sync("hello.yaml", {3: "me"}),  # type: ignore[dict-item]
        "`inputs` has the number 3 among its names; they must be texts",
    ),
    "models": (
        lambda: runner.run_sync("hello.yaml", models=3),  # type: ignore[arg-type]
        "`models` is the number 3; it must be a text or a list of texts",
    ),
    "swap": (
        lambda: runner.run_sync("hello.yaml", models={"writer": 3}),  # type: ignore[dict-item]
        "`models['writer']` is the number 3; it must be a text",
    ),
    "endpoints": (
        lambda: runner.check("hello.yaml", endpoints=[1234]),  # type: ignore[list-item]
        "`endpoints` is the number 1234; it must be a text",
    ),
    "answers": (
        lambda: runner.run_sync("hello.yaml", answers="go=yes"),  # type: ignore[arg-type]
        "`answers` is the text `go=yes`; it must be a mapping of names to values",
    ),
    "environment": (
        lambda: runner.run_sync("hello.yaml", environment={"PORT": 3}),  # type: ignore[dict-item]
        "`environment['PORT']` is the number 3; it must be a text",
    ),
    "paths": (lambda: runner.check([3]), "`paths` is the number 3; it must be a path"),  # type: ignore[list-item]
    "load": (lambda: runner.load(3), "`path` is the number 3; it must be a path"),  # type: ignore[arg-type]
    "on_event": (
        lambda: runner.run_sync("hello.yaml", on_event="print"),  # type: ignore[arg-type]
        "`on_event` is of the type `str`; it must be a function",
    ),
}


@pytest.mark.parametrize("which", WRONG)
def test_an_argument_of_a_wrong_type_is_named(which: str) -> None:
    wrong, said = WRONG[which]
    with pytest.raises(runner.UsageError) as refused:
        wrong()
    assert str(refused.value) == said


def test_options_that_are_none_are_left_out(studio: str) -> None:
    run = runner.run_sync("ask.yaml", None, models=None, endpoints=studio, answers=None, config=None, simulate=None)
    assert run.ok
    assert runner.check("ask.yaml", models=None, endpoints=None, offline=True).ok


def test_an_async_listener_is_refused_with_what_to_write() -> None:
    async def hear(entry: runner.Entry) -> None:
        raise AssertionError(entry)

    with pytest.raises(runner.UsageError, match="`on_event` is an async function") as refused:
        runner.run_sync("hello.yaml", on_event=hear)  # type: ignore[arg-type]
    assert "async for entry in run.events()" in str(refused.value.hint)


def test_what_a_listener_raises_harms_no_run_and_is_told() -> None:
    heard: list[int] = []
    handled: list[dict[str, object]] = []

    def hear(entry: runner.Entry) -> None:
        heard.append(entry.seq)
        if entry.seq == 2:
            raise ValueError("no such column")

    async def program() -> runner.Run:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: handled.append(context))
        return await runner.run("hello.yaml", on_event=hear)

    run = asyncio.run(program())
    words = "`on_event` raised ValueError at entry 2, and heard no more of the run"
    assert (run.ok, heard, run.warnings) == (True, [1, 2], (f"{words}: no such column",))
    assert [(one["message"], str(one["exception"])) for one in handled] == [(words, "no such column")]


def test_without_the_loop_of_asyncio_it_says_what_it_needs() -> None:
    """As another library would, we drive them by hand."""
    for work in (
        runner.run("hello.yaml"),
        runner.start("hello.yaml").__aenter__(),
        runner.Bridge().autonomous_with_mcp("clock", "The time?"),
        runner.ModelValidator().validate("a"),
    ):
        with pytest.raises(runner.UsageError, match="needs a running event loop of asyncio"):
            work.send(None)


def test_run_sync_below_the_loop_of_another_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sniffio = pytest.importorskip("sniffio")
    monkeypatch.setattr(sniffio.thread_local, "name", "trio")  # as trio does for as long as it runs
    with pytest.raises(runner.UsageError) as refused:
        runner.run_sync("hello.yaml")
    assert str(refused.value) == "`run_sync` was called inside of a running event loop of trio"


def test_many_runs_at_once_with_events() -> None:
    async def story() -> None:
        heard: list[runner.Entry] = []
        runs = await asyncio.gather(*(runner.run("hello.yaml", {"who": n}, on_event=heard.append) for n in "abcde"))
        assert [run.steps["hi"].output for run in runs] == [f"hello {n}" for n in "abcde"]
        assert {entry.run for entry in heard} == {run.id for run in runs}

    asyncio.run(story())


def test_events_come_in_order_as_frozen_facts() -> None:
    async def story() -> None:
        async with runner.start("hello.yaml", {"who": "me"}) as live:
            assert live.id is None
            entries = [entry async for entry in live.events()]
            run = await live.result()
            again = [entry async for entry in live.events()]
        assert entries == again
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert isinstance(entries[0].event, RunStarted)
        assert isinstance(entries[-1].event, RunFinished)
        assert live.id == run.id == entries[0].run
        lines = (await asyncio.to_thread(Path(run.folder, "journal.jsonl").read_text, "utf-8")).splitlines()
        assert [json.loads(line)["at"] for line in lines] == [entry.at for entry in entries]
        assert await live.result() == run

    asyncio.run(story())


def test_two_loops_hear_the_same() -> None:
    async def story() -> None:
        async def steps(live: runner.LiveRun) -> list[str]:
            return [entry.event.step async for entry in live.events() if isinstance(entry.event, StepFinished)]

        async with runner.start("hello.yaml") as live:
            one, two = await asyncio.gather(steps(live), steps(live))
        assert one == two
        assert one[0] == "hi"

    asyncio.run(story())


def _nothing_is_left(status: str = "cancelled") -> None:
    wait_until(lambda: not processes_of(Path.cwd()), "no process is left", within=3)
    (result,) = Path(".bridge/runs").glob("*/result.json")
    assert json.loads(result.read_text("utf-8"))["status"] == status


async def _at_work(live: runner.LiveRun) -> None:
    async for entry in live.events():
        if isinstance(entry.event, StepStarted):
            break
    await asyncio.to_thread(_works)


def _works() -> None:
    wait_until(lambda: bool(processes_of(Path.cwd())), "it is at work")


def test_leaving_the_block_early_ends_the_run() -> None:
    async def story() -> None:
        async with runner.start("sleeps.yaml") as live:
            await _at_work(live)
        run = await live.result()
        assert (run.status, run.exit_code, run.steps["long"].status) == ("cancelled", 130, "cancelled")

    asyncio.run(story())
    _nothing_is_left()


def test_an_error_in_the_block_ends_the_run_and_goes_on() -> None:
    async def story() -> None:
        async with runner.start("sleeps.yaml") as live:
            await _at_work(live)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        asyncio.run(story())
    _nothing_is_left()


def test_cancel_ends_the_run_and_its_events() -> None:
    async def story() -> None:
        async with runner.start("sleeps.yaml") as live:
            await _at_work(live)
            await live.cancel()
            last = [entry.event async for entry in live.events()][-1]
            assert isinstance(last, RunFinished)
            run = await live.result()
            assert (last.status, run.status) == ("cancelled", "cancelled")
            kept = json.loads(await asyncio.to_thread(Path(run.folder, "result.json").read_text, "utf-8"))
            assert kept["steps"]["long"]["reason"] == run.steps["long"].reason
            await live.cancel()

    asyncio.run(story())
    _nothing_is_left()


def test_who_waits_for_a_result_no_longer_does_not_end_the_run() -> None:
    async def story() -> None:
        async with runner.start("sleeps.yaml") as live:
            await _at_work(live)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(live.result(), 0.05)
            assert processes_of(Path.cwd())

    asyncio.run(story())
    _nothing_is_left()


@pytest.mark.parametrize("block", [True, False])
def test_cancelling_the_task_ends_the_run(*, block: bool) -> None:
    async def within() -> None:
        if not block:
            await runner.run("sleeps.yaml")
            return
        async with runner.start("sleeps.yaml") as live:
            await live.result()

    async def story() -> None:
        task = asyncio.create_task(within())
        await asyncio.to_thread(_works)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    _nothing_is_left()


def test_a_run_that_cannot_start_raises_wherever_it_is_asked() -> None:
    async def events() -> None:
        async with runner.start("nope.yaml") as live:
            assert [entry async for entry in live.events()] == []

    async def result() -> None:
        async with runner.start("nope.yaml") as live:
            await live.result()

    async def neither() -> None:
        async with runner.start("nope.yaml"):
            await asyncio.sleep(1)

    async def own() -> None:
        async with runner.start("nope.yaml"):
            await asyncio.sleep(1)
            raise LookupError

    for story in (events, result, neither):
        with pytest.raises(runner.UsageError, match=r"nope\.yaml"):
            asyncio.run(story())
    with pytest.raises(LookupError):
        asyncio.run(own())


def test_a_run_is_started_by_its_block_and_once() -> None:
    async def story() -> None:
        live = runner.start("hello.yaml")
        with pytest.raises(runner.UsageError, match="has not been started"):
            await live.result()
        async with live:
            with pytest.raises(runner.UsageError, match="was started before"):
                await live.__aenter__()
            await live.cancel()
            with pytest.raises(runner.UsageError, match="was cancelled before it began"):
                await live.result()

    asyncio.run(story())


def test_load_gives_the_checked_file_and_run_takes_it() -> None:
    workflow = runner.load(Path("hello.yaml"))
    assert isinstance(workflow, runner.Workflow)
    assert [step.id for step in workflow.steps] == ["hi", "each"]
    assert runner.run_sync(workflow).ok
    with pytest.raises(runner.UsageError, match=r"nope\.yaml"):
        runner.load("nope.yaml")
    Path("broken.yaml").write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(runner.WorkflowError):
        runner.load("broken.yaml")


def test_check_reports_what_it_finds(studio: str) -> None:
    report = runner.check(["hello.yaml", "ask.yaml"], endpoints=studio)
    assert (report.ok, report.findings, report.files, report.exit_code) == (True, (), ("hello.yaml", "ask.yaml"), 0)
    Path("broken.yaml").write_text("version: 1\nname: b\nsteps:\n  - {id: a, runn: [x]}\n", encoding="utf-8")
    broken = runner.check("broken.yaml", offline=True)
    assert (broken.ok, broken.exit_code) == (False, 3)
    assert broken.findings[0].file == "broken.yaml"
    assert runner.check("ask.yaml", models={"writer": "small/three"}, endpoints=studio).exit_code == 4
    silent = runner.check("ask.yaml", endpoints="http://127.0.0.1:9")
    assert (silent.exit_code, silent.outside is not None) == (5, True)
    assert runner.check("ask.yaml", offline=True).ok


def test_a_called_file_has_its_steps_below(tmp_path: Path) -> None:
    calls = "version: 1\nname: calls\nsteps:\n  - {id: call, workflow: ./fails.yaml}\n"
    Path("calls.yaml").write_text(calls, encoding="utf-8")
    below = runner.run_sync("calls.yaml").steps["call"].steps
    assert below is not None
    assert isinstance(below["bad"], StepResult)
    assert isinstance(below["bad"].error, Failure)
    assert below["bad"].error.step == "call/bad"


def test_ctrl_c_ends_a_run_of_run_sync() -> None:
    program = "import runner\nrunner.run_sync('sleeps.yaml')\n"
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    wait_until(lambda: any("sleep 600" in line for line in processes_of(Path.cwd())), "it is at work")
    process.send_signal(2)
    _, said = process.communicate(timeout=30)
    assert said.rstrip().endswith("KeyboardInterrupt")
    _nothing_is_left()


PROGRAM = """
import asyncio
from collections.abc import Mapping
from typing import Any

import runner
from runner.record.events import ModelAnswered, ToolCalled


def sync() -> None:
    run: runner.Run = runner.run_sync("hello.yaml", {"who": "me"}, models={"writer": "a"}, endpoints="http://a")
    outputs: Mapping[str, Any] = run.outputs
    code: int = run.exit_code
    tokens: int = run.usage.total
    for name, step in run.steps.items():
        print(name.upper(), step.status, step.error.kind if step.error else None)
    run.raise_for_status()
    report = runner.check("workflows", offline=True)
    print(outputs, code, tokens, report.ok, [finding.message for finding in report.findings])
    workflow: runner.Workflow = runner.load("hello.yaml")
    print(workflow.name)


async def main() -> None:
    try:
        async with runner.start("hello.yaml") as live:
            async for entry in live.events():
                if isinstance(entry.event, ToolCalled):
                    print(entry.seq, entry.at, entry.event.tool)
                elif isinstance(entry.event, ModelAnswered):
                    print(entry.event.usage.total)
            run = await live.result()
        print(run.id)
        async with runner.Bridge("http://127.0.0.1:1234", mcp_json="mcp.json") as bridge:
            end: runner.TaskEnd = await bridge.autonomous_with_mcp("clock", "The time?", model=None, max_rounds=3)
            several = await bridge.autonomous_with_multiple_mcps(["clock"], "The time?")
            rounds: int = end.rounds + several.rounds
            print(end.text, rounds, [server.name for server in await bridge.list_available_mcps()])
            await bridge.models.validate("a")
    except runner.ModelNotFoundError as error:
        names: tuple[str, ...] = error.available_models
        print(names)
    except runner.BridgeError as error:
        print(error.kind, error.hint, error.to_dict())


asyncio.run(main())
"""


def test_programs_are_checked_by_their_types(tmp_path: Path) -> None:
    def judged(text: str) -> subprocess.CompletedProcess[str]:
        Path("program.py").write_text(text, encoding="utf-8")
        cache = str(tmp_path.parent / "mypy")
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, "program.py"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    good = judged(PROGRAM)
    assert good.returncode == 0, good.stdout + good.stderr
    wrong = judged(PROGRAM.replace("code: int = run.exit_code", "code: str = run.exit_code"))
    assert 'expression has type "int", variable has type "str"' in wrong.stdout
    assert "no attribute" in judged("import runner\nrunner.run_async\n").stdout
