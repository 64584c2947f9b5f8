"""The tool servers of a run: which processes there are, who shares them, and those that are started in mid-run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from runner.app.run.tool_start import Household, servers_used, started
from runner.app.server_text import rendered_server
from runner.app.surroundings import Surroundings
from runner.chat.toolbox import ServerFacts, ToolBox
from runner.execute.place import Recorder
from runner.execute.tool_servers import ToolServers
from runner.plan.calls import for_callee, for_row, rows_of
from runner.plan.grants import missing_tools
from runner.plan.wanted import Names
from runner.words.diagnostics import has_errors
from runner.words.errors import StepError, TemplateError, ToolServerError
from runner.workflow.model import CallWork, Server, Workflow

MakeBox = Callable[[Server], ToolBox]
MakeServers = Callable[[Mapping[str, ToolBox], Recorder], ToolServers]


class ToolHouse:
    """Makes the boxes of the servers. Two files, or two calls, whose servers would be started alike share one process.

    ``secrets`` and ``run_id`` fill the templates of the servers' texts. ``make_servers`` as in ``Walls``.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        make_box: MakeBox,
        secrets: Mapping[str, str],
        run_id: str,
        *,
        mask: Callable[[str], str],
        make_servers: MakeServers = ToolServers,
    ) -> None:
        self._surroundings = surroundings
        self._make_box = make_box
        self._secrets = secrets
        self._run_id = run_id
        self._mask = mask
        self._make_servers = make_servers
        self._shared: dict[str, ToolBox] = {}

    def households(self, names: Names, done: Collection[str] = ()) -> Sequence[Household]:
        """Every file of the run with the servers that are known before it begins; the file itself comes first.

        ``done`` are the steps of that file that an earlier go has done: what they alone use is left out.
        """
        whole, *called = every_file(names, done)
        return self._household(whole, done), *map(self._household, called)

    def _household(self, names: Names, done: Collection[str] = ()) -> Household:
        boxes: dict[str, ToolBox] = {}
        for name in servers_used(names.workflow, done):
            try:
                boxes[name] = self._box(self._rendered(names.workflow, name, names.inputs))
            except TemplateError:
                if not names.late:
                    raise
        return Household(workflow=names.workflow, boxes=boxes)

    @asynccontextmanager
    async def of_callee(
        self, callee: Workflow, inputs: Mapping[str, Any], journal: Recorder
    ) -> AsyncIterator[ToolServers]:
        """As the protocol (``execute.tool_servers.ToolHouse``)."""
        rendered = {name: self._rendered(callee, name, inputs) for name in servers_used(callee)}
        shared = {name: self._shared[alike(one)] for name, one in rendered.items() if alike(one) in self._shared}
        fresh = {name: self._make_box(one) for name, one in rendered.items() if name not in shared}
        async with self._open(callee, fresh, journal):
            yield self._make_servers({**shared, **fresh}, journal)

    @asynccontextmanager
    async def own(
        self, workflow: Workflow, names: Sequence[str], inputs: Mapping[str, Any], journal: Recorder
    ) -> AsyncIterator[ToolServers]:
        """As the protocol."""
        boxes = {name: self._make_box(self._rendered(workflow, name, inputs)) for name in names}
        async with self._open(workflow, boxes, journal):
            yield self._make_servers(boxes, journal)

    @asynccontextmanager
    async def _open(self, workflow: Workflow, boxes: Mapping[str, ToolBox], journal: Recorder) -> AsyncIterator[None]:
        """Start them side by side; they end with the context, whatever happens in it."""
        try:
            starts = [asyncio.ensure_future(box.start()) for box in boxes.values()]
            try:
                outcomes = await asyncio.gather(*starts, return_exceptions=True)
            finally:
                for start in starts:
                    start.cancel()
            for box, outcome in zip(boxes.values(), outcomes, strict=True):
                self._note(box, outcome, journal)
            self._refuse_missing(workflow, boxes)
            yield
        finally:
            closing = [asyncio.ensure_future(box.close()) for box in boxes.values()]
            if closing:
                await asyncio.shield(asyncio.gather(*closing, return_exceptions=True))

    def _note(self, box: ToolBox, outcome: ServerFacts | BaseException, journal: Recorder) -> None:
        if isinstance(outcome, ToolServerError):
            hint = None if outcome.hint is None else self._mask(outcome.hint)
            raise StepError("tool_server", self._mask(outcome.message), hint=hint) from outcome
        if isinstance(outcome, BaseException):
            raise outcome
        journal.append(started(box, outcome))

    def _refuse_missing(self, workflow: Workflow, boxes: Mapping[str, ToolBox]) -> None:
        """Raises: StepError: a tool that a step names is not offered."""
        offered = {name: box.tools for name, box in boxes.items()}
        findings = [one for one in missing_tools(workflow, offered) if has_errors([one])]
        if findings:
            raise StepError("tool_server", findings[0].message, hint=findings[0].help)

    def _rendered(self, workflow: Workflow, name: str, inputs: Mapping[str, Any]) -> Server:
        """Raises: TemplateError."""
        server = self._surroundings.servers_of(workflow)[name]
        return rendered_server(server, {"inputs": inputs, "secrets": self._secrets, "run": {"id": self._run_id}})

    def _box(self, server: Server) -> ToolBox:
        if alike(server) not in self._shared:
            self._shared[alike(server)] = self._make_box(server)
        return self._shared[alike(server)]


def every_file(names: Names, done: Collection[str] = ()) -> Iterator[Names]:
    """The names of the file itself, then those of the files that its steps call, each time that one is called, but for
    steps that are ``done``.
    """
    yield names
    for step in names.workflow.steps:
        if isinstance(step.work, CallWork) and step.id not in done:
            for row in rows_of(step) or (None,):
                yield from every_file(for_callee(for_row(names, row), step.work))


def alike(server: Server) -> str:
    """Equal for servers that would be started alike, wherever they are declared."""
    return repr(replace(server, path=(), isolate=False))
