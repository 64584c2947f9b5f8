"""Walls that answer from a recording, and the time behind them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from runner.app.again import record_command, replay_command
from runner.app.request import RunRequest
from runner.chat.catalogue import Instance
from runner.chat.messages import ChatRequest, Message
from runner.record.cassette.cassette import Cassette, Exchange, Header
from runner.record.cassette.mask import Mask
from runner.record.whereabouts import Whereabouts
from runner.rehearse.replay.replay import ReplayBackend, ReplayBox, ReplayCommands
from runner.rehearse.replay.tape import Tape
from runner.rehearse.replay.time import JumpingClock, run_jumping
from runner.words.errors import LLMValidationError, ModelMemoryError, StepError, ToolServerError

HEADER = Header(workflow="flow", digest="0" * 64, bridge_run="1.0")


def tape(*exchanges: Exchange, **more: Any) -> Tape:
    cassette = Cassette(header=HEADER, exchanges=exchanges, file="flow.recording.jsonl")
    return Tape(
        cassette,
        Mask({}, "/home/me", "2026-flow-1f"),
        lambda units: record_command(RunRequest(file="flow.yaml"), units),
        **more,
    )


def call(path: str, answer: dict[str, Any], line: int = 2) -> Exchange:
    asked = {"server": "files", "tool": "read", "arguments": {"path": path}}
    return Exchange(kind="call", request=asked, answer=answer, line=line)


def test_equal_requests_get_their_answers_in_recorded_order() -> None:
    box = ReplayBox(tape(call("a", {"result": {"text": "one"}}), call("a", {"result": {"text": "two"}})), "files")

    async def twice() -> list[str]:
        return [(await box.call("read", {"path": "a"})).text for _ in range(2)]

    assert run_jumping(twice()) == ["one", "two"]


def test_what_is_asked_once_more_than_it_was_recorded() -> None:
    played = tape(call("a", {"result": {"text": "one"}}))
    box = ReplayBox(played, "files")

    async def twice() -> None:
        await box.call("read", {"path": "a"})
        await box.call("read", {"path": "a"})

    with pytest.raises(StepError) as caught:
        run_jumping(twice())
    assert caught.value.message == (
        "the tool call of the run is not in flow.recording.jsonl once more: line 2 has it, and it was asked for already"
    )
    assert caught.value.hint == "`bridge-run flow.yaml --record` records just that anew"
    assert [unit for unit, _ in played.mismatches] == [""]


def test_what_was_never_recorded() -> None:
    with pytest.raises(StepError) as caught:
        run_jumping(ReplayCommands(tape()).run(["ls"], env={}))
    assert caught.value.message == (
        "the command of the run is not in flow.recording.jsonl: there is none of its kind recorded"
    )


def test_the_nearest_is_the_most_similar_of_those_that_are_left() -> None:
    played = tape(call("src/a.py", {}, 2), call("lib/b.py", {}, 3), changed=True)
    with pytest.raises(StepError) as caught:
        run_jumping(ReplayBox(played, "files").call("read", {"path": "lib/c.py"}))
    assert caught.value.message.endswith("line 3 is nearest:\n  arguments.path: lib/[-b-]{+c+}.py")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("the workflow has changed since it was recorded; ")


def test_an_error_is_raised_as_it_was() -> None:
    died = {"class": "ToolServerError", "kind": "tool_server", "message": "it died", "server": "files", "stderr": "x"}
    with pytest.raises(ToolServerError, match="it died") as caught:
        run_jumping(ReplayBox(tape(call("a", {"error": died})), "files").call("read", {"path": "a"}))
    assert caught.value.stderr == "x"


def load_of(settings: dict[str, Any], answer: dict[str, Any]) -> Exchange:
    return Exchange(kind="load", request={"endpoint": "server", "model": "m", "settings": settings}, answer=answer)


LISTED = Exchange(
    kind="catalogue",
    request={"endpoint": "server"},
    answer={"catalogue": {"endpoint": "server", "flavour": "lmstudio-v1", "models": [{"key": "m"}, {"key": "n"}]}},
)


def test_loads_give_what_they_gave_and_the_list_follows() -> None:
    failed = {"error": {"class": "ModelMemoryError", "kind": "overloaded", "message": "no room"}}
    played = tape(LISTED, load_of({}, failed), load_of({}, {"instance": {"id": "m:2"}}), contexts=(5,))
    backend = ReplayBackend(played, "server")

    async def story() -> None:
        with pytest.raises(ModelMemoryError, match="no room"):
            await backend.load("m", {})  # before anybody asked for the list
        await backend.catalogue()
        for _ in range(2):  # the last outcome holds from then on
            assert await backend.load("m", {}) == Instance(id="m:2")
            assert [len(model.instances) for model in (await backend.catalogue()).models] == [1, 0]
        await backend.unload("m:2")
        assert [len(model.instances) for model in (await backend.catalogue()).models] == [0, 0]
        with pytest.raises(
            LLMValidationError, match=r"the load of a model of the run is not in flow\.recording\.jsonl"
        ):
            await backend.load("m", {"context_length": 5})

    run_jumping(story())


def test_a_context_that_was_reckoned_may_be_another_one_and_one_that_the_file_names_may_not() -> None:
    failed = {"error": {"class": "ModelMemoryError", "kind": "overloaded", "message": "no room"}}
    loads = (load_of({"context_length": 90}, failed), load_of({"context_length": 50}, {"instance": {"id": "m:2"}}))
    other = load_of({"context_length": 70, "flash_attention": True}, {"instance": {"id": "m:3"}})
    backend = ReplayBackend(tape(LISTED, other, *loads, contexts=(60,)), "server")

    async def story() -> None:
        assert await backend.load("m", {"context_length": 50}) == Instance(id="m:2")  # as it was recorded
        with pytest.raises(ModelMemoryError):
            await backend.load("m", {"context_length": 80})
        assert await backend.load("m", {"context_length": 40}) == Instance(id="m:2")
        with pytest.raises(LLMValidationError, match="context_length"):
            await backend.load("m", {"context_length": 60})

    run_jumping(story())


def test_an_instance_is_asked_by_the_name_of_its_model() -> None:
    chat = Exchange(
        kind="chat",
        request={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        answer={"answer": {"model": "m", "content": "[folder]/a", "stream": [["content", [3, 7]]]}},
    )
    backend = ReplayBackend(tape(LISTED, chat, load_of({}, {"instance": {"id": "m:7"}})), "server")
    pieces: list[str] = []

    async def story() -> str:
        await backend.load("m", {})
        request = ChatRequest(model="m:7", messages=(Message("user", "hi"),))
        return (await backend.chat(request, lambda delta: pieces.append(delta.text))).content

    assert run_jumping(story()) == "/home/me/a"


def test_what_was_cancelled_waits_until_it_is_cancelled_again() -> None:
    played = tape(call("a", {"cancelled": True}), jumps=True)

    async def story() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ReplayBox(played, "files").call("read", {"path": "a"}), 600)
        return JumpingClock().monotonic()

    assert run_jumping(story()) == 600.0


def test_in_real_time_what_was_cancelled_is_a_timeout_at_once() -> None:
    with pytest.raises(StepError) as caught:
        asyncio.run(ReplayBox(tape(call("a", {"cancelled": True})), "files").call("read", {"path": "a"}))
    assert caught.value.kind == "timeout"


def test_loads_and_what_was_passed_over_are_not_missed() -> None:
    one = Exchange(kind="command", place=Whereabouts(unit="a", attempt=1), request={"argv": ["x"]}, answer={}, line=4)
    played = tape(load_of({}, {}), one)
    assert played.unused() == (one,)
    assert played.shown_unused(played.unused() * 7) == (
        "7 recorded exchanges were not used:\n"
        + "  flow.recording.jsonl:4: command of `a` (attempt 1)\n" * 5
        + "  and 2 more"
    )


def test_a_command_repeats_all_that_shaped_the_run() -> None:
    request = RunRequest(
        file="my flow.yaml", recording="r.jsonl", config="c.toml", simulate="s.yaml", endpoints=("lab",),
        models=("a=b",), inputs=("x=@x.txt",), inputs_file="in.yaml", bound={"n": 3, "t": "é", "old": 1},
        answers=("gate=no",), yes=True,
    )  # fmt: skip
    more = (
        "--recording r.jsonl --config c.toml --simulate s.yaml --endpoint lab --inputs in.yaml -i n=3 -i 't=é' "
        "-i x=@x.txt --model a=b --answer gate=no --yes"
    )
    assert record_command(request, ["fix[3]", "a"], {"old": 1}) == (
        f"bridge-run 'my flow.yaml' --record {more} --step 'fix[3]' --step a"
    )
    assert record_command(RunRequest(file="a.yaml")) == "bridge-run a.yaml --record"
    assert replay_command(RunRequest(file="a.yaml", replay="tools", endpoints=("lab",))) == (
        "bridge-run a.yaml --replay tools --endpoint lab"
    )


def test_time_jumps_over_waits_and_stands_while_a_thread_works() -> None:
    clock = JumpingClock()

    async def story() -> tuple[float, str]:
        await clock.sleep(86_400)
        done = await asyncio.wait_for(asyncio.to_thread(lambda: time.sleep(0.05) or "done"), 86_400)
        return clock.now() - 946_684_800, done

    passed, done = run_jumping(story())
    assert done == "done"
    assert 86_400 <= passed < 2 * 86_400
    assert clock.monotonic() == 0.0


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({}, "`result` is missing"),
        ({"error": {"class": "Nobody"}}, "there is no error `Nobody`"),
        ({"result": {"text": "", "blobs": 3}}, "it has another shape"),
    ],
)
def test_an_answer_that_somebody_edited_is_said_with_its_line(answer: dict[str, Any], why: str) -> None:
    with pytest.raises(StepError) as caught:
        run_jumping(ReplayBox(tape(call("a", answer)), "files").call("read", {"path": "a"}))
    assert caught.value.message == f"flow.recording.jsonl:2: the answer is none of a tool call: {why}"


def test_a_stream_that_somebody_edited_is_said_too() -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    chat = Exchange(
        kind="chat", request=request, answer={"answer": {"model": "m", "content": "x", "stream": [3]}}, line=9
    )
    with pytest.raises(StepError, match=r"flow\.recording\.jsonl:9: the answer is none of a request to the model"):
        run_jumping(ReplayBackend(tape(chat), "s").chat(ChatRequest(model="m", messages=(Message("user", "hi"),))))
