"""Bags of walls for recordings: real ones that are written down, replayed ones, and those that change with the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.app.recording.recorder import (
    RecordedAnswers,
    RecordedBackend,
    RecordedBox,
    RecordedCommands,
    RecordedFiles,
    RecordedServers,
    Recorder,
)
from runner.app.run.answers import GivenAnswers
from runner.app.run.walls import Walls, fresh_run_id, read_real_image
from runner.chat.backend import Backend
from runner.chat.catalogue import EndpointCatalogue, Instance
from runner.chat.endpoint import Endpoint
from runner.chat.messages import ChatAnswer, ChatRequest, OnDelta
from runner.chat.toolbox import ServerFacts, Tool, ToolBox, ToolResult
from runner.edges.clock import Clock
from runner.edges.process_group import Offspring
from runner.execute.questions import Answer, Answers, Question
from runner.execute.tool_servers import ToolServers
from runner.execute.world import CommandResult, Commands, WorkFiles
from runner.plan.setting import NO_SETTING, Setting
from runner.record.cassette.cassette import Cassette
from runner.record.cassette.mask import Mask
from runner.record.whereabouts import follow, whereabouts
from runner.rehearse.replay.replay import (
    ReplayAnswers,
    ReplayBackend,
    ReplayBox,
    ReplayCommands,
    ReplayFiles,
    ReplayServers,
)
from runner.rehearse.replay.tape import Tape
from runner.rehearse.replay.time import JumpingClock, run_jumping
from runner.workflow.model import Server, Workflow

Chosen = Callable[[str], bool]
"""Whether a unit is recorded anew."""


def recorded(walls: Walls, recorder: Recorder) -> Walls:
    """These walls, and all that passes them is written down."""
    mask = recorder.mask

    def box(server: Server, folder: Path) -> RecordedBox:
        mask.works_in(str(folder))
        return RecordedBox(walls.make_box(server, folder), recorder)

    def commands(folder: Path | None) -> RecordedCommands:
        if folder is not None:
            mask.works_in(str(folder))
        return RecordedCommands(walls.make_commands(folder), recorder)

    labels = labels_of(walls.endpoints)
    return replace(
        walls,
        backends={url: RecordedBackend(one, labels[url], recorder) for url, one in walls.backends.items()},
        make_box=box,
        make_servers=lambda boxes, journal: RecordedServers(boxes, journal, recorder),
        make_commands=commands,
        answers=lambda answers: RecordedAnswers(walls.answers(answers), recorder),
        files=lambda files: RecordedFiles(walls.files(files), recorder),
        listener=follow,
    )


def labels_of(endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """What a recording calls each server, by address: its name, or ``server``, ``server 2``."""
    labels: dict[str, str] = {}
    for endpoint in endpoints:
        count = sum(label.startswith("server") for label in labels.values()) + 1
        labels[endpoint.url] = endpoint.name or ("server" if count == 1 else f"server {count}")
    return labels


def with_replayed_models(walls: Walls, tape: Tape, cassette: Cassette) -> Walls:
    """These walls, with the models of the recording."""
    labels = [one.request["endpoint"] for one in tape.all_of("catalogue")]
    endpoints = tuple(Endpoint(url=label, name=label, origin="the recording") for label in labels)
    header = cassette.header
    return replace(
        walls,
        endpoints=endpoints,
        backends={label: ReplayBackend(tape, label) for label in labels},
        setting=Setting(
            servers=endpoints, names=tuple(labels), default_model=header.default_model, simulated=header.simulated
        ),
        neighbours=None,
        measures=False,
        listener=follow,
    )


def with_replayed_tools(walls: Walls, tape: Tape) -> Walls:
    """These walls, with the tools, the commands and the files of the recording."""
    return replace(
        walls,
        make_box=lambda server, _: ReplayBox(tape, server.name),
        make_servers=ReplayServers,
        make_commands=lambda _: ReplayCommands(tape),
        files=lambda _: ReplayFiles(tape),
        measures=False,
        listener=follow,
    )


def with_replayed_answers(walls: Walls, tape: Tape, given: Mapping[str, str]) -> Walls:
    """These walls; what was answered is answered again, unless the command line says otherwise (``given``)."""
    return replace(walls, answers=lambda others: ReplayAnswers(tape, GivenAnswers(given), walls.answers(others)))


def painted(workflow: Workflow, began: float | None) -> Walls:
    """Walls of which the recording replaces all; time jumps behind them from ``began`` on, and nobody is asked."""
    clock = JumpingClock(began)

    def none(*_: Any) -> Any:
        raise AssertionError("unreachable: the recording replaces it")

    return Walls(
        run_id=fresh_run_id(Clock().now(), workflow),
        setting=NO_SETTING,
        make_box=none,
        make_commands=none,
        read_image=read_real_image,
        clock=clock,
        offspring=Offspring(),
        chance=lambda: 0.5,
        asks_people=False,
        listener=follow,
        measures=False,
        start=run_jumping,
    )


def working_in(mask: Mask, walls: Walls) -> Walls:
    """Real tools, whose workspace is what the recording calls the folder."""

    def box(server: Any, folder: Path) -> Any:
        mask.works_in(str(folder))
        return walls.make_box(server, folder)

    def commands(folder: Path | None) -> Any:
        if folder is not None:
            mask.works_in(str(folder))
        return walls.make_commands(folder)

    return replace(walls, make_box=box, make_commands=commands)


def switched(real: Walls, tape: Tape, chosen: Chosen) -> Walls:
    """Recorded walls for the units that are chosen, replayed ones for all others."""

    def box(server: Server, folder: Path) -> ToolBox:
        made = real.make_box(server, folder)
        assert isinstance(made, RecordedBox), "they are recorded walls"
        return _SwitchedBox(made, ReplayBox(tape, server.name), tape, chosen)

    backends: dict[str, Backend] = {}
    for url, one in real.backends.items():
        assert isinstance(one, RecordedBackend), "they are recorded walls"
        backends[url] = _SwitchedBackend(one, ReplayBackend(tape, url, one.keys), chosen)
    return replace(
        real,
        backends=backends,
        make_box=box,
        make_servers=lambda boxes, journal: _SwitchedServers(
            real.make_servers(boxes, journal), ReplayServers(boxes, journal), chosen
        ),
        make_commands=lambda folder: _SwitchedCommands(real.make_commands(folder), ReplayCommands(tape), chosen),
        files=lambda files: _SwitchedFiles(real.files(files), ReplayFiles(tape), chosen),
        answers=lambda answers: _SwitchedAnswers(
            real.answers(answers), ReplayAnswers(tape, GivenAnswers({}), real.answers(answers)), chosen
        ),
        measures=False,
    )


class _SwitchedBackend:
    """Lists and loads are real, for the steps that are recorded anew need them."""

    def __init__(self, real: RecordedBackend, taped: ReplayBackend, chosen: Chosen) -> None:
        self._real = real
        self._taped = taped
        self._chosen = chosen

    @property
    def endpoint(self) -> str:
        return self._real.endpoint

    async def catalogue(self) -> EndpointCatalogue:
        return await self._real.catalogue()

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        backend: Backend = self._real if self._chosen(whereabouts().unit) else self._taped
        return await backend.chat(request, on_delta)

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        return await self._real.load(model, settings)

    async def unload(self, instance: str) -> None:
        await self._real.unload(instance)

    async def close(self) -> None:
        await self._real.close()


class _SwitchedBox:
    """The server itself is started when a step that is recorded anew calls it, or where no start is recorded."""

    def __init__(self, real: RecordedBox, taped: ReplayBox, tape: Tape, chosen: Chosen) -> None:
        self._real = real
        self._taped = taped
        self._tape = tape
        self._chosen = chosen
        self._started = False
        self._listed = False

    @property
    def name(self) -> str:
        return self._real.name

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self._taped.tools if self._listed else self._real.tools

    async def start(self) -> ServerFacts:
        recorded_so = any(
            one.request["server"] == self.name and one.unit == whereabouts().unit for one in self._tape.all_of("server")
        )
        if recorded_so and not self._chosen(whereabouts().unit):
            self._listed = True
            return await self._taped.start()
        self._started = True
        return await self._real.start()

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        if not self._chosen(whereabouts().unit):
            return await self._taped.call(tool, arguments)
        if not self._started:
            self._started = True
            await self._real.start_unseen()
        return await self._real.call(tool, arguments)

    async def restart(self) -> None:
        await self._real.restart()

    async def close(self) -> None:
        await self._real.close()


class _SwitchedServers(ToolServers):
    def __init__(self, real: ToolServers, taped: ToolServers, chosen: Chosen) -> None:
        self._real = real
        self._taped = taped
        self._chosen = chosen

    def knows(self, server: str) -> bool:
        return self._real.knows(server)

    def tools(self, server: str) -> tuple[Tool, ...]:
        return self._real.tools(server)

    async def call(self, server: str, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        servers = self._real if self._chosen(whereabouts().unit) else self._taped
        return await servers.call(server, tool, arguments)


class _SwitchedCommands:
    def __init__(self, real: Commands, taped: Commands, chosen: Chosen) -> None:
        self._real = real
        self._taped = taped
        self._chosen = chosen

    async def run(
        self, argv: Sequence[str], *, stdin: str | None = None, cwd: str | None = None, env: Mapping[str, str]
    ) -> CommandResult:
        commands = self._real if self._chosen(whereabouts().unit) else self._taped
        return await commands.run(argv, stdin=stdin, cwd=cwd, env=env)


class _SwitchedFiles:
    def __init__(self, real: WorkFiles, taped: WorkFiles, chosen: Chosen) -> None:
        self._real = real
        self._taped = taped
        self._chosen = chosen

    @property
    def _now(self) -> WorkFiles:
        return self._real if self._chosen(whereabouts().unit) else self._taped

    async def fingerprint(self) -> Any:
        return await self._now.fingerprint()

    async def changed(self, before: Any) -> tuple[str, ...]:
        return await self._now.changed(before)

    async def keep(self, patterns: Sequence[str], unit: str) -> Any:
        return await self._now.keep(patterns, unit)


class _SwitchedAnswers:
    def __init__(self, real: Answers, taped: Answers, chosen: Chosen) -> None:
        self._real = real
        self._taped = taped
        self._chosen = chosen

    async def answer(self, question: Question) -> Answer | None:
        return await (self._real if self._chosen(whereabouts().unit) else self._taped).answer(question)
