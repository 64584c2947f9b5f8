"""Requests as the server understands them: read, and refused where LM Studio refuses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from runner.rehearse.simulator import refusal
from runner.rehearse.simulator.match import Conversation, read_conversation
from runner.words.noun import noun

_NATIVE_CHAT = (
    "model", "input", "system_prompt", "integrations", "stream", "temperature", "top_p", "top_k", "min_p",
    "repeat_penalty", "max_output_tokens", "reasoning", "context_length", "store", "previous_response_id",
)  # fmt: skip
_NATIVE_CONFIG = ("eval_batch_size", "flash_attention", "num_experts", "offload_kv_cache_to_gpu")
_NATIVE_LOAD = ("model", "context_length", *_NATIVE_CONFIG, "echo_load_config")


@noun
class Ask:
    """A prompt. ``ttl`` in seconds counts only if the request loads the model; ``max_tokens`` None = no limit.

    ``shape``: the tools and the response format as they were sent. ``echo`` and ``asked`` are of ``/v1/responses``: the
    body that an answer repeats, and the conversation to remember.
    """

    model: str | None
    conversation: Conversation
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    ttl: float | None = None
    context_length: int | None = None
    images: bool = False
    reasoning: str | None = None
    store: bool = True
    shape: tuple[Any, Any] = (None, None)
    echo: Mapping[str, Any] = field(default_factory=dict)
    asked: tuple[Mapping[str, Any], ...] = ()


def read_chat(body: Mapping[str, Any]) -> Ask:
    """The body of ``/v1/chat/completions``; keys it does not know pass silently.

    Raises:
        Refusal: no messages, or a value that LM Studio does not take.
    """
    messages = body.get("messages")
    if messages is None:
        raise refusal.plain("'messages' field is required")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise refusal.plain("Invalid 'messages' in payload")
    check_tool_choice(body.get("tool_choice"))
    _check_response_format(body.get("response_format"))
    parts = [part for message in messages for part in _parts(message)]
    return Ask(
        model=model_name(body),
        conversation=read_conversation(body),
        images=any(part["type"] == "image_url" for part in parts),
        shape=(body.get("tools"), body.get("response_format")),
        **_common(body),
    )


def read_completion(body: Mapping[str, Any]) -> Ask:
    """The body of ``/v1/completions``: the prompt counts as what the user said last.

    Raises:
        Refusal: no prompt.
    """
    prompt = body.get("prompt")
    if not isinstance(prompt, str):
        raise refusal.plain("'prompt' field is required")
    conversation = Conversation(messages=[{"role": "user", "content": prompt}])
    return Ask(model=model_name(body), conversation=conversation, **_common(body))


def read_embedding(body: Mapping[str, Any]) -> list[str]:
    """The texts of ``/v1/embeddings``.

    Raises:
        Refusal: no input, or something other than text in it.
    """
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise refusal.plain("'input' field must be a string or an array of strings")
    return texts


def read_native_chat(body: Mapping[str, Any]) -> Ask:
    """The body of ``/api/v1/chat``.

    Raises:
        Refusal: an unknown key, a missing ``model`` or ``input``.
    """
    check_native(body, _NATIVE_CHAT, required=("model", "input"))
    given = body["input"]
    parts = [{"type": "text", "content": given}] if isinstance(given, str) else mappings(given)
    said = "\n".join(str(part.get("content", "")) for part in parts if part.get("type") in ("text", "message"))
    messages = [{"role": "user", "content": said}]
    if isinstance(body.get("system_prompt"), str):
        messages.insert(0, {"role": "system", "content": body["system_prompt"]})
    return Ask(
        model=text(body["model"]),
        conversation=Conversation(messages=messages),
        stream=body.get("stream") is True,
        max_tokens=count(body.get("max_output_tokens")),
        context_length=count(body.get("context_length")),
        images=any(part.get("type") == "image" for part in parts),
        reasoning=text(body.get("reasoning")),
        store=body.get("store") is not False,
    )


@noun
class LoadAsk:
    """A wish for a loaded model: its context in tokens (None = the server's choice), and what else it names.

    ``echo``: the answer is to tell the settings.
    """

    model: str
    context_length: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    echo: bool = False


def read_load(body: Mapping[str, Any]) -> LoadAsk:
    """The body of ``/api/v1/models/load``.

    Raises:
        Refusal: an unknown key (``ttl`` is one), no ``model``.
    """
    check_native(body, _NATIVE_LOAD, required=("model",))
    return LoadAsk(
        model=str(body["model"]),
        context_length=count(body.get("context_length")),
        config={key: body[key] for key in _NATIVE_CONFIG if body.get(key) is not None},
        echo=body.get("echo_load_config") is True,
    )


def read_download(body: Mapping[str, Any]) -> str:
    """The body of ``/api/v1/models/download``: a key, or an address of Hugging Face.

    Raises:
        Refusal: an unknown key, no ``model``.
    """
    check_native(body, ("model", "quantization"), required=("model",))
    return str(body["model"])


def read_unload(body: Mapping[str, Any]) -> str:
    """The body of ``/api/v1/models/unload``: the instance.

    Raises:
        Refusal: an unknown key, no ``instance_id``.
    """
    check_native(body, ("instance_id",), required=("instance_id",))
    return str(body["instance_id"])


def model_name(body: Mapping[str, Any]) -> str | None:
    """The model that is asked for; None if the request leaves it open."""
    return text(body.get("model"))


def time_to_live(body: Mapping[str, Any]) -> float | None:
    """Idle seconds after which what this request loads is unloaded; a bad value counts as none, as with LM Studio."""
    ttl = body.get("ttl")
    return ttl if isinstance(ttl, int | float) and not isinstance(ttl, bool) and ttl > 0 else None


def check_native(body: Mapping[str, Any], known: Iterable[str], *, required: Iterable[str]) -> None:
    """The strictness of ``/api/v1``.

    Raises:
        Refusal: a key that is not known, or a required one that is missing.
    """
    unknown = [key for key in body if key not in known]
    if unknown:
        raise refusal.native_unknown_keys(unknown)
    for name in required:
        if body.get(name) is None:
            raise refusal.native_missing(name)


def _common(body: Mapping[str, Any]) -> dict[str, Any]:
    options = body.get("stream_options")
    return {
        "stream": body.get("stream") is True,
        "include_usage": isinstance(options, dict) and options.get("include_usage") is True,
        "max_tokens": count(body.get("max_tokens")),
        "ttl": time_to_live(body),
    }


def check_tool_choice(choice: Any) -> None:
    """Raises: Refusal: only three words are taken."""
    if choice is not None and choice not in ("none", "auto", "required"):
        kind = "object" if isinstance(choice, dict) else type(choice).__name__
        raise refusal.plain(f"Invalid tool_choice type: '{kind}'. Supported string values: none, auto, required")


def _check_response_format(wanted: Any) -> None:
    if wanted is not None and not (isinstance(wanted, dict) and wanted.get("type") in ("json_schema", "text")):
        raise refusal.plain("'response_format.type' must be 'json_schema' or 'text'")


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if not isinstance(content, list):
        return []
    parts = mappings(content)
    if len(parts) != len(content) or any(part.get("type") not in ("text", "image_url") for part in parts):
        raise refusal.plain(
            "Invalid 'content': 'content' objects must have a 'type' field that is either 'text' or 'image_url'"
        )
    return parts


def mappings(values: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing if it is none."""
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def text(value: Any) -> str | None:
    """The text, None if it is none or empty."""
    return value if isinstance(value, str) and value else None


def count(value: Any) -> int | None:
    """The number, None if it is no whole one above 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
