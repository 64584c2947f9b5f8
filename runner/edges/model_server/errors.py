"""What a model server complains of, sorted by what can be done about it.

Status codes are of little help: LM Studio reports a crash of its engine as 400, an unknown route as 200, and a prompt
that is too long in eight different ways. So the text is read first (``failure_rule``), and the status only where the
text says nothing that is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from runner.edges.model_server.failure_rule import RULES, Rule
from runner.edges.model_server.failure_text import Body, context_sizes, memory_sizes, said_status, texts
from runner.words.errors import (
    ContextError,
    LLMAuthenticationError,
    LLMError,
    LLMRateLimitError,
    LLMResponseError,
    LLMTimeoutError,
    LLMValidationError,
    ModelMemoryError,
    ModelNotFoundError,
)
from runner.words.noun import noun
from runner.words.units import show_bytes

_POOL: Final = "context size has been exceeded"
_POOL_HINT: Final = "run fewer steps at once on this model, or load it with a larger `context_length`: all share it"
_NOT_FOUND = re.compile(
    r"model_not_found|invalid model identifier|multiple models are loaded|no downloaded \w+ models"
    r"|model .{1,200} (?:not found|does not exist)|notfounderror|model_not_available"
)


@noun
class _Heard:
    """A complaint on its way to an error: ``name`` is the model on its server, ``said`` the text with what precedes it.

    ``lowered`` is all of it in lower case, ``status`` that of HTTP or the one it speaks of itself.
    """

    name: str
    where: str
    said: str
    lowered: str
    status: int
    retry_after: float | None


def classify(
    *,
    status: int,
    body: Body,
    model: str,
    where: str,
    available: Sequence[str] = (),
    retry_after: float | None = None,
) -> LLMError:
    """The error that a server's complaint means, to be raised.

    ``status`` is 200 for an error within a stream; ``body`` the bytes, the text, or the parsed object; ``model`` the
    one asked; ``where`` the server's address; ``available`` its models; ``retry_after`` in seconds.
    """
    text, lowered = texts(body)
    heard = _Heard(
        name=f"`{model}` on {where}",
        where=where,
        said=f": {text}" if text else f" (HTTP status {status}, no text)",
        lowered=lowered,
        status=said_status(body, status),
        retry_after=retry_after,
    )
    for rule in RULES:
        if any(needle in lowered for needle in rule.texts):
            return _by_rule(rule, heard)
    if _NOT_FOUND.search(lowered):
        return ModelNotFoundError(model, available, hint=f"{where} says: {text}")
    return _refused_by_status(heard) or _failed_by_status(heard)


def _by_rule(rule: Rule, heard: _Heard) -> LLMError:
    """The error of a known text, with the numbers that stand in it."""
    message = f"{heard.name} {rule.words}{heard.said}"
    if rule.make is LLMAuthenticationError:
        return _no_entry(heard)
    if rule.make is LLMRateLimitError:
        return LLMRateLimitError(message, retry_after=heard.retry_after, hint=rule.hint)
    if rule.make is ModelMemoryError:
        required, available = memory_sizes(heard.lowered)
        message = (
            f"{heard.name} {rule.words}{_sizes(required, available)}{heard.said}"  # the sizes first: texts are cut
        )
        return ModelMemoryError(message, hint=rule.hint, required_bytes=required, available_bytes=available)
    if rule.make is ContextError:
        return _no_room(message, rule.hint, heard.lowered)
    return rule.make(message, kind=rule.kind, hint=rule.hint)


def _sizes(required: int | None, available: int | None) -> str:
    said = (
        *((f"it needs about {show_bytes(required)}",) if required is not None else ()),
        *((f"{show_bytes(available)} are available",) if available is not None else ()),
    )
    return f" ({', '.join(said)})" if said else ""


def _no_room(message: str, hint: str | None, lowered: str) -> ContextError:
    """Only where no sizes are said may the requests at work have used up together what they share."""
    prompt, context = context_sizes(lowered)
    pool = _POOL in lowered and context is None
    return ContextError(message, hint=_POOL_HINT if pool else hint, pool=pool, n_prompt_tokens=prompt, n_ctx=context)


def _refused_by_status(heard: _Heard) -> LLMError | None:
    """The meaning of a complaint that puts the blame on the request, as far as its status tells."""
    if heard.status in (401, 403):
        return _no_entry(heard)
    if 300 <= heard.status < 400:
        return LLMValidationError(
            f"{heard.where} sends this request on to another address{heard.said}",
            hint="name that address with --endpoint",
        )
    if heard.status in (404, 405):
        return LLMValidationError(
            f"{heard.where} does not know this request{heard.said}", hint="is this the address of a server of models?"
        )
    if 400 <= heard.status < 500 and heard.status not in (408, 429):
        return LLMValidationError(f"{heard.name} refuses the request{heard.said}")
    return None


def _failed_by_status(heard: _Heard) -> LLMError:
    """The meaning of any other complaint whose text is not known; 524 is what Cloudflare says of a slow server."""
    if heard.status == 429 or (heard.status == 503 and heard.retry_after is not None):
        return LLMRateLimitError(f"{heard.name} asks to wait{heard.said}", retry_after=heard.retry_after)
    if heard.status in (408, 504, 524):
        return LLMTimeoutError(f"{heard.name} did not answer in time{heard.said}")
    return LLMResponseError(f"{heard.name} failed{heard.said}")


def _no_entry(heard: _Heard) -> LLMAuthenticationError:
    return LLMAuthenticationError(f"{heard.where} refuses the token{heard.said}", hint=token_hint())


def token_hint() -> str:
    """What to do about a refused token."""
    return "set LM_API_TOKEN to a token that the server knows"


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
