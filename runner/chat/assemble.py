"""The pieces of a streamed answer put together, whatever dialect the server speaks.

The shapes are those of ``POST /v1/chat/completions`` as LM Studio, llama.cpp, Ollama, vLLM and others send them: half
of what the OpenAI interface promises may be missing, null, empty or repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.chat.extract import extract_json
from runner.chat.harmony import split_channels
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, FinishReason, OnDelta, Usage
from runner.chat.repetition import RepetitionWatch
from runner.chat.thinking import ThinkingSplitter, split_lone_end
from runner.chat.tool_calls import ToolCallAssembler, is_json
from runner.chat.usage import read_timings, read_usage
from runner.words.errors import LLMResponseError
from runner.words.json_text import write_json
from runner.words.schemas import is_valid

if TYPE_CHECKING:
    from runner.chat.markup import Recovered

_HALF = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON may name (``\\ud83d``) and no text may hold."""
_SIGN = re.compile(r"[<{]|\[TOOL_|to=functions|```tool_code")
"""What every call has that stands as text."""
_SUFFIX = re.compile(r"(?:@[^/]*|:\d+|:latest)$")


class AnswerAssembler:
    """Takes the chunks of one answer in order and makes a ``ChatAnswer`` of them.

    ``also`` are more names under which the asked model may answer, beside those of the request. ``where`` is the
    server, for messages. Pieces are passed to ``on_delta`` as they come.
    """

    __slots__ = (
        "_accepted", "_calls", "_content", "_model", "_on_delta", "_reasoning", "_request", "_splitter", "_usage",
        "_watches", "_where", "finish", "looped", "started",
    )  # fmt: skip

    def __init__(
        self, request: ChatRequest, *, where: str, also: Iterable[str] = (), on_delta: OnDelta | None = None
    ) -> None:
        self._request = request
        self._where = where
        self._on_delta = on_delta
        self._accepted = frozenset(map(bare_name, (request.model, *request.answers_as, *also)))
        self._model = ""
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._splitter = ThinkingSplitter()
        self._calls = ToolCallAssembler(_ids_of(request))
        self._usage = Usage()
        self.finish: str | None = None
        """The server's ``finish_reason``; None while it has not said that the answer is complete."""
        self._watches = {kind: RepetitionWatch() for kind in ("content", "reasoning", "tool")}
        self.looped: str | None = None
        """What of the answer repeats itself without end, so that no more of it need be read: ``content``,
        ``reasoning`` or ``tool``."""
        self.started = False
        """Whether any text, thinking or tool call has come."""

    def feed(self, chunk: Mapping[str, Any], *, whole: bool = False) -> None:
        """Take one chunk. ``whole``: it is the plain body of a server that did not stream, complete in itself.

        Raises:
            LLMResponseError: another model answers than the one asked (kind ``wrong_model``).
        """
        model = chunk.get("model")
        if model and not self._model:
            self._meet(str(model))
        self._count(chunk)
        choice = _first_choice(chunk)
        if choice is None:
            return
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, Mapping) and self.looped is None:
            self._take(delta)
        reason = choice.get("finish_reason") or ("stop" if whole else None)
        if reason:
            self.finish = str(reason)

    def answer(self, *, first_token_seconds: float | None = None) -> ChatAnswer:
        """The whole answer, after the last chunk.

        ``finish_reason`` is ``tool_calls`` whenever there are complete calls, except that an answer cut by a limit
        of tokens, or stopped because it repeated itself, always says ``length``. A call that was cut with it and
        whose arguments are no JSON is left out: it must neither be executed nor stay in the history, where some
        servers choke on it. Calls that stand as text are found there.

        Raises:
            LLMResponseError: the stream broke off (kind ``connection``); nothing was said (``empty``); the limit of
                tokens was reached before the answer began (``limit``).
        """
        if self.finish is None and not self.looped:
            raise self._broke_off()
        self._say(*self._splitter.close())
        content, reasoning = self._texts()
        cut = self.finish == "length" or self.looped is not None
        found = self._recovered(content, reasoning, cut=cut)
        if found is not None:
            content = found.content
        calls, dropped = self._calls.finish(cut=cut)
        content = content if content.strip() or calls else self._answer_in(reasoning)
        cut_call = dropped or bool(found and found.cut)
        if not (content.strip() or calls or cut_call or self.looped):
            raise self._empty(reasoning)
        finish: FinishReason = "length" if cut else "tool_calls" if calls else "stop"
        return ChatAnswer(
            model=self._model or self._request.model,
            content=content,
            reasoning=reasoning,
            tool_calls=calls,
            finish_reason=finish,
            cut_call=cut_call,
            recovered=found.family if found and found.calls else None,
            looped=self.looped is not None,
            usage=self._usage,
            first_token_seconds=first_token_seconds,
        )

    def _count(self, chunk: Mapping[str, Any]) -> None:
        if not (chunk.get("usage") or chunk.get("timings")):
            return  # as in all chunks but one
        usage, timings = read_usage(chunk.get("usage")), read_timings(chunk.get("timings"))
        if usage.total:
            self._usage = usage
        if timings.total and not self._usage.total:
            self._usage = timings
        elif timings.cached_tokens:
            self._usage = replace(self._usage, cached_tokens=timings.cached_tokens)

    def _recovered(self, content: str, reasoning: str, *, cut: bool) -> Recovered | None:
        """The calls that stand as text, if the server found none; they are added to the calls."""
        tools = self._request.tools or self._request.written_tools
        if not tools or self._calls.begun or not _SIGN.search(content if content.strip() else reasoning):
            return None
        from runner.chat.markup import recover  # dozens of patterns, compiled for the few answers that need them

        found = recover(content, reasoning, tools, cut=cut)
        for call in found.calls if found else ():
            self._calls.add(call.name, _as_json(call.arguments))
        return found

    def _meet(self, model: str) -> None:
        self._model = model
        if bare_name(model) not in self._accepted:
            raise LLMResponseError(
                f"`{self._request.model}` was asked, but `{model}` answered on {self._where}",
                kind="wrong_model",
                hint="load the model that the step names, or name the one that is loaded",
            )

    def _take(self, delta: Mapping[str, Any]) -> None:
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought:
            self._say(_text(thought), "")
        content = delta.get("content")
        if content:
            self._say(*self._splitter.feed(_text(content)))
        calls = delta.get("tool_calls")
        if calls:
            for piece in self._calls.feed(calls):
                self._tell(Delta("tool", piece))

    def _say(self, reasoning: str, content: str) -> None:
        if reasoning:
            self._reasoning.append(reasoning)
            self._tell(Delta("reasoning", reasoning))
        if content:
            self._content.append(content)
            self._tell(Delta("content", content))

    def _tell(self, delta: Delta) -> None:
        self.started = True
        if self.looped is None and self._watches[delta.kind].feed(delta.text):
            self.looped = delta.kind
        if self._on_delta is not None:
            self._on_delta(delta)

    def _texts(self) -> tuple[str, str]:
        """``(content, reasoning)``, with the thinking that still stands in the content moved where it belongs, and
        without endless repetition."""
        content = self._watches["content"].cut("".join(self._content))
        reasoning = self._watches["reasoning"].cut("".join(self._reasoning))
        if not reasoning:
            reasoning, content = split_lone_end(content)
        thought, content = split_channels(content)
        reasoning = "\n".join(filter(None, (reasoning, thought)))
        silent = not content.strip() and not self._calls.begun
        if self._request.schema is not None and silent and is_json(reasoning):
            return reasoning, ""  # known fault of reasoning models under a grammar: the JSON lands in the thinking
        return content, reasoning

    def _answer_in(self, reasoning: str) -> str:
        """The JSON that was asked for, where it stands among the thinking and nothing was answered; else nothing."""
        schema = self._request.schema
        if schema is None or self.finish != "stop" or not reasoning.strip():
            return ""
        try:
            value = extract_json(reasoning, lambda candidate: is_valid(schema, candidate))
        except ValueError:
            return ""
        return write_json(value) if is_valid(schema, value) else ""

    def _broke_off(self) -> LLMResponseError:
        came = sum(map(len, self._content)) + sum(map(len, self._reasoning))
        how = f"after {came} characters" if came else "before a word was said"
        how = "in a tool call" if self._calls.begun else how
        return LLMResponseError(
            f"the answer of `{self._request.model}` on {self._where} broke off {how}",
            kind="connection",
            hint="the server ended the stream without a finish: look into its log, it may have crashed",
        )

    def _empty(self, reasoning: str) -> LLMResponseError:
        model = f"`{self._request.model}` on {self._where}"
        if self.finish == "length":
            return LLMResponseError(
                f"{model} reached its limit of tokens {'while thinking' if reasoning else 'before it said a word'}",
                kind="limit",
                hint="raise `sampling.max_tokens` or the context length, or lower `reasoning`",
            )
        only = "only thought and did not answer" if reasoning.strip() else "answered nothing"
        return LLMResponseError(f"{model} {only}", kind="empty")


def bare_name(model: str) -> str:
    """A model's name without its variant (``@q4_k_m``) and the number of its copy (``:2``), case folded.

    LM Studio answers with the id of the instance, which differs from the asked key by these.
    """
    return _SUFFIX.sub("", _SUFFIX.sub("", model.strip().casefold()))


def _as_json(arguments: Mapping[str, Any]) -> str:
    text = write_json(arguments)
    return json.dumps(arguments) if _HALF.search(text) else text


def _first_choice(chunk: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return None
    for choice in choices:
        if isinstance(choice, Mapping) and not choice.get("index"):
            return choice
    return None


def _text(value: object) -> str:
    """A content as text: a string, or the text parts of a list."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else [value]
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    return "".join(text for text in texts if isinstance(text, str))


def _ids_of(request: ChatRequest) -> frozenset[str]:
    return frozenset(call.id for message in request.messages for call in message.tool_calls)
