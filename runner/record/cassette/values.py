"""The nouns of models and tools as values of a recording, and back. Times are left out: a replay does not wait."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, Message, ToolCall, ToolSpec, Usage
from runner.chat.toolbox import Blob, ServerFacts, Tool, ToolResult
from runner.words import errors
from runner.words.errors import BridgeError

Pieces = Callable[[Sequence[str]], Sequence[str]]
"""Takes secrets out of the pieces of one text (``Redactor.pieces``)."""


def plain(noun: Any) -> Any:
    """A noun as JSON: fields that are as they are by default are left out."""
    if is_dataclass(noun) and not isinstance(noun, type):
        return {one.name: plain(value) for one in fields(noun) if (value := getattr(noun, one.name)) != _default(one)}
    if isinstance(noun, Mapping):
        return {str(key): plain(value) for key, value in noun.items()}
    return [plain(value) for value in noun] if isinstance(noun, list | tuple) else noun


def _default(one: Any) -> Any:
    return one.default_factory() if callable(one.default_factory) else one.default


def request_value(request: ChatRequest, model: str, bounds: Collection[int] = ()) -> dict[str, Any]:
    """What of a request decides the answer; ``model`` is the key of the model, whatever its instance is called.

    ``bounds`` are the values of ``max_tokens`` that the workflow names: any other one is what the run made of the room
    in the context, which changes with every word.
    """
    value: dict[str, Any] = {"model": model}
    most = request.sampling.get("max_tokens")
    sampling = {name: item for name, item in request.sampling.items() if name != "max_tokens" or most in bounds}
    if sampling:
        value["sampling"] = plain(sampling)
    for name, tools in (("tools", request.tools), ("written_tools", request.written_tools)):
        if tools:
            value[name] = [_spec(tool) for tool in tools]
    if request.schema is not None:
        value["schema"] = plain(request.schema)
    return {**value, "messages": [_message(message) for message in request.messages]}


def _spec(tool: ToolSpec) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters": plain(tool.parameters)}


def _message(message: Message) -> dict[str, Any]:
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        value["tool_calls"] = [plain(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        value["tool_call_id"] = message.tool_call_id
    if message.images:
        value["images"] = [{"media_type": one.media_type, "sha256": one.sha256} for one in message.images]
    return value


def answer_value(answer: ChatAnswer, stream: Sequence[Delta], model: str, pieces: Pieces) -> dict[str, Any]:
    """An answer with the pieces in which it came; runs of one kind are told by the lengths of their pieces where these
    make up the text that is there anyway. Texts other than those of the pieces may still hold secrets.
    """
    value = {**plain(answer), "model": model, "content": answer.content}
    value.pop("first_token_seconds", None)
    runs = _runs(stream, pieces)
    whole = {"content": answer.content, "reasoning": answer.reasoning}
    told = {kind: "".join(text for one, texts in runs if one == kind for text in texts) for kind in whole}
    lengths = {kind for kind, text in whole.items() if "".join(pieces([text])) == told[kind]}
    value["stream"] = [[kind, [len(text) for text in texts] if kind in lengths else texts] for kind, texts in runs]
    return value


def _runs(stream: Sequence[Delta], pieces: Pieces) -> list[tuple[str, list[str]]]:
    runs: list[tuple[str, list[str]]] = []
    for delta in stream:
        if not delta.text:
            continue
        if not runs or runs[-1][0] != delta.kind:
            runs.append((delta.kind, []))
        runs[-1][1].append(delta.text)
    for kind in dict.fromkeys(kind for kind, _ in runs):
        mine = [texts for one, texts in runs if one == kind]
        whole = pieces([text for texts in mine for text in texts])
        masked = [list(pieces(texts)) for texts in mine]
        if "".join(whole) != "".join(text for texts in masked for text in texts):
            masked = [list(whole), *([] for _ in mine[1:])]  # a secret lies across what stood between
        for texts, now in zip(mine, masked, strict=True):
            texts[:] = now
    return [(kind, texts) for kind, texts in runs if texts]


def read_answer(value: Mapping[str, Any]) -> ChatAnswer:
    """Raises: KeyError, TypeError: it is none."""
    given = {name: item for name, item in value.items() if name != "stream"}
    given["tool_calls"] = tuple(ToolCall(**call) for call in value.get("tool_calls", ()))
    given["usage"] = Usage(**value.get("usage", {}))
    return ChatAnswer(**given)


def read_stream(value: Mapping[str, Any]) -> Iterator[Delta]:
    """The pieces of a recorded answer, in their order."""
    at = {"content": 0, "reasoning": 0}
    for kind, texts in value.get("stream", ()):
        for piece in texts:
            text = piece
            if isinstance(piece, int):
                text = value.get(kind, "")[at[kind] : at[kind] + piece]
                at[kind] += piece
            yield Delta(kind, text)


def read_catalogue(value: Mapping[str, Any]) -> EndpointCatalogue:
    """Raises: KeyError, TypeError: it is none."""
    settings = value.get("load_settings")
    return EndpointCatalogue(
        **{
            **value,
            "models": tuple(_entry(model) for model in value.get("models", ())),
            "notes": tuple(value.get("notes", ())),
            "load_settings": None if settings is None else tuple(settings),
        }
    )


def _entry(value: Mapping[str, Any]) -> ModelEntry:
    lists = {name: tuple(value.get(name, ())) for name in ("reasoning_options", "variants")}
    return ModelEntry(**{**value, **lists, "instances": tuple(Instance(**one) for one in value.get("instances", ()))})


def read_tool(value: Mapping[str, Any]) -> Tool:
    """Raises: TypeError: it is none."""
    return Tool(**value)


def facts_value(facts: ServerFacts, tools: Sequence[Tool]) -> dict[str, Any]:
    """What a started server said of itself and its tools."""
    own = {"name": facts.name, "version": facts.version, "protocol": facts.protocol}
    return {**own, "tools": [plain(tool) for tool in tools]}


def result_value(result: ToolResult, clean: Callable[[str], str]) -> dict[str, Any]:
    """A tool's result; ``clean`` takes secrets out of the bytes of blobs, where base64 would hide them."""
    value: dict[str, Any] = {**plain(result), "text": result.text}
    if result.has_structured:
        value["structured"] = plain(result.structured)
    if result.blobs:
        value["blobs"] = [{"mime_type": one.mime_type, "data": _encoded(one.data, clean)} for one in result.blobs]
    return value


def _encoded(data: bytes, clean: Callable[[str], str]) -> str:
    return base64.b64encode(clean(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")).decode()


def read_result(value: Mapping[str, Any]) -> ToolResult:
    """Raises: KeyError, TypeError, ValueError: it is none."""
    blobs = tuple(Blob(mime_type=one["mime_type"], data=_decoded(one["data"])) for one in value.get("blobs", ()))
    return ToolResult(**{**value, "blobs": blobs})


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"a blob is no base64: {error}") from error


def error_value(error: BridgeError) -> dict[str, Any]:
    """An error of a wall, with all that it carries."""
    value: dict[str, Any] = {"class": error.code, "kind": error.kind, "message": error.message}
    if error.hint is not None:
        value["hint"] = error.hint
    known = {"kind", "message", "hint"}
    more = {name: plain(item) for name, item in vars(error).items() if name not in known and not name.startswith("_")}
    return {**value, **more}


def read_error(value: Mapping[str, Any]) -> BridgeError:
    """Raises: KeyError, TypeError, ValueError: it is none."""
    made: Any = getattr(errors, value["class"], None)
    known = isinstance(made, type) and issubclass(made, BridgeError)
    if not known:
        raise ValueError(f"there is no error `{value['class']}`")
    error: BridgeError = made.__new__(made)
    BridgeError.__init__(error, value["message"], hint=value.get("hint"))
    for name, item in value.items():
        if name not in ("class", "message", "hint"):
            setattr(error, name, tuple(item) if isinstance(item, list) else item)
    return error
