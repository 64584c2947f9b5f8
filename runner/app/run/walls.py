"""The walls of a run: all that stands between it and the outside, in one bag.

A run never asks whether its walls are real. ``real_walls`` are those of this machine; ``app.recording.recorder`` wraps
them and writes down what passes; ``app.recording.walls`` hangs up painted ones that answer from a recording; others
may be painted from nothing. A bag may be mixed: each wall is replaced by itself (``dataclasses.replace``).

Where in a run a wall is asked, the journal tells: ``listener`` hears every entry in the task that is about to ask (see
``record.whereabouts``), so nothing in ``execute`` has to know that there are several kinds of walls.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Protocol

from runner.app.prepare import Prepared
from runner.app.request import RunRequest
from runner.app.servers import model_endpoints, setting_of
from runner.app.surroundings import Surroundings
from runner.chat.backend import Backend
from runner.chat.endpoint import Endpoint
from runner.chat.messages import Image
from runner.chat.toolbox import ToolBox
from runner.edges.clock import Clock
from runner.edges.command import CommandRunner
from runner.edges.process_group import Offspring
from runner.edges.run_folder import new_run_id
from runner.execute.neighbour import Neighbours
from runner.execute.place import Recorder
from runner.execute.questions import Answers
from runner.execute.tool_servers import ToolServers
from runner.execute.world import Commands, GiveWay, WorkFiles, at_once
from runner.plan.make import needs_models
from runner.plan.setting import Setting
from runner.record.journal import Listener
from runner.words.noun import noun
from runner.workflow.model import Server, Workflow

UNNEEDED = ("BR401", "BR404", "BR405")
"""Findings about what painted walls do without: commands of tool servers, client files, values of secrets."""


class WallClock(Protocol):
    """Time: ``now`` in Unix seconds for the journal, ``monotonic`` in seconds for durations and deadlines."""

    def now(self) -> float:
        """Unix seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back. Must agree with the event loop that ``Walls.start`` makes."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


def _as_it_is(wall: Any) -> Any:
    return wall


@noun
class Walls:
    """The outside of one run.

    ``backends`` are the model servers by address, ``endpoints`` the same as the configuration knows them, ``setting``
    what the plan is told of them; all empty where no step needs a model. ``make_box(server, folder)`` makes the box,
    not started, of a server whose texts are filled in; ``make_servers(boxes, journal)`` says what becomes of calls that
    they cut off; ``make_commands(folder)`` starts commands in the workspace, None
    = where bridge-run was started. ``read_image(path, folder)`` raises a ``StepError`` that says why not.

    ``run_id`` names the run and its folder; ``told_id`` is what ``run.id`` is in templates, None = the same.
    ``chance`` yields numbers in [0, 1). ``answers`` and ``files`` wrap who answers questions and the files that the
    steps work on. ``listener`` hears every entry of the journal before the display does. ``neighbours`` are other
    runs that use the same models, None = there are none. ``measures``: False where what is pretended says nothing about
    the next run, so that its times are not remembered. ``asks_people``: a terminal is asked what no option answers.
    ``scratch``: a file that works in place works in a copy all the same. ``start`` runs the story in an event loop.
    ``give_way`` as in ``World``; ``model_answers`` as ``answers`` of ``Models``.
    ``after(outcome)`` is told the result when its end is journalled, and gives an exit code of at least 0 that counts
    where the run's own is 0; it may tell words of its own.
    """

    run_id: str
    endpoints: tuple[Endpoint, ...] = ()
    backends: Mapping[str, Backend] = field(default_factory=dict)
    setting: Setting
    make_box: Callable[[Server, Path], ToolBox]
    make_servers: Callable[[Mapping[str, ToolBox], Recorder], ToolServers] = ToolServers
    make_commands: Callable[[Path | None], Commands]
    read_image: Callable[[str, Path], Image]
    clock: WallClock
    offspring: Offspring
    chance: Callable[[], float] = random.random
    told_id: str | None = None
    answers: Callable[[Answers], Answers] = _as_it_is
    files: Callable[[WorkFiles], WorkFiles] = _as_it_is
    asks_people: bool = True
    listener: Listener | None = None
    neighbours: Neighbours | None = None
    measures: bool = True
    scratch: bool = False
    give_way: GiveWay = at_once
    model_answers: Callable[[str], bool] = lambda _: False
    start: Callable[[Coroutine[Any, Any, int]], int] = asyncio.run
    after: Callable[[Mapping[str, Any]], int] = lambda _: 0


def real_walls(
    endpoints: Sequence[Endpoint],
    prepared: Prepared,
    environment: Mapping[str, str],
    *,
    named: Collection[str],
    run_id: str | None = None,
    measures: bool = True,
) -> Walls:
    """Those of this machine. ``environment`` is ours; ``named`` are the models that the steps name.

    ``run_id`` is that of a run that goes on, None makes a new one.
    """
    clock, offspring = Clock(), Offspring()
    secrets = secret_names(prepared.workflow)
    inherited = {name: value for name, value in environment.items() if name not in secrets}

    def box(server: Server, folder: Path) -> ToolBox:
        from runner.edges.toolbox import make_toolbox  # brings the SDK of the tool servers

        return make_toolbox(server, folder=str(folder), environment=environment, offspring=offspring)

    return Walls(
        run_id=run_id or fresh_run_id(clock.now(), prepared.workflow),
        endpoints=tuple(endpoints),
        backends=_backends(endpoints, named, offspring),
        setting=setting_of(endpoints, prepared.config),
        make_box=box,
        make_commands=lambda folder: CommandRunner(inherited, offspring, None if folder is None else str(folder)),
        read_image=read_real_image,
        clock=clock,
        offspring=offspring,
        neighbours=_neighbours(endpoints, environment),
        measures=measures,
    )


def real_servers(
    request: RunRequest, prepared: Prepared, environment: Mapping[str, str]
) -> AbstractContextManager[tuple[Endpoint, ...]]:
    """The model servers that a request means; none where no step needs a model. A simulator lives with the context.

    Raises:
        UsageError: as ``servers.model_endpoints``.
        WorkflowError: as ``servers.model_endpoints``.
    """
    if not needs_models(prepared.workflow):
        return nullcontext(())
    return model_endpoints(request.endpoints, request.simulate, environment, prepared.config)


def fresh_run_id(now: float, workflow: Workflow) -> str:
    """A name for a run that begins now."""
    return new_run_id(now, os.urandom(2).hex(), workflow.name)


def secret_names(workflow: Workflow) -> tuple[str, ...]:
    """The secrets that the file and those that it calls declare."""
    return tuple(dict.fromkeys(name for file in workflow.family for name in file.secrets))


def without_needs(prepared: Prepared) -> Prepared:
    """The same for painted walls: what is not there is not missed; entries that no client file gave are as declared."""
    around, files = prepared.surroundings, {member.file: member for member in prepared.workflow.family}
    below = {name: {**files[name].servers, **servers} for name, servers in around.below.items()}
    return replace(
        prepared,
        surroundings=Surroundings(
            servers={**prepared.workflow.servers, **around.servers},
            findings=tuple(one for one in around.findings if one.code not in UNNEEDED),
            commands=around.commands,
            open=around.open,
            below=below,
        ),
    )


def with_stand_ins(environment: Mapping[str, str], workflow: Workflow) -> dict[str, str]:
    """The environment in which every declared secret has a value: its mask, where nobody has set it."""
    return {
        **environment,
        **{name: f"[secret {name}]" for name in secret_names(workflow) if not environment.get(name)},
    }


def _backends(endpoints: Sequence[Endpoint], named: Collection[str], offspring: Offspring) -> dict[str, Backend]:
    if not endpoints:
        return {}
    from runner.edges.backends import make_backend

    return {endpoint.url: make_backend(endpoint, named=named, offspring=offspring) for endpoint in endpoints}


def read_real_image(path: str, folder: Path) -> Image:
    """The picture at a path, as it lies there."""
    from runner.edges.image import read_image  # few runs show pictures

    return read_image(path, folder)


def _neighbours(endpoints: Sequence[Endpoint], environment: Mapping[str, str]) -> Neighbours | None:
    if all(endpoint.embedded is not None for endpoint in endpoints):
        return None
    from runner.edges import neighbour  # files that locks need, for runs that ask a server

    return neighbour.Neighbours(environment)
