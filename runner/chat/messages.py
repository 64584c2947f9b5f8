"""What is said in a conversation: messages, tool calls, requests and answers.

The shapes are those of ``POST /v1/chat/completions``, the one interface that every server of models understands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runner.words.noun import noun

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asked for; ``arguments`` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@noun
class Image:
    """A picture for a model. ``path`` as the user wrote it, ``data`` its bytes in base64, ``size`` in bytes."""

    path: str
    media_type: str
    data: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the history; ``tool_call_id`` only for role ``tool``, ``images`` only for role ``user``."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as it is offered to a model: a legal name of at most 64 characters and a sanitised schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@noun
class ChatRequest:
    """What is asked of a model.

    ``model`` is the id to send; ``answers_as`` are the other ids under which the same model may answer (its
    instances), casefolded comparison is the backend's. ``written_tools`` are tools that the messages themselves
    describe, in the place of ``tools``: their calls come as text. ``schema`` asks for structured output. ``sampling``
    holds the keys of the workflow file (``temperature``, ``max_tokens``, ``reasoning``…). ``ttl`` in seconds is sent
    along where a request may load the model. ``first_byte_timeout`` and ``idle_timeout`` in seconds are tighter bounds
    than the backend's own, None leaves it to those.
    """

    model: str
    messages: tuple[Message, ...]
    answers_as: frozenset[str] = frozenset()
    tools: tuple[ToolSpec, ...] = ()
    written_tools: tuple[ToolSpec, ...] = ()
    schema: Mapping[str, Any] | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    ttl: float | None = None
    first_byte_timeout: float | None = None
    idle_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the server counted them; zero where it did not say.

    ``cached_tokens`` of the prompt were not read again, because the server still knew them (llama.cpp says so).
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together (reasoning is part of the completion)."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.cached_tokens + other.cached_tokens,
        )


@noun
class ChatAnswer:
    """A complete answer. ``first_token_seconds`` is the wait for the first byte of content, if any came.

    ``cut_call`` says that a tool call was cut off by the token limit; that call is not among ``tool_calls``.
    ``recovered`` names the family of markup in which the calls stood as text, where the server did not read them.
    ``looped`` says that the answer was stopped because it repeated itself without end.
    """

    model: str
    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"
    cut_call: bool = False
    recovered: str | None = None
    looped: bool = False
    usage: Usage = Usage()
    first_token_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer while it streams; ``kind`` says what the text belongs to."""

    kind: Literal["content", "reasoning", "tool"]
    text: str


OnDelta = Callable[[Delta], None]
