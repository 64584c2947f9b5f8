"""Scenarios of the wire: nobody there, half an answer, silence, and pages that are no answers."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.scene import Scene, ask, loaded, servers
from kit.servers import ODD

import runner
from runner import LLMConnectionError, LLMError, ModelValidator
from runner.app.bridge.house import BridgeHouse
from runner.record.events import ToolReturned
from runner.record.journal import Entry
from runner.words.errors import OutsideError, StepError


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_nobody_there_is_a_connection_error_with_a_way_out(scene: Scene) -> None:
    with pytest.raises(LLMConnectionError) as gone:
        scene.do()
    assert (gone.value.kind, gone.value.retryable) == ("connection", True)
    assert "lms server start" in str(gone.value.hint)


def test_a_run_without_a_server_is_told_as_such(scene: Scene) -> None:
    with open("flow.yaml", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("version: 1\nname: flow\nsteps: [{id: a, task: Hello}]\n")
    with pytest.raises(OutsideError):
        runner.run_sync("flow.yaml", endpoints=[scene.url])


@pytest.mark.parametrize(
    "fault", ["slow-first-byte", "cut-mid-line", "error-first", "error-midway", "html-page", "no-done", "peer-lost"]
)
def test_a_wire_that_breaks_once_is_survived(scene: Scene, fault: str) -> None:
    scene.studio({"small/one": loaded()}, faults=[fault])
    assert scene.do().text == "Hi."


@pytest.mark.parametrize(("fault", "kinds"), [("cut-mid-line", {"connection", "server"}), ("html-page", {"server"})])
def test_a_wire_that_stays_broken_is_told_and_no_half_answer_is_taken(
    scene: Scene, fault: str, kinds: set[str]
) -> None:
    scene.studio({"small/one": loaded()}, faults=[{"name": fault, "on": "every"}])
    with pytest.raises(LLMError) as broken:
        scene.do()
    assert broken.value.kind in kinds
    assert len(scene.heard()) == 3


def test_silence_ends_with_the_time_of_the_task(scene: Scene) -> None:
    scene.studio({"small/one": loaded()}, faults=[{"name": "stall", "on": "every"}])
    with pytest.raises(StepError) as late:
        scene.do(timeout=0.5)
    assert late.value.kind == "timeout"
    assert "0.5 seconds" in str(late.value.hint)


def test_a_slow_answer_is_no_dead_one(scene: Scene) -> None:
    scene.studio({"small/one": loaded({"say": "At last."}, first_token="1500ms", tokens_per_second=20)})
    assert scene.do(timeout=30).text == "At last."


def test_a_server_that_takes_the_call_and_says_nothing_is_given_up(silent: str) -> None:
    async def story() -> None:
        async with ModelValidator(silent, attempts=1) as models:
            async with asyncio.timeout(60):
                await models.validate("any")

    with pytest.raises(LLMError):
        asyncio.run(story())


@pytest.mark.parametrize("version", ["0.3.30", "0.3.5"])
def test_an_older_server_without_the_newer_interfaces_is_used(scene: Scene, version: str) -> None:
    scene.studio({"small/one": loaded()}, version=version)
    assert scene.do(model="small/one").text == "Hi."


def test_a_refused_token_is_told_and_not_asked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.studio({"small/one": loaded()}, token="right-token")
    monkeypatch.setenv("LM_API_TOKEN", "wrong-token")
    with pytest.raises(runner.LLMAuthenticationError) as refused:
        scene.do()
    assert "wrong-token" not in f"{refused.value} {refused.value.hint}"
    monkeypatch.setenv("LM_API_TOKEN", "right-token")
    assert scene.do().text == "Hi."


def test_a_server_that_goes_between_two_rounds_ends_the_task_with_its_record(scene: Scene) -> None:
    call = {"when": {"turn": 1}, "call": [{"tool": "odd__echo", "arguments": {}}]}
    scene.studio({"small/one": loaded(call)})
    given = servers(odd={"command": sys.executable, "args": [str(ODD), "good"]})
    folders: list[str] = []

    def leave(entry: Entry) -> None:
        folders.append(entry.run)
        if isinstance(entry.event, ToolReturned):
            scene.gone()

    async def story(house: BridgeHouse) -> None:
        with pytest.raises(LLMConnectionError) as gone:
            await ask(house, servers=given, listener=leave)
        assert gone.value.retryable

    scene.in_house(story)
    result = json.loads(Path(".bridge/runs", folders[0], "result.json").read_text("utf-8"))
    assert (result["status"], result["steps"]["answer"]["error"]["kind"]) == ("failed", "connection")
