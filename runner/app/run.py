"""``bridge-run FILE``: the second half of the story, from a checked file to an exit code."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner import __version__
from runner.app.console import allows_colour, say, tell
from runner.app.interrupt import interruptible
from runner.app.prepare import Prepared, plan_of, prepare
from runner.app.request import RunRequest
from runner.app.server_text import rendered_server
from runner.app.servers import ask, model_endpoints
from runner.app.tool_start import ToolStart, servers_used
from runner.chat.backend import Backend
from runner.chat.catalogue import Catalogue
from runner.edges.clock import Clock
from runner.edges.command import CommandRunner
from runner.edges.process_group import Offspring
from runner.edges.run_folder import RunFolder, new_run_id
from runner.execute.outputs import workflow_outputs
from runner.execute.scheduler import Scheduler
from runner.execute.tool_servers import ToolServers
from runner.execute.world import World
from runner.plan.make import needs_models
from runner.plan.plan import Plan
from runner.record.events import RunFinished, RunStarted, StepFinished
from runner.record.journal import Journal, masking
from runner.record.state import RunState, result
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
    servers = model_endpoints(request.endpoints, request.simulate, environment) if asks else nullcontext(())
    with servers as endpoints:
        return asyncio.run(_Run(request, prepared, environment, endpoints).run())


@dataclass(frozen=True, slots=True)
class _History:
    """The open run folder and what is folded from its journal."""

    folder: RunFolder
    journal: Journal
    state: RunState


class _Run:
    """One run, from the first question to a server to the last line on the screen."""

    def __init__(
        self, request: RunRequest, prepared: Prepared, environment: Mapping[str, str], endpoints: Sequence[str]
    ) -> None:
        self._request = request
        self._prepared = prepared
        self._workflow = prepared.workflow
        self._environment = environment
        self._secrets = {name: environment[name] for name in self._workflow.secrets}
        self._redactor = Redactor(self._secrets)
        self._clock = Clock()
        self._offspring = Offspring()
        self._run_id = new_run_id(self._clock.now(), os.urandom(2).hex(), self._workflow.name)
        self._backends = _backends(endpoints, environment)
        self._tools = self._tool_start()
        self._recorded = False

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
        plan = plan_of(self._prepared, catalogue)
        self._warn(plan.findings)
        display = self._display()
        try:
            history = self._open_history(plan, display)
            return await self._told(plan, history, display)
        finally:
            display.close()

    async def _catalogue(self) -> Catalogue:
        if not self._backends:
            return Catalogue()
        asked = await ask(tuple(self._backends.values()))
        for failure in asked.failures:
            tell(f"warning: {failure}")
        return asked.catalogue

    async def _told(self, plan: Plan, history: _History, display: Display) -> int:
        """Do the steps and journal the end, whatever way it comes."""
        started = self._clock.monotonic()
        end: Callable[..., RunFinished] = lambda **facts: RunFinished(  # noqa: E731  one line that every way out shares
            seconds=self._clock.monotonic() - started, **facts
        )
        try:
            finished = await self._steps(plan, history.journal, display)
        except asyncio.CancelledError:
            history.journal.append(end(status="cancelled", exit_code=int(Exit.INTERRUPTED), outputs={}))
            self._close_history(history, display)
            raise
        except HistoryError:
            raise
        except BridgeError as error:
            facts = {"kind": error.kind, "message": error.message}
            history.journal.append(end(status="failed", exit_code=int(error.exit_code), outputs={}, error=facts))
            self._close_history(history, display, quiet=True)
            raise
        history.journal.append(end(**finished))
        self._close_history(history, display)
        return history.state.exit_code or 0

    async def _steps(self, plan: Plan, journal: Journal, display: Display) -> dict[str, Any]:
        """The facts of ``RunFinished``."""
        self._warn(await self._tools.confirm(journal.append))
        world = self._world(journal, display)
        finished = await Scheduler(world, plan).run()
        status, code = _verdict(finished)
        facts: dict[str, Any] = {"status": status, "exit_code": int(code), "outputs": {}}
        try:
            facts["outputs"] = workflow_outputs(world, self._workflow, finished)
        except BridgeError as error:
            facts |= {"status": "failed", "exit_code": int(Exit.STEP_FAILED)}
            facts["error"] = {"kind": error.kind, "message": error.message}
        return facts

    def _world(self, journal: Journal, display: Display) -> World:
        limits = self._workflow.limits
        inherited = {k: v for k, v in self._environment.items() if k not in self._workflow.secrets}
        return World(
            run_id=self._run_id,
            inputs=self._prepared.inputs,
            secrets=self._secrets,
            backends=self._backends,
            tools=ToolServers(self._tools.boxes, journal),
            servers=self._prepared.surroundings.servers,
            commands=CommandRunner(inherited, self._offspring),
            artifacts=self._folder,
            journal=journal,
            clock=self._clock,
            random=random.random,
            on_delta=display.delta,
            limits=limits,
            deadline=None if limits.time is None else self._clock.monotonic() + limits.time,
        )

    def _tool_start(self) -> ToolStart:
        names = {"inputs": self._prepared.inputs, "secrets": self._secrets, "run": {"id": self._run_id}}
        used = servers_used(self._workflow)
        if not used:
            return ToolStart(self._workflow, {})
        from runner.edges.toolbox import make_toolbox

        servers = (rendered_server(self._prepared.surroundings.servers[name], names) for name in used)
        boxes = {
            server.name: make_toolbox(
                server, folder=str(Path.cwd()), environment=self._environment, offspring=self._offspring
            )
            for server in servers
        }
        return ToolStart(self._workflow, boxes)

    def _open_history(self, plan: Plan, display: Display) -> _History:
        mask = self._redactor.value
        self._folder = folder = RunFolder.open(run_id=self._run_id, parent=self._request.run_dir, mask=mask)
        journal = Journal(folder.journal, self._run_id, self._clock.now, masking(mask) if self._secrets else None)
        state = RunState()
        journal.listen(state.apply)
        journal.listen(display.entry)
        self._recorded = True
        journal.append(
            RunStarted(
                workflow=self._workflow.name,
                file=self._workflow.file,
                inputs=self._prepared.inputs,
                steps=tuple(step.id for step in self._workflow.steps),
                models={
                    p.step.id: {"model": p.model.model, "endpoint": p.model.endpoint} for p in plan.steps if p.model
                },
                version=__version__,
            )
        )
        return _History(folder, journal, state)

    def _close_history(self, history: _History, display: Display, *, quiet: bool = False) -> None:
        """Make the journal durable, keep ``result.json``, and show how it ended.

        Raises:
            HistoryError: it cannot be written.
        """
        history.journal.close()
        outcome = result(history.state)
        history.folder.write_result(outcome)
        display.close()
        if quiet:
            return
        if not self._request.quiet:
            tell(closing_text(outcome, journal=f"{history.folder.path}/journal.jsonl", colour=self._colour()))
        if self._request.output == "json":
            say(result_json(outcome))
        elif history.state.status == "succeeded":
            say(outputs_text(outcome))

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


def _backends(endpoints: Sequence[str], environment: Mapping[str, str]) -> dict[str, Backend]:
    if not endpoints:
        return {}
    from runner.edges.endpoints import token_from
    from runner.edges.lmstudio import HttpBackend

    token = token_from(environment)
    return {endpoint: HttpBackend(endpoint, token=token) for endpoint in endpoints}
