"""Every complaint that model servers are known for, and what we make of it."""

from __future__ import annotations

import json

import pytest

from runner.edges.model_server.errors import classify, retry_seconds
from runner.words import errors

WHERE = "http://127.0.0.1:1234"
NAME = f"`qwen3` on {WHERE}"


def flat(text):
    return {"error": text}


def nested(message, **fields):
    return {"error": {"message": message, "type": "invalid_request_error", **fields}}


ENGINE_POOL = (
    'Engine protocol predict stream returned an error: '
    '{"code":500,"message":"Context size has been exceeded.","type":"server_error"}'
)  # fmt: skip
ENGINE_REQUEST = (
    'Engine protocol predict request returned 400: {"error":{"code":400,"message":"request (17246 tokens) exceeds the '
    'available context size (8192 tokens), try increasing it","type":"exceed_context_size_error"}}'
)
MEMORY = (
    "Failed to load LLM 'x': Error: Model loading was stopped due to insufficient system resources. "
    "Under the current settings, this model requires approximately 80 GB of memory"
)

CATALOGUE = [
    # what the prompt's length leads to
    (400, flat(ENGINE_POOL), "context"),
    (400, flat(ENGINE_REQUEST), "context"),
    (200, flat("Input does not fit in context length. The input has 31430 tokens"), "context"),
    (
        400,
        flat("Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded"),
        "context",
    ),
    (400, flat("Cannot truncate prompt with n_keep (4270) >= n_ctx (4096)"), "context"),
    (400, flat("The number of tokens to keep from the initial prompt is greater than the context length"), "context"),
    (400, nested("request (30015 tokens) exceeds the available context size (2048 tokens)"), "context"),
    (
        400,
        {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400},
        "context",
    ),
    # the engine
    (400, flat("The model has crashed without additional information. (Exit code: null)"), "crash"),
    (400, flat("The model has crashed without additional information. (Exit code: 18446744072635812000)"), "crash"),
    (
        200,
        {"error": {"message": "The model has crashed. (Exit code: 6)"}, "message": "The model has crashed."},
        "crash",
    ),
    (500, flat("llama runner process has terminated: signal: killed"), "crash"),
    (400, flat("Model unloaded."), "crash"),
    (200, {"error": {"message": "Model is unloaded."}}, "crash"),
    (
        400,
        nested("No models loaded. Please load a model in the developer page or use the 'lms load' command."),
        "server",
    ),
    (400, {"error": {"message": 'Failed to load model "x". Error: Failed to load model.'}}, "server"),
    (500, {"error": {"type": "model_load_failed", "message": MEMORY}}, "overloaded"),
    (500, flat("model requires more system memory (20.1 GiB) than is available (9.9 GiB)"), "overloaded"),
    (500, flat("CUDA error: out of memory"), "overloaded"),
    (400, flat("peer_keepalive_timeout"), "connection"),
    (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, "server"),
    (200, flat("The model produced output that does not match the expected peg-native format"), "server"),
    # the model's name
    (
        400,
        nested('Invalid model identifier "x". Please specify a valid one', code="model_not_found"),
        "model_not_found",
    ),
    (400, nested("Multiple models are loaded. Please specify a model", code="model_not_found"), "model_not_found"),
    (400, flat("Invalid model identifier 'x'. There are no downloaded llm models."), "model_not_found"),
    (404, flat('Model "x" not found. Please specify a valid model.'), "model_not_found"),
    (404, {"error": {"message": 'model "x" not found, try pulling it first', "type": "api_error"}}, "model_not_found"),
    (404, {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError"}, "model_not_found"),
    # the request
    (400, flat("'messages' field is required"), "request"),
    (400, flat("Invalid tool_choice type: 'object'. Supported string values: none, auto, required"), "request"),
    (400, flat("'response_format.type' must be 'json_schema' or 'text'"), "request"),
    (400, flat("Invalid 'content': 'content' objects must have a 'type' field"), "request"),
    (400, nested("The provided messages contain images, but X does not support image inputs."), "request"),
    (400, flat('Error rendering prompt with jinja template: "Conversation roles must alternate".'), "request"),
    (400, flat("Failed to initialize samplers: failed to parse grammar"), "request"),
    (400, nested("Unrecognized key(s) in object: 'ttl'", code="unrecognized_keys"), "request"),
    (422, {"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}, "request"),
    (200, flat("Unexpected endpoint or method. (POST /v1/chat/completions)"), "request"),
    (404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}, "request"),
    (405, {"detail": "Method Not Allowed"}, "request"),
    # the rest is told by the status
    (401, nested("Invalid API Key", code=401), "auth"),
    (403, nested("Permission denied to use plugin 'mcp/playwright'."), "auth"),
    (401, "", "auth"),
    (429, flat("busy"), "rate_limit"),
    (408, "", "timeout"),
    (504, "<html><title>504 Gateway Time-out</title></html>", "timeout"),
    (502, "<html><title>502 Bad Gateway</title></html>", "server"),
    (500, "Internal Server Error", "server"),
    (500, {"type": "error", "error": {"type": "api_error", "message": "boom"}}, "server"),
    (500, "", "server"),
    (500, [], "server"),
    (500, {"error": {"message": None}}, "server"),
    (500, "[" * 100_000, "server"),
]

CLASSES = {
    "context": errors.ContextError, "crash": errors.LLMResponseError, "server": errors.LLMResponseError,
    "overloaded": errors.ModelMemoryError, "connection": errors.LLMConnectionError,
    "model_not_found": errors.ModelNotFoundError, "request": errors.LLMValidationError,
    "auth": errors.LLMAuthenticationError, "rate_limit": errors.LLMRateLimitError, "timeout": errors.LLMTimeoutError,
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind"), CATALOGUE)
def test_catalogue(status, body, kind):
    raw = body if isinstance(body, str) else json.dumps(body, indent=2)
    error = classify(status=status, body=raw.encode(), model="qwen3", where=WHERE)
    assert (error.kind, type(error)) == (kind, CLASSES[kind])
    assert len(str(error)) < 600
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, flat("boom"), f"{NAME} refuses the request: boom"),
        (500, nested("boom"), f"{NAME} failed: boom"),
        (500, {"type": "error", "error": {"type": "api_error", "message": "boom"}}, f"{NAME} failed: boom"),
        (200, {"error": {"message": "boom"}, "message": "boom"}, f"{NAME} failed: boom"),
        (400, flat(ENGINE_POOL), f"{NAME} has no room for the prompt: Context size has been exceeded."),
        (
            422,
            {"detail": [{"msg": "Field required"}, {"msg": "Bad"}]},
            f"{NAME} refuses the request: Field required; Bad",
        ),
        (500, "Internal Server Error", f"{NAME} failed: Internal Server Error"),
        (502, "<html><title>502\nBad Gateway</title></html>", f"{NAME} failed: a web page titled “502 Bad Gateway”"),
        (502, "<html>no title</html>", f"{NAME} failed: a web page"),
        (503, "", f"{NAME} failed (HTTP status 503, no text)"),
        (500, {"what": "odd"}, f'{NAME} failed: {{"what": "odd"}}'),
        (500, "x" * 500, f"{NAME} failed: {'x' * 399}…"),
    ],
)
def test_every_shape_of_body_gives_its_text(status, body, message):
    assert str(classify(status=status, body=body, model="qwen3", where=WHERE)) == message


def test_what_to_do_is_said():
    error = classify(status=500, body=flat(MEMORY), model="qwen3", where=WHERE)
    assert error.hint == (
        "unload other models, or load it with a smaller `context_length` or a smaller quantization"
    )  # fmt: skip


def test_an_unknown_model_brings_the_near_names():
    body = nested('Invalid model identifier "qwen3".', code="model_not_found")
    error = classify(status=400, body=body, model="qwen3", where=WHERE, available=("qwen/qwen3-8b", "gemma"))
    assert isinstance(error, errors.ModelNotFoundError)
    assert (error.nearest, error.hint) == (("qwen/qwen3-8b",), f'{WHERE} says: Invalid model identifier "qwen3".')


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_was_asked_for_is_carried(status):
    error = classify(status=status, body="", model="qwen3", where=WHERE, retry_after=4.0)
    assert isinstance(error, errors.LLMRateLimitError)
    assert error.retry_after == 4.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 50.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after(header, seconds):
    assert retry_seconds(header, now=10.0) == seconds
