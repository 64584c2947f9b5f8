"""What the server refuses, word for word as LM Studio 0.4 says it.

The texts are those of captures and issue reports (jmgirard/rlmstudio's recorded fixtures, LM Studio's bug tracker
numbers 670, 1057, 1217, 1323, 1342, 1628, 1631, 1730, 2057, 2182, 2220, 2322) and of LM Studio's documentation; where
nobody has published one, the nearest shape is used, and the function says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

DOCS = "https://lmstudio.ai/docs/developer/core/authentication"
MODEL_UNLOADED = "Model unloaded."
CRASHED = "The model has crashed without additional information. (Exit code: 6)"
POOL_FULL = (
    "Engine protocol predict stream returned an error: "
    '{"code":500,"message":"Context size has been exceeded.","type":"server_error"}'
)
TEMPLATE = (
    'Error rendering prompt with jinja template: "Conversation roles must alternate user/assistant/user/assistant/...".'
    "\n\nThis is usually an issue with the model's prompt template. If you are using a popular model, you can try to "
    "search the model under lmstudio-community, which will have fixed prompt templates."
)
GRAMMAR = "Failed to initialize samplers: failed to parse grammar"
NOT_PARSED = "The model produced output that does not match the expected peg-native format"
PEER_LOST = "peer_keepalive_timeout"
HTML_PAGE = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class Refusal(Exception):  # noqa: N818 - it never leaves the simulator: it is an answer of the server
    """An answer other than the one asked for: an HTTP status and a JSON body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(body)
        self.status = status
        self.body = body

    @property
    def text(self) -> str:
        """The message alone, as an ``event: error`` says it."""
        error = self.body.get("error") if isinstance(self.body, dict) else self.body
        return str(error.get("message", error) if isinstance(error, dict) else error)


def unexpected(method: str, path: str) -> Refusal:
    """An unknown route or a wrong method: status 200, as the real one."""
    return plain(f"Unexpected endpoint or method. ({method} {path})", status=200)


def plain(text: str, *, status: int = 400) -> Refusal:
    """The shape ``{"error": "text"}`` of validation and engine failures."""
    return Refusal(status, {"error": text})


def openai(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> Refusal:
    """The shape of model errors under ``/v1``."""
    return Refusal(
        status, {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}
    )


def native(message: str, *, code: str, param: str | None = None, status: int = 400) -> Refusal:
    """The shape of errors under ``/api/v1``."""
    error: dict[str, Any] = {"message": message, "type": "invalid_request"}
    if param is not None:
        error["param"] = param
    return Refusal(status, {"error": {**error, "code": code}})


def no_token() -> Refusal:
    """No ``Authorization: Bearer`` although the server wants a token."""
    return native(
        "An LM Studio API token is required to make requests to this server, but none was provided using the "
        "Authorization header using the 'Bearer' scheme (i.e., 'Authorization: Bearer $LM_API_TOKEN'). "
        f"Learn more at: {DOCS}.",
        code="invalid_api_key",
        status=401,
    )


def wrong_token(token: str) -> Refusal:
    """A token that is not the server's. That a well-formed one is refused in the same words is a guess."""
    return native(
        f"Malformed LM Studio API token provided: {token[:10]}**** Ensure you are using a valid token.",
        code="invalid_api_key",
        status=401,
    )


def bad_json(detail: str) -> Refusal:
    """A body that is no JSON. A guess: nobody has published what the real one says."""
    return plain(f"Malformed JSON in request body: {detail}")


def unknown_model(name: str, downloaded: Iterable[str], kind: str = "llm") -> Refusal:
    """A name that nothing downloaded has, while several models are loaded."""
    known = list(downloaded)
    if not known:
        text = f"Invalid model identifier '{name}'. There are no downloaded {kind} models."
    else:
        shown = ", ".join([*known[:3], *(["…"] if len(known) > 3 else [])])
        text = f'Invalid model identifier "{name}". Please specify a valid downloaded model (e.g., {shown}).'
    return openai(text, param="model", code="model_not_found")


def which_model() -> Refusal:
    """No name, while several models are loaded."""
    return openai(
        "Multiple models are loaded. Please specify a model by providing a 'model' field.",
        param="model",
        code="model_not_found",
    )


def nothing_loaded(status: int = 400) -> Refusal:
    """Nothing is loaded that could answer; ``status`` was 404 up to version 0.3.5."""
    return openai(
        "No models loaded. Please load a model in the developer page or use the 'lms load' command.",
        param="model",
        status=status,
    )


def load_on_demand_failed(name: str) -> Refusal:
    """A model that was to be loaded for this request cannot be."""
    return Refusal(400, {"error": {"message": f'Failed to load model "{name}". Error: Failed to load model.'}})


def load_failed(name: str, kind: str, reason: str) -> Refusal:
    """A model that was to be loaded on its own cannot be."""
    label = "embedding model" if kind == "embedding" else "LLM"
    return Refusal(
        500, {"error": {"type": "model_load_failed", "message": f"Failed to load {label} '{name}': Error: {reason}"}}
    )


def memory_full(needed: int) -> str:
    """Why a model that does not fit is not loaded; ``needed`` in bytes. The words after "GB of memory" are a guess."""
    return (
        "Model loading was stopped due to insufficient system resources. Under the current settings, this model "
        f"requires approximately {needed / 1024**3:.2f} GB of memory. Continuing to load the model would likely "
        "overload your system and cause it to freeze. If you believe this is a mistake, you can try to change the "
        "model loading guardrails in the settings."
    )


def context_exceeded(prompt: int, context: int) -> Refusal:
    """A prompt far beyond the context, on llama.cpp: the engine's own JSON inside the text (recorded on 0.4.21)."""
    engine = {
        "error": {
            "code": 400,
            "message": f"request ({prompt} tokens) exceeds the available context size ({context} tokens), "
            "try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": prompt,
            "n_ctx": context,
        }
    }
    nested = json.dumps(engine, separators=(",", ":"))
    return plain(f"Engine protocol predict request returned 400: {nested}")


def does_not_fit(prompt: int, context: int) -> str:
    """A prompt beyond the context, on MLX: an error event after status 200 (LM Studio's bug tracker number 2322)."""
    return (
        f"Input does not fit in context length. The input has {prompt} tokens, but the context length only supports "
        f"{context} tokens."
    )


def unknown_job(job: str) -> Refusal:
    """A download that nobody began; the code is documented, the words and the status are a guess."""
    return native(f"Download job '{job}' not found.", code="job_not_found", status=404)


def unknown_download(name: str) -> Refusal:
    """A model that cannot be downloaded; a guess in the shape of the others."""
    return native(f"Model '{name}' not found.", param="model", code="model_not_found", status=404)


def no_images(name: str) -> Refusal:
    """Images for a model that takes none."""
    return openai(
        f"The provided messages contain images, but {name} does not support image inputs.",
        param="messages",
        code="invalid_value",
    )


def unknown_response(response: str) -> Refusal:
    """An answer to go on from that is not stored; the code is reported, the words are OpenAI's, the status a guess."""
    return openai(
        f"Previous response with id '{response}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def nested_tool(index: int) -> Refusal:
    """A tool in the shape of ``/v1/chat/completions`` under ``/v1/responses`` (bug tracker, 1652); a guess in words."""
    return openai(
        f"Missing required parameter: 'tools[{index}].name'.", param="tools", code="missing_required_parameter"
    )


def wrong_domain(name: str, wanted: str) -> Refusal:
    """An embedding model asked to chat, or the other way round. The words are a guess in the real one's style."""
    return openai(f"Model '{name}' is not {wanted}.", param="model", code="invalid_value")


def native_unknown_model(name: str) -> Refusal:
    """A name that nothing has, under ``/api/v1``; also for an unload, where the status is a guess."""
    return native(f'Invalid model identifier "{name}".', param="model", code="model_not_found", status=404)


def native_unknown_keys(keys: Iterable[str]) -> Refusal:
    """``/api/v1`` is strict where ``/v1`` lets everything pass."""
    named = ", ".join(f"'{key}'" for key in keys)
    return native(f"Unrecognized key(s) in object: {named}", code="unrecognized_keys")


def native_missing(field: str) -> Refusal:
    """A required key is not there."""
    return native(f"Missing required field '{field}'", code="missing_required_parameter", param=field)


def native_reasoning(value: str, model: str, options: Iterable[str]) -> Refusal:
    """A value of ``reasoning`` that the model does not know."""
    known = ", ".join(f"'{option}'" for option in options)
    return native(
        f"Reasoning setting '{value}' is not supported by model '{model}'. Supported settings: {known}.",
        code="invalid_value",
        param="reasoning",
    )
