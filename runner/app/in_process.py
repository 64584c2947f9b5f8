"""A run inside of a program that goes on: in its event loop, beside other runs, without terminal and signals.

Several such runs may go on at once. They share the working folder of the process; nothing else is shared that is not
also shared by two ``bridge-run`` in two terminals.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from runner.app.prepare import Prepared, models_named, prepare
from runner.app.request import RunRequest
from runner.app.run.answers import Ask
from runner.app.run.story import RunEnd, Story
from runner.app.run.walls import real_servers, real_walls
from runner.app.run.workspace import environment_of
from runner.chat.messages import Delta
from runner.edges.run_folder import new_run_id
from runner.execute.scheduler import CLEAN_UP_SECONDS
from runner.record.journal import Listener
from runner.record.wire import Entry
from runner.show.progress import Display
from runner.words.diagnostics import Diagnostic, has_errors
from runner.words.errors import CannotServeError
from runner.workflow.load import Loaded

OnDelta = Callable[[str, Delta], None]
"""Hears the unit (``fix``, ``call[3]/draft``) and a piece of an answer that is not in the journal yet."""


async def run_in_process(
    request: RunRequest,
    environment: Mapping[str, str] | None = None,
    *,
    loaded: Loaded | None = None,
    listener: Listener | None = None,
    on_delta: OnDelta | None = None,
    warn: Callable[[Sequence[Diagnostic]], None] | None = None,
    watchers: Sequence[Listener] = (),
) -> RunEnd:
    """Run the file of a request, or the workflow ``loaded`` that has none, to its end; never writes to the terminal.

    ``listener`` hears every entry of the journal after it was written, ``warn`` the findings of a file that is run all
    the same. ``environment`` is ours if None. Cancelling ends the run: what cleans up has ``CLEAN_UP_SECONDS`` (who is
    cancelled once more ends that too), all that the run has started is gone, and its journal is closed.

    Raises:
        UsageError: an input, an option or an answer is wrong.
        WorkflowError: the file is at fault.
        CannotServeError: a model, a tool, a command or a secret is missing; with all findings at once.
        OutsideError: no model server answers.
        HistoryError: the journal could not be written.
        asyncio.CancelledError: it was cancelled.
    """
    ours = dict(os.environ if environment is None else environment)
    prepared = prepare(request, ours, unset_secret="error", loaded=loaded)  # noqa: S106  a level
    if has_errors(prepared.surroundings.findings):
        raise CannotServeError((*prepared.warnings, *prepared.surroundings.findings))
    audience = _Program(listener, on_delta, warn)
    with real_servers(request, prepared, ours) as endpoints:
        walls = real_walls(
            endpoints,
            prepared,
            environment_of(prepared.workflow, ours),
            named=models_named(prepared, prepared.config),
            run_id=_run_id(prepared),
            measures=request.simulate is None,
        )
        story = Story(walls, request, prepared, ours, audience, watchers=watchers)
        await _told(story)
    assert audience.end is not None, "a run that ends without an error was reported"
    return audience.end


async def _told(story: Story) -> None:
    """Tell it to its end; who is cancelled meanwhile leaves when what cleans up is done."""
    running = asyncio.ensure_future(story.run())
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        if running.cancelled():
            raise
        await _ended(running, story)
        raise
    finally:
        await _in_peace(story.close())


async def _ended(running: asyncio.Future[int], story: Story) -> None:
    """Wait for its end. Only cancelled once more does it leave what cleans up alone."""
    if not story.stop():
        running.cancel()
    try:
        await asyncio.wait((running,), timeout=CLEAN_UP_SECONDS + 5)
    finally:
        running.cancel()
        await _in_peace(asyncio.wait((running,)))
        if not running.cancelled():
            running.exception()  # taken note of: the cancellation is what is told


async def _in_peace(work: Any) -> None:
    """Do it to its end, and let the caller be cancelled afterwards."""
    doing = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.shield(doing)
        except asyncio.CancelledError as error:
            if doing.cancelled():
                raise
            cancelled = error
    doing.result()
    if cancelled is not None:
        raise cancelled


def _run_id(prepared: Prepared) -> str:
    """With more chance in it than the ids of a command line: many runs may begin in a second."""
    from time import time

    return new_run_id(time(), os.urandom(6).hex(), prepared.workflow.name)


class _Program:
    """The audience of a run in a program."""

    def __init__(
        self,
        listener: Listener | None,
        on_delta: OnDelta | None,
        warn: Callable[[Sequence[Diagnostic]], None] | None,
    ) -> None:
        self.end: RunEnd | None = None
        self._listener = listener
        self._on_delta = on_delta
        self._warn = warn

    def tell(self, text: str) -> None:
        """A program is told by errors and facts."""

    def warn(self, findings: Sequence[Diagnostic]) -> None:
        """To who wants to hear."""
        if findings and self._warn is not None:
            self._warn(findings)

    def display(self) -> Display:
        """Itself."""
        return self

    def asks(self, display: Display) -> Ask | None:  # noqa: ARG002  of the protocol
        """Nobody."""
        return None

    def report(self, end: RunEnd) -> None:
        """Keep it for the caller."""
        self.end = end

    def entry(self, entry: Entry) -> None:
        """To who listens."""
        if self._listener is not None:
            self._listener(entry)

    def remember(self, entry: Entry) -> None:
        """Such a run has no earlier go."""

    def delta(self, step: str, delta: Delta) -> None:
        """To who listens."""
        if self._on_delta is not None:
            self._on_delta(step, delta)

    def step_aside(self) -> AbstractContextManager[None]:
        """Nothing stands in the way."""
        return nullcontext()

    def close(self) -> None:
        """Nothing to leave."""
