"""A whole run in this process: a workflow text, real parts around the scheduler, and what came of it.

The parts are those of the product (journal, run folder, built-in files, commands, backends over HTTP). Where time or
the order of answers is the subject, a test brings its own clock or its own backend through the same seams.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.app.run.tool_house import ToolHouse
from runner.app.run.work_files import WorkFiles
from runner.app.surroundings import survey
from runner.chat.backend import Backend
from runner.chat.catalogue import Catalogue, EndpointCatalogue, Instance, ModelEntry
from runner.chat.messages import ChatAnswer, ChatRequest, Delta, OnDelta
from runner.chat.toolbox import ServerFacts, Tool, ToolBox, ToolResult
from runner.edges.clock import Clock
from runner.edges.command import CommandRunner
from runner.edges.image import read_image
from runner.edges.process_group import Offspring
from runner.edges.run_folder import RunFolder
from runner.edges.toolbox import make_toolbox
from runner.execute.hall import FlowEnd
from runner.execute.models import Models
from runner.execute.outputs import workflow_outputs
from runner.execute.purse import Purse
from runner.execute.questions import Answers
from runner.execute.scheduler import Scheduler
from runner.execute.tool_servers import ToolServers
from runner.execute.world import World
from runner.plan.make import make_plan
from runner.plan.overrides import NO_OVERRIDES
from runner.plan.plan import Plan
from runner.plan.schedule.schedule import make_forecast
from runner.plan.setting import NO_SETTING, Setting
from runner.plan.wanted import Names
from runner.record.events import Event, RunFinished, RunStarted, StepFinished
from runner.record.journal import Entry, Journal, Sink, masking
from runner.record.parts import units_of
from runner.record.seeds import Seeds
from runner.record.state import RunState, result
from runner.words.errors import LLMValidationError
from runner.words.redact import Redactor
from runner.workflow.load import load
from runner.workflow.model import Server

ENDPOINT = "http://painted"
MODEL = "painted/model"


class VirtualClock:
    """Time that passes only when somebody waits, or is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.waits: list[float] = []

    def now(self) -> float:
        return 1_700_000_000.0 + self.seconds

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


Say = Callable[[ChatRequest], Any]
"""What a painted model does with a request: gives an answer (a text is enough), or raises; may be a coroutine."""


@dataclass
class PaintedBackend:
    """A ``Backend`` over nothing. ``asked`` are all requests, in the order in which they came."""

    say: Say
    endpoint: str = ENDPOINT
    asked: list[ChatRequest] = field(default_factory=list)

    async def catalogue(self) -> EndpointCatalogue:
        entry = ModelEntry(key=MODEL, type="llm", loaded=True, tool_use=True)
        return EndpointCatalogue(endpoint=self.endpoint, flavour="lmstudio-v1", models=(entry,))

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        self.asked.append(request)
        said = self.say(request)
        if asyncio.iscoroutine(said):
            said = await said
        answer = ChatAnswer(model=request.model, content=said) if isinstance(said, str) else said
        if on_delta is not None:
            on_delta(Delta("content", answer.content))
        return answer

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        raise LLMValidationError("a painted server cannot be told to load")

    async def unload(self, instance: str) -> None:
        raise LLMValidationError("a painted server cannot be told to unload")

    async def close(self) -> None:
        """There is nothing to close."""


@dataclass
class PaintedBox:
    """A ``ToolBox`` over nothing: ``answer(tool, arguments)`` gives a result (a text is enough), or raises."""

    name: str
    tools: tuple[Tool, ...]
    answer: Callable[[str, Mapping[str, Any]], Any]
    on_restart: Callable[[], Any] = lambda: None
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    restarts: int = 0

    async def start(self) -> ServerFacts:
        return ServerFacts(name=self.name)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        self.calls.append((tool, dict(arguments)))
        said = self.answer(tool, arguments)
        if asyncio.iscoroutine(said):
            said = await said
        return ToolResult(text=said) if isinstance(said, str) else said

    async def restart(self) -> None:
        self.restarts += 1
        done = self.on_restart()
        if asyncio.iscoroutine(done):
            await done

    async def close(self) -> None:
        """There is nothing to close."""


def _is_whole(event: Event) -> bool:
    """Whether it is the end of a step of the first file, as a whole."""
    return isinstance(event, StepFinished) and event.item is None and "/" not in event.step


@dataclass(frozen=True)
class Ran:
    """What came of a run."""

    entries: list[Entry]
    finished: Mapping[str, StepFinished]
    end: FlowEnd
    outputs: dict[str, Any]
    result: dict[str, Any]
    folder: Path
    world: World

    def events(self, kind: type[Any], step: str | None = None) -> list[Any]:
        """The events of a kind, of one step if named, in order."""
        events: list[Event] = [entry.event for entry in self.entries]
        return [e for e in events if isinstance(e, kind) and (step is None or getattr(e, "step", None) == step)]

    @property
    def journal(self) -> str:
        """The journal as it lies on the disk."""
        return (self.folder / "journal.jsonl").read_text("utf-8")


@dataclass
class Bench:
    """Builds worlds in a folder. ``backend`` answers every model, or each of ``backends`` its own; ``boxes`` stand in
    for servers by name. Loops are started by ``start``, as ``asyncio.run`` does it.
    """

    folder: Path
    backend: Backend | None = None
    boxes: Mapping[str, ToolBox] = field(default_factory=dict)
    clock: Any = field(default_factory=Clock)
    chance: Callable[[], float] = random.Random(7).random
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    offspring: Offspring = field(default_factory=Offspring)
    listeners: Sequence[Callable[[Entry], None]] = ()
    on_delta: Callable[[str, Delta], None] = lambda step, delta: None
    sink: Callable[[Sink], Sink] = lambda sink: sink
    folders: list[RunFolder] = field(default_factory=list)
    backends: Sequence[Backend] = ()
    setting: Setting = NO_SETTING
    keep_loaded: bool = False
    answers: Answers | None = None
    seeds: Seeds | None = None
    by_agenda: bool = True
    plan: Callable[[Plan], Plan] = lambda plan: plan
    on_scheduler: Callable[[Scheduler], None] = lambda scheduler: None
    start: Callable[[Any], Any] = asyncio.run
    _runs: int = 0

    def run(self, text: str, **inputs: Any) -> Ran:
        """Run a workflow text to its end."""
        return self.start(self.running(text, **inputs))

    async def running(self, text: str, **inputs: Any) -> Ran:
        """The same inside a loop, so that a test can cancel it."""
        self.folder.mkdir(exist_ok=True, parents=True)
        self._runs += 1
        file = self.folder / f"flow-{self._runs}.yaml"
        file.write_text(text, encoding="utf-8")
        workflow = load(str(file)).workflow
        catalogue = Catalogue(tuple([await backend.catalogue() for backend in self._all]))
        inputs = {name: inputs.get(name, one.default) for name, one in workflow.inputs.items()} | inputs
        plan = make_plan(workflow, catalogue, inputs=inputs, setting=self.setting)
        if self.by_agenda:
            plan = self.plan(replace(plan, forecast=make_forecast(plan)))
        return await self._run(plan, inputs)

    async def _run(self, plan: Plan, inputs: Mapping[str, Any]) -> Ran:
        workflow = plan.workflow
        secrets = {name: self.environment[name] for member in workflow.family for name in member.secrets}
        mask = Redactor(secrets).value
        folder = RunFolder.open(run_id=f"run-{self._runs}", parent=str(self.folder / "runs"), mask=mask)
        self.folders.append(folder)
        journal = Journal(self.sink(folder.journal), f"run-{self._runs}", self.clock.now, masking(mask))
        entries: list[Entry] = []
        state = RunState()
        for listener in (entries.append, state.apply, *self.listeners):
            journal.listen(listener)
        house = self._house(plan, inputs, secrets)
        households = house.households(Names(workflow=workflow, overrides=NO_OVERRIDES, inputs=inputs))
        boxes = {name: box for household in households[::-1] for name, box in household.boxes.items()}
        for box in boxes.values():
            await box.start()
        ids = tuple(units_of(workflow))
        journal.append(RunStarted(workflow=workflow.name, file=workflow.file, inputs=inputs, steps=ids))
        world = self._world(plan, inputs, secrets, folder, journal, boxes, house)
        scheduler = Scheduler(world, plan, answers=self.answers, seeds=self.seeds)
        self.on_scheduler(scheduler)
        try:
            end = await scheduler.run()
            outputs = {} if end.paused else workflow_outputs(world, workflow, end.finished)
            status = "paused" if end.paused else "succeeded"
            journal.append(RunFinished(status=status, exit_code=8 if end.paused else 0, outputs=outputs, seconds=0.0))
        finally:
            for box in boxes.values():
                await box.close()
            for backend in self._all:
                await backend.close()
            journal.close()
        in_order = {one.event.step: one.event for one in entries if _is_whole(one.event)}
        finished = {step: end.finished[step] for step in {**in_order, **end.finished}}
        return Ran(entries, finished, end, outputs, result(state), Path(folder.path), world)

    @property
    def _all(self) -> Sequence[Backend]:
        return self.backends or ((self.backend,) if self.backend else ())

    def _house(self, plan: Plan, inputs: Mapping[str, Any], secrets: Mapping[str, str]) -> ToolHouse:
        surroundings = survey(plan.workflow, inputs, self.environment, unset_secret="error")
        return ToolHouse(surroundings, self._box, secrets, f"run-{self._runs}", mask=str)

    def _box(self, server: Server) -> ToolBox:
        if server.name in self.boxes:
            return self.boxes[server.name]
        return make_toolbox(server, folder=str(self.folder), environment=self.environment, offspring=self.offspring)

    def _world(
        self,
        plan: Plan,
        inputs: Mapping[str, Any],
        secrets: Mapping[str, str],
        folder: RunFolder,
        journal: Journal,
        boxes: Mapping[str, ToolBox],
        house: ToolHouse,
    ) -> World:
        workflow = plan.workflow
        inherited = {k: v for k, v in self.environment.items() if k not in workflow.secrets}
        limits = workflow.limits
        return World(
            run_id=journal.run,
            workflow=workflow,
            inputs=inputs,
            secrets=secrets,
            models=Models(
                plan,
                {backend.endpoint: backend for backend in self._all},
                journal,
                self.clock,
                keep_loaded=self.keep_loaded,
            ),
            tools=ToolServers(boxes, journal),
            tool_house=house,
            servers=workflow.servers,
            commands=CommandRunner(inherited, self.offspring),
            files=WorkFiles(self.folder, Path(folder.path)),
            artifacts=folder,
            journal=journal,
            clock=self.clock,
            random=self.chance,
            on_delta=self.on_delta,
            read_image=lambda path: read_image(path, self.folder),
            limits=limits,
            purse=Purse(most_tokens=limits.tokens, most_tool_calls=limits.tool_calls),
            deadline=None if limits.time is None else self.clock.monotonic() + limits.time,
        )
