"""The nouns of a simulator script: the models a pretended server has, and what each says to which conversation.

``rehearse.simulator.reading`` alone makes them from a file, and has checked them. Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from runner.rehearse.simulator.pattern import When
from runner.words.noun import noun

Json = Any
"""A plain JSON value: None, bool, int, float, str, list, dict."""

ModelKind = Literal["llm", "vlm", "embedding"]
Overflow = Literal["cut", "error", "pool", "event"]
"""A prompt beyond the context is silently cut, refused, refused as if a pool were full, or told by an error event."""

Finish = Literal["stop", "length"]

DEFAULT_CHUNK = 12
"""Characters of one streamed delta, about three tokens."""


@noun
class Settings:
    """What a person sets in the server's window. ``version`` decides which interfaces exist.

    ``jit_race``: first requests that come while a model loads on demand each load their own copy, as LM Studio is
    reported to do; otherwise they wait for the one load. ``seed`` shapes the ids of answers and tool calls.
    ``memory`` is what all loaded models share, in bytes, None = without end. ``downloadable`` are keys with their sizes
    in bytes: such a model is there once it has been downloaded, at ``download_speed`` bytes a second.
    """

    jit: bool = True
    auto_evict: bool = True
    jit_race: bool = False
    jit_ttl: float = 3600.0
    jit_context: int = 4096
    version: str = "0.4.25"
    token: str | None = None
    seed: int = 0
    memory: int | None = None
    downloadable: Mapping[str, int] = field(default_factory=dict)
    download_speed: int = 100 * 1024**2

    @property
    def has_v0(self) -> bool:
        """``/api/v0`` came with 0.3.6 (LM Studio's changelog)."""
        return _numbers(self.version) >= (0, 3, 6)

    @property
    def has_responses(self) -> bool:
        """``/v1/responses`` came with 0.3.29 (LM Studio's changelog)."""
        return _numbers(self.version) >= (0, 3, 29)

    @property
    def has_native(self) -> bool:
        """``/api/v1`` came with 0.4.0 (LM Studio's changelog)."""
        return _numbers(self.version) >= (0, 4)


@noun
class Call:
    """A tool call; ``text``, where given, stands for the arguments as they are, legal JSON or not."""

    tool: str
    arguments: Json = field(default_factory=dict)
    text: str | None = None


@noun
class Fault:
    """What goes wrong with a turn, by a name of ``faults`` or one of three that carry words of their own.

    ``status`` and ``body`` belong to ``error``, ``text`` to ``error_event`` and ``wrong_model``.
    """

    name: str
    status: int = 500
    body: Json = None
    text: str = ""


@noun
class Strike:
    """When a fault of ``faults`` strikes: at the ``on``-th request that it can strike (None = every one).

    ``probability`` is drawn anew for each of those, always alike for the same ``seed``; ``model`` None = any model.
    """

    name: str
    on: int | None = None
    probability: float = 1.0
    seed: int = 0
    model: str | None = None


@noun
class Turn:
    """One answer, and the conversations it is for. ``times``: how often it may be used, None = without end."""

    when: When = field(default_factory=When)
    say: str | None = None
    json: Json = None
    has_json: bool = False
    calls: tuple[Call, ...] = ()
    reasoning: str = ""
    finish: Finish | None = None
    chunk: int = DEFAULT_CHUNK
    times: int | None = None
    fault: Fault | None = None


@noun
class Pace:
    """How long a model takes, in seconds; ``tokens_per_second`` None = as fast as can be."""

    load: float = 0.0
    first_token: float = 0.0
    tokens_per_second: float | None = None

    @property
    def instant(self) -> bool:
        """Whether an answer costs no time at all once the model is loaded."""
        return self.first_token == 0 and self.tokens_per_second is None

    def seconds(self, tokens: int) -> float:
        """How long it takes to say so many tokens."""
        return tokens / self.tokens_per_second if self.tokens_per_second else 0.0


@noun
class Reasoning:
    """Which values of ``reasoning_effort`` a model understands."""

    allowed_options: tuple[str, ...]
    default: str


@noun
class LoadedAs:
    """How a model was loaded before the server started."""

    context_length: int | None = None
    parallel: int | None = None


@noun
class ScriptedModel:
    """A downloaded model; ``size`` in bytes, ``params`` as people write it, ``load_error`` = it cannot be loaded.

    ``overflow`` None = by the format, as measured. ``fitted_context``: the context that the engine gives, whatever was
    asked. ``token_size``: bytes that one token of context takes in memory.
    """

    key: str
    type: ModelKind = "llm"
    quantization: str = "Q4_K_M"
    size: int = 4 * 1024**3
    params: str | None = None
    architecture: str = "llama"
    publisher: str = "local"
    format: Literal["gguf", "mlx"] = "gguf"
    max_context_length: int = 32768
    tool_use: bool = True
    vision: bool = False
    reasoning: Reasoning | None = None
    loaded: LoadedAs | None = None
    load_error: str | None = None
    pace: Pace = Pace()
    parallel: int = 4
    dimensions: int = 8
    overflow: Overflow | None = None
    fitted_context: int | None = None
    token_size: int = 0
    turns: tuple[Turn, ...] = ()
    default: Turn | None = None

    @property
    def variant(self) -> str:
        """The name that says the quantisation too: ``qwen/qwen3-8b@q4_k_m``."""
        return f"{self.key}@{self.quantization.lower()}"

    @property
    def sees(self) -> bool:
        """Whether it takes images."""
        return self.vision or self.type == "vlm"


@noun
class Script:
    """Everything that a simulator does. ``file`` is the path as the user gave it."""

    file: str
    settings: Settings = Settings()
    models: Mapping[str, ScriptedModel] = field(default_factory=dict)
    faults: tuple[Strike, ...] = ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
