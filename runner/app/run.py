"""``bridge-run FILE``: the second half of the story, from a checked file to an exit code."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from runner.app.console import allows_colour, say, tell
from runner.app.history import History
from runner.app.interrupt import interruptible
from runner.app.prepare import Prepared, models_named, plan_of, prepare
from runner.app.request import RunRequest
from runner.app.server_text import rendered_server
from runner.app.servers import ask, model_endpoints, setting_of
from runner.app.tool_start import ToolStart, servers_used
from runner.chat.backend import Backend
from runner.chat.catalogue import Catalogue
from runner.chat.endpoint import Endpoint
from runner.chat.messages import Delta, Image
from runner.edges.clock import Clock
from runner.edges.command import CommandRunner
from runner.edges.endpoints import tokens_of
from runner.edges.process_group import Offspring
from runner.edges.run_folder import new_run_id
from runner.execute.models import Models
from runner.execute.neighbour import Neighbours
from runner.execute.outputs import workflow_outputs
from runner.execute.scheduler import Scheduler
from runner.execute.tool_servers import ToolServers
from runner.execute.world import World
from runner.plan.make import needs_models
from runner.plan.plan import Plan
from runner.record.events import RunFinished, StepFinished
from runner.show.progress import Display, make_display
from runner.show.result_view import closing_text, outputs_text, result_json
from runner.words.diagnostics import Diagnostic, has_errors
from runner.words.errors import BridgeError, CannotServeError, HistoryError
from runner.words.exits import Exit
from runner.words.redact import Redactor


def run_workflow(request: RunRequest) -> int:
    """Run the file of a request and report; the exit code.

    Raises:
        BridgeError: the run could not start (by its ``exit_code``), or its history could not be written.
    """
    environment = dict(os.environ)
    prepared = prepare(request, environment, unset_secret="error")  # noqa: S106  a level
    if has_errors(prepared.surroundings.findings):
        raise CannotServeError((*prepared.warnings, *prepared.surroundings.findings))
    asks = needs_models(prepared.workflow)
    servers = (
        model_endpoints(request.endpoints, request.simulate, environment, prepared.config) if asks else nullcontext(())
    )
    with servers as endpoints:
        return asyncio.run(_Run(request, prepared, environment, endpoints).run())


class _Run:
    """One run, from the first question to a server to the last line on the screen."""

    def __init__(
        self, request: RunRequest, prepared: Prepared, environment: Mapping[str, str], endpoints: Sequence[Endpoint]
    ) -> None:
        self._request = request
        self._prepared = prepared
        self._workflow = prepared.workflow
        self._environment = environment
        self._secrets = {name: environment[name] for name in self._workflow.secrets}
        self._endpoints = tuple(endpoints)
        tokens = tokens_of(environment, prepared.config) if endpoints else {}
        self._redactor = Redactor(self._secrets | tokens)
        self._clock = Clock()
        self._offspring = Offspring()
        self._run_id = new_run_id(self._clock.now(), os.urandom(2).hex(), self._workflow.name)
        self._backends = _backends(self._endpoints, models_named(prepared, prepared.config), self._offspring)
        self._tools = self._tool_start()
        self._recorded = False
        self._told_elsewhere = False

    async def run(self) -> int:
        """The exit code.

        Raises:
            BridgeError: as ``run_workflow``.
        """
        story = asyncio.ensure_future(self._story())
        with interruptible(story, self._offspring):
            try:
                return await story
            except asyncio.CancelledError:
                if not self._recorded:
                    tell("interrupted before the run began")
                return Exit.INTERRUPTED
            finally:
                await self._close()

    async def _story(self) -> int:
        self._tools.begin()
        await asyncio.sleep(0)  # the servers' processes start before the model servers are asked
        catalogue = await self._catalogue()
        plan = plan_of(self._prepared, catalogue, setting_of(self._endpoints, self._prepared.config))
        self._warn(plan.findings)
        display = self._display()
        try:
            return await self._told(plan, self._open_history(plan, display), display)
        finally:
            display.close()

    async def _catalogue(self) -> Catalogue:
        if not self._backends:
            return Catalogue()
        asked = await ask(tuple(self._backends.values()), self._endpoints)
        for failure in asked.failures:
            tell(f"warning: {failure}")
        return asked.catalogue

    async def _told(self, plan: Plan, history: History, display: Display) -> int:
        """Do the steps and journal the end, whatever way it comes."""
        started = self._clock.monotonic()

        def end(**facts: Any) -> int:
            outcome = history.end(RunFinished(seconds=self._clock.monotonic() - started, **facts))
            display.close()
            self._report(outcome, history.place)
            return int(outcome["exit_code"])

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
        self._warn(await self._tools.confirm(history.journal.append))
        world = self._world(plan, history, display)
        finished = await Scheduler(world, plan).run()
        status, code = _verdict(finished)
        facts: dict[str, Any] = {"status": status, "exit_code": int(code), "outputs": {}}
        try:
            facts["outputs"] = workflow_outputs(world, self._workflow, finished)
        except BridgeError as error:
            facts |= {"status": "failed", "exit_code": int(Exit.STEP_FAILED)}
            facts["error"] = {"kind": error.kind, "message": error.message}
        return facts

    def _world(self, plan: Plan, history: History, display: Display) -> World:
        limits, journal = self._workflow.limits, history.journal
        inherited = {k: v for k, v in self._environment.items() if k not in self._workflow.secrets}
        return World(
            run_id=self._run_id,
            inputs=self._prepared.inputs,
            secrets=self._secrets,
            models=Models(
                plan,
                self._backends,
                journal,
                self._clock,
                keep_loaded=self._request.keep_loaded,
                neighbours=_neighbours(self._endpoints, self._environment),
            ),
            tools=ToolServers(self._tools.boxes, journal),
            servers=self._prepared.surroundings.servers,
            commands=CommandRunner(inherited, self._offspring),
            artifacts=history.folder,
            journal=journal,
            clock=self._clock,
            random=random.random,
            on_delta=display.delta if self._redactor.empty else _without_words(display),
            read_image=_read_image,
            limits=limits,
            deadline=None if limits.time is None else self._clock.monotonic() + limits.time,
        )

    def _tool_start(self) -> ToolStart:
        names = {"inputs": self._prepared.inputs, "secrets": self._secrets, "run": {"id": self._run_id}}
        used = servers_used(self._workflow)
        if not used:
            return ToolStart(self._workflow, {}, self._redactor.text)
        from runner.edges.toolbox import make_toolbox

        servers = (rendered_server(self._prepared.surroundings.servers[name], names) for name in used)
        boxes = {
            server.name: make_toolbox(
                server, folder=str(Path.cwd()), environment=self._environment, offspring=self._offspring
            )
            for server in servers
        }
        return ToolStart(self._workflow, boxes, self._redactor.text)

    def _open_history(self, plan: Plan, display: Display) -> History:
        history = History.open(
            run_id=self._run_id,
            parent=self._request.run_dir,
            redactor=self._redactor,
            now=self._clock.now,
            listener=display.entry,
        )
        self._recorded = True
        history.begin(plan, self._prepared.inputs)
        return history

    def _report(self, outcome: Mapping[str, Any], place: str) -> None:
        """How it ended, to stderr; the outputs, or the whole result for machines, to stdout."""
        told = not self._request.quiet and not self._told_elsewhere
        on_terminal = sys.stderr.isatty()
        if told:
            gap = "\n" if on_terminal else ""  # between the progress and the end
            tell(gap + closing_text(outcome, journal=place, colour=self._colour()))
        if self._request.output == "json":
            text = result_json(outcome)
        else:
            text = outputs_text(outcome) if outcome["status"] == "succeeded" else ""
        if told and text and on_terminal and sys.stdout.isatty():
            tell("\n")
        say(text)

    def _display(self) -> Display:
        return make_display(sys.stderr, self._environment, quiet=self._request.quiet, is_tty=sys.stderr.isatty())

    def _warn(self, findings: Sequence[Diagnostic]) -> None:
        if findings and not self._request.quiet:
            from runner.app.problem import tell_findings  # most runs have nothing to tell

            tell_findings(findings, colour=self._colour())

    def _colour(self) -> bool:
        return allows_colour(sys.stderr, self._environment, wanted=self._request.colour)

    async def _close(self) -> None:
        await self._tools.close()
        for backend in self._backends.values():
            await backend.close()
        self._offspring.kill_all_now()


def _verdict(finished: Mapping[str, StepFinished]) -> tuple[str, Exit]:
    """A failed step fails the run unless its ``on_error`` tolerates it."""
    failed = any(end.status == "failed" and not end.tolerated for end in finished.values())
    return ("failed", Exit.STEP_FAILED) if failed else ("succeeded", Exit.OK)


def _backends(endpoints: Sequence[Endpoint], named: Collection[str], offspring: Offspring) -> dict[str, Backend]:
    if not endpoints:
        return {}
    from runner.edges.backends import make_backend

    return {endpoint.url: make_backend(endpoint, named=named, offspring=offspring) for endpoint in endpoints}


def _neighbours(endpoints: Sequence[Endpoint], environment: Mapping[str, str]) -> Neighbours | None:
    if all(endpoint.embedded is not None for endpoint in endpoints):
        return None
    from runner.edges import neighbour  # files that locks need, for runs that ask a server

    return neighbour.Neighbours(environment)


def _read_image(path: str) -> Image:
    from runner.edges.image import read_image  # few runs show pictures

    return read_image(path, Path.cwd())


def _without_words(display: Display) -> Callable[[str, Delta], None]:
    """A stream that is counted but not shown: a secret may be spread over its pieces, where no mask finds it."""

    def delta(step: str, piece: Delta) -> None:
        display.delta(step, Delta(piece.kind, ""))

    return delta
