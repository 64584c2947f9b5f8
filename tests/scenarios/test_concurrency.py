"""Scenarios of many at once: own counters, shared questions and loads, and a cancellation that hurts nobody else."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kit.scene import Scene, ask, cold, loaded, servers
from kit.servers import ODD, python_server

from runner import ModelNotFoundError, ModelValidator
from runner.app.bridge.autonomous.task import TaskServer
from runner.app.bridge.house import BridgeHouse
from runner.record.events import ModelLoaded
from runner.record.journal import Entry


def test_ten_tasks_with_ten_models_keep_their_own_counters(scene: Scene) -> None:
    """Model number n is asked n + 1 times and calls n tools."""
    calls = [{"when": {"turn": n + 1}, "call": [{"tool": "odd__echo", "arguments": {"number": n}}]} for n in range(9)]
    scene.studio({f"m/{n}": loaded(*calls[:n], {"say": f"I am {n}"}) for n in range(10)})
    given = servers(odd={"command": sys.executable, "args": [str(ODD), "good"]})

    async def story(house: BridgeHouse) -> None:
        ends = await asyncio.gather(*(ask(house, model=f"m/{n}", servers=given) for n in range(10)))
        assert [(end.text, end.model) for end in ends] == [(f"I am {n}", f"m/{n}") for n in range(10)]
        assert [(end.rounds, end.tool_calls) for end in ends] == [(n + 1, n) for n in range(10)]
        for end in ends:
            lines = _journal(end.folder)
            usages = [line["usage"] for line in lines if line["type"] == "model_answered"]
            assert sum(one["completion_tokens"] for one in usages) == end.usage.completion_tokens
            assert {line["model"] for line in lines if line["type"] == "model_answered"} == {end.model}

    scene.in_house(story)


def _journal(folder: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "journal.jsonl").read_text("utf-8").splitlines()]


def test_fifty_validations_at_once_are_one_question(scene: Scene) -> None:
    scene.studio({"small/one": loaded()})

    async def story() -> list[str | BaseException]:
        async with ModelValidator(scene.url) as models:
            names = ["small/one", "nobody/has"] * 25
            return await asyncio.gather(*map(models.validate, names), return_exceptions=True)

    found = asyncio.run(story())
    assert found[::2] == ["small/one"] * 25
    assert {type(one) for one in found[1::2]} == {ModelNotFoundError}
    assert scene.counted()["models"] == 1


def test_one_that_is_cancelled_leaves_the_others_alone(scene: Scene) -> None:
    slow = loaded({"say": "Done.", "times": 5}, first_token="600ms")
    scene.studio({"small/one": slow})

    async def story(house: BridgeHouse) -> None:
        tasks = [asyncio.create_task(ask(house, f"Task {n}")) for n in range(4)]
        await asyncio.sleep(0.3)
        tasks[1].cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(ends[1], asyncio.CancelledError)
        assert [end.text for end in (*ends[:1], *ends[2:]) if not isinstance(end, BaseException)] == ["Done."] * 3

    scene.in_house(story)


def test_a_load_that_one_waits_for_no_more_serves_the_others(scene: Scene) -> None:
    scene.studio({"small/one": cold(load_time="500ms")})

    async def story(house: BridgeHouse) -> None:
        first = asyncio.create_task(ask(house, model="small/one"))
        second = asyncio.create_task(ask(house, model="small/one"))
        await asyncio.sleep(0.2)
        first.cancel()
        assert (await second).text == "Hi."
        with pytest.raises(asyncio.CancelledError):
            await first

    scene.in_house(story)
    asked = scene.counted()
    assert asked["load"] == asked["unload"], "nothing is left in memory"


def test_two_programs_on_one_server_share_what_they_load(scene: Scene) -> None:
    scene.studio({"small/one": cold(load_time="300ms", first_token="200ms")})
    program = (
        "import asyncio, runner\n"
        "async def main():\n"
        f"    run = await runner.run('flow.yaml', endpoints=['{scene.url}'])\n"
        "    print(run.outputs['answer'])\n"
        "asyncio.run(main())\n"
    )
    Path("flow.yaml").write_text(
        "version: 1\nname: flow\nsteps: [{id: answer, model: small/one, task: Hello}]\n", encoding="utf-8"
    )
    both = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [one.communicate(timeout=60)[0] for one in both] == ["Hi.\n", "Hi.\n"]
    asked = scene.counted()
    assert (asked["load"], asked["unload"]) == (1, 1)


def test_tasks_for_one_cold_model_load_it_once(scene: Scene) -> None:
    scene.studio({"small/one": cold(load_time="400ms")})

    async def story(house: BridgeHouse) -> list[str]:
        return [end.text for end in await asyncio.gather(*(ask(house, model="small/one") for _ in range(4)))]

    assert scene.in_house(story) == ["Hi."] * 4
    asked = scene.counted()
    assert (asked["load"], asked["unload"]) == (1, 1)


def test_a_house_that_closes_leaves_another_one_its_model(scene: Scene) -> None:
    scene.studio({"small/one": cold({"say": "Done.", "times": 9}, load_time="200ms", first_token="400ms")})

    async def story(first: BridgeHouse) -> None:
        second = scene.house()
        try:
            await ask(first, model="small/one")
            used = asyncio.Event()

            def look(entry: Entry) -> None:
                if isinstance(entry.event, ModelLoaded):
                    used.set()

            working = asyncio.create_task(ask(second, model="small/one", listener=look))
            await used.wait()
            await first.close()
            assert (await working).text == "Done."
        finally:
            await second.close()

    scene.in_house(story)
    asked = scene.counted()
    assert (asked["load"], asked["unload"]) == (1, 1)


def test_tasks_with_real_tool_servers_keep_their_answers_apart(scene: Scene) -> None:
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "A first word"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *command], check=True)
    asks_time = {"tool": "time__get_current_time", "arguments": {"timezone": "Asia/Tokyo"}}
    asks_git = {"tool": "git__git_log", "arguments": {"repo_path": str(Path.cwd())}}
    scene.studio({
        "m/time": loaded({"when": {"turn": 1}, "call": [asks_time]},
                         {"when": {"tool_result": '"timezone": "([^"]+)"'}, "say": "It is {{ match[1] }}."}),
        "m/git": loaded({"when": {"turn": 1}, "call": [asks_git]},
                        {"when": {"tool_result": "(A first word)"}, "say": "It says {{ match[1] }}."}),
    })  # fmt: skip
    time, git = servers(
        time={"command": python_server("mcp-server-time")}, git={"command": python_server("mcp-server-git")}
    )

    async def story(house: BridgeHouse) -> None:
        given: list[tuple[str, tuple[TaskServer, ...]]] = [("m/time", (time,)), ("m/git", (git,))]
        given += [("m/time", (time, git)), ("m/git", (time, git))]
        ends = await asyncio.gather(*(ask(house, model=model, servers=some) for model, some in given))
        assert [end.text for end in ends] == ["It is Asia/Tokyo.", "It says A first word."] * 2
        assert [(end.rounds, end.tool_calls) for end in ends] == [(2, 1)] * 4

    scene.in_house(story)
