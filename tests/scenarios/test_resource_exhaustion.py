"""Scenarios of too little: memory, context, tokens, rounds, calls, room for the record. Each ends in words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from kit.scene import Scene, ask, cold, loaded, servers, tool_server
from kit.servers import ODD

from runner import ContextError, HistoryError
from runner.app.bridge.house import BridgeHouse
from runner.words.errors import BridgeError, LLMError, StepError

ECHO = {"command": sys.executable, "args": [str(ODD), "good"]}


def calling(times: int) -> list[dict[str, object]]:
    return [
        {"when": {"turn": n + 1}, "call": [{"tool": "odd__echo", "arguments": {"number": n}}]} for n in range(times)
    ]


def test_what_is_idle_makes_room_for_what_is_needed(scene: Scene) -> None:
    scene.studio({"big/one": cold(size="6GB"), "big/two": cold(size="6GB")}, memory="8GB")

    async def story(house: BridgeHouse) -> None:
        assert [(await ask(house, model=f"big/{name}")).text for name in ("one", "two", "one")] == ["Hi."] * 3

    scene.in_house(story)
    assert scene.counted()["load"] == 3


@pytest.mark.parametrize("overflow", ["error", "pool", "event"])
def test_a_prompt_beyond_the_context_is_a_context_error_however_the_server_says_it(scene: Scene, overflow: str) -> None:
    scene.studio({"small/one": loaded(max_context_length=8192, overflow=overflow, token_size="1KB")})
    with pytest.raises(ContextError):
        scene.do("word " * 12_000)


def test_a_prompt_that_would_be_cut_silently_is_not_sent(scene: Scene) -> None:
    scene.studio({"small/one": loaded(max_context_length=8192, overflow="cut")})
    with pytest.raises(ContextError):
        scene.do("word " * 12_000)
    assert scene.heard() == []


def test_an_answer_that_is_cut_off_says_so(scene: Scene) -> None:
    scene.studio({"small/one": loaded({"say": "one two three four five six seven eight nine ten"})})
    end = scene.do(max_tokens=4)
    assert (end.finish, len(end.text) < 30) == ("length", True)


def test_rounds_that_are_used_up_end_in_a_last_answer_without_tools(scene: Scene) -> None:
    scene.studio({"small/one": loaded(*calling(1), {"say": "What I have so far."})})
    end = scene.do(servers=servers(odd=ECHO), max_rounds=2)
    assert (end.text, end.finish, end.rounds) == ("What I have so far.", "limit", 2)
    assert "rounds" in (end.note or "")
    assert not scene.heard()[-1].get("tools") or scene.heard()[-1].get("tool_choice") == "none"


def test_tool_calls_that_are_used_up_end_likewise(scene: Scene) -> None:
    scene.studio({"small/one": loaded(*calling(1), {"say": "Enough."})})
    end = scene.do(servers=servers(odd=ECHO), tool_calls=1)
    assert (end.text, end.tool_calls, end.finish) == ("Enough.", 1, "limit")


def test_tokens_that_are_used_up_fail_the_task(scene: Scene) -> None:
    scene.studio({"small/one": loaded(*calling(3), {"say": "Never."})})
    with pytest.raises(StepError) as spent:
        scene.do(servers=servers(odd=ECHO), tokens=5)
    assert spent.value.kind == "limit"


def test_a_record_that_cannot_be_kept_starts_nothing(scene: Scene) -> None:
    scene.studio({"small/one": loaded()})
    Path("runs").write_text("a file in the way")

    async def story(house: BridgeHouse) -> None:
        await ask(house)

    with pytest.raises(HistoryError, match="runs"):
        scene.in_house(story, run_dir="runs")
    assert scene.heard() == []


def test_more_requests_than_a_server_answers_at_once_wait_for_their_turn(scene: Scene) -> None:
    slow = loaded({"say": "Done.", "times": 20}, first_token="50ms")
    scene.studio({"small/one": {**slow, "loaded": {"context_length": 8192, "parallel": 1}}})

    async def story(house: BridgeHouse) -> list[str]:
        import asyncio

        return [end.text for end in await asyncio.gather(*(ask(house, f"Task {n}") for n in range(6)))]

    assert scene.in_house(story) == ["Done."] * 6


def test_a_model_that_repeats_itself_without_end_is_stopped(scene: Scene) -> None:
    scene.studio({"small/one": loaded({"say": "again and " * 3_000, "times": 3})})
    with pytest.raises((LLMError, BridgeError)) as looped:
        scene.do()
    assert looped.value.kind in ("empty", "invalid_output", "limit", "server")


def test_a_huge_result_of_a_tool_is_cut_for_the_model_and_kept_whole_in_the_record(scene: Scene) -> None:
    scene.studio({"small/one": loaded(*calling(1))})
    end = scene.do(servers=servers(odd={"command": sys.executable, "args": [str(ODD), "huge", "2000000"]}))
    assert (end.text, end.tool_calls) == ("Hi.", 1)
    told = scene.heard()[-1]["messages"][-1]["content"]
    assert "cut here" in told
    assert len(told) < 8192 * 4
    assert max(path.stat().st_size for path in Path(end.folder).rglob("*") if path.is_file()) >= 2_000_000


MANY = '[{**ECHO, "name": f"tool_{n}", "description": "It does one thing of many. " * 8} for n in range(400)]'


def test_many_tools_are_all_offered_where_there_is_room(scene: Scene) -> None:
    scene.studio({"large/one": {**loaded(max_context_length=131_072), "loaded": {"context_length": 131_072}}})
    scene.do(servers=servers(many=tool_server("many", "pass", tools=MANY)))
    assert len(scene.heard()[0]["tools"]) == 400


def test_many_tools_without_room_are_told_as_such_and_fewer_fit(scene: Scene) -> None:
    scene.studio({"small/one": loaded(max_context_length=8192)})
    given = servers(many=tool_server("many", "pass", tools=MANY))
    with pytest.raises(ContextError) as full:
        scene.do(servers=given)
    assert "fewer tools (`tools`)" in str(full.value.hint)
    assert scene.heard() == []
    assert scene.do(servers=given, tools=("many.tool_7",)).text == "Hi."
    assert [tool["function"]["name"] for tool in scene.heard()[0]["tools"]] == ["many__tool_7"]
