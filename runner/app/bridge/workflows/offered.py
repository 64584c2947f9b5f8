"""The workflow files of a project: which there are, what is wrong with them, and each as a tool of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from runner.app.bridge.errors import OF_A_FILE
from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.tool import Tool
from runner.app.bridge.workflows.run import RUN_SCHEMA, Wish, run_file
from runner.app.files import DEFAULT_FOLDER, workflow_files
from runner.chat.offer import Offer, Progress
from runner.words.diagnostics import Diagnostic
from runner.words.errors import UsageError, WorkflowError
from runner.words.noun import noun
from runner.words.suggest import did_you_mean
from runner.workflow.load import load
from runner.workflow.model import Input, Workflow

LONGEST_NAME: Final = 48
"""Characters of the name of a tool: hosts put the name of the server before it, and some take 64 in all."""
_SHOWN: Final = 200
"""Characters of a name that is not there."""
_UNREADABLE: Final = "BR200"
_OURS: Final = frozenset({"model", "models", "answers", "wait"})
"""Arguments of ours; an input of such a name is offered as ``input_…``."""


@noun
class WorkflowFile:
    """A file of the project; ``workflow`` is None if it is broken, and ``findings`` say how."""

    path: str
    workflow: Workflow | None
    findings: tuple[Diagnostic, ...] = ()


Signature = tuple[tuple[str, int, int], ...]


class OfferedWorkflows:
    """The files in ``workflows/`` of the project, read again when one of the folder has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._signature: Signature | None = None
        self._files: tuple[WorkflowFile, ...] = ()
        self._tools: tuple[Tool, ...] = ()
        self._reading = asyncio.Lock()

    async def files(self) -> tuple[WorkflowFile, ...]:
        """All of them, by path."""
        await self._look()
        return self._files

    async def tools(self) -> Sequence[Tool]:
        """Those that are not broken, each as a tool."""
        await self._look()
        return self._tools

    async def _look(self) -> None:
        async with self._reading:
            signature = await asyncio.to_thread(_signature, self._folder / DEFAULT_FOLDER)
            if signature != self._signature:
                self._files = await asyncio.to_thread(read_files, self._folder)
                self._tools = tuple(_tools(self._files))
                self._signature = signature


def read_files(folder: Path) -> tuple[WorkflowFile, ...]:
    """The workflow files below ``workflows/``, by path; paths count from ``folder``, which is where we are."""
    if not (folder / DEFAULT_FOLDER).is_dir():
        return ()
    try:
        paths = workflow_files((DEFAULT_FOLDER,))
    except UsageError:  # there is none in it
        return ()
    return tuple(_read(path, folder) for path in paths)


def _read(path: str, folder: Path) -> WorkflowFile:
    if not (folder / path).resolve().is_relative_to(folder.resolve()):
        outside = "this leads out of the folder that is served, and files outside of it are not run"
        return WorkflowFile(
            path=path, workflow=None, findings=(Diagnostic(code=_UNREADABLE, message=outside, file=path),)
        )
    try:
        loaded = load(path)
    except WorkflowError as error:
        return WorkflowFile(path=path, workflow=None, findings=error.diagnostics)
    return WorkflowFile(path=path, workflow=loaded.workflow, findings=tuple(loaded.warnings))


def _signature(folder: Path) -> Signature:
    """Of all that may change what the files mean: those beside them too, such as schemas."""
    return tuple(sorted(_stamps(folder)))


def _stamps(folder: Path) -> Iterator[tuple[str, int, int]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118  a text, many times a minute
            try:
                found = os.stat(path)  # noqa: PTH116
            except OSError:
                continue
            yield path, found.st_mtime_ns, found.st_size


def find_file(word: str, folder: Path) -> str:
    """The path of the workflow file that ``word`` names: a path in ``folder``, or the name of a workflow.

    Raises:
        UsageError: there is none, or it lies outside of the folder.
    """
    path, inside = _placed(word, folder)
    if path is not None and inside:
        return path.relative_to(folder.resolve()).as_posix()
    files = read_files(folder)
    named = [file.path for file in files if word in _names(file)]
    if named:
        return named[0]
    if not inside:
        hint = f"name a file in {folder}, or serve another folder: `bridge-run serve --folder DIR`"
        raise UsageError(f"`{word}` lies outside of the folder that is served", hint=hint)
    known = [name for file in files for name in (file.path, *_names(file))]
    raise UsageError(
        f"there is no workflow `{word[:_SHOWN]}`", hint=did_you_mean(word, known) or "`list_workflows` lists them all"
    )


def _placed(word: str, folder: Path) -> tuple[Path | None, bool]:
    """The file at that place, if there is one, and whether the place is within the folder."""
    try:
        path = (folder / word).resolve()
        return (path if path.is_file() else None), path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # too long, no name at all, links in a circle
        return None, True


def _names(file: WorkflowFile) -> Sequence[str]:
    stem = Path(file.path).stem
    return (stem,) if file.workflow is None else (file.workflow.name, stem)


def tool_names(files: Sequence[WorkflowFile]) -> Mapping[str, str]:
    """Path → name of the tool, of the files that are offered; each name once."""
    names: dict[str, str] = {}
    for file in files:
        if file.workflow is None:
            continue
        name = wanted = _tool_name(file.workflow.name)
        number = 1
        while name in names.values():
            number += 1
            name = f"{wanted}_{number}"
        names[file.path] = name
    return names


def _tool_name(workflow: str) -> str:
    name = OF_A_FILE + re.sub(r"[^A-Za-z0-9_-]", "_", workflow)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9]}_{hashlib.sha256(workflow.encode()).hexdigest()[:8]}"


def _tools(files: Sequence[WorkflowFile]) -> Iterator[Tool]:
    names = tool_names(files)
    for file in files:
        if file.workflow is not None:
            yield Tool(offer=_offer(names[file.path], file.workflow), work=_work(file.path, file.workflow), long=True)


def _work(path: str, workflow: Workflow) -> Any:
    arguments_of = {argument: name for name, argument in _arguments(workflow).items()}

    async def work(house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        inputs = {name: arguments[said] for said, name in arguments_of.items() if said in arguments}
        wish = Wish(
            file=path,
            inputs=inputs,
            model=arguments["model"],
            models=arguments["models"],
            answers=arguments["answers"],
        )
        return await run_file(house, wish, progress)

    return work


def _arguments(workflow: Workflow) -> Mapping[str, str]:
    """Name of each input → that of its argument, which is neither one of ours nor another input's."""
    arguments: dict[str, str] = {}
    for name in workflow.inputs:
        argument = f"input_{name}" if name in _OURS else name
        while argument != name and argument in workflow.inputs:
            argument = f"input_{argument}"
        arguments[name] = argument
    return arguments


def _offer(name: str, workflow: Workflow) -> Offer:
    arguments = _arguments(workflow)
    inputs = {arguments[one.name]: _property(one) for one in workflow.inputs.values()}
    required = [arguments[one.name] for one in workflow.inputs.values() if one.required]
    about = workflow.description.strip() or f"Runs the workflow `{workflow.name}`."
    steps = "1 step" if len(workflow.steps) == 1 else f"{len(workflow.steps)} steps"
    reads_only = all(step.reads_only for member in workflow.family for step in member.steps)
    return Offer(
        name=name,
        title=f"Run the workflow {workflow.name}",
        description=f"{about}\n\nA checked-in workflow of {steps}: {workflow.file}",
        input_schema={
            "type": "object",
            "required": required,
            "properties": {**inputs, **SHARED},
            "additionalProperties": False,
        },
        output_schema=RUN_SCHEMA,
        read_only=reads_only,
        destructive=not reads_only,
        open_world=not reads_only,
    )


def _property(declared: Input) -> Mapping[str, Any]:
    """Its schema; what refers into the file cannot be told to a host, the run judges it all the same."""
    schema = {} if "$ref" in str(declared.schema) else dict(declared.schema)
    if not declared.required and declared.default is not None:
        schema["default"] = declared.default
    return schema


SHARED: Final[Mapping[str, Any]] = {
    "model": {
        "type": ["string", "null"],
        "default": None,
        "description": "Another default model for this run, as `list_models` names it. Left out: as the file says.",
    },
    "models": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "default": {},
        "description": "Other models for aliases of the file: alias → id.",
    },
    "answers": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "default": {},
        "description": "Answers to `approve` steps: id of the step → choice. A run without an answer pauses.",
    },
}
