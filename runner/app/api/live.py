"""A run that a program watches while it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self

from runner.app.api.run import Run, run_of
from runner.app.arguments import need_asyncio
from runner.app.in_process import run_in_process
from runner.app.request import RunRequest
from runner.app.run.story import RunEnd
from runner.record.events import RunFinished
from runner.record.journal import Entry
from runner.record.state import RunState, result
from runner.words.errors import UsageError


class LiveRun:
    """A run that goes on while its block is open: ``async with runner.start(file) as run: …``.

    It begins when the block is entered. Leaving the block before the run is over ends it, with all that it has started;
    so does cancelling the task that the block is in. What keeps it from starting is raised by ``events`` and
    ``result``, and by the end of the block if neither was asked.
    """

    def __init__(self, request: RunRequest, environment: Mapping[str, str]) -> None:
        self._request = request
        self._environment = environment
        self._entries: list[Entry] = []
        self._news = asyncio.Event()
        self._state = RunState()
        self._running: asyncio.Task[RunEnd] | None = None
        self._told = False

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise UsageError("this run was started before", hint="call `runner.start` once for each run")
        need_asyncio("start")
        work = run_in_process(self._request, self._environment, listener=self._hear)
        self._running = asyncio.create_task(work, name=f"run {self._request.file}")
        self._running.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = self._task
        if not running.done() and not self._is_over:
            running.cancel()
        await _ended(running)
        if running.cancelled() or running.exception() is None:
            return
        if error is None and not self._told:
            running.result()

    @property
    def id(self) -> str | None:
        """The id of the run; None until it has one: the first event tells it."""
        return self._entries[0].run if self._entries else None

    async def events(self) -> AsyncIterator[Entry]:
        """Every entry of the journal, from the first on, each when it was written: ``seq``, ``at``, ``run``, ``event``.

        It ends when the run does. Any number of loops may go through it, at any time.

        Raises:
            BridgeError: the run could not start.
        """
        running, at = self._task, 0
        while True:
            while at < len(self._entries):
                yield self._entries[at]
                at += 1
            if running.done():
                break
            self._news.clear()
            await self._news.wait()
        if not running.cancelled():
            self._told = True
            running.result()

    async def result(self) -> Run:
        """Wait for the end of the run. After ``cancel`` it is told as ``cancelled``.

        Raises:
            BridgeError: the run could not start, or its history could not be written.
        """
        running = self._task
        await asyncio.wait((running,))  # who waits no longer does not end the run: leaving the block does
        self._told = True
        if not running.cancelled():
            end = running.result()
            return run_of(end.outcome, end.folder, end.changes)
        if self.id is None:
            raise UsageError("the run was cancelled before it began")
        return run_of(result(self._state), f"{self._request.run_dir}/{self.id}")

    async def cancel(self) -> None:
        """End the run, with all that it has started, and wait for that; what is over stays as it is."""
        if not self._is_over:
            self._task.cancel()
        await _ended(self._task)

    @property
    def _task(self) -> asyncio.Task[RunEnd]:
        if self._running is None:
            raise UsageError("the run has not been started", hint="write `async with runner.start(…) as run:`")
        return self._running

    @property
    def _is_over(self) -> bool:
        return bool(self._entries) and isinstance(self._entries[-1].event, RunFinished)

    def _hear(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._state.apply(entry)
        self._news.set()


async def _ended(running: asyncio.Task[RunEnd]) -> None:
    """Wait for it, whoever is cancelled meanwhile; a cancellation that comes while it ends is handed on to it."""
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait((running,))
            raise
