"""A run with ``--locked``: real walls that compare what servers say with the lock before anybody works with them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.app.lock.locked import TOLERANT
from runner.app.prepare import Prepared, models_named, plan_of, prepare
from runner.app.request import RunRequest
from runner.app.run.earlier import Earlier
from runner.app.run.run import run_behind
from runner.app.run.tool_start import servers_used
from runner.app.run.walls import Walls, real_servers, real_walls
from runner.app.run.workspace import environment_of
from runner.app.run.world import all_secrets
from runner.chat.backend import Backend
from runner.chat.catalogue import Catalogue, EndpointCatalogue, Instance
from runner.chat.messages import ChatAnswer, ChatRequest, OnDelta
from runner.chat.toolbox import ServerFacts, Tool, ToolBox, ToolResult
from runner.edges.lock_file import read_lock_file
from runner.plan.lock.lock import Lock
from runner.plan.lock.rules import changed_models, changed_tools
from runner.record.events import StepStarted
from runner.record.journal import Entry
from runner.words.diagnostics import Diagnostic, Level, has_errors, in_file_order
from runner.words.errors import BridgeError, CannotServeError, ToolServerError, ToolsMissingError
from runner.words.redact import Redactor
from runner.words.templates import has_template
from runner.workflow.model import Server, Workflow


def run_locked(request: RunRequest, earlier: Earlier | None = None) -> int:
    """Run the file of a request, and refuse tools that are not as the lock says; the exit code.

    ``earlier`` as in ``run_workflow``.

    Raises:
        BridgeError: as ``run_workflow``; ToolsMissingError too if a tool or its server is not as the lock says.
        UsageError: there is no lock file.
    """
    environment = dict(os.environ)
    tolerant = request.locked == TOLERANT
    lock = read_lock_file(None if tolerant else request.locked or None, environment)
    prepared = prepare(request, environment, unset_secret="error")  # noqa: S106  a level
    if has_errors(prepared.surroundings.findings):
        raise CannotServeError((*prepared.warnings, *prepared.surroundings.findings))
    with real_servers(request, prepared, environment) as endpoints:
        named = models_named(prepared, prepared.config)
        inner = environment_of(prepared.workflow, environment)
        run_id = earlier.run if earlier is not None else None
        walls = real_walls(endpoints, prepared, inner, named=named, run_id=run_id, measures=request.simulate is None)
        guard = Guard(lock, prepared, all_secrets(prepared.workflow, environment), request, tolerant=tolerant)
        try:
            return run_behind(guard.around(walls), request, prepared, environment, earlier=earlier)
        except CannotServeError as error:
            if guard.refused:  # one server refused it; the others have been looked at as well
                raise ToolsMissingError(in_file_order(guard.refused)) from error
            raise


class Guard:
    """Looks at every tool server when it has started, and at the models when all model servers have answered.

    ``refused`` are the errors that were found before the first step.
    """

    def __init__(
        self, lock: Lock, prepared: Prepared, secrets: Mapping[str, str], request: RunRequest, *, tolerant: bool
    ) -> None:
        self._lock = lock
        self._prepared = prepared
        self._mask = Redactor(secrets).value
        self._request = request
        self._level: Level = "warning" if tolerant else "error"
        self._files = {one.file: one for one in prepared.workflow.family}
        self._told: set[Diagnostic] = set()
        self.refused: list[Diagnostic] = []
        self.runs = False

    def around(self, walls: Walls) -> Walls:
        """The same walls, watched."""
        asked = _Asked(guard=self, walls=walls)
        backends = {url: WatchedBackend(backend, asked, url) for url, backend in walls.backends.items()}

        def box(server: Server, folder: Path) -> ToolBox:
            return WatchedBox(walls.make_box(server, folder), server, self)

        def heard(entry: Entry) -> None:
            self.runs = self.runs or isinstance(entry.event, StepStarted)
            if walls.listener is not None:
                walls.listener(entry)

        return replace(walls, backends=backends, make_box=box, listener=heard)

    def judge_tools(self, server: Server, tools: Sequence[Tool]) -> None:
        """Compare what a server offers with the lock; warnings are told at once.

        Raises:
            ToolsMissingError: it is not as the lock says, and no step has begun.
            ToolServerError: the same in the midst of a run.
        """
        found = in_file_order(
            one
            for workflow in self._declaring(server)
            for one in changed_tools(workflow, self._lock, {server.name: tools}, mask=self._mask, level=self._level)
        )
        wrong = [one for one in found if one.level == "error"]
        self._tell(one for one in found if one.level != "error")
        if wrong and self.runs:
            raise ToolServerError(server.name, wrong[0].message, hint=wrong[0].help)
        if wrong:
            self.refused += wrong
            raise ToolsMissingError(wrong)

    def judge_models(self, catalogue: Catalogue, walls: Walls) -> None:
        """Warn of models that are not as the lock says."""
        with suppress(BridgeError):  # a run that cannot be planned says so itself
            plan = plan_of(self._prepared, catalogue, walls.setting)
            self._tell(changed_models(plan, self._lock, catalogue))

    def _tell(self, findings: Iterable[Diagnostic]) -> None:
        new = [one for one in findings if one not in self._told]
        self._told.update(new)
        if new and not self._request.quiet:
            import sys

            from runner.app.console import allows_colour
            from runner.app.problem import tell_findings

            tell_findings(new, colour=allows_colour(sys.stderr, os.environ, wanted=self._request.colour))

    def _declaring(self, server: Server) -> Iterator[Workflow]:
        """The files whose server of that name this one may be, its texts filled in."""
        for workflow in self._files.values():
            declared = self._prepared.surroundings.servers_of(workflow).get(server.name)
            if declared is not None and server.name in servers_used(workflow) and _may_be(declared, server):
                yield workflow


def _may_be(declared: Server, ready: Server) -> bool:
    """Whether the one, with its templates filled in, gives the other."""
    texts = zip(_texts(declared), _texts(ready), strict=False)
    same = len(declared.args) == len(ready.args) and declared.write == ready.write
    return same and all(before == after or has_template(before) for before, after in texts)


def _texts(server: Server) -> Collection[str]:
    return (server.builtin or "", server.command or "", server.url or "", server.root, server.cwd or "", *server.args)


@dataclass
class _Asked:
    """What the model servers have answered so far."""

    guard: Guard
    walls: Walls
    answers: dict[str, EndpointCatalogue | None] = field(default_factory=dict)

    def heard(self, url: str, answer: EndpointCatalogue | None) -> None:
        self.answers[url] = answer
        if len(self.answers) < len(self.walls.backends):
            return
        names = {one.url: one.name for one in self.walls.endpoints}
        known = ((url, self.answers[url]) for url in self.walls.backends)
        there = tuple(replace(one, name=names.get(url)) for url, one in known if one is not None)
        self.guard.judge_models(Catalogue(there), self.walls)


@dataclass
class WatchedBackend:
    """A backend whose list of models is shown to the guard."""

    inner: Backend
    asked: _Asked
    url: str

    @property
    def endpoint(self) -> str:
        """As the protocol."""
        return self.inner.endpoint

    async def catalogue(self) -> EndpointCatalogue:
        """As the protocol."""
        try:
            found = await self.inner.catalogue()
        except BridgeError:
            self.asked.heard(self.url, None)
            raise
        self.asked.heard(self.url, found)
        return found

    async def chat(self, request: ChatRequest, on_delta: OnDelta | None = None) -> ChatAnswer:
        """As the protocol."""
        return await self.inner.chat(request, on_delta)

    async def load(self, model: str, settings: Mapping[str, Any]) -> Instance:
        """As the protocol."""
        return await self.inner.load(model, settings)

    async def unload(self, instance: str) -> None:
        """As the protocol."""
        await self.inner.unload(instance)

    async def close(self) -> None:
        """As the protocol."""
        await self.inner.close()


@dataclass
class WatchedBox:
    """A tool box whose list of tools is shown to the guard at every start; ``server`` is as it was started."""

    inner: ToolBox
    server: Server
    guard: Guard

    @property
    def name(self) -> str:
        """As the protocol."""
        return self.inner.name

    @property
    def tools(self) -> tuple[Tool, ...]:
        """As the protocol."""
        return self.inner.tools

    async def start(self) -> ServerFacts:
        """As the protocol; and refuses what is not as the lock says (``Guard.judge_tools``)."""
        facts = await self.inner.start()
        self.guard.judge_tools(self.server, self.inner.tools)
        return facts

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """As the protocol."""
        return await self.inner.call(tool, arguments)

    async def restart(self) -> None:
        """As the protocol: a server that comes back with other tools is refused as one that died."""
        await self.inner.restart()
        self.guard.judge_tools(self.server, self.inner.tools)

    async def close(self) -> None:
        """As the protocol."""
        await self.inner.close()
