"""``bridge-run FILE``: the second half of the story, from a checked file to an exit code."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from runner.app.console import allows_colour, tell
from runner.app.interrupt import interruptible
from runner.app.prepare import Prepared, models_named, prepare
from runner.app.request import RunRequest
from runner.app.run.answers import Ask
from runner.app.run.earlier import Earlier
from runner.app.run.report import Report, report_run
from runner.app.run.story import Audience, RunEnd, Story
from runner.app.run.terminal_question import person
from runner.app.run.walls import Walls, real_servers, real_walls
from runner.app.run.workspace import environment_of
from runner.edges.run_folder import JOURNAL
from runner.execute.scheduler import CLEAN_UP_SECONDS
from runner.show.progress import Display, make_display
from runner.words.diagnostics import Diagnostic, has_errors
from runner.words.errors import CannotServeError
from runner.words.exits import Exit
from runner.words.units import show_seconds


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
    console = Console(request, environment_of(prepared.workflow, environment), report)
    audience: Audience = console if request.watch.log_format == "text" else _log_of(console)
    story = Story(walls, request, prepared, environment, audience, earlier=earlier)
    return walls.start(_until_interrupted(story, walls, audience.tell, quiet=request.quiet))


class Console:
    """The terminal, or what stands in its place: stderr for what goes on, ``report`` for how it ended.

    ``environment`` is that of the workflow.
    """

    def __init__(self, request: RunRequest, environment: Mapping[str, str], report: Report) -> None:
        self._request = request
        self._environment = environment
        self._report = report

    def tell(self, text: str) -> None:
        """To stderr."""
        tell(text)

    def warn(self, findings: Sequence[Diagnostic]) -> None:
        """To stderr, unless it is to be quiet."""
        if findings and not self._request.quiet:
            from runner.app.problem import tell_findings  # most runs have nothing to tell

            tell_findings(findings, colour=self._colour())

    def display(self) -> Display:
        """What stderr can show."""
        return make_display(sys.stderr, self._environment, quiet=self._request.quiet, is_tty=sys.stderr.isatty())

    def asks(self, display: Display) -> Ask | None:
        """The person at the terminal."""
        return person(self._environment, display.step_aside, quiet=self._request.quiet, colour=self._request.colour)

    def report(self, end: RunEnd) -> None:
        """As the caller wants it told."""
        self._report(
            end.outcome,
            f"{end.folder}/{JOURNAL}",
            self._request,
            told=end.told,
            colour=self._colour(),
            changes=end.changes,
        )

    def _colour(self) -> bool:
        return allows_colour(sys.stderr, self._environment, wanted=self._request.colour)


def _log_of(console: Console) -> Audience:
    from runner.app.run.watched import Log

    return Log(console)


async def _until_interrupted(story: Story, walls: Walls, tell: Callable[[str], None], *, quiet: bool) -> int:
    """The exit code of the run, or that of an interruption."""
    running = asyncio.ensure_future(story.run())

    def stopped() -> bool:
        if not story.stop():
            return False
        within = show_seconds(CLEAN_UP_SECONDS)
        tell(f"interrupted: the steps that clean up go on, for at most {within}; Ctrl-C once more ends them")
        return True

    with interruptible(running, walls.offspring, stopped):
        try:
            return await running
        except asyncio.CancelledError:
            if not story.recorded and not quiet:
                tell("interrupted before the run began")
            return Exit.INTERRUPTED
        finally:
            await story.close()
