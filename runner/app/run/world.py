"""The outside things of one run, put together: models, tool servers, commands, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from runner.app.prepare import Prepared
from runner.app.run.history import History
from runner.app.run.tool_house import ToolHouse
from runner.app.run.walls import Walls
from runner.app.run.work_files import WorkFiles
from runner.chat.messages import Delta
from runner.chat.toolbox import ToolBox
from runner.execute.models import Models
from runner.execute.purse import Purse
from runner.execute.world import World
from runner.plan.plan import Plan
from runner.show.progress import Display
from runner.words.noun import noun
from runner.words.redact import Redactor
from runner.workflow.model import Workflow


@noun
class Outside:
    """What a run works with. ``secrets`` are those of all files; ``folder`` is where the steps work, None = here."""

    walls: Walls
    secrets: Mapping[str, str]
    boxes: Mapping[str, ToolBox]
    house: ToolHouse
    folder: Path | None
    redactor: Redactor
    keep_loaded: bool = False


def make_world(plan: Plan, prepared: Prepared, history: History, display: Display, outside: Outside) -> World:
    """The world of a run's first file."""
    limits, journal, walls = plan.workflow.limits, history.journal, outside.walls
    folder = outside.folder or Path.cwd()
    files = WorkFiles(folder, Path(history.folder.path) if outside.folder is None else history.folder.absolute)
    return World(
        run_id=walls.told_id or journal.run,
        workflow=plan.workflow,
        inputs=prepared.inputs,
        secrets=outside.secrets,
        models=Models(
            plan,
            walls.backends,
            journal,
            walls.clock,
            keep_loaded=outside.keep_loaded,
            neighbours=walls.neighbours,
            answers=walls.model_answers,
        ),
        tools=walls.make_servers(outside.boxes, journal),
        tool_house=outside.house,
        servers=prepared.surroundings.servers,
        commands=walls.make_commands(outside.folder),
        files=walls.files(files),
        artifacts=history.folder,
        journal=journal,
        clock=walls.clock,
        give_way=walls.give_way,
        random=walls.chance,
        on_delta=display.delta if outside.redactor.empty else _without_words(display),
        read_image=lambda path: walls.read_image(path, folder),
        limits=limits,
        purse=Purse(most_tokens=limits.tokens, most_tool_calls=limits.tool_calls),
        deadline=None if limits.time is None else walls.clock.monotonic() + limits.time,
    )


def all_secrets(workflow: Workflow, environment: Mapping[str, str]) -> dict[str, str]:
    """The values of what the file and those that it calls declare."""
    return {name: environment[name] for file in workflow.family for name in file.secrets if name in environment}


def _without_words(display: Display) -> Callable[[str, Delta], None]:
    """A stream that is counted but not shown: a secret may be spread over its pieces, where no mask finds it."""

    def delta(step: str, piece: Delta) -> None:
        display.delta(step, Delta(piece.kind, ""))

    return delta
