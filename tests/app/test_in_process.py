"""Runs inside of a program: several at once, and what is left when one of them is cancelled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.leftover import processes_of
from kit.project import wait_until
from kit.simulator import simulator

from runner.app.in_process import run_in_process
from runner.app.request import RunRequest
from runner.app.run.story import RunEnd
from runner.words.errors import CannotServeError, UsageError
from runner.workflow.document import parse_document
from runner.workflow.load import Loaded, load_document

SCRIPT = """
models:
  small/one: {loaded: {context_length: 8192}, turns: [{say: I am one, times: 50}]}
  small/two: {loaded: {context_length: 8192}, turns: [{say: I am two, times: 50}]}
"""
SLEEPS = """
version: 1
name: sleeps
steps:
  - {id: long, run: [sleep, "600"]}
  - {id: tidy, needs: [long], join: all_finished, run: [sh, -c, "sleep 0.3; echo tidied > tidied.txt"]}
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.parent / "cache"))


@pytest.fixture(scope="module")
def studio() -> Iterator[str]:
    with simulator(SCRIPT) as url:
        yield url


def workflow(text: str) -> Loaded:
    return load_document(parse_document(text, "<test>"))


async def run(text: str, *endpoints: str, **inputs: object) -> RunEnd:
    request = RunRequest(file="<test>", bound=inputs, endpoints=endpoints)
    return await run_in_process(request, loaded=workflow(text))


def ask(model: str) -> str:
    return f"version: 1\nname: ask\nsteps:\n  - {{id: answer, model: {model}, task: Who are you?}}\n"


def test_many_runs_go_on_at_once_and_none_hears_of_another(studio: str) -> None:
    async def all_of_them() -> list[RunEnd]:
        return await asyncio.gather(*(run(ask(f"small/{('one', 'two')[n % 2]}"), studio) for n in range(10)))

    ends = asyncio.run(all_of_them())
    assert [end.outcome["outputs"] for end in ends] == [{"answer": "I am one"}, {"answer": "I am two"}] * 5
    assert len({end.folder for end in ends}) == 10
    for end in ends:
        kept = json.loads(Path(end.folder, "result.json").read_text("utf-8"))
        assert kept["steps"]["answer"]["usage"] == end.outcome["steps"]["answer"]["usage"]
        assert kept["run"] == Path(end.folder).name


def test_a_run_says_nothing_on_the_terminal(studio: str, capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(run(ask("small/one"), studio))
    assert capfd.readouterr() == ("", "")


def test_what_cannot_begin_is_raised_and_what_fails_is_told(studio: str) -> None:
    with pytest.raises(CannotServeError) as missing:
        asyncio.run(run(ask("small/three"), studio))
    assert [finding.code for finding in missing.value.diagnostics] == ["BR301"]
    with pytest.raises(UsageError, match="has no input `colour`"):
        asyncio.run(run(ask("small/one"), studio, colour="red"))
    end = asyncio.run(run('version: 1\nname: fails\nsteps: [{id: no, run: ["false"]}]\n'))
    assert (end.outcome["status"], end.outcome["exit_code"], end.told) == ("failed", 1, False)


async def _cancelled(text: str, *, times: int) -> None:
    started = asyncio.Event()
    request = RunRequest(file="<test>")

    def listener(entry: object) -> None:
        started.set()

    running = asyncio.create_task(run_in_process(request, loaded=workflow(text), listener=listener))
    await asyncio.wait_for(started.wait(), 30)
    while not processes_of(Path.cwd()):  # noqa: ASYNC110  of another process, no event
        await asyncio.sleep(0.01)
    for _ in range(times):
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await running


def _status() -> str:
    (result,) = Path(".bridge/runs").glob("*/result.json")
    status: str = json.loads(result.read_text("utf-8"))["status"]
    return status


def _nothing_is_left() -> None:
    wait_until(lambda: not processes_of(Path.cwd()), "no process is left", within=3)


def test_who_is_cancelled_still_cleans_up_and_leaves_no_process() -> None:
    asyncio.run(_cancelled(SLEEPS, times=1))
    assert Path("tidied.txt").read_text("utf-8") == "tidied\n"
    assert _status() == "cancelled"
    _nothing_is_left()


def test_who_is_cancelled_once_more_leaves_at_once() -> None:
    asyncio.run(_cancelled(SLEEPS.replace("sleep 0.3", "sleep 600"), times=2))
    assert not Path("tidied.txt").exists()
    assert _status() == "cancelled"
    _nothing_is_left()


def test_without_anything_to_clean_up_a_cancelled_run_ends_at_once() -> None:
    asyncio.run(_cancelled('version: 1\nname: long\nsteps: [{id: long, run: [sleep, "600"]}]\n', times=1))
    assert _status() == "cancelled"
    _nothing_is_left()
