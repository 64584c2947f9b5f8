"""The pieces of a streamed answer put together, whatever dialect the server speaks.

The shapes are those of ``POST /v1/chat/completions`` as LM Studio, llama.cpp, Ollama, vLLM and others send them: half
of what the OpenAI interface promises may be missing, null, empty or repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from runner.chat.messages import ChatAnswer, ChatRequest, Delta, FinishReason, OnDelta, Usage
from runner.chat.thinking import ThinkingSplitter, split_lone_end
from runner.chat.tool_calls import ToolCallAssembler, is_json
from runner.words.errors import LLMResponseError

_SUFFIX = re.compile(r"(?:@[^/]*|:\d+|:latest)$")


class AnswerAssembler:
    """Takes the chunks of one answer in order and makes a ``ChatAnswer`` of them.

    ``also`` are more names under which the asked model may answer, beside those of the request. ``where`` is the
    server, for messages. Pieces are passed to ``on_delta`` as they come.
    """

    __slots__ = (
        "_accepted", "_calls", "_content", "_model", "_on_delta", "_reasoning", "_request", "_splitter", "_usage",
        "_where", "finish", "started",
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
        usage = chunk.get("usage")
        if isinstance(usage, Mapping):
            self._usage = read_usage(usage)
        choice = _first_choice(chunk)
        if choice is None:
            return
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, Mapping):
            self._take(delta)
        reason = choice.get("finish_reason") or ("stop" if whole else None)
        if reason:
            self.finish = str(reason)

    def answer(self, *, first_token_seconds: float | None = None) -> ChatAnswer:
        """The whole answer, after the last chunk.

        ``finish_reason`` is ``tool_calls`` whenever there are complete calls, except that an answer cut by a limit
        of tokens always says ``length``. A call that was cut with it and whose arguments are no JSON is left out:
        it must neither be executed nor stay in the history, where some servers choke on it.

        Raises:
            LLMResponseError: the stream broke off (kind ``connection``); nothing was said (``empty``); the limit of
                tokens was reached before the answer began (``limit``).
        """
        if self.finish is None:
            raise self._broke_off()
        self._say(*self._splitter.close())
        content, reasoning = self._texts()
        cut = self.finish == "length"
        calls, dropped = self._calls.finish(cut=cut)
        if not content.strip() and not calls and not dropped:
            raise self._empty(reasoning)
        finish: FinishReason = "length" if cut else "tool_calls" if calls else "stop"
        return ChatAnswer(
            model=self._model or self._request.model,
            content=content,
            reasoning=reasoning,
            tool_calls=calls,
            finish_reason=finish,
            cut_call=dropped,
            usage=self._usage,
            first_token_seconds=first_token_seconds,
        )

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
        if self._on_delta is not None:
            self._on_delta(delta)

    def _texts(self) -> tuple[str, str]:
        """``(content, reasoning)``, with the thinking that still stands in the content moved where it belongs."""
        content, reasoning = "".join(self._content), "".join(self._reasoning)
        if not reasoning:
            reasoning, content = split_lone_end(content)
        if self._request.schema is not None and not content.strip() and is_json(reasoning):
            return reasoning, ""  # known fault of reasoning models under a grammar: the JSON lands in the thinking
        return content, reasoning

    def _broke_off(self) -> LLMResponseError:
        came = sum(map(len, self._content)) + sum(map(len, self._reasoning))
        how = f"after {came} characters" if came else "before a word was said"
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


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """The ``usage`` of a chunk; what is missing or no number counts as zero."""
    details = usage.get("completion_tokens_details")
    reasoning = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), _count(reasoning))


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _first_choice(chunk: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return None
    return next((c for c in choices if isinstance(c, Mapping) and not c.get("index")), None)


def _text(value: object) -> str:
    """A content as text: a string, or the text parts of a list."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else [value]
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    return "".join(text for text in texts if isinstance(text, str))


def _ids_of(request: ChatRequest) -> frozenset[str]:
    return frozenset(call.id for message in request.messages for call in message.tool_calls)
