"""``bridge-run FILE``: the second half of the story, from a checked file to an exit code."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.app.answers import GivenAnswers, parse_answers
from runner.app.console import allows_colour, tell
from runner.app.earlier import Earlier
from runner.app.history import History
from runner.app.interrupt import interruptible
from runner.app.measurements import Measurements
from runner.app.prepare import Prepared, models_named, plan_of, prepare
from runner.app.request import RunRequest
from runner.app.run_report import Report, report_run
from runner.app.run_tools import RunTools
from runner.app.run_workspace import end_workspace, environment_of, open_workspace
from runner.app.run_world import Outside, all_secrets, make_world
from runner.app.servers import ask
from runner.app.terminal_question import person
from runner.app.walls import Walls, real_servers, real_walls
from runner.chat.catalogue import Catalogue
from runner.edges.endpoints import tokens_of
from runner.edges.measured import read_costs, remember
from runner.execute.hall import FlowEnd
from runner.execute.outputs import workflow_outputs
from runner.execute.questions import Answer, Answers
from runner.execute.scheduler import CLEAN_UP_SECONDS, Scheduler
from runner.execute.world import World
from runner.plan.plan import Plan
from runner.plan.schedule import make_forecast
from runner.record.events import RunFinished
from runner.show.progress import Display, make_display
from runner.words.diagnostics import Diagnostic, has_errors
from runner.words.errors import BridgeError, CannotServeError, HistoryError
from runner.words.exits import Exit
from runner.words.redact import Redactor
from runner.words.units import show_seconds

if TYPE_CHECKING:
    from runner.edges.workspace import Workspace


def run_workflow(request: RunRequest, earlier: Earlier | None = None) -> int:
    """Run the file of a request and report; the exit code. ``earlier``: the run goes on where it stopped.

    Raises:
        BridgeError: the run could not start (by its ``exit_code``), or its history could not be written.
    """
    environment = dict(os.environ)
    prepared = prepare(request, environment, unset_secret="error")  # noqa: S106  a level
    if has_errors(prepared.surroundings.findings):
        raise CannotServeError((*prepared.warnings, *prepared.surroundings.findings))
    with real_servers(request, prepared, environment) as endpoints:
        walls = real_walls(
            endpoints,
            prepared,
            environment_of(prepared.workflow, environment),
            named=models_named(prepared, prepared.config),
            run_id=earlier.run if earlier else None,
            measures=request.simulate is None,
        )
        return run_behind(walls, request, prepared, environment, earlier=earlier)


def run_behind(
    walls: Walls,
    request: RunRequest,
    prepared: Prepared,
    environment: Mapping[str, str],
    *,
    earlier: Earlier | None = None,
    report: Report = report_run,
) -> int:
    """Run what is prepared behind these walls, and report; the exit code.

    ``environment`` is ours, with a value for every declared secret (``walls.with_stand_ins``). ``report`` is told the
    outcome: the object of ``result.json``.

    Raises:
        BridgeError: as ``run_workflow``; the outcome of a run that could not begin was reported before.
    """
    return walls.start(_Run(walls, request, prepared, environment, earlier=earlier, report=report).run())


class _Run:
    """One run, from the first question to a server to the last line on the screen."""

    def __init__(
        self,
        walls: Walls,
        request: RunRequest,
        prepared: Prepared,
        environment: Mapping[str, str],
        *,
        earlier: Earlier | None,
        report: Report,
    ) -> None:
        self._walls = walls
        self._request = request
        if walls.scratch and prepared.workflow.workspace == "here":
            prepared = replace(prepared, workflow=replace(prepared.workflow, workspace="copy"))
        self._prepared = prepared
        self._workflow = prepared.workflow
        self._environment = environment_of(prepared.workflow, environment)
        self._earlier = earlier
        self._report = report
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
        self._recorded = False
        self._told_elsewhere = False

    async def run(self) -> int:
        """The exit code.

        Raises:
            BridgeError: as ``run_workflow``.
        """
        story = asyncio.ensure_future(self._story())
        with interruptible(story, self._offspring, self._stopped):
            try:
                return await story
            except asyncio.CancelledError:
                if not self._recorded:
                    tell("interrupted before the run began")
                return Exit.INTERRUPTED
            finally:
                await self._close()

    def _stopped(self) -> bool:
        """Whether the scheduler takes the signal, so that what cleans up can end; else the story is cancelled."""
        if self._scheduler is None or self._interrupted or not self._scheduler.cleans_up:
            return False
        self._interrupted = True
        self._scheduler.stop("the run was interrupted")
        within = show_seconds(CLEAN_UP_SECONDS)
        tell(f"interrupted: the steps that clean up go on, for at most {within}; Ctrl-C once more ends them")
        return True

    async def _story(self) -> int:
        in_place = self._workflow.workspace == "here"
        if in_place:
            self._begin_tools(Path.cwd())
            await asyncio.sleep(0)  # the servers' processes start before the model servers are asked
        catalogue = await self._catalogue()
        plan = plan_of(self._prepared, catalogue, self._walls.setting)
        plan = replace(plan, forecast=make_forecast(plan, read_costs(self._environment)))
        self._warn(plan.findings)
        display = self._display()
        try:
            history = self._open_history(plan, display)
            return await self._told(plan, history, display)
        finally:
            display.close()

    async def _catalogue(self) -> Catalogue:
        if not self._walls.backends:
            return Catalogue()
        asked = await ask(tuple(self._walls.backends.values()), self._walls.endpoints)
        for failure in asked.failures:
            tell(f"warning: {failure}")
        return asked.catalogue

    async def _told(self, plan: Plan, history: History, display: Display) -> int:
        """Do the steps and journal the end, whatever way it comes."""
        started = self._clock.monotonic()

        def end(**facts: Any) -> int:
            outcome = history.end(RunFinished(seconds=self._clock.monotonic() - started, **facts))
            display.close()
            more = self._walls.after(outcome)
            self._report(
                outcome,
                history.place,
                self._request,
                told=self._told_elsewhere,
                colour=self._colour(),
                changes=end_workspace(self._workspace, succeeded=outcome["status"] == "succeeded"),
            )
            return int(outcome["exit_code"]) or more

        try:
            facts = await self._steps(plan, history, display)
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

    async def _steps(self, plan: Plan, history: History, display: Display) -> dict[str, Any]:
        """The facts of ``RunFinished``."""
        if self._workflow.workspace != "here":
            self._workspace = await open_workspace(self._workflow, Path.cwd(), history.folder.absolute)
            self._begin_tools(self._workspace.folder)
        assert self._tools is not None, "they were begun"
        self._warn(await self._tools.confirm(history.journal.append))
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
        request, ask_person = self._request, None
        if self._walls.asks_people:
            ask_person = person(self._environment, display.step_aside, quiet=request.quiet, colour=request.colour)
        kept = self._earlier.seeds.answers if self._earlier is not None else {}
        answers = {unit: tuple(Answer(choice=one.choice, by=one.by) for one in each) for unit, each in kept.items()}
        return self._walls.answers(GivenAnswers(self._answers, yes=request.yes, ask=ask_person, kept=answers))

    def _begin_tools(self, folder: Path) -> None:
        self._tools = RunTools(self._prepared, folder, self._walls, self._secrets, mask=self._redactor.text)
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
        self._recorded = True
        if self._walls.listener is not None:
            history.journal.listen(self._walls.listener)
        if earlier is None:
            history.begin(plan, self._prepared.inputs, self._request)
        else:
            history.resume()
        return history

    def _display(self) -> Display:
        return make_display(sys.stderr, self._environment, quiet=self._request.quiet, is_tty=sys.stderr.isatty())

    def _warn(self, findings: Sequence[Diagnostic]) -> None:
        if findings and not self._request.quiet:
            from runner.app.problem import tell_findings  # most runs have nothing to tell

            tell_findings(findings, colour=self._colour())

    def _colour(self) -> bool:
        return allows_colour(sys.stderr, self._environment, wanted=self._request.colour)

    async def _close(self) -> None:
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
