"""The seam to whatever offers tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, Protocol

from runner.words.noun import noun

Effect = Literal["none", "idempotent", "unsafe"]


@noun
class Tool:
    """A tool as its server defines it. ``effect`` is read from the annotations; not said counts as unsafe."""

    name: str
    description: str = ""
    input_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    output_schema: Mapping[str, Any] | None = None
    effect: Effect = "unsafe"
    annotations: Mapping[str, Any] = field(default_factory=dict)


@noun
class Blob:
    """Something in a result that is not text (an image, audio, a binary resource)."""

    mime_type: str
    data: bytes


@noun
class ToolResult:
    """What a tool answered: text for a model, structured content where the server gave it, blobs beside.

    In ``text`` each blob stands as the placeholder ``[blob N: MIME, SIZE]``, N counting from 1.
    """

    text: str
    structured: Any = None
    has_structured: bool = False
    is_error: bool = False
    blobs: tuple[Blob, ...] = ()


@noun
class ServerFacts:
    """What a started server said of itself, for the journal."""

    name: str
    version: str = ""
    protocol: str = ""
    seconds: float = 0.0


class ToolBox(Protocol):
    """One tool server of a run, shared by its steps.

    Methods raise only ``ToolServerError`` (and pass cancellation on).
    """

    @property
    def name(self) -> str:
        """The name it has in the workflow file."""

    async def start(self) -> ServerFacts:
        """Start it and list its tools; within its start timeout.

        Raises:
            ToolServerError: it cannot be started, does not answer, or breaks the protocol; with the tail of stderr.
        """

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Its tools after ``start``, sorted by name."""

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool; a tool that fails, or does not answer in time, is a result with ``is_error``, so that a model
        can read why.

        Raises:
            ToolServerError: the server died in the call, or broke the protocol.
        """

    async def restart(self) -> None:
        """End what is left of it and start anew; callers that saw the same death restart it once, a live one stays.

        Raises:
            ToolServerError: as ``start``.
        """

    async def close(self) -> None:
        """End it with everything it started; raises only cancellation, may be called twice and in any state."""
