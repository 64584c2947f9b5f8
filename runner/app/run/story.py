"""One run, from the first question to a server to the line that ends its journal: whoever began it, and whoever hears.

The command line (``app.run.run``) and programs (``app.in_process``) tell the same story; what differs is the audience.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runner.app.ambient import ambient
from runner.app.prepare import Prepared, plan_of
from runner.app.request import RunRequest
from runner.app.run.answers import Ask, GivenAnswers, parse_answers
from runner.app.run.earlier import Earlier
from runner.app.run.history import History
from runner.app.run.measurements import Measurements
from runner.app.run.tools import RunTools
from runner.app.run.walls import Walls
from runner.app.run.workspace import end_workspace, environment_of, open_workspace
from runner.app.run.world import Outside, all_secrets, make_world
from runner.app.servers import ask
from runner.chat.catalogue import Catalogue
from runner.edges.config.endpoints import tokens_of
from runner.edges.left_behind import Ledger
from runner.edges.measured import read_costs, remember
from runner.execute.hall import FlowEnd
from runner.execute.outputs import workflow_outputs
from runner.execute.questions import Answer, Answers
from runner.execute.scheduler import Scheduler
from runner.execute.world import World
from runner.plan.agenda import NO_COSTS
from runner.plan.make import needs_models
from runner.plan.plan import Plan
from runner.plan.schedule.schedule import make_forecast
from runner.plan.tool_room import NOTHING_LISTED, ToolRoom
from runner.record.events import RunFinished
from runner.record.journal import Listener
from runner.show.progress import Display
from runner.words.diagnostics import Diagnostic
from runner.words.errors import BridgeError, HistoryError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.words.redact import Redactor

if TYPE_CHECKING:
    from runner.edges.workspace.workspace import Workspace


@noun
class RunEnd:
    """How a run ended. ``outcome`` is the object of ``result.json``, ``folder`` the run's, as a person may type it.

    ``told``: the run ends with an error that is raised, and whoever catches it tells what went wrong. ``changes`` says
    what became of a workspace.
    """

    outcome: Mapping[str, Any]
    folder: str
    told: bool
    changes: str | None


class Audience(Protocol):
    """Who hears of a run while it goes on."""

    def tell(self, text: str) -> None:
        """A line for people, which is no fact of the run."""

    def warn(self, findings: Sequence[Diagnostic]) -> None:
        """What is doubtful though the run goes on."""

    def display(self) -> Display:
        """Who shows the run; made when it begins, closed when it ends."""

    def asks(self, display: Display) -> Ask | None:
        """Who is asked what no option answers, if there is anybody."""

    def report(self, end: RunEnd) -> None:
        """It has ended, and its journal is closed. Told before an error is raised."""


class Story:
    """``watchers`` hear every entry of the journal, as it is written there: without secrets.

    ``environment`` is ours, with a value for every declared secret (``walls.with_stand_ins``).
    """

    def __init__(
        self,
        walls: Walls,
        request: RunRequest,
        prepared: Prepared,
        environment: Mapping[str, str],
        audience: Audience,
        *,
        earlier: Earlier | None = None,
        watchers: Sequence[Listener] = (),
    ) -> None:
        self._walls = walls
        self._request = request
        if walls.scratch and prepared.workflow.workspace == "here":
            prepared = replace(prepared, workflow=replace(prepared.workflow, workspace="copy"))
        self._prepared = prepared
        self._workflow = prepared.workflow
        self._environment = environment_of(prepared.workflow, environment)
        self._earlier = earlier
        self._audience = audience
        self._watchers = (*watchers, *request.watchers, *ambient(prepared.workflow.name, environment))
        self._answers = parse_answers(request.answers, prepared.workflow)
        self._secrets = all_secrets(self._workflow, environment)
        tokens = tokens_of(environment, prepared.config) if walls.endpoints else {}
        self._redactor = Redactor(self._secrets | tokens)
        self._clock = walls.clock
        self._offspring = walls.offspring
        self._scheduler: Scheduler | None = None
        self._tools: RunTools | None = None
        self._workspace: Workspace | None = None
        self._interrupted = False
        self._told_elsewhere = False
        self.recorded = False
        """Whether the run has a journal by now."""

    async def run(self) -> int:
        """The exit code. Cancelling ends the run, which is journalled; ``close`` is to follow in any case.

        Raises:
            BridgeError: the run could not begin, or its history could not be written.
        """
        in_place = self._workflow.workspace == "here"
        if in_place:
            self._begin_tools(Path.cwd())
            await asyncio.sleep(0)  # the servers' processes start before the model servers are asked
        catalogue = await self._catalogue()
        plan = self._plan(catalogue)
        self._audience.warn(plan.findings)
        display = self._audience.display()
        try:
            history = self._open_history(plan, display)
            return await self._told(plan, catalogue, history, display)
        finally:
            display.close()

    def stop(self) -> bool:
        """Whether the scheduler ends the run itself, so that what cleans up can end; else it is to be cancelled."""
        if self._scheduler is None or self._interrupted or not self._scheduler.cleans_up:
            return False
        self._interrupted = True
        self._scheduler.stop("the run was interrupted")
        return True

    async def _catalogue(self) -> Catalogue:
        if not self._walls.backends:
            return Catalogue()
        asked = await ask(tuple(self._walls.backends.values()), self._walls.endpoints)
        for failure in asked.failures:
            self._audience.tell(f"warning: {failure}")
        return asked.catalogue

    def _plan(self, catalogue: Catalogue, room: ToolRoom = NOTHING_LISTED) -> Plan:
        plan = plan_of(self._prepared, catalogue, self._walls.setting, room)
        replays = self._request.replay is not None  # in the same order on every machine
        return replace(plan, forecast=make_forecast(plan, NO_COSTS if replays else read_costs(self._environment)))

    def _corrected(self, plan: Plan, catalogue: Catalogue, room: ToolRoom) -> Plan:
        """The plan with what the tools take in truth: no model is loaded yet. What is doubtful only now is told.

        Raises:
            CannotServeError: a model has no room for what its step is offered.
        """
        if not (room.corrects(self._workflow) and needs_models(self._workflow)):
            return plan
        corrected = self._plan(catalogue, room)
        self._audience.warn([one for one in corrected.findings if one not in plan.findings])
        return corrected

    async def _told(self, plan: Plan, catalogue: Catalogue, history: History, display: Display) -> int:
        """Do the steps and journal the end, whatever way it comes."""
        started = self._clock.monotonic()

        def end(**facts: Any) -> int:
            outcome = history.end(RunFinished(seconds=self._clock.monotonic() - started, **facts))
            display.close()
            more = self._walls.after(outcome)
            changes = end_workspace(self._workspace, succeeded=outcome["status"] == "succeeded")
            folder = history.folder.path
            self._audience.report(RunEnd(outcome=outcome, folder=folder, told=self._told_elsewhere, changes=changes))
            return int(outcome["exit_code"]) or more

        try:
            facts = await self._steps(plan, catalogue, history, display)
        except asyncio.CancelledError:
            end(status="cancelled", exit_code=int(Exit.INTERRUPTED), outputs={})
            raise
        except HistoryError:
            raise
        except BridgeError as error:  # told by the door: it knows how to show findings
            self._told_elsewhere = True
            cause = {"kind": error.kind, "message": error.message}
            end(status="failed", exit_code=int(error.exit_code), outputs={}, error=cause)
            raise
        return end(**facts)

    async def _steps(self, plan: Plan, catalogue: Catalogue, history: History, display: Display) -> dict[str, Any]:
        """The facts of ``RunFinished``."""
        if self._workflow.workspace != "here":
            self._workspace = await open_workspace(self._workflow, Path.cwd(), history.folder.absolute)
            self._begin_tools(self._workspace.folder)
        assert self._tools is not None, "they were begun"
        self._audience.warn(await self._tools.confirm(history.journal.append))
        plan = self._corrected(plan, catalogue, self._tools.room)
        measured = Measurements(plan)
        history.journal.listen(measured.entry)
        world = make_world(plan, self._prepared, history, display, self._outside(self._tools))
        seeds = self._earlier.seeds if self._earlier is not None else None
        self._scheduler = Scheduler(world, plan, answers=self._who_answers(display), seeds=seeds)
        try:
            ended = await self._scheduler.run()
        finally:
            if (
                self._walls.measures and self._request.simulate is None
            ):  # what is pretended says nothing about the next run
                remember(self._environment, measured.loads, measured.steps)
        return self._facts(world, ended)

    def _facts(self, world: World, ended: FlowEnd) -> dict[str, Any]:
        status, code = _verdict(ended, interrupted=self._interrupted)
        facts: dict[str, Any] = {"status": status, "exit_code": int(code), "outputs": {}}
        if status in ("paused", "cancelled"):
            return facts
        try:
            facts["outputs"] = workflow_outputs(world, self._workflow, ended.finished)
        except BridgeError as error:
            facts |= {"status": "failed", "exit_code": int(Exit.STEP_FAILED)}
            facts["error"] = {"kind": error.kind, "message": error.message}
        return facts

    def _outside(self, tools: RunTools) -> Outside:
        return Outside(
            walls=self._walls,
            secrets=self._secrets,
            boxes=tools.boxes,
            house=tools.house,
            folder=self._workspace.folder if self._workspace is not None else None,
            redactor=self._redactor,
            keep_loaded=self._request.keep_loaded,
        )

    def _who_answers(self, display: Display) -> Answers:
        ask_person = self._audience.asks(display) if self._walls.asks_people else None
        kept = self._earlier.seeds.answers if self._earlier is not None else {}
        answers = {unit: tuple(Answer(choice=one.choice, by=one.by) for one in each) for unit, each in kept.items()}
        return self._walls.answers(GivenAnswers(self._answers, yes=self._request.yes, ask=ask_person, kept=answers))

    def _begin_tools(self, folder: Path) -> None:
        done = self._earlier.seeds.units if self._earlier is not None else ()
        self._tools = RunTools(self._prepared, folder, self._walls, self._secrets, mask=self._redactor.text, done=done)
        self._tools.begin()

    def _open_history(self, plan: Plan, display: Display) -> History:
        earlier = self._earlier
        history = History.open(
            run_id=self._walls.run_id,
            parent=self._request.run_dir,
            redactor=self._redactor,
            now=self._clock.now,
            listener=display.entry,
            earlier=earlier,
            remember=display.remember,
        )
        self.recorded = True
        self._offspring.write_down(Ledger(history.folder.absolute))
        if self._walls.listener is not None:
            history.journal.listen(self._walls.listener)
        for watcher in self._watchers:
            history.journal.listen(watcher)
        if earlier is None:
            history.begin(plan, self._prepared.inputs, self._request)
        else:
            history.resume()
        return history

    async def close(self) -> None:
        """End all that the run has started."""
        if self._tools is not None:
            await self._tools.close()
        for backend in self._walls.backends.values():
            await backend.close()
        self._offspring.kill_all_now()


def _verdict(ended: FlowEnd, *, interrupted: bool) -> tuple[str, Exit]:
    """A failed step fails the run unless its ``on_error`` tolerates it."""
    if interrupted:
        return "cancelled", Exit.INTERRUPTED
    if ended.paused:
        return "paused", Exit.WAITING
    return ("failed", Exit.STEP_FAILED) if ended.failed else ("succeeded", Exit.OK)
