"""``/v1/responses`` over real HTTP: the recorded shape, the events, and what it remembers."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from kit.simulator import simulator

WEATHER = {"type": "function", "name": "weather", "description": "The weather.", "parameters": {"type": "object"}}
CALLS = {"reasoning": "Hm.", "say": "I look.", "call": [{"tool": "weather", "arguments": {"city": "Paris"}}]}


@contextlib.contextmanager
def serving(*turns: dict[str, Any], version: str = "0.4.25", **more: Any) -> Iterator[httpx.Client]:
    script = {"settings": {"version": version}, "models": {"m": {"loaded": True, "turns": list(turns), **more}}}
    with simulator(script) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def respond(client: httpx.Client, given: Any = "hello", **body: Any) -> httpx.Response:
    return client.post("/v1/responses", json={"model": "m", "input": given, **body})


def events(text: str) -> list[dict[str, Any]]:
    found = []
    for event in text.strip().split("\n\n"):
        name, data = event.split("\n", 1)
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_a_whole_answer_has_the_recorded_keys_and_oddities() -> None:
    with serving(CALLS) as client:
        body = respond(client, instructions="Be brief.", temperature=0, reasoning={"effort": "low"}).json()
    assert re.fullmatch(r"resp_[0-9a-f]{48}", body["id"])
    assert list(body["output"][0]) == ["id", "type", "summary", "encrypted_content", "content"]
    said = [{key: value for key, value in item.items() if key not in ("id", "call_id")} for item in body["output"]]
    assert said == [
        {
            "type": "reasoning", "summary": [], "encrypted_content": None,
            "content": [{"type": "reasoning_text", "text": "Hm."}],
        },
        {
            "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}],
        },
        {"type": "function_call", "name": "weather", "arguments": '{"city": "Paris"}', "status": "completed"},
    ]  # fmt: skip
    assert re.fullmatch(r"\d{9}", body["output"][2]["call_id"])
    assert set(body) == {
        "id", "object", "created_at", "completed_at", "status", "incomplete_details", "model", "previous_response_id",
        "instructions", "output", "error", "tools", "tool_choice", "truncation", "parallel_tool_calls", "text", "top_p",
        "presence_penalty", "frequency_penalty", "top_logprobs", "temperature", "reasoning", "usage",
        "max_output_tokens", "max_tool_calls", "store", "background", "service_tier", "metadata", "safety_identifier",
        "prompt_cache_key",
    }  # fmt: skip
    assert (body["top_p"], body["frequency_penalty"], body["status"]) == (False, 1.1, "completed")
    assert (body["instructions"], body["temperature"]) == ("Be brief.", 0)
    assert body["reasoning"] == {"summary": None, "effort": "low"}
    usage = body["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens_details"] == {"reasoning_tokens": 1}


def test_the_events_tell_the_same_answer() -> None:
    with serving(CALLS, {"say": "Later."}) as client:
        told = events(respond(client, stream=True).text)
    kinds = [event["type"] for event in told]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    whole = told[-1]["response"]
    for kind, index in (("reasoning_text", 0), ("output_text", 1)):
        pieces = [event["delta"] for event in told if event["type"] == f"response.{kind}.delta"]
        assert "".join(pieces) == whole["output"][index]["content"][0]["text"]
    arguments = [event["delta"] for event in told if event["type"] == "response.function_call_arguments.delta"]
    assert "".join(arguments) == whole["output"][2]["arguments"]
    done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
    assert done == whole["output"]
    added = [event["output_index"] for event in told if event["type"] == "response.output_item.added"]
    assert added == [0, 1, 2]


def test_an_answer_goes_on_from_one_before_it() -> None:
    turns = (
        {"when": {"turn": 1, "system": "Be brief"}, "say": "Ada."},
        {"when": {"turn": 2, "user": "again", "anywhere": "Who are you"}, "say": "Still Ada."},
    )
    with serving(*turns) as client:
        first = respond(client, "Who are you?", instructions="Be brief.").json()
        second = respond(client, "again", previous_response_id=first["id"])
        system = respond(client, "Be brief.", previous_response_id=first["id"])
    body = second.json()
    assert body["output"][0]["content"][0]["text"] == "Still Ada."
    assert body["previous_response_id"] == first["id"]
    assert body["instructions"] is None
    assert system.status_code == 400, "instructions count for one answer only"


def test_a_call_is_answered_by_its_result() -> None:
    turns = ({"when": {"turn": 1, "offered": "weather"}, **CALLS}, {"when": {"tool_result": "sunny"}, "say": "Sun."})
    with serving(*turns) as client:
        first = respond(client, tools=[WEATHER]).json()
        call = first["output"][2]
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        stored = respond(client, [result], previous_response_id=first["id"]).json()
        sent = [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}, call, result]
        alone = respond(client, sent).json()
    assert [stored["output"][0]["content"][0]["text"], alone["output"][0]["content"][0]["text"]] == ["Sun.", "Sun."]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_cut_is_incomplete(stream: bool) -> None:
    with serving({"say": "x" * 400}) as client:
        answer = respond(client, max_output_tokens=5, stream=stream)
    body = events(answer.text)[-1]["response"] if stream else answer.json()
    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert body["output"][0]["content"][0]["text"] == "x" * 20


def test_what_is_not_stored_is_not_known() -> None:
    with serving({"say": "Yes."}) as client:
        first = respond(client, store=False).json()
        refused = respond(client, previous_response_id=first["id"])
        unknown = respond(client, previous_response_id="resp_no")
    assert first["store"] is False
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "previous_response_not_found")
    assert unknown.json()["error"]["message"] == "Previous response with id 'resp_no' not found."


def test_what_is_refused() -> None:
    nested = {"type": "function", "function": {"name": "weather"}}
    with serving({"when": {"schema": True}, "json": {"a": 1}}) as client:
        assert respond(client, tools=[nested]).json()["error"]["message"].endswith("'tools[0].name'.")
        assert respond(client, None).status_code == 400
        assert respond(client, tool_choice={"type": "function"}).status_code == 400
        assert "'json_schema' or 'text'" in respond(client, text={"format": {"type": "json_object"}}).json()["error"]
        form = {"type": "json_schema", "name": "a", "schema": {"type": "object"}}
        data = respond(client, text={"format": form}).json()
    assert data["output"][0]["content"][0]["text"] == '{"a": 1}'


def test_servers_before_0_3_29_do_not_know_it() -> None:
    with serving({"say": "Yes."}, version="0.3.20") as client:
        refused = respond(client)
    assert refused.status_code == 200
    assert refused.json() == {"error": "Unexpected endpoint or method. (POST /v1/responses)"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("crash", "has crashed"),
        ("error-midway", "peg-native"),
        ("zero-usage", '"total_tokens":0'),
        ("wrong-model", "another/"),
    ],
)
def test_faults_strike_it_too(fault: str, said: str) -> None:
    with serving({"say": "Yes, of course."}, faults=[fault]) as client:
        assert said in respond(client, stream=True).text
