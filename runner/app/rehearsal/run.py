"""One run behind painted walls: nothing outside is touched, and what came of it is handed back instead of told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from runner.app.files import one_file
from runner.app.prepare import Prepared, models_named
from runner.app.request import RunRequest
from runner.app.run.run import run_behind
from runner.app.run.walls import Walls, with_stand_ins
from runner.app.surroundings import Surroundings
from runner.chat.toolbox import Tool, ToolBox
from runner.edges.config.configuration import NO_CONFIGURATION
from runner.edges.process_group import Offspring
from runner.plan.overrides import parse_overrides, refuse_unknown_aliases
from runner.plan.setting import Setting
from runner.record.wire import Entry
from runner.rehearse.rehearsal.prompter import Prompter
from runner.rehearse.rehearsal.search import Part
from runner.rehearse.rehearsal.value import made_up
from runner.rehearse.rehearsal.walls import (
    ENDPOINT,
    MODEL,
    RehearsedBackend,
    RehearsedBox,
    RehearsedClock,
    RehearsedCommands,
    RehearsedFiles,
    RehearsedPeople,
    rehearsed_image,
    tools_named,
)
from runner.words.errors import BridgeError, HistoryError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.workflow.document import read_document
from runner.workflow.inputs import bind_inputs
from runner.workflow.load import load
from runner.workflow.model import Server, Workflow

TOLD_ID = "rehearsal"
"""What ``run.id`` is in a rehearsed run."""


@noun
class Played:
    """How a run ended: its journal, and its result as in ``result.json``."""

    entries: tuple[Entry, ...]
    result: Mapping[str, Any] = field(default_factory=dict)


def prepare_rehearsal(request: RunRequest) -> Prepared:
    """Load the file of a request and bind its inputs; a required one that nobody gave is made up.

    Neither the configuration of this machine nor its commands, client files and secrets are looked at.

    Raises:
        WorkflowError: the file, or that of the inputs, is at fault.
        UsageError: an input, a model swap or the file's name is wrong.
    """
    overrides = parse_overrides(request.models)
    loaded = load(one_file(request.file))
    refuse_unknown_aliases(overrides, loaded.workflow.family)
    given: Mapping[str, Any] = request.bound or {}
    if request.inputs_file is not None:
        given = read_document(request.inputs_file, start="write a line `name: value` for each input").data
    made = _required(loaded.workflow, {*given, *(text.partition("=")[0].strip() for text in request.inputs)})
    inputs = bind_inputs(loaded.workflow, request.inputs, {**made, **given}, lambda path: Path(path).read_text("utf-8"))
    workflow = loaded.workflow
    below = {member.file: member.servers for member in workflow.family[1:]}
    return Prepared(
        workflow=replace(workflow, workspace="here"),  # nothing is changed, so nothing needs a copy
        inputs=inputs,
        overrides=overrides,
        warnings=loaded.warnings,
        surroundings=Surroundings(servers=workflow.servers, below=below),
        config=NO_CONFIGURATION,
    )


def _required(workflow: Workflow, given: set[str]) -> dict[str, Any]:
    values = {
        name: made_up(declared.schema, name)
        for name, declared in workflow.inputs.items()
        if declared.required and name not in given
    }
    return {name: options[0] for name, options in values.items() if options}


class RehearsalStage:
    """Plays a workflow, as often as one likes. ``folder`` is a scratch folder for the records of the runs.

    ``answers`` are ``ID=CHOICE``; with ``asks`` the questions without a stub are answered as in a run without a
    terminal: by these, else by their default, else not at all. Otherwise every question is answered.
    """

    def __init__(
        self,
        prepared: Prepared,
        prompter: Prompter,
        folder: Path,
        environment: Mapping[str, str],
        *,
        answers: tuple[str, ...] = (),
        asks: bool = False,
    ) -> None:
        self._prepared = prepared
        self._answers = answers
        self._asks = asks
        self._prompter = prompter
        self._folder = folder
        self._environment = with_stand_ins(environment, prepared.workflow)
        self._models = tuple(models_named(prepared, NO_CONFIGURATION))
        self._played = 0

    def play(self, part: Part | None = None) -> Played:
        """Run it once; how it ended.

        Raises:
            CannotServeError: the file asks for what no machine can serve.
            HistoryError: the scratch folder cannot be written.
            KeyboardInterrupt: the run was interrupted, as are all that would follow.
        """
        part = part or Part()
        self._played += 1
        self._prompter.begin(part.cues)
        entries: list[Entry] = []
        results: list[Mapping[str, Any]] = []

        def listen(entry: Entry) -> None:
            self._prompter.entry(entry)
            entries.append(entry)

        def report(outcome: Mapping[str, Any], *_: Any, **__: Any) -> None:
            results.append(json.loads(json.dumps(outcome)))

        prepared = replace(self._prepared, inputs={**self._prepared.inputs, **part.inputs})
        request = RunRequest(file=prepared.workflow.file, quiet=True, run_dir=str(self._folder), answers=self._answers)
        walls = replace(self._walls(), listener=listen)
        try:
            code = run_behind(walls, request, prepared, self._environment, report=report)
        except HistoryError:
            raise
        except BridgeError as error:
            if not results:
                raise
            code = int(error.exit_code)
        if code == Exit.INTERRUPTED:
            raise KeyboardInterrupt
        return Played(entries=tuple(entries), result=results[0])

    def _walls(self) -> Walls:
        prompter, family = self._prompter, self._prepared.workflow.family

        def box(server: Server, _: Path) -> ToolBox:
            return RehearsedBox(prompter, server, _tools(server, family))

        return Walls(
            run_id=f"rehearsal-{self._played}",
            backends={ENDPOINT: RehearsedBackend(prompter, self._models)},
            setting=Setting(default_model=MODEL, simulated=True),
            make_box=box,
            make_commands=lambda _: RehearsedCommands(prompter),
            read_image=lambda path, _: rehearsed_image(path),
            clock=RehearsedClock(),
            offspring=Offspring(),
            chance=lambda: 0.5,
            told_id=TOLD_ID,
            answers=lambda given: RehearsedPeople(prompter, given if self._asks else None),
            files=lambda _: RehearsedFiles(),
            asks_people=False,
            measures=False,
        )


def _tools(server: Server, family: tuple[Workflow, ...]) -> tuple[Tool, ...]:
    """Those of the built-in files are known; of all others only the names that the files mention."""
    if server.builtin == "files":
        from runner.edges.files.box import EVERYTHING, READING

        return EVERYTHING if server.write else READING
    return tools_named(server.name, family)
