"""``/v1/completions``, ``/v1/responses`` and ``/v1/embeddings``: what is sent, what is read, and what is a failure."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from kit.raw_server import CUT, STALL, raw_server, reply, unexpected

from runner.chat.messages import ToolCall, Usage
from runner.edges.model_server.lmstudio import HttpBackend
from runner.edges.model_server.plain import PlainAnswer, PlainRequest, Vectors
from runner.words import errors

MODEL = "google/gemma-3-1b"
RECORDED = json.loads("""
{"id":"resp_8a73be9902d851199dc55384bd20116ca1af70e93d2468e8","object":"response","created_at":1773948900,
 "completed_at":1773948900,"status":"completed","incomplete_details":null,"model":"google/gemma-3-1b",
 "previous_response_id":null,"instructions":"…","output":[
   {"id":"rs_x1","type":"reasoning","summary":[],"encrypted_content":null,
    "content":[{"type":"reasoning_text","text":"One and one."}]},
   {"id":"msg_pimlrp7xlaq2rakd15j0at","type":"message","role":"assistant","status":"completed",
    "content":[{"type":"output_text","text":"2\\n","annotations":[],"logprobs":[]}]},
   {"id":"fc_x2","type":"function_call","call_id":"482913374","name":"get_weather",
    "arguments":"{\\"city\\":\\"Paris\\"}","status":"completed"}],
 "error":null,"tools":[],"tool_choice":"auto","truncation":"auto","parallel_tool_calls":true,
 "text":{"format":{"type":"text"}},"top_p":false,"presence_penalty":0,"frequency_penalty":1.1,"top_logprobs":5,
 "temperature":0,"reasoning":{"summary":null,"effort":null},
 "usage":{"input_tokens":30,"output_tokens":3,"total_tokens":33,"input_tokens_details":{"cached_tokens":4},
 "output_tokens_details":{"reasoning_tokens":1}},"max_output_tokens":null,"store":true}
""")
COMPLETION = {
    "id": "cmpl-p9rt", "object": "text_completion", "created": 1, "model": MODEL,
    "choices": [{"index": 0, "text": " to find", "logprobs": None, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14},
}  # fmt: skip
EMBEDDING = {
    "object": "list", "model": MODEL + "@q4_k_m", "usage": {"prompt_tokens": 0, "total_tokens": 0},
    "data": [
        {"object": "embedding", "embedding": [0, 1.5], "index": 1},
        {"object": "embedding", "embedding": [-0.25, 0.5], "index": 0},
    ],
}  # fmt: skip
KINDS = ("complete", "respond", "embed")


def answer(status: int, body: Any) -> Any:
    return reply(body, status=status)


def asked(kind: str, script: Any, *, body: dict[str, Any] | None = None, seconds: float = 20) -> tuple[Any, list[Any]]:
    """What comes of a server that answers so, and the requests that it heard."""

    async def story() -> tuple[Any, list[Any]]:
        async with raw_server(script) as server:
            backend = HttpBackend(server.url)
            try:
                request = PlainRequest(model=MODEL, body=body or {}, seconds=seconds)
                more = (2,) if kind == "embed" else ()
                return await getattr(backend, kind)(request, *more), server.heard
            finally:
                await backend.close()

    return asyncio.run(story())


def test_a_completion_is_read() -> None:
    said, heard = asked("complete", answer(200, COMPLETION), body={"prompt": "I want", "max_tokens": 9})
    assert said == PlainAnswer(model=MODEL, text=" to find", finish_reason="length", usage=Usage(5, 9))
    assert (heard[0].method, heard[0].path) == ("POST", "/v1/completions")
    assert heard[0].json == {"prompt": "I want", "max_tokens": 9, "model": MODEL}


def test_a_recorded_response_is_read_with_its_oddities() -> None:
    said, heard = asked("respond", answer(200, RECORDED), body={"input": "1+1"})
    assert said == PlainAnswer(
        model=MODEL,
        text="2\n",
        reasoning="One and one.",
        tool_calls=(ToolCall("482913374", "get_weather", '{"city":"Paris"}'),),
        finish_reason="tool_calls",
        usage=Usage(30, 3, 1, 4),
        id=RECORDED["id"],
    )
    assert heard[0].path == "/v1/responses"


def test_vectors_are_read_in_the_order_of_the_texts() -> None:
    said, heard = asked("embed", answer(200, EMBEDDING), body={"input": ["a", "b"]})
    assert said == Vectors(model=MODEL + "@q4_k_m", vectors=((-0.25, 0.5), (0.0, 1.5)))
    assert heard[0].path == "/v1/embeddings"


def response(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**RECORDED, "output": list(output), **more}


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "output_text", "text": text}]}


def test_a_response_that_was_cut_is_said_to_be() -> None:
    said, _ = asked("respond", answer(200, response(message("Once"), status="incomplete")))
    assert (said.text, said.finish_reason) == ("Once", "length")


@pytest.mark.parametrize(
    ("text", "reasoning", "rest"),
    [
        ("<think>Hm.</think>Two.", "Hm.", "Two."),
        ("Hm.\n</think>\n\nTwo.", "Hm.", "Two."),
        ("<|channel|>analysis<|message|>Hm.<|end|><|channel|>final<|message|>Two.", "Hm.", "Two."),
    ],
)
def test_thinking_in_the_text_is_moved_where_it_belongs(text: str, reasoning: str, rest: str) -> None:
    said, _ = asked("respond", answer(200, response(message(text))))
    assert (said.reasoning.strip(), said.text.strip()) == (reasoning, rest)


def test_parts_of_other_servers_are_read_too() -> None:
    items = (
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Short."}]},
        {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]},
        {"type": "function_call", "id": "fc_1", "name": "a", "arguments": {"b": 1}},
        {"type": "function_call", "name": "c"},
        {"type": "web_search_call"},
        "noise",
    )
    said, _ = asked("respond", answer(200, response(*items, usage=None, id=None, model=None)))  # type: ignore[arg-type]
    assert (said.reasoning, said.text, said.model, said.id) == ("Short.", "No.", MODEL, None)
    assert said.tool_calls == (ToolCall("fc_1", "a", '{"b": 1}'), ToolCall("call_3", "c", "{}"))
    assert said.usage == Usage()


@pytest.mark.parametrize(
    ("kind", "said", "told"),
    [
        (
            "complete",
            "has no /v1/completions: it offers no text completions",
            "use `chat_completion`, with the prompt as the message of a user",
        ),
        (
            "respond",
            "has no /v1/responses: it offers no responses, which came with LM Studio 0.3.29",
            "use `chat_completion`, with the whole conversation in `messages`; or update the server",
        ),
        ("embed", "has no /v1/embeddings: it offers no embeddings", "name a server that has an embedding model"),
    ],
)
@pytest.mark.parametrize("status", [200, 404, 405])
def test_a_server_without_the_route_is_told_with_what_to_use(kind: str, said: str, told: str, status: int) -> None:
    script = unexpected if status == 200 else answer(status, {"detail": "Not Found"})
    with pytest.raises(errors.LLMValidationError) as missing:
        asked(kind, script)
    assert missing.value.message.endswith(said)
    assert missing.value.hint == told


def openai(text: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": text, "type": "invalid_request_error", "param": "model", "code": None, **more}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "body", "error", "failure"),
    [
        (401, openai("no", code="invalid_api_key"), errors.LLMAuthenticationError, "auth"),
        (400, openai("Invalid model identifier", code="model_not_found"), errors.ModelNotFoundError, "model_not_found"),
        (404, {"error": "model 'x' not found"}, errors.ModelNotFoundError, "model_not_found"),
        (400, {"error": "The model has crashed without additional information."}, errors.LLMResponseError, "crash"),
        (400, openai("No models loaded."), errors.LLMResponseError, "server"),
        (400, {"error": "insufficient system resources"}, errors.ModelMemoryError, "overloaded"),
        (503, {"error": "Service Unavailable"}, errors.LLMResponseError, "server"),
        (429, {"error": "Too Many Requests"}, errors.LLMRateLimitError, "rate_limit"),
        (200, {"error": "request exceeds the available context size"}, errors.ContextError, "context"),
        (502, "<html><title>502 Bad Gateway</title></html>", errors.LLMResponseError, "server"),
    ],
)  # fmt: skip
def test_complaints_are_sorted_as_those_of_a_chat(
    kind: str, status: int, body: Any, error: type[errors.LLMError], failure: str
) -> None:
    with pytest.raises(error) as refused:
        asked(kind, answer(status, body))
    assert refused.value.kind == failure


def test_a_response_before_that_is_not_known_is_told() -> None:
    body = openai("Previous response with id 'resp_1' not found.", code="previous_response_not_found")
    with pytest.raises(errors.LLMValidationError) as unknown:
        asked("respond", answer(404, body), body={"previous_response_id": "resp_1"})
    assert "does not know the response `resp_1`" in unknown.value.message
    assert unknown.value.hint == "leave `previous_response_id` out and send the whole conversation as `input`"


def test_a_chat_model_that_is_to_embed_is_told() -> None:
    with pytest.raises(errors.LLMValidationError) as wrong:
        asked("embed", answer(400, openai(f"Model '{MODEL}' is not an embedding model.")))
    assert wrong.value.hint == "name an embedding model: `list_models` tells their `type`"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("complete", {**COMPLETION, "model": "another/model"}),
        ("respond", {**RECORDED, "model": "another/model"}),
        ("embed", {**EMBEDDING, "model": "another/model"}),
    ],
)
def test_another_model_that_answers_is_an_error(kind: str, body: Any) -> None:
    with pytest.raises(
        errors.LLMResponseError, match="`google/gemma-3-1b` was asked, but `another/model` answered"
    ) as w:
        asked(kind, answer(200, body))
    assert w.value.kind == "wrong_model"


@pytest.mark.parametrize(
    ("kind", "body", "failure", "said"),
    [
        ("complete", {**COMPLETION, "choices": []}, "server", "answered something that is no answer"),
        ("complete", {**COMPLETION, "choices": [{"text": "x", "finish_reason": None}]}, "connection", "not finished"),
        ("complete", {**COMPLETION, "choices": [{"text": "", "finish_reason": "stop"}]}, "empty", "said nothing"),
        ("complete", {**COMPLETION, "choices": [{"text": "", "finish_reason": "length"}]}, "limit", "before it said"),
        ("respond", {"object": "response"}, "server", "answered something that is no answer"),
        ("respond", response(message("x"), status="in_progress"), "connection", "not finished"),
        ("respond", response(message(" ")), "empty", "said nothing"),
        ("respond", response(RECORDED["output"][0]), "empty", "only thought and did not answer"),
        ("respond", response(RECORDED["output"][0], status="incomplete"), "limit", "while thinking"),
        ("respond", response(error={"message": "Model unloaded."}, status="failed"), "crash", "was unloaded"),
        ("embed", {**EMBEDDING, "data": EMBEDDING["data"][:1]}, "server", "given 2 texts and sent back 1 vectors"),
        ("embed", {**EMBEDDING, "data": [{"embedding": "AAAA"}, {"embedding": [1]}]}, "server", "what is no vector"),
        ("embed", {**EMBEDDING, "data": [{"embedding": [True]}, {"embedding": []}]}, "server", "what is no vector"),
    ],
)  # fmt: skip
def test_what_is_no_whole_answer_is_a_failure(kind: str, body: Any, failure: str, said: str) -> None:
    with pytest.raises(errors.LLMResponseError, match=said) as broken:
        asked(kind, answer(200, body))
    assert broken.value.kind == failure


@pytest.mark.parametrize("kind", KINDS)
def test_silence_and_a_lost_connection_are_told(kind: str) -> None:
    with pytest.raises(errors.LLMTimeoutError, match=r"did not answer within 0\.1 s"):
        asked(kind, [STALL], seconds=0.1)
    with pytest.raises(errors.LLMConnectionError):
        asked(kind, [CUT])
