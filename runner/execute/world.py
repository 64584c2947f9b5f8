"""The bag of outside things that a run works with, and the narrow protocols they stand behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from runner.chat.messages import Delta, Image
from runner.execute.clock import Clock
from runner.execute.models import Models
from runner.execute.tool_servers import ToolServers
from runner.record.journal import Journal
from runner.words.noun import noun
from runner.workflow.model import RunLimits, Server


@noun
class CommandResult:
    """How a command ended: its exit code and what it wrote, decoded with replacement characters."""

    exit_code: int
    stdout: str
    stderr: str


class Commands(Protocol):
    """Starting commands."""

    async def run(
        self, argv: Sequence[str], *, stdin: str | None = None, cwd: str | None = None, env: Mapping[str, str]
    ) -> CommandResult:
        """Run ``argv`` to its end; ``env`` is added to the environment. Cancelling ends its whole process group.

        Raises:
            StepError: kind ``command``: it cannot be started; kind ``limit``: it wrote more than can be kept.
        """


class Artifacts(Protocol):
    """Where what is too large for the journal goes."""

    def artifact(self, step: str, name: str, data: bytes | str) -> str:
        """Keep ``data``; returns its path, relative to the run folder.

        Raises:
            HistoryError: it cannot be written.
        """


@dataclass(slots=True, kw_only=True)
class Spent:
    """What the whole run has used up so far; the only thing in a run that steps change together."""

    tokens: int = 0
    tool_calls: int = 0


@noun
class World:
    """Everything a step may touch.

    ``deadline`` is the monotonic second at which the run's time is over, or None. ``results`` maps the ids of finished
    steps to what templates may read of them. ``random`` yields numbers in [0, 1). ``read_image`` reads a picture, or
    raises a ``StepError`` that says why not.
    """

    run_id: str
    inputs: Mapping[str, Any]
    secrets: Mapping[str, str]
    models: Models
    tools: ToolServers
    servers: Mapping[str, Server]
    commands: Commands
    artifacts: Artifacts
    journal: Journal
    clock: Clock
    random: Callable[[], float]
    on_delta: Callable[[str, Delta], None]
    read_image: Callable[[str], Image]
    limits: RunLimits
    deadline: float | None
    spent: Spent = field(default_factory=Spent)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    def names(self, **more: Any) -> dict[str, Any]:
        """The names that templates of a step see."""
        return {"inputs": self.inputs, "steps": self.results, "run": {"id": self.run_id}, **more}
