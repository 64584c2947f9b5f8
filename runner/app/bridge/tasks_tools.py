"""The tools about tasks: begin one, look at it, get its result, cancel it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from runner.app.bridge.desk_arguments import fitting
from runner.app.bridge.errors import failed
from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.tasks import Task
from runner.app.bridge.tool import Tool
from runner.chat.offer import Answered, Offer, Progress
from runner.words.errors import StepError, UsageError
from runner.words.noun import noun

CANCEL_SECONDS: Final = 20.0
"""So long `cancel_task` waits for what a task has to clean up."""
_CLEANS_UP: Final = "it is cancelled, and still cleans up; `task_status` says when that is done"
_ID: Mapping[str, Any] = {"type": "string", "minLength": 1, "description": "Id of the task."}
_ROW: Mapping[str, Any] = {
    "task_id": {"type": "string"},
    "tool": {"type": "string", "description": "Whose work it is."},
    "status": {"enum": ["working", "completed", "failed", "cancelled"]},
    "seconds": {"type": "number", "description": "Since it began, or until it ended."},
    "progress": {"type": "number"},
    "total": {"type": ["number", "null"]},
    "message": {"type": "string", "description": "What it told last."},
}


@noun
class DeskTool:
    """A tool of the desk itself, which gives whole answers and raises ``BridgeError``."""

    offer: Offer
    answer: Callable[[Mapping[str, Any], Progress], Awaitable[Answered]]


class Beginner(Protocol):
    """A desk, as far as tasks are concerned."""

    house: BridgeHouse
    wait: float

    async def find(self, name: str) -> Tool:
        """The tool of that name."""

    def begin(self, tool: Tool, arguments: Mapping[str, Any]) -> Task:
        """Begin its work."""


def answer_of(task: Task) -> Answered:
    """What its work has answered; an error if it was cancelled; and as long as it goes on, how to go on with it."""
    if task.answer is not None:
        return task.answer
    return _cancelled(task) if task.status == "cancelled" else _working(task)


def _cancelled(task: Task) -> Answered:
    gone = failed(StepError("cancelled", f"{task.id} was cancelled", hint="start it anew"))
    return replace(gone, structured={**gone.structured, **task.row()})


def _working(task: Task) -> Answered:
    hint = (
        _CLEANS_UP
        if task.cancelling
        else (f"it goes on: `task_result` with `task_id` {task.id} waits for its result, `cancel_task` ends it")
    )
    return Answered(structured={**task.row(), "hint": hint}, text=f"working: {hint}")


def task_tools(desk: Beginner) -> tuple[DeskTool, ...]:
    """The tools about the tasks of a desk."""
    work = _TaskTools(desk)
    return (
        DeskTool(offer=_START, answer=work.start),
        DeskTool(offer=_STATUS, answer=work.status),
        DeskTool(offer=_result_offer(desk.wait), answer=work.result),
        DeskTool(offer=_CANCEL, answer=work.cancel),
    )


class _TaskTools:
    def __init__(self, desk: Beginner) -> None:
        self._desk = desk

    async def start(self, arguments: Mapping[str, Any], _: Progress) -> Answered:
        """Judged first, as a call of the tool itself would be."""
        tool = await self._desk.find(arguments["tool"])
        if not tool.long:
            raise UsageError(
                f"`{tool.offer.name}` is quick, so there is no task of it", hint=f"call `{tool.offer.name}` itself"
            )
        given = {name: value for name, value in arguments["arguments"].items() if name != "wait"}
        return answer_of(self._desk.begin(tool, fitting(tool.offer, given)))

    async def status(self, arguments: Mapping[str, Any], _: Progress) -> Answered:
        tasks = self._desk.house.tasks
        task_id = arguments["task_id"]
        if task_id is not None:
            return Answered(structured=tasks.find(task_id).row())
        return Answered(structured={"tasks": [task.row() for task in tasks.all()]})

    async def result(self, arguments: Mapping[str, Any], progress: Progress) -> Answered:
        """Who is cancelled while it waits cancels nothing: `cancel_task` does."""
        task = self._desk.house.tasks.find(arguments["task_id"])
        if task.status == "working":
            await progress(0.0, None, f"waiting for {task.id}")
        with task.heard_by(progress):
            await task.wait(arguments["wait"])
        if task.answer is None:
            return answer_of(task)
        if task.answer.is_error:
            return Answered(structured={**task.answer.structured, **task.row()}, text=task.answer.text, is_error=True)
        return Answered(structured={**task.row(), "result": task.answer.structured}, text=task.answer.text)

    async def cancel(self, arguments: Mapping[str, Any], _: Progress) -> Answered:
        task = self._desk.house.tasks.find(arguments["task_id"])
        ended = await task.cancel(CANCEL_SECONDS)
        hint = None if ended else _CLEANS_UP
        return Answered(structured={**task.row(), "hint": hint})


def _row(*more: str) -> Mapping[str, Any]:
    extra: dict[str, Any] = {"hint": {"type": ["string", "null"]}, "result": {"type": "object"}}
    required = ["task_id", "tool", "status", "seconds"]
    return {"type": "object", "required": required, "properties": {**_ROW, **{name: extra[name] for name in more}}}


def _input(properties: Mapping[str, Any], required: Sequence[str]) -> Mapping[str, Any]:
    return {
        "type": "object", "required": list(required), "properties": properties, "additionalProperties": False,
    }  # fmt: skip


_START = Offer(
    name="start_task",
    title="Start a task",
    description=(
        "Starts the work of another tool and answers at once with a `task_id`. For work that may take minutes: any "
        "tool that has the argument `wait`. Its arguments are checked first. `task_result` gives the result."
    ),
    input_schema=_input(
        {
            "tool": {"type": "string", "minLength": 1, "description": "Name of the tool, such as `run_workflow`."},
            "arguments": {"type": "object", "default": {}, "description": "The arguments of that tool."},
        },
        ("tool",),
    ),
    output_schema=_row("hint"),
    destructive=True,
    open_world=True,
)
_STATUS = Offer(
    name="task_status",
    title="Look at tasks",
    description="Tells how a task stands: status, time, what it told last. Without `task_id`: all tasks there are.",
    input_schema=_input({"task_id": {**_ID, "type": ["string", "null"], "default": None}}, ()),
    output_schema={
        "type": "object",
        "properties": {**_ROW, "tasks": {"type": "array", "items": _row()}},
    },
    read_only=True,
    idempotent=True,
)
_CANCEL = Offer(
    name="cancel_task",
    title="Cancel a task",
    description="Ends a task and all that it has started. A task that has ended stays as it is.",
    input_schema=_input({"task_id": _ID}, ("task_id",)),
    output_schema=_row("hint"),
    destructive=True,
    idempotent=True,
)


def _result_offer(wait: float) -> Offer:
    return Offer(
        name="task_result",
        title="Get the result of a task",
        description=(
            "Gives the `result` of a task: what its tool would have answered. Waits for it if it still works; after "
            "`wait` seconds it answers `status: working`, and can be called again. A failed task gives its error."
        ),
        input_schema=_input(
            {
                "task_id": _ID,
                "wait": {
                    "type": "number",
                    "minimum": 0,
                    "maximum": 3600,
                    "default": min(wait, 3600),
                    "description": "Seconds to wait for it.",
                },
            },
            ("task_id",),
        ),
        output_schema=_row("hint", "result"),
        read_only=True,
        idempotent=True,
    )
