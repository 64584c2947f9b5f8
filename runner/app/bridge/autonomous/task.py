"""What an autonomous task is: the words, the model, the MCP servers, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.words.noun import noun

MODEL_STEP: Final = "answer"
"""The id of its one step."""
MAX_ROUNDS: Final = 50
"""Rounds of a task that says nothing else: as of any step."""
TIMEOUT: Final = 1800.0
"""Seconds of a task that says nothing else: as of any step."""


@noun
class TaskServer:
    """An MCP server as a host has it: its name, and the file (an absolute path) that has an entry of this name."""

    name: str
    file: str


@noun
class AutonomousTask:
    """``task`` and ``system`` are taken as they are: braces in them are no templates.

    ``model`` None, empty or ``default`` is the default model. ``max_rounds`` is the most answers of the model, the last
    of them without tools; ``max_tokens`` the most tokens of one answer; ``tokens`` the most of all prompts and answers
    together; ``tool_calls`` the most calls. ``timeout`` is in seconds, for the work of the model. ``images`` are paths.
    ``output_schema`` is a JSON Schema that the answer must fit. ``tools`` are globs over ``server.tool``, or names of
    servers; None = all tools. ``tolerant``: servers that cannot be started are left out, unless none is left.
    ``keep_loaded``: a model that had to be loaded stays so.
    """

    task: str
    servers: tuple[TaskServer, ...] = ()
    model: str | None = None
    max_rounds: int = MAX_ROUNDS
    max_tokens: int | None = None
    system: str | None = None
    images: tuple[str, ...] = ()
    output_schema: Mapping[str, Any] | None = None
    timeout: float = TIMEOUT
    tools: tuple[str, ...] | None = None
    tokens: int | None = None
    tool_calls: int | None = None
    tolerant: bool = False
    keep_loaded: bool = False
