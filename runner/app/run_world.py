"""The outside things of one run, put together: models, tool servers, commands, files."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.app.history import History
from runner.app.prepare import Prepared
from runner.app.tool_house import ToolHouse
from runner.app.work_files import WorkFiles
from runner.chat.backend import Backend
from runner.chat.endpoint import Endpoint
from runner.chat.messages import Delta, Image
from runner.chat.toolbox import ToolBox
from runner.edges.clock import Clock
from runner.edges.command import CommandRunner
from runner.edges.process_group import Offspring
from runner.execute.models import Models
from runner.execute.neighbour import Neighbours
from runner.execute.purse import Purse
from runner.execute.tool_servers import ToolServers
from runner.execute.world import World
from runner.plan.plan import Plan
from runner.show.progress import Display
from runner.words.noun import noun
from runner.words.redact import Redactor
from runner.workflow.model import Server, Workflow


@noun
class Outside:
    """What a run works with. ``secrets`` are those of all files; ``folder`` is where the steps work, None = here."""

    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    endpoints: Sequence[Endpoint]
    backends: Mapping[str, Backend]
    boxes: Mapping[str, ToolBox]
    house: ToolHouse
    folder: Path | None
    clock: Clock
    offspring: Offspring
    redactor: Redactor
    keep_loaded: bool = False


def make_world(plan: Plan, prepared: Prepared, history: History, display: Display, outside: Outside) -> World:
    """The world of a run's first file."""
    limits, journal = plan.workflow.limits, history.journal
    folder = outside.folder or Path.cwd()
    inherited = {k: v for k, v in outside.environment.items() if k not in outside.secrets}
    return World(
        run_id=journal.run,
        workflow=plan.workflow,
        inputs=prepared.inputs,
        secrets=outside.secrets,
        models=Models(
            plan,
            outside.backends,
            journal,
            outside.clock,
            keep_loaded=outside.keep_loaded,
            neighbours=_neighbours(outside.endpoints, outside.environment),
        ),
        tools=ToolServers(outside.boxes, journal),
        tool_house=outside.house,
        servers=prepared.surroundings.servers,
        commands=CommandRunner(inherited, outside.offspring, None if outside.folder is None else str(outside.folder)),
        files=WorkFiles(folder, Path(history.folder.path) if outside.folder is None else history.folder.absolute),
        artifacts=history.folder,
        journal=journal,
        clock=outside.clock,
        random=random.random,
        on_delta=display.delta if outside.redactor.empty else _without_words(display),
        read_image=lambda path: _read_image(path, folder),
        limits=limits,
        purse=Purse(most_tokens=limits.tokens, most_tool_calls=limits.tool_calls),
        deadline=None if limits.time is None else outside.clock.monotonic() + limits.time,
    )


def all_secrets(workflow: Workflow, environment: Mapping[str, str]) -> dict[str, str]:
    """The values of what the file and those that it calls declare."""
    return {name: environment[name] for file in workflow.family for name in file.secrets if name in environment}


def box_maker(folder: Path, environment: Mapping[str, str], offspring: Offspring) -> Callable[[Server], ToolBox]:
    """Makes the box of a server that will start in ``folder``."""

    def make(server: Server) -> ToolBox:
        from runner.edges.toolbox import make_toolbox  # brings the SDK of the tool servers

        return make_toolbox(server, folder=str(folder), environment=environment, offspring=offspring)

    return make


def _neighbours(endpoints: Sequence[Endpoint], environment: Mapping[str, str]) -> Neighbours | None:
    if all(endpoint.embedded is not None for endpoint in endpoints):
        return None
    from runner.edges import neighbour  # files that locks need, for runs that ask a server

    return neighbour.Neighbours(environment)


def _read_image(path: str, folder: Path) -> Image:
    from runner.edges.image import read_image  # few runs show pictures

    return read_image(path, folder)


def _without_words(display: Display) -> Callable[[str, Delta], None]:
    """A stream that is counted but not shown: a secret may be spread over its pieces, where no mask finds it."""

    def delta(step: str, piece: Delta) -> None:
        display.delta(step, Delta(piece.kind, ""))

    return delta
