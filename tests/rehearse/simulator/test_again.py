"""A client that asks again after a fault gets what the script meant for it, whatever it said of the spoilt one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from kit.simulator import simulator

TURNS = [
    {"when": {"turn": 1, "user": "^task$"}, "call": [{"tool": "t", "arguments": {"n": 1}}], "times": 1},
    {"when": {"turn": 2, "user": "^task$", "tool_result": "^fine$"}, "say": "Done."},
]
TASK = {"role": "user", "content": "task"}


def message(url: str, *messages: dict[str, Any]) -> dict[str, Any]:
    response = httpx.post(f"{url}/v1/chat/completions", json={"model": "m", "messages": messages, "max_tokens": 50})
    if response.status_code != 200:
        return {"refused": response.json()["error"]}
    answer: dict[str, Any] = response.json()["choices"][0]["message"]
    return answer


def names(answer: dict[str, Any]) -> list[str]:
    return [call["function"]["name"] for call in answer["tool_calls"]]


@pytest.mark.parametrize("fault", ["unknown-tool", "truncated-arguments", "invalid-arguments", "repetition"])
def test_a_complaint_about_a_spoilt_answer(fault: str) -> None:
    with simulator({"faults": [fault], "models": {"m": {"loaded": True, "turns": TURNS}}}) as url:
        spoilt = message(url, TASK)
        complaint = {"role": "user", "content": "That was of no use."}
        if spoilt["tool_calls"]:
            complaint = {"role": "tool", "tool_call_id": spoilt["tool_calls"][0]["id"], "content": "no such tool"}
        good = message(url, TASK, spoilt, complaint)
        result = {"role": "tool", "tool_call_id": good["tool_calls"][0]["id"], "content": "fine"}
        end = message(url, TASK, spoilt, complaint, good, result)
    assert names(spoilt) != ["t"] or spoilt["tool_calls"][0]["function"]["arguments"] != '{"n": 1}'
    assert (names(good), end["content"]) == (["t"], "Done.")


def test_a_spoilt_answer_that_is_kept_without_its_calls() -> None:
    with simulator({"faults": ["truncated-arguments"], "models": {"m": {"loaded": True, "turns": TURNS}}}) as url:
        message(url, TASK)
        kept = [{"role": "assistant", "content": ""}, {"role": "user", "content": "It was cut off."}]
        assert names(message(url, TASK, *kept)) == ["t"]


@pytest.mark.parametrize("fault", ["status-503", "crash", "no-finish", "empty-answer"])
def test_the_same_question_again(fault: str) -> None:
    with simulator({"faults": [fault], "models": {"m": {"loaded": True, "turns": TURNS}}}) as url:
        answers = [message(url, TASK) for _ in range(3)]
    asked = [answer for answer in answers if answer.get("tool_calls")]
    assert names(asked[-1]) == ["t"]


def test_a_turn_is_used_up_by_an_answer_that_arrived() -> None:
    with simulator({"faults": ["slow-tokens"], "models": {"m": {"loaded": True, "turns": TURNS}}}) as url:
        assert names(message(url, TASK)) == ["t"]
        assert "is used up (1 of 1 times)" in message(url, TASK)["refused"]
