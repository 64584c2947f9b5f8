"""The simulator over real HTTP: what a client of LM Studio would see."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit.simulator import simulator

from runner.rehearse.simulator.reading import parse_script
from runner.rehearse.simulator.serve import Simulator, start_in_thread
from runner.words.errors import OutsideError, UsageError, WorkflowError

HELLO = [{"role": "user", "content": "hello"}]


@contextlib.contextmanager
def serving(script: str | dict[str, Any], **more: Any) -> Iterator[httpx.Client]:
    with simulator(script, **more) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def model(*turns: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"models": {"m": {"loaded": True, "turns": list(turns), **more}}}


def chat(client: httpx.Client, path: str = "/v1/chat/completions", **body: Any) -> httpx.Response:
    return client.post(path, json={"model": "m", "messages": HELLO, **body})


def events(text: str) -> list[Any]:
    """The data of a stream; what is no JSON stays a text."""
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(item) if item.startswith("{") else item for item in data]


def eventually(condition: Any) -> None:
    """Waits until it holds; a test that never sees it ends by pytest's own limit."""
    while not condition():
        time.sleep(0.005)


def test_a_whole_answer() -> None:
    turn = {"say": "I look.", "reasoning": "Hm.", "call": [{"tool": "files__read", "arguments": {"path": "a.py"}}]}
    with serving(model(turn)) as client:
        response = chat(client)
    body = response.json()
    assert isinstance(body.pop("created"), int)
    call = body["choices"][0]["message"]["tool_calls"][0]
    assert re.fullmatch(r"\d{9}", call.pop("id"))
    assert re.fullmatch(r"chatcmpl-[0-9a-z]{22}", body.pop("id"))
    assert body == {
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "I look.",
                    "reasoning_content": "Hm.",
                    "tool_calls": [
                        {"type": "function", "function": {"name": "files__read", "arguments": '{"path": "a.py"}'}}
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 2,
            "completion_tokens": 10,
            "total_tokens": 12,
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
        "stats": {},
        "system_fingerprint": "m",
    }
    assert response.text.startswith('{\n  "id": "chatcmpl-')
    assert response.headers["keep-alive"] == "timeout=5"
    assert response.headers["content-type"] == "application/json; charset=utf-8"


def test_tool_calls_are_there_even_when_there_are_none() -> None:
    with serving(model({"say": "hi"})) as client:
        message = chat(client).json()["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "hi", "reasoning_content": "", "tool_calls": []}


def test_a_streamed_answer() -> None:
    turn = {"say": "I look.", "reasoning": "Hm.", "call": [{"tool": "t", "arguments": {"path": "a.py"}}], "chunk": 10}
    with serving(model(turn)) as client:
        response = chat(client, stream=True, stream_options={"include_usage": True})
    *chunks, done = events(response.text)
    assert done == "[DONE]"
    assert response.headers["content-type"] == "text/event-stream"
    call_id = chunks[2]["choices"][0]["delta"]["tool_calls"][0].pop("id")
    assert re.fullmatch(r"\d{9}", call_id)
    assert [chunk["choices"][0]["delta"] for chunk in chunks[:-1]] == [
        {"role": "assistant", "reasoning_content": "Hm."},
        {"role": "assistant", "content": "I look."},
        {"tool_calls": [{"index": 0, "type": "function", "function": {"name": "t", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "type": "function", "function": {"arguments": '{"path": "'}}]},
        {"tool_calls": [{"index": 0, "type": "function", "function": {"arguments": 'a.py"}'}}]},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * 5 + ["tool_calls"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 10
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_usage_is_streamed_only_when_asked_for() -> None:
    with serving(model({"say": "hi"})) as client:
        assert [chunk["choices"] != [] for chunk in events(chat(client, stream=True).text)[:-1]] == [True, True]


def test_ids_are_the_same_in_every_run_and_differ_within_one() -> None:
    runs = []
    for _ in range(2):
        with serving(model({"say": "hi"})) as client:
            runs.append([chat(client).json()["id"] for _ in range(3)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3


def test_turns_are_played_by_the_conversation_and_used_up() -> None:
    script = model({"when": {"user": "read (?P<file>\\S+)"}, "say": "{{ match.file }}", "times": 1}, {"say": "no more"})
    with serving(script) as client:
        said = [
            chat(client, messages=[{"role": "user", "content": "read a.py"}]).json()["choices"][0]["message"]["content"]
            for _ in range(2)
        ]
    assert said == ["a.py", "no more"]


def test_a_script_that_has_nothing_to_say_says_why() -> None:
    with serving(model({"when": {"turn": 2}, "say": "hi"})) as client:
        response = chat(client)
    assert response.status_code == 400
    assert response.json() == {
        "error": "the script has no turn of `m` for this conversation (turn 1)\n"
        "  last message: user: hello\n"
        "  turns[0] wants turn 2, this is turn 1\n"
        "  add a turn that fits, or a `default`"
    }


def test_max_tokens_cut_the_answer() -> None:
    with serving(model({"say": "one two three four"})) as client:
        choice = chat(client, max_tokens=2).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two ", "length")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"messages": None}, "'messages' field is required"),
        ({"messages": "hello"}, "Invalid 'messages' in payload"),
        (
            {"tool_choice": {"type": "function"}},
            "Invalid tool_choice type: 'object'. Supported string values: none, auto, required",
        ),
        ({"response_format": {"type": "json_object"}}, "'response_format.type' must be 'json_schema' or 'text'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "audio"}]}]},
            "Invalid 'content': 'content' objects must have a 'type' field that is either 'text' or 'image_url'",
        ),
    ],
)
def test_requests_are_refused_in_the_words_of_lm_studio(body: dict[str, Any], text: str) -> None:
    with serving(model({"say": "hi"})) as client:
        response = chat(client, **body)
    assert (response.status_code, response.json()) == (400, {"error": text})


def test_images_need_a_model_that_sees() -> None:
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    with serving(model({"say": "hi"})) as client:
        assert chat(client, messages=image).json()["error"] == {
            "message": "The provided messages contain images, but m does not support image inputs.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "invalid_value",
        }
    with serving(model({"say": "hi"}, vision=True)) as client:
        assert chat(client, messages=image).status_code == 200


def test_bodies_that_are_no_json() -> None:
    with serving(model({"say": "hi"})) as client:
        for data in (b"{", b"[1]", b"[" * 100_000, b"\xff"):
            response = client.post("/v1/chat/completions", content=data, headers={"content-type": "application/json"})
            assert response.status_code == 400
            assert response.json()["error"].startswith("Malformed JSON in request body: ")
        response = client.post("/v1/chat/completions", content=b"{}")
        assert response.json() == {"error": "'messages' field is required"}


def test_half_characters_do_no_harm() -> None:
    script = model({"when": {"user": "(.+)"}, "say": "{{ match[1] }}"})
    half = b'{"model": "m", "stream": %s, "messages": [{"role": "user", "content": "a\\ud800"}]}'
    with serving(script) as client:
        for stream in (b"true", b"false"):
            headers = {"content-type": "application/json"}
            response = client.post("/v1/chat/completions", content=half % stream, headers=headers)
            assert response.status_code == 200
            assert "a?" in response.text


@pytest.mark.parametrize(
    ("version", "there"),
    [("0.4.25", [True, True, True]), ("0.3.20", [True, True, False]), ("0.3.5", [True, False, False])],
)
def test_the_version_decides_which_interfaces_exist(version: str, there: list[bool]) -> None:
    with serving({**model(), "settings": {"version": version}}) as client:
        answers = [client.get(path) for path in ("/v1/models", "/api/v0/models", "/api/v1/models")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert ["error" not in answer.json() for answer in answers] == there


def test_unknown_endpoints_and_methods_are_answered_with_200() -> None:
    with serving(model()) as client:
        asked = [("GET", "/"), ("POST", "/v1/models"), ("GET", "/v1/chat/completions"), ("GET", "/v1/responses")]
        for method, path in asked:
            response = client.request(method, path)
            assert response.status_code == 200
            assert response.json() == {"error": f"Unexpected endpoint or method. ({method} {path})"}
        assert client.get("/lmstudio-greeting").json() == {"lmstudio": True}


def test_the_lists_of_models() -> None:
    script = """
    models:
      qwen/qwen3-coder-30b:
        {size: 18GB, params: 30B, architecture: qwen3moe, max_context_length: 262144, loaded: {context_length: 8192},
         reasoning: {allowed_options: [low, high]}}
      mlx/seer: {type: vlm, format: mlx, quantization: 4bit, tool_use: false}
      nomic: {type: embedding, publisher: nomic-ai, max_context_length: 2048}
    """
    with serving(script) as client:
        openai = client.get("/v1/models").json()
        old = client.get("/api/v0/models").json()
        one = client.get("/api/v0/models/mlx/seer").json()
        none = client.get("/api/v0/models/other")
        new = client.get("/api/v1/models").json()
    assert [row["id"] for row in openai["data"]] == ["qwen/qwen3-coder-30b", "mlx/seer", "nomic"]
    assert openai["data"][0] == {"id": "qwen/qwen3-coder-30b", "object": "model", "owned_by": "organization_owner"}
    assert old["data"][0] == {
        "id": "qwen/qwen3-coder-30b",
        "object": "model",
        "type": "llm",
        "publisher": "qwen",
        "arch": "qwen3moe",
        "compatibility_type": "gguf",
        "quantization": "Q4_K_M",
        "state": "loaded",
        "max_context_length": 262144,
        "loaded_context_length": 8192,
        "capabilities": ["tool_use"],
    }
    assert one == old["data"][1]
    assert (one["type"], one["state"], "loaded_context_length" in one, "capabilities" in one) == (
        "vlm",
        "not-loaded",
        False,
        False,
    )
    assert (old["data"][2]["type"], none.status_code) == ("embeddings", 404)
    assert new["models"][0] == {
        "type": "llm",
        "publisher": "qwen",
        "key": "qwen/qwen3-coder-30b",
        "display_name": "Qwen3 Coder 30b",
        "architecture": "qwen3moe",
        "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
        "size_bytes": 18 * 1024**3,
        "params_string": "30B",
        "loaded_instances": [
            {
                "id": "qwen/qwen3-coder-30b",
                "config": {
                    "context_length": 8192,
                    "parallel": 4,
                    "eval_batch_size": 512,
                    "flash_attention": True,
                    "offload_kv_cache_to_gpu": True,
                },
            }
        ],
        "max_context_length": 262144,
        "format": "gguf",
        "capabilities": {
            "vision": False,
            "trained_for_tool_use": True,
            "reasoning": {"allowed_options": ["low", "high"], "default": "low"},
        },
        "description": None,
        "variants": ["qwen/qwen3-coder-30b@q4_k_m"],
        "selected_variant": "qwen/qwen3-coder-30b@q4_k_m",
    }
    assert (new["models"][1]["type"], new["models"][1]["capabilities"]["vision"]) == ("llm", True)
    assert (new["models"][2]["type"], "capabilities" in new["models"][2]) == ("embedding", False)


def test_without_loading_on_demand_only_loaded_models_are_listed() -> None:
    script = {"settings": {"jit": False}, "models": {"a": {"loaded": True}, "b": {}}}
    with serving(script) as client:
        client.post("/api/v1/models/load", json={"model": "a"})
        assert [row["id"] for row in client.get("/v1/models").json()["data"]] == ["a", "a:2"]
        assert [row["id"] for row in client.get("/api/v0/models").json()["data"]] == ["a", "a:2", "b"]


def test_load_and_unload() -> None:
    with serving({"models": {"a": {"turns": [{"say": "hi"}]}}}) as client:
        loaded = client.post("/api/v1/models/load", json={"model": "a", "context_length": 99, "echo_load_config": True})
        body = loaded.json()
        assert isinstance(body.pop("load_time_seconds"), float)
        assert (body["type"], body["instance_id"], body["status"]) == ("llm", "a", "loaded")
        assert body["load_config"]["context_length"] == 99
        assert client.post("/api/v1/models/load", json={"model": "a"}).json()["instance_id"] == "a:2"
        assert chat(client, model="a:2").json()["model"] == "a:2"
        assert client.post("/api/v1/models/unload", json={"instance_id": "a:2"}).json() == {"instance_id": "a:2"}
        assert client.post("/api/v1/models/unload", json={"instance_id": "a:2"}).status_code == 404
        assert [len(row["loaded_instances"]) for row in client.get("/api/v1/models").json()["models"]] == [1]


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        (
            "/api/v1/models/load",
            {"model": "m", "ttl": 3},
            400,
            {
                "message": "Unrecognized key(s) in object: 'ttl'",
                "type": "invalid_request",
                "code": "unrecognized_keys",
            },
        ),
        (
            "/api/v1/models/unload",
            {},
            400,
            {
                "message": "Missing required field 'instance_id'",
                "type": "invalid_request",
                "param": "instance_id",
                "code": "missing_required_parameter",
            },
        ),
        (
            "/api/v1/chat",
            {"model": "x", "input": "hi"},
            404,
            {
                "message": 'Invalid model identifier "x".',
                "type": "invalid_request",
                "param": "model",
                "code": "model_not_found",
            },
        ),
        (
            "/api/v1/chat",
            {"model": "m", "input": "hi", "reasoning": "off"},
            400,
            {
                "message": "Reasoning setting 'off' is not supported by model 'm'. Supported settings: 'low', 'high'.",
                "type": "invalid_request",
                "param": "reasoning",
                "code": "invalid_value",
            },
        ),
    ],
)
def test_the_native_interface_is_strict(path: str, body: dict[str, Any], status: int, error: dict[str, Any]) -> None:
    with serving(model(reasoning={"allowed_options": ["low", "high"]})) as client:
        response = client.post(path, json=body)
    assert (response.status_code, response.json()) == (status, {"error": error})


def test_a_model_that_cannot_be_loaded() -> None:
    with serving({"models": {"a": {"load_error": "insufficient system resources"}}}) as client:
        explicit = client.post("/api/v1/models/load", json={"model": "a"})
        on_demand = chat(client, model="a")
    assert (explicit.status_code, explicit.json()) == (
        500,
        {
            "error": {
                "type": "model_load_failed",
                "message": "Failed to load LLM 'a': Error: insufficient system resources",
            }
        },
    )
    assert (on_demand.status_code, on_demand.json()) == (
        400,
        {"error": {"message": 'Failed to load model "a". Error: Failed to load model.'}},
    )


def test_loading_on_demand_evicts_the_one_before() -> None:
    turns = [{"say": "hi"}]
    with serving({"models": {"a": {"turns": turns, "load_time": "20ms"}, "b": {"turns": turns}}}) as client:
        answered = [chat(client, model=name).json()["model"] for name in ("a", "b")]
        loaded = [row["id"] for row in client.get("/api/v0/models").json()["data"] if row["state"] == "loaded"]
    assert (answered, loaded) == (["a", "b"], ["b"])


def test_another_model_answers_for_one_that_nobody_has() -> None:
    with serving(model({"say": "hi"})) as client:
        response = chat(client, model="other")
    assert (response.status_code, response.json()["model"]) == (200, "m")


def test_an_eviction_ends_the_answer_of_another() -> None:
    slow = {"turns": [{"say": "many words " * 100}], "tokens_per_second": 100}
    with serving({"models": {"a": slow, "b": {"turns": [{"say": "hi"}]}}}) as client:
        body = {"model": "a", "messages": HELLO, "stream": True}
        with client.stream("POST", "/v1/chat/completions", json=body) as response:
            lines = response.iter_lines()
            next(lines)
            assert chat(client, model="b").status_code == 200
            rest = list(lines)
    assert rest[-3:-1] == [
        "event: error",
        'data: {"error":{"message":"Model unloaded."},"message":"Model unloaded."}',
    ]


def test_tokens() -> None:
    with serving({"settings": {"token": "sk-lm-12345678:abcdefghijklmnopqrst"}, **model({"say": "hi"})}) as client:
        missing = client.get("/v1/models")
        wrong = client.get("/v1/models", headers={"authorization": "Bearer sk-bogus-EXAMPLE"})
        right = client.get("/v1/models", headers={"authorization": "Bearer sk-lm-12345678:abcdefghijklmnopqrst"})
        greeting = client.get("/lmstudio-greeting")
    assert [response.status_code for response in (missing, wrong, right, greeting)] == [401, 401, 200, 200]
    assert missing.json()["error"]["message"].startswith(
        "An LM Studio API token is required to make requests to this server, but none was provided"
    )
    assert wrong.json() == {
        "error": {
            "message": "Malformed LM Studio API token provided: sk-bogus-E**** Ensure you are using a valid token.",
            "type": "invalid_request",
            "code": "invalid_api_key",
        }
    }


def test_a_text_beyond_the_context_is_embedded_as_its_beginning() -> None:
    loaded = {"context_length": 2}
    with serving({"models": {"nomic": {"type": "embedding", "loaded": loaded}}}) as client:
        texts = ["12345678", "12345678 and more", "1234567"]
        body = client.post("/v1/embeddings", json={"model": "nomic", "input": texts}).json()
    whole, cut, shorter = [row["embedding"] for row in body["data"]]
    assert whole == cut != shorter


def test_embeddings() -> None:
    script = {"models": {"nomic": {"type": "embedding", "dimensions": 100}}}
    with serving(script) as client:
        body = client.post("/v1/embeddings", json={"model": "nomic", "input": ["a", "b", "a"]}).json()
        bad = client.post("/v1/embeddings", json={"model": "nomic", "input": [1]})
    vectors = [row["embedding"] for row in body["data"]]
    assert vectors[0] == vectors[2] != vectors[1]
    assert [len(vector) for vector in vectors] == [100, 100, 100]
    assert sum(number**2 for number in vectors[0]) == pytest.approx(1, abs=1e-4)
    assert (body["model"], body["usage"]) == ("nomic", {"prompt_tokens": 0, "total_tokens": 0})
    assert bad.status_code == 400


def test_completions() -> None:
    with serving(model({"when": {"user": "^Once"}, "say": "upon a time", "chunk": 5})) as client:
        whole = client.post("/v1/completions", json={"model": "m", "prompt": "Once"}).json()
        body = {"model": "m", "prompt": "Once", "stream": True, "stream_options": {"include_usage": True}}
        stream = events(client.post("/v1/completions", json=body).text)
        missing = client.post("/v1/completions", json={"model": "m"})
    assert whole["object"] == "text_completion"
    assert whole["choices"] == [{"index": 0, "text": "upon a time", "logprobs": None, "finish_reason": "stop"}]
    assert whole["usage"] == {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    assert "".join(chunk["choices"][0]["text"] for chunk in stream[:-2]) == "upon a time"
    assert (stream[-2]["usage"]["total_tokens"], stream[-1]) == (4, "[DONE]")
    assert missing.json() == {"error": "'prompt' field is required"}


def test_v0_tells_more_of_an_answer() -> None:
    with serving(model({"say": "hi"})) as client:
        body = chat(client, "/api/v0/chat/completions").json()
    assert body["stats"]["stop_reason"] == "eosFound"
    assert body["model_info"] == {"arch": "llama", "quant": "Q4_K_M", "format": "gguf", "context_length": 4096}
    assert body["choices"][0]["message"]["content"] == "hi"


def test_native_chat() -> None:
    turn = {"when": {"system": "brief", "user": "hello"}, "say": "hi", "reasoning": "Hm.", "call": [{"tool": "x"}]}
    asked = {"model": "m", "input": [{"type": "text", "content": "hello"}], "system_prompt": "be brief"}
    with serving(model(turn)) as client:
        whole = client.post("/api/v1/chat", json=asked).json()
        unstored = client.post("/api/v1/chat", json={**asked, "store": False}).json()
        streamed = client.post("/api/v1/chat", json={**asked, "stream": True}).text
    assert re.fullmatch(r"resp_[0-9a-f]{48}", whole.pop("response_id"))
    assert "response_id" not in unstored
    assert whole["output"] == [
        {"type": "reasoning", "content": "Hm."},
        {
            "type": "invalid_tool_call",
            "reason": "Cannot find tool with name x.",
            "metadata": {"type": "invalid_name", "tool_name": "x"},
        },
        {"type": "message", "content": "hi"},
    ]
    assert whole["stats"]["total_output_tokens"] == 3
    assert [event["type"] for event in events(streamed)] == [
        "chat.start",
        "prompt_processing.start",
        "prompt_processing.progress",
        "prompt_processing.end",
        "reasoning.start",
        "reasoning.delta",
        "reasoning.end",
        "message.start",
        "message.delta",
        "message.end",
        "chat.end",
    ]
    assert events(streamed)[-1]["result"]["output"] == whole["output"]


def fault(name: Any) -> dict[str, Any]:
    return model({"say": "one two three four", "chunk": 4, "fault": name})


def test_faults_of_streams() -> None:
    with serving(fault("no_finish")) as client:
        chunks = events(chat(client, stream=True).text)
        assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "one two three four"
        assert {chunk["choices"][0]["finish_reason"] for chunk in chunks} == {None}
    with serving(fault("empty")) as client:
        assert [chunk["choices"][0]["delta"] for chunk in events(chat(client, stream=True).text)[:-1]] == [{}]
    with serving(fault({"wrong_model": "other"})) as client:
        assert events(chat(client, stream=True).text)[0]["model"] == "other"
    with serving(fault({"error_event": "The model has crashed."})) as client:
        response = chat(client, stream=True)
        assert response.status_code == 200
        assert response.text.endswith(
            'event: error\ndata: {"error":{"message":"The model has crashed."},"message":"The model has crashed."}\n\n'
        )
        assert "one" in response.text
    with serving(fault("cut")) as client, pytest.raises(httpx.RemoteProtocolError):
        chat(client, stream=True)
    with serving(fault("stall")) as client:
        body = {"model": "m", "messages": HELLO, "stream": True}
        with client.stream("POST", "/v1/chat/completions", json=body, timeout=0.3) as response:
            seen = []
            with pytest.raises(httpx.ReadTimeout):
                seen.extend(response.iter_lines())
        assert response.status_code == 200


def test_faults_of_whole_answers() -> None:
    with serving(fault("no_finish")) as client:
        assert chat(client).json()["choices"][0]["finish_reason"] is None
    with serving(fault("empty")) as client:
        assert chat(client).json()["choices"][0]["message"]["content"] == ""
    with serving(fault({"wrong_model": "other"})) as client:
        assert chat(client).json()["model"] == "other"
    with serving(fault({"error_event": "The model has crashed."})) as client:
        response = chat(client)
        assert (response.status_code, response.json()) == (400, {"error": "The model has crashed."})
    with serving(fault("cut")) as client, pytest.raises(httpx.RemoteProtocolError):
        chat(client)
    with serving(fault("stall")) as client, pytest.raises(httpx.ReadTimeout):
        client.post("/v1/chat/completions", json={"model": "m", "messages": HELLO}, timeout=0.3)
    for stream in (True, False):
        with serving(fault({"error": {"status": 503, "body": "<h1>Bad gateway</h1>"}})) as client:
            response = chat(client, stream=stream)
            assert (response.status_code, response.text) == (503, "<h1>Bad gateway</h1>")
        with serving(fault({"error": {}})) as client:
            assert (chat(client).status_code, chat(client).json()) == (500, {"error": "status 500 by the script"})


def test_requests_beyond_parallel_wait_for_a_slot(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = model({"when": {"user": "slow"}, "say": "a", "fault": "stall"}, {"say": "quick"}, parallel=1)
    slow = {"model": "m", "messages": [{"role": "user", "content": "slow"}], "stream": True}
    with serving(script, log=log) as client, httpx.Client(base_url=client.base_url, timeout=20) as second:
        answers: list[str] = []
        with client.stream("POST", "/v1/chat/completions", json=slow) as response:
            assert response.status_code == 200
            waiter = threading.Thread(
                target=lambda: answers.append(chat(second).json()["choices"][0]["message"]["content"])
            )
            waiter.start()
            waiter.join(0.2)
            assert answers == []
        waiter.join()
        assert answers == ["quick"]
        eventually(lambda: len(log.read_text().splitlines()) == 2)
    assert {line["turn"] for line in map(json.loads, log.read_text().splitlines())} == {"turns[0]", "turns[1]"}


def test_the_log_has_a_line_for_each_request(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(model({"say": "hi"}), log=log) as client:
        chat(client)
        client.get("/nowhere")
        eventually(lambda: len(log.read_text().splitlines()) == 2)
    first, second = map(json.loads, log.read_text().splitlines())
    assert isinstance(first.pop("seconds"), float)
    assert first == {
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "model": "m",
        "turn": "turns[0]",
        "fault": None,
        "request": {"model": "m", "messages": HELLO},
    }
    assert (second["status"], second["path"], second["request"]) == (200, "/nowhere", None)


def test_a_pace_is_kept_and_everything_arrives() -> None:
    with serving(model({"say": "one two three four"}, tokens_per_second=200, first_token="10ms")) as client:
        chunks = events(chat(client, stream=True).text)
        assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1]) == "one two three four"
        assert chat(client).json()["choices"][0]["message"]["content"] == "one two three four"


def test_closing_does_not_wait_for_answers() -> None:
    with serving(model({"say": "a", "fault": "stall"})) as client:
        request = client.build_request("POST", "/v1/chat/completions", json={"messages": HELLO, "stream": True})
        response = client.send(request, stream=True)
    with pytest.raises(httpx.HTTPError):
        response.read()


def test_in_a_loop_that_runs_already() -> None:
    async def ask() -> tuple[int, str]:
        script = parse_script(json.dumps(model({"say": "hi"})), "script.yaml")
        async with Simulator(script) as server, httpx.AsyncClient(base_url=server.url) as client:
            response = await client.get("/v1/models")
        return response.status_code, server.url

    status, url = asyncio.run(ask())
    assert status == 200
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)


def test_starting_fails_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text("models: {}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OutsideError) as caught:
            start_in_thread(str(path), port=port)
    assert str(caught.value).startswith(f"the simulator cannot listen on 127.0.0.1:{port}: ")
    with pytest.raises(UsageError) as unwritable:
        start_in_thread(str(path), log=str(tmp_path / "none" / "log"))
    assert str(unwritable.value) == f"the log {tmp_path}/none/log cannot be written: No such file or directory"
    with pytest.raises(WorkflowError):
        start_in_thread(str(tmp_path / "other.yaml"))


def test_a_handle_may_be_closed_twice(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text("models: {}")
    handle = start_in_thread(str(path))
    assert httpx.get(f"{handle.url}/v1/models").json() == {"data": [], "object": "list"}
    handle.close()
    handle.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(handle.url)
