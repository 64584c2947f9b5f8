"""Facts about the servers of a run: those of tools, and what becomes of the models on those of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from runner.words.errors import FailureKind
from runner.words.noun import noun


@noun
class ToolServerStarted:
    """A tool server answered and listed its tools."""

    server: str
    tools: int
    seconds: float
    version: str = ""
    protocol: str = ""


@noun
class ToolServerDied:
    """A tool server ended in a call; ``restarted`` says whether it was started again."""

    server: str
    message: str
    restarted: bool


@noun
class ModelLoadStarted:
    """The runner began to load a model; ``settings`` are what it asks for, ``size_bytes`` what the server says."""

    endpoint: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    size_bytes: int | None = None


@noun
class ModelLoaded:
    """A model is in memory. ``reused``: a person had loaded it, and it is good enough; ``seconds`` the load took."""

    endpoint: str
    model: str
    instance: str
    seconds: float = 0.0
    context_length: int | None = None
    parallel: int | None = None
    reused: bool = False
    note: str | None = None


@noun
class ModelLoadFailed:
    """A model could not be loaded; ``then`` says in words what is done about it."""

    endpoint: str
    model: str
    kind: FailureKind
    message: str
    then: str | None = None


@noun
class ModelUnloaded:
    """The runner unloaded what it had loaded; ``reason`` in words."""

    endpoint: str
    model: str
    instance: str
    reason: str


@noun
class CircuitChanged:
    """A model that failed too often: left alone (``open``), tried once (``half_open``), trusted again (``closed``)."""

    endpoint: str
    model: str
    state: Literal["open", "half_open", "closed"]
    failures: int = 0
