"""What servers of models offer beside the chat: ``/v1/completions``, ``/v1/responses`` and ``/v1/embeddings``.

Asked whole, not streamed. LM Studio's oddities (its documentation, and answers recorded from 0.4.25): counts of
embeddings are always zero; fields of a response that nobody needs have odd types (``top_p: false``), so only what is
needed is read; a route that it does not know is a 200 with a complaint.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from runner.chat.assemble import bare_name
from runner.chat.harmony import split_channels
from runner.chat.messages import FinishReason, ToolCall, Usage
from runner.chat.thinking import ThinkingSplitter, split_lone_end
from runner.chat.usage import read_usage
from runner.edges.model_server.errors import classify, retry_seconds
from runner.edges.model_server.failure_text import error_text
from runner.edges.model_server.http import HttpClient, Reply
from runner.words.errors import LLMError, LLMResponseError, LLMValidationError, ModelNotFoundError
from runner.words.noun import noun

COMPLETIONS: Final = "/v1/completions"
RESPONSES: Final = "/v1/responses"
EMBEDDINGS: Final = "/v1/embeddings"
INSTEAD: Final[Mapping[str, tuple[str, str]]] = {
    COMPLETIONS: ("text completions", "use `chat_completion`, with the prompt as the message of a user"),
    RESPONSES: (
        "responses, which came with LM Studio 0.3.29",
        "use `chat_completion`, with the whole conversation in `messages`; or update the server",
    ),
    EMBEDDINGS: ("embeddings", "name a server that has an embedding model"),
}
"""What a route offers, and what to do where a server has none."""
_NO_ROUTE: Final = "unexpected endpoint or method"
_NO_ANSWER_BEFORE: Final = ("previous_response_not_found", "previous response with id")
_OTHER_KIND: Final = "is a model for something else"


@noun
class PlainRequest:
    """``model`` is the id to send, ``answers_as`` the others under which it may answer; ``body`` is all but the model.

    ``seconds`` bound the whole answer. ``available`` are the models of the server, for messages.
    """

    model: str
    body: Mapping[str, Any]
    seconds: float
    answers_as: frozenset[str] = frozenset()
    available: tuple[str, ...] = ()


@noun
class PlainAnswer:
    """``id`` is that of a response, by which the next one may go on from it. ``tool_calls`` come of responses only."""

    model: str
    text: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    id: str | None = None


@noun
class Vectors:
    """``vectors`` in the order of the texts; the tokens of ``usage`` are zero where the server does not count."""

    model: str
    vectors: tuple[tuple[float, ...], ...] = field(default=())
    usage: Usage = Usage()


async def complete(http: HttpClient, request: PlainRequest) -> PlainAnswer:
    """The continuation of a prompt, to which no template is applied.

    Raises:
        LLMValidationError: the server has no such route, or refuses the request.
        LLMError: it failed, by class; an empty answer is an ``LLMResponseError``.
    """
    said = await _asked(http, COMPLETIONS, request)
    choice = next(iter(_maps(said.get("choices"))), None)
    if choice is None or not isinstance(choice.get("text"), str):
        raise _foreign(http, request, said)
    reason = choice.get("finish_reason")
    if not reason:
        raise _broke_off(http, request)
    text: str = choice["text"]
    if not text:
        raise _empty(http, request, cut=reason == "length", thought=False)
    return PlainAnswer(
        model=_model(said, request),
        text=text,
        finish_reason="length" if reason == "length" else "stop",
        usage=read_usage(said.get("usage")),
    )


async def respond(http: HttpClient, request: PlainRequest) -> PlainAnswer:
    """The answer of a model that may go on from one before it, which the server remembers.

    Raises:
        LLMValidationError: the server has no such route, does not know the answer before, or refuses the request.
        LLMError: it failed, by class; an empty answer is an ``LLMResponseError``.
    """
    said = await _asked(http, RESPONSES, request)
    if not isinstance(said.get("output"), list):
        raise _foreign(http, request, said)
    status = said.get("status")
    if status not in ("completed", "incomplete"):
        raise _broke_off(http, request)
    items = _maps(said["output"])
    text, reasoning = _texts(items)
    calls = tuple(_calls(items))
    cut = status == "incomplete"
    if not text.strip() and not calls:
        raise _empty(http, request, cut=cut, thought=bool(reasoning.strip()))
    name = said.get("id")
    return PlainAnswer(
        model=_model(said, request),
        text=text,
        reasoning=reasoning,
        tool_calls=calls,
        finish_reason="length" if cut else "tool_calls" if calls else "stop",
        usage=_response_usage(said.get("usage")),
        id=name if isinstance(name, str) and name else None,
    )


async def embed(http: HttpClient, request: PlainRequest, count: int) -> Vectors:
    """The vectors of ``count`` texts, which are the ``input`` of the request.

    Raises:
        LLMValidationError: the server has no such route, or the model does not embed.
        LLMError: it failed, by class; vectors that are missing are an ``LLMResponseError``.
    """
    said = await _asked(http, EMBEDDINGS, request)
    rows = {row.get("index", place): row.get("embedding") for place, row in enumerate(_maps(said.get("data")))}
    vectors = [rows.get(place) for place in range(count)]
    if len(rows) != count or not all(map(_is_vector, vectors)):
        raise LLMResponseError(
            f"`{request.model}` on {http.endpoint} was given {count} texts and sent back {len(rows)} vectors, "
            "or what is no vector",
            hint="is it an embedding model?",
        )
    return Vectors(
        model=_model(said, request),
        vectors=tuple(tuple(map(float, vector)) for vector in vectors if vector is not None),
        usage=read_usage(said.get("usage")),
    )


async def _asked(http: HttpClient, path: str, request: PlainRequest) -> Mapping[str, Any]:
    """The body of an answer that is none of a complaint."""
    body = {**request.body, "model": request.model}
    reply = await http.command(path, json.dumps(body, default=dict).encode(), seconds=request.seconds)
    said = reply.json
    if reply.status == 200 and isinstance(said, Mapping) and not said.get("error"):
        return said
    raise _refused(http, path, request, reply)


def _refused(http: HttpClient, path: str, request: PlainRequest, reply: Reply) -> LLMError:
    error = classify(
        status=reply.status,
        body=reply.body,
        model=request.model,
        where=http.endpoint,
        available=request.available,
        retry_after=retry_seconds(reply.headers.get("retry-after"), time.time()),
    )
    lowered = reply.body.decode("utf-8", "replace").casefold()
    if any(text in lowered for text in _NO_ANSWER_BEFORE):
        return LLMValidationError(
            f"{http.endpoint} does not know the response `{request.body.get('previous_response_id')}`: "
            f"{error_text(reply.body)}",
            hint="leave `previous_response_id` out and send the whole conversation as `input`",
        )
    unknown = reply.status in (404, 405) and not isinstance(error, ModelNotFoundError)
    if _NO_ROUTE in lowered or unknown:
        what, instead = INSTEAD[path]
        return LLMValidationError(f"{http.endpoint} has no {path}: it offers no {what}", hint=instead)
    if path == EMBEDDINGS and _OTHER_KIND in error.message:
        return LLMValidationError(error.message, hint="name an embedding model: `list_models` tells their `type`")
    return error


def _model(said: Mapping[str, Any], request: PlainRequest) -> str:
    """The model that answered.

    Raises:
        LLMResponseError: another one than was asked (kind ``wrong_model``).
    """
    model = said.get("model")
    if not isinstance(model, str) or not model:
        return request.model
    if bare_name(model) not in map(bare_name, (request.model, *request.answers_as)):
        raise LLMResponseError(
            f"`{request.model}` was asked, but `{model}` answered",
            kind="wrong_model",
            hint="load the model that is named, or name the one that is loaded",
        )
    return model


def _texts(items: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """``(text, reasoning)``; thinking that stands in the text is moved where it belongs."""
    said: list[str] = []
    thoughts: list[str] = []
    for item in items:
        parts = [str(part.get("text") or part.get("refusal") or "") for part in _maps(item.get("content"))]
        if item.get("type") == "reasoning":
            parts += [str(part.get("text") or "") for part in _maps(item.get("summary"))]
            thoughts += parts
        elif item.get("type") == "message":
            said += parts
    text = "".join(said)
    if not thoughts:
        splitter = ThinkingSplitter()
        pieces = (splitter.feed(text), splitter.close())
        thoughts = [thought for thought, _ in pieces]
        text = "".join(rest for _, rest in pieces)
    reasoning = "".join(thoughts)
    if not reasoning:
        reasoning, text = split_lone_end(text)
    channel, text = split_channels(text)
    return text, "\n".join(filter(None, (reasoning, channel)))


def _calls(items: Sequence[Mapping[str, Any]]) -> Iterable[ToolCall]:
    for number, item in enumerate(items):
        if item.get("type") == "function_call" and isinstance(item.get("name"), str):
            arguments = item.get("arguments")
            written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
            yield ToolCall(str(item.get("call_id") or item.get("id") or f"call_{number}"), item["name"], written)


def _response_usage(usage: Any) -> Usage:
    """The counts of a response, which are called otherwise than those of a chat."""
    said = usage if isinstance(usage, Mapping) else {}
    return read_usage(
        {
            "prompt_tokens": said.get("input_tokens"),
            "completion_tokens": said.get("output_tokens"),
            "completion_tokens_details": said.get("output_tokens_details"),
            "prompt_tokens_details": said.get("input_tokens_details"),
        }
    )


def _is_vector(value: Any) -> bool:
    """Whether it is a list of numbers; text is what ``encoding_format: base64`` gives, which is never asked for."""
    numbers = isinstance(value, list) and bool(value)
    return numbers and all(isinstance(one, int | float) and not isinstance(one, bool) for one in value)


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _foreign(http: HttpClient, request: PlainRequest, said: Mapping[str, Any]) -> LLMResponseError:
    text = error_text(json.dumps(said, default=dict))
    return LLMResponseError(f"`{request.model}` on {http.endpoint} answered something that is no answer: {text}")


def _broke_off(http: HttpClient, request: PlainRequest) -> LLMResponseError:
    return LLMResponseError(
        f"the answer of `{request.model}` on {http.endpoint} is not finished",
        kind="connection",
        hint="look into the log of the server, it may have crashed",
    )


def _empty(http: HttpClient, request: PlainRequest, *, cut: bool, thought: bool) -> LLMResponseError:
    model = f"`{request.model}` on {http.endpoint}"
    if cut:
        return LLMResponseError(
            f"{model} reached its limit of tokens {'while thinking' if thought else 'before it said a word'}",
            kind="limit",
            hint="allow more tokens, or less reasoning",
        )
    return LLMResponseError(f"{model} {'only thought and did not answer' if thought else 'said nothing'}", kind="empty")
