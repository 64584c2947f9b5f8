"""Requests as they go over the wire."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from runner.chat.messages import ChatRequest, Message, ToolCall, ToolSpec
from runner.edges.wire import encode_chat, reasoning_effort, valid_arguments

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def encoded(**settings):
    return json.loads(encode_chat(ChatRequest(**{"model": "m", "messages": (), **settings})))


def test_a_whole_conversation():
    messages = (
        Message("system", "Be brief."),
        Message("user", "Grüße"),
        Message("assistant", "", (ToolCall("519801730", "add", '{"a": 1}'),)),
        Message("tool", "3", tool_call_id="519801730"),
    )
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert encoded(messages=messages)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Grüße"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "id": "519801730", "function": function}],
        },
        {"role": "tool", "content": "3", "tool_call_id": "519801730"},
    ]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ('{"a" :1}', '{"a" :1}'),
        ("{}", "{}"),
        ("", "{}"),
        ('{"a": ', "{}"),
        ("[1]", "{}"),
        ('"text"', "{}"),
        ('{"a": NaN}', "{}"),
        ('{"a":' * 50_000, "{}"),
    ],
)
def test_arguments_that_a_server_could_not_read_are_not_sent_back(written, sent):
    assert valid_arguments(written) == sent


def test_tools_are_offered_without_a_choice_and_without_a_schema_beside():
    body = encoded(tools=(ToolSpec("add", "Adds.", MappingProxyType(SCHEMA)),), schema=SCHEMA)
    function = {"name": "add", "description": "Adds.", "parameters": SCHEMA}
    assert body["tools"] == [{"type": "function", "function": function}]
    assert not {"tool_choice", "response_format"} & set(body)


def test_a_schema_asks_for_structured_output():
    assert encoded(schema=SCHEMA)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
    }


def test_sampling():
    sampling = {
        "temperature": 0, "top_p": 0.9, "top_k": 4, "min_p": 0.1, "seed": 7, "max_tokens": 9, "stop": ["x"],
        "repeat_penalty": 1.1, "presence_penalty": 0.5, "frequency_penalty": None, "reasoning": "low",
    }  # fmt: skip
    body = encoded(sampling=sampling)
    del sampling["frequency_penalty"], sampling["reasoning"]
    assert {key: body[key] for key in sampling} == sampling
    assert body["reasoning_effort"] == "low"
    assert "frequency_penalty" not in body


@pytest.mark.parametrize(
    ("wanted", "options", "sent"),
    [
        ("off", (), "none"),
        ("off", ("off", "on"), "none"),
        ("off", ("low", "medium", "high"), "low"),
        ("off", ("high", "medium"), "medium"),
        ("off", ("on",), "medium"),
        ("on", (), "medium"),
        ("on", ("off", "on"), "medium"),
        ("high", ("low", "medium", "high"), "high"),
        ("low", (), "low"),
    ],
)
def test_reasoning(wanted, options, sent):
    assert reasoning_effort(wanted, options) == sent
