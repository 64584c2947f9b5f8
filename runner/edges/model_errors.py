"""What a model server complains of, sorted by what can be done about it.

Status codes are of little help: LM Studio reports a crash of its engine as 400, an unknown route as 200, and a prompt
that is too long in eight different ways. So the text is read first and the status only where the text says nothing
that is known. The texts were reported by users of LM Studio 0.3 and 0.4, llama.cpp, Ollama and vLLM.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runner.words.errors import (
    FailureKind,
    LLMAuthenticationError,
    LLMConnectionError,
    LLMError,
    LLMRateLimitError,
    LLMResponseError,
    LLMTimeoutError,
    LLMValidationError,
    ModelMemoryError,
    ModelNotFoundError,
)

_SHOWN: Final = 400
"""Characters of a server's text that a message repeats."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Texts, in lower case, that mean one thing. ``words`` follow the name of the model in the message."""

    texts: tuple[str, ...]
    make: type[LLMError]
    kind: FailureKind
    words: str
    hint: str | None = None


_RULES: Final = (
    _Rule(
        ("unexpected endpoint or method",),
        LLMValidationError, "request", "is on a server that does not know this request",
        "the server is older than the interface asked for, or is no server of models",
    ),
    _Rule(
        (
            "exceeds the available context size", "context size has been exceeded", "does not fit in context length",
            "n_keep", "tokens to keep from the initial prompt", "trying to keep the first", "exceed_context_size_error",
            "maximum context length", "context_length_exceeded", "exceeds context window", "exceed context window",
        ),
        LLMValidationError, "context", "has no room for the prompt",
        "shorten the prompt or the tool results, or load the model with a larger `context_length`",
    ),
    _Rule(
        (
            "insufficient system resources", "out of memory", "outofmemory", "not enough memory",
            "requires more system memory", "unable to allocate", "failed to allocate",
        ),
        ModelMemoryError, "overloaded", "does not fit into memory",
        "unload other models, or load it with a smaller `context_length` or a smaller quantization",
    ),
    _Rule(
        ("peer_keepalive_timeout",),
        LLMConnectionError, "connection", "is on a linked machine that was lost",
    ),
    _Rule(
        ("has crashed", "exit code", "runner process has terminated"),
        LLMResponseError, "crash", "crashed",
        "the same prompt twice: try a smaller context, another quantization, or fewer steps at once",
    ),
    _Rule(
        ("model unloaded", "model is unloaded"),
        LLMResponseError, "crash", "was unloaded while it worked",
        "load it explicitly, so that another model's loading does not push it out",
    ),
    _Rule(
        ("no models loaded",),
        LLMResponseError, "server", "is not loaded",
        "load it in LM Studio or with `lms load`, or switch on just-in-time loading",
    ),
    _Rule(
        ("model_load_failed", "failed to load model", "failed to load llm"),
        LLMResponseError, "server", "could not be loaded",
        "load it by hand once: the server's own window says more",
    ),
    _Rule(
        ("jinja", "prompt template", "roles must alternate"),
        LLMValidationError, "request", "has a prompt template that refuses this conversation",
        "update the model or its prompt template",
    ),
    _Rule(
        ("failed to parse grammar", "failed to initialize samplers", "invalid grammar", "failed to parse schema"),
        LLMValidationError, "request", "cannot be held to this schema of an output or a tool",
        "simplify the schema: no `pattern`, no long `maxLength`, no `$ref`",
    ),
    _Rule(
        ("does not match the expected peg", "failed to parse tool call", "failed to parse input at pos"),
        LLMResponseError, "server", "wrote a tool call that its server cannot read",
    ),
)  # fmt: skip

_NOT_FOUND = re.compile(
    r"model_not_found|invalid model identifier|multiple models are loaded|no downloaded llm models"
    r"|model .{1,200} (?:not found|does not exist)|notfounderror|model_not_available"
)
_ENGINE_JSON = re.compile(r"\{.*\}", re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def classify(
    *,
    status: int,
    body: bytes | str | Mapping[str, Any],
    model: str,
    where: str,
    available: Sequence[str] = (),
    retry_after: float | None = None,
) -> LLMError:
    """The error that a server's complaint means, to be raised.

    ``status`` is 200 for an error within a stream; ``body`` the bytes, the text, or the parsed object; ``model`` the
    one asked; ``where`` the server's address; ``available`` its models; ``retry_after`` in seconds.
    """
    text, lowered = _texts(body)
    said = f": {text}" if text else f" (HTTP status {status}, no text)"
    name = f"`{model}` on {where}"
    for rule in _RULES:
        if any(needle in lowered for needle in rule.texts):
            return rule.make(f"{name} {rule.words}{said}", kind=rule.kind, hint=rule.hint)
    if _NOT_FOUND.search(lowered):
        return ModelNotFoundError(model, available, hint=f"{where} says: {text}")
    return _by_status(status, name, where, said, retry_after)


def _by_status(status: int, name: str, where: str, said: str, retry_after: float | None) -> LLMError:
    """The meaning of a complaint whose text is not known."""
    if status in (401, 403):
        return LLMAuthenticationError(f"{where} refuses the token{said}", hint=token_hint())
    if status == 429 or (status == 503 and retry_after is not None):
        return LLMRateLimitError(f"{name} asks to wait{said}", retry_after=retry_after)
    if status in (408, 504):
        return LLMTimeoutError(f"{name} did not answer in time{said}")
    if status in (404, 405):
        return LLMValidationError(
            f"{where} does not know this request{said}", hint="is this the address of a server of models?"
        )
    if 400 <= status < 500:
        return LLMValidationError(f"{name} refuses the request{said}")
    return LLMResponseError(f"{name} failed{said}")


def token_hint() -> str:
    """What to do about a refused token."""
    return "set LM_API_TOKEN to a token that the server knows"


def error_text(body: bytes | str | Mapping[str, Any]) -> str:
    """What a complaint says, in one line fit for a message, whatever its shape."""
    return _texts(body)[0]


def retry_seconds(header: str | None, now: float) -> float | None:
    """``Retry-After`` in seconds from ``now`` (seconds since 1970): a number or a date (RFC 9110, section 10.2.3)."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except ValueError:
        return None


def _texts(body: bytes | str | Mapping[str, Any]) -> tuple[str, str]:
    """The complaint for people, in one line, and all of it in lower case, for the rules."""
    raw = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    data = _parsed(raw) if isinstance(raw, str) else raw
    if data is None:
        text = _page(str(raw))
        return text, str(raw).casefold()
    lowered = json.dumps(data, ensure_ascii=False, default=str).casefold()
    return _short(_engine(_message(data) or lowered)), lowered


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _message(data: Any, depth: int = 0) -> str:
    """The text of a complaint: ``error`` as text or object, ``message``, or the ``detail`` of FastAPI."""
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return "; ".join(filter(None, (_message(item, depth + 1) for item in data[:3])))
    if not isinstance(data, Mapping) or depth > 4:
        return ""
    for key in ("error", "message", "msg", "detail"):
        text = _message(data.get(key), depth + 1)
        if text:
            return text
    return ""


def _engine(text: str) -> str:
    """The engine's own message where LM Studio wraps its JSON into a sentence."""
    match = _ENGINE_JSON.search(text)
    inner = _parsed(match[0]) if match else None
    return _message(inner) or text


def _page(text: str) -> str:
    """A body that is no JSON: the title of a web page, else its beginning."""
    if "<html" not in text[:2000].lower():
        return _short(text)
    title = _TITLE.search(text)
    return f"a web page titled “{_short(title[1])}”" if title else "a web page"


def _short(text: str) -> str:
    """One line without control characters, which could play tricks on a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
