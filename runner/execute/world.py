"""The bag of outside things that a run works with, and the narrow protocols they stand behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Protocol

from runner.chat.messages import Delta, Image
from runner.execute.clock import Clock
from runner.execute.models import Models
from runner.execute.place import PlacedRecorder, Recorder, unit_key
from runner.execute.purse import Purse
from runner.execute.tool_servers import ToolHouse, ToolServers
from runner.words.noun import noun
from runner.workflow.model import RunLimits, Server, Workflow


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


class WorkFiles(Protocol):
    """The files that the steps of a run work on."""

    async def fingerprint(self) -> Any:
        """What is there now; only good for ``changed``."""

    async def changed(self, before: Any) -> tuple[str, ...]:
        """The paths that were added, removed or changed since."""

    async def keep(self, patterns: Sequence[str], unit: str) -> Kept:
        """Copy what the patterns name into the record of the run.

        Raises:
            StepError: kind ``expectation``: a path is not there, or may not be kept.
        """


@noun
class Kept:
    """``paths`` of the copies, as a step may use them; ``empty`` are the globs that matched nothing."""

    paths: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()


GiveWay = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """Nobody is let go first."""


@noun
class World:
    """Everything a step of ``workflow`` may touch, as it is seen from one place in a run.

    ``deadline`` is the monotonic second at which the run's time is over, or None. ``results`` maps the ids of finished
    steps of the file to what templates may read of them, ``item_names`` are those of the item or round at work.
    ``before`` stands before the ids of the file's steps wherever the whole run is meant: ``call[3]/`` in a called file.
    ``random`` yields numbers in [0, 1). ``read_image`` reads a picture, or raises a ``StepError`` that says why not.
    ``give_way`` lets all others do what they had time for before a failure calls them off: in real time they have.
    """

    run_id: str
    workflow: Workflow
    inputs: Mapping[str, Any]
    secrets: Mapping[str, str]
    models: Models
    tools: ToolServers
    tool_house: ToolHouse
    servers: Mapping[str, Server]
    commands: Commands
    files: WorkFiles
    artifacts: Artifacts
    journal: Recorder
    clock: Clock
    random: Callable[[], float]
    on_delta: Callable[[str, Delta], None]
    read_image: Callable[[str], Image]
    limits: RunLimits
    deadline: float | None
    give_way: GiveWay = at_once
    purse: Purse = field(default_factory=Purse)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    item_names: Mapping[str, Any] = field(default_factory=dict)
    before: str = ""
    whole: World | None = None

    def names(self, **more: Any) -> dict[str, Any]:
        """The names that templates of a step see."""
        return {"inputs": self.inputs, "steps": self.results, "run": {"id": self.run_id}, **self.item_names, **more}

    def for_item(self, step: str, item: int | None, names: Mapping[str, Any]) -> World:
        """The same world as an item of a step sees it, or a step of a called file (``item`` None)."""
        key = unit_key(self.before + step, item)
        if item is None and not self.before:
            return replace(self, item_names=names) if names else self

        whole = self.whole or self

        def on_delta(_: str, delta: Delta) -> None:
            whole.on_delta(key, delta)

        return replace(
            self,
            journal=PlacedRecorder(whole.journal, self.before, item),
            artifacts=_PlacedArtifacts(whole.artifacts, key),
            on_delta=on_delta,
            item_names=names,
            whole=whole,
        )


class _PlacedArtifacts:
    """Keeps what a unit of work leaves behind under its own name."""

    def __init__(self, artifacts: Artifacts, unit: str) -> None:
        self._artifacts = artifacts
        self._unit = unit

    def artifact(self, step: str, name: str, data: bytes | str) -> str:  # noqa: ARG002 - the protocol; the unit knows more
        """As the artifacts below."""
        return self._artifacts.artifact(self._unit, name, data)
