"""Requests as they go over the wire."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from runner.chat.messages import ChatRequest, Image, Message, ToolCall, ToolSpec
from runner.edges.model_server.wire import encode_chat, reasoning_effort, valid_arguments

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


PICTURE = Image(path="a.png", media_type="image/png", data="iVBORw==", size=6, sha256="0" * 64)


def encoded(flavour=None, options=(), **settings):
    request = ChatRequest(**{"model": "m", "messages": (), **settings})
    return json.loads(encode_chat(request, flavour=flavour, reasoning_options=options))


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


def test_pictures_stand_in_the_request_itself_after_the_text():
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    messages = (
        Message("user", "What is this?", images=(PICTURE, PICTURE)),
        Message("user", "", images=(PICTURE,)),
        Message("user", "plain"),
    )
    assert [message["content"] for message in encoded(messages=messages)["messages"]] == [
        [{"type": "text", "text": "What is this?"}, url, url],
        [url],
        "plain",
    ]


@pytest.mark.parametrize(
    ("flavour", "sent"),
    [
        ("lmstudio-v1", {"ttl": 600}),
        ("lmstudio-v0", {"ttl": 600}),
        ("lmstudio", {"ttl": 600}),
        ("llama.cpp", {}),
        ("ollama", {}),
        ("vllm", {}),
        ("openai", {}),
        (None, {}),
    ],
)
def test_the_idle_time_is_sent_only_to_those_who_know_it(flavour, sent):
    body = encoded(flavour, ttl=600.2)
    assert {key: body[key] for key in ("ttl",) if key in body} == sent


def test_an_idle_time_is_a_whole_number_and_never_zero():
    assert encoded("lmstudio-v1", ttl=0.2)["ttl"] == 1
    assert "ttl" not in encoded("lmstudio-v1")


BOTH = {"top_k": 4, "min_p": 0.1, "repeat_penalty": 1.1, "temperature": 0.5}


@pytest.mark.parametrize(
    ("flavour", "sent"),
    [
        ("lmstudio-v1", BOTH),
        ("llama.cpp", BOTH),
        ("openai", BOTH),
        (None, BOTH),
        ("ollama", {"temperature": 0.5}),
        ("vllm", {"top_k": 4, "min_p": 0.1, "repetition_penalty": 1.1, "temperature": 0.5}),
    ],
)
def test_sampling_in_the_words_of_each_server(flavour, sent):
    body = encoded(flavour, sampling=BOTH)
    plain = encoded(flavour)
    assert {key: value for key, value in body.items() if key not in plain} == sent


@pytest.mark.parametrize(
    ("flavour", "wanted", "options", "sent"),
    [
        ("lmstudio-v1", "off", ("off", "on"), {"reasoning_effort": "none"}),
        ("lmstudio-v1", "off", ("low", "high"), {"reasoning_effort": "low"}),
        ("ollama", "off", (), {"reasoning_effort": "none"}),
        ("ollama", "high", (), {"reasoning_effort": "high"}),
        ("openai", "off", (), {"reasoning_effort": "none"}),
        (
            "llama.cpp", "off", (),
            {"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": False}},
        ),
        (
            "llama.cpp", "low", (),
            {
                "reasoning_effort": "low",
                "chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"},
            },
        ),
        ("vllm", "off", (), {"chat_template_kwargs": {"enable_thinking": False}}),
        ("vllm", "on", (), {"reasoning_effort": "medium", "chat_template_kwargs": {"enable_thinking": True}}),
    ],
)  # fmt: skip
def test_reasoning_in_the_words_of_each_server(flavour, wanted, options, sent):
    body = encoded(flavour, options, sampling={"reasoning": wanted})
    assert {key: body[key] for key in ("reasoning_effort", "chat_template_kwargs") if key in body} == sent


def test_letters_go_as_they_are_and_half_a_character_as_its_escape():
    body = encode_chat(ChatRequest(model="m", messages=(Message("user", "größer 狐"),)))
    assert "größer 狐".encode() in body
    halved = encode_chat(ChatRequest(model="m", messages=(Message("user", "größer \ud83d"),)))
    assert b"gr\\u00f6\\u00dfer \\ud83d" in halved
