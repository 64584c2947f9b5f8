"""A task that a model works on by itself with the tools of MCP servers: a workflow of one step, run like any other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Literal

from runner.app.bridge.autonomous.count import TaskCount
from runner.app.bridge.autonomous.error import error_of
from runner.app.bridge.autonomous.file import Names, file_of, left_out
from runner.app.bridge.autonomous.patterns import refuse_foreign, without
from runner.app.bridge.autonomous.progress import telling
from runner.app.bridge.autonomous.servers import files_left_out
from runner.app.bridge.autonomous.task import MODEL_STEP, AutonomousTask
from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.models.desk import model_desk
from runner.app.bridge.models.shared import kept_for_the_next
from runner.app.in_process import run_in_process
from runner.app.request import RunRequest
from runner.app.run.story import RunEnd
from runner.chat.messages import Usage
from runner.chat.offer import Progress
from runner.plan.wanted import DEFAULT
from runner.record.journal import Entry, Listener
from runner.words.diagnostics import Diagnostic
from runner.words.errors import BridgeError, CannotServeError, ContextError, ModelNotFoundError, UsageError
from runner.words.noun import noun

Finish = Literal["stop", "length", "limit"]
_NO_SUCH_MODEL, _NO_ROOM = "BR301", "BR307"


@noun
class TaskEnd:
    """How a task was done. ``text`` is the answer; ``value`` the same as JSON where the task wants JSON, else None.

    ``model`` is the id of the model that answered. ``rounds`` are its answers, ``tool_calls`` the calls that were made,
    ``usage`` its tokens, ``seconds`` those of the whole run; of every attempt together. ``folder`` is the run's: its
    journal lies there. ``finish``: ``stop``, the model was done; ``length``, its last answer was cut off; ``limit``,
    it had to answer because its rounds or tool calls were used up; ``note`` says which. ``servers`` are the MCP
    servers whose tools it had.
    """

    text: str
    value: Any = None
    model: str
    rounds: int
    tool_calls: int
    usage: Usage
    seconds: float
    run: str
    folder: str
    finish: Finish = "stop"
    note: str | None = None
    servers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON; ``value`` only where the task wants JSON."""
        return {
            "text": self.text,
            **({} if self.value is None else {"value": self.value}),
            "model": self.model,
            "rounds": self.rounds,
            "tool_calls": self.tool_calls,
            "usage": {
                "prompt_tokens": self.usage.prompt_tokens,
                "completion_tokens": self.usage.completion_tokens,
                "reasoning_tokens": self.usage.reasoning_tokens,
                "total_tokens": self.usage.total,
            },
            "seconds": self.seconds,
            "run": self.run,
            "folder": self.folder,
            "finish": self.finish,
            "note": self.note,
            "servers": list(self.servers),
            "warnings": list(self.warnings),
        }


@noun
class TaskEnded:
    """A task is over, for who keeps count. ``result``: ``success``, ``cancelled``, or the kind of the failure."""

    mcp_name: str
    result: str
    seconds: float
    rounds: int


async def run_autonomous(
    house: BridgeHouse,
    task: AutonomousTask,
    *,
    mcp_label: str,
    model: str | None = None,
    progress: Progress | None = None,
    listener: Listener | None = None,
) -> TaskEnd:
    """Have a model work on a task until it answers; many may go on at once.

    ``mcp_label`` is what the servers are called where tasks are counted. ``model`` is what ``resolved_model`` gave for
    that of the task, None if nobody has asked yet. ``progress`` is told every round in words,
    ``listener`` hears every entry of the journal. Cancelling ends the run and all that it has started.

    Raises:
        ModelNotFoundError: no server has the model; nothing was started. It has ``available_models``.
        ContextError: the model can never hold the task; nothing was started.
        UsageError: the task makes no sense.
        WorkflowError: an entry of an MCP server, or the schema of the output, is at fault.
        CannotServeError: an MCP server lacks something, or did not start (``ToolsUnreachableError``).
        LLMError: the model server failed, by class.
        StepError: the task failed in another way; its ``kind`` says how.
        HistoryError: the journal could not be written.
    """
    refuse_nonsense(task)
    count = TaskCount(one_turn=task.max_rounds == 1 or task.tool_calls == 0)
    began = house.clock.monotonic()
    result: str = "bug"
    try:
        async with telling(progress) as tell:
            listeners = (count.entry, tell, *((listener,) if listener else ()))
            end = await _Attempt(house, task, count, listeners).run(model)
        result = "success"
        return end
    except BridgeError as error:
        result = error.kind
        raise
    except asyncio.CancelledError:
        result = "cancelled"
        raise
    finally:
        ended = TaskEnded(
            mcp_name=mcp_label, result=result, seconds=house.clock.monotonic() - began, rounds=count.rounds
        )
        for watcher in house.task_watchers:  # ``watch.Watch.tasks``
            watcher(ended)


def refuse_nonsense(task: AutonomousTask) -> None:
    """Raises: UsageError: a value of the task is beyond its bounds."""
    if not task.task.strip():
        raise UsageError("`task` is empty", hint="say what the model is to do")
    for name, value in (("max_rounds", task.max_rounds), ("max_tokens", task.max_tokens), ("tokens", task.tokens)):
        if value is not None and value < 1:
            raise UsageError(f"`{name}` is {value}; it must be at least 1")
    if task.tool_calls is not None and task.tool_calls < 0:
        raise UsageError(f"`tool_calls` is {task.tool_calls}; it must be at least 0")
    if not (math.isfinite(task.timeout) and task.timeout > 0):
        raise UsageError(f"`timeout` is {task.timeout:g}; it must be more than 0 seconds")
    refuse_foreign(task)


async def resolved_model(house: BridgeHouse, name: str | None) -> str:
    """The id to send; None, an empty name and ``default`` in any case mean the default model.

    Raises:
        ModelNotFoundError: no server has it, asked anew: it may have come since the list was kept.
        LLMError: no server could be asked.
    """
    wanted = None if name is None or name.strip().casefold() in ("", DEFAULT) else name.strip()
    try:
        return await house.validator.validate(wanted)
    except ModelNotFoundError:
        house.validator.clear_cache()
    default = await model_desk(house).default() if wanted is None else None
    return default.model if default is not None else await house.validator.validate(wanted)


class _Attempt:
    """A task from the name of its model to its end; ``listeners`` hear every entry of the journal."""

    def __init__(
        self, house: BridgeHouse, task: AutonomousTask, count: TaskCount, listeners: tuple[Listener, ...]
    ) -> None:
        self._house = house
        self._task = task
        self._count = count
        self._listeners = listeners
        self._warnings = list(files_left_out(house)) if task.tolerant else []

    async def run(self, model: str | None) -> TaskEnd:
        """As ``run_autonomous``."""
        model = model or await resolved_model(self._house, self._task.model)
        task = self._task
        while True:
            names = Names.of(task.servers)
            try:
                end = await self._run_once(task, names, model)
            except CannotServeError as error:
                if _finding(error, _NO_SUCH_MODEL):  # it is gone since the list was kept
                    self._house.validator.clear_cache()
                    await self._house.validator.validate(model)
                if full := _finding(error, _NO_ROOM):
                    raise ContextError(full.message, hint=full.help) from error
                gone = left_out(error.diagnostics, task, names) if task.tolerant else ()
                if not gone or len(gone) == len(task.servers):
                    raise
                self._warnings += [f"MCP server `{name}` is left out: {why}" for name, why in gone]
                lost = {name for name, _ in gone}
                task = without(task, lost)
                continue
            return self._told(end, task)

    async def _run_once(self, task: AutonomousTask, names: Names, model: str) -> RunEnd:
        settings = self._house.settings
        loaded, inputs = file_of(task, names, model, self._house.environment)
        request = RunRequest(
            file=loaded.workflow.file,
            bound=inputs,
            endpoints=settings.endpoints,
            config=settings.config,
            run_dir=settings.run_dir,
            keep_loaded=task.keep_loaded,
        )
        shared = nullcontext(_nobody) if task.keep_loaded else kept_for_the_next(self._house, model)
        async with shared as keeper:
            return await run_in_process(
                request,
                self._house.environment,
                loaded=loaded,
                listener=lambda entry: self._entry(entry, keeper),
                watchers=self._house.watchers,
                warn=lambda findings: self._warnings.extend(_words(finding) for finding in findings),
            )

    def _entry(self, entry: Entry, keeper: Listener) -> None:
        for listener in (keeper, *self._listeners):
            listener(entry)

    def _told(self, end: RunEnd, task: AutonomousTask) -> TaskEnd:
        outcome = end.outcome
        step: Mapping[str, Any] = outcome["steps"][MODEL_STEP]
        if outcome["status"] != "succeeded":
            raise error_of(outcome, end.folder, task)
        used: Mapping[str, int] = step["usage"]
        answer = step["output"]
        warnings = [*self._warnings, *outcome["warnings"], *step["warnings"]]
        finish = self._count.finish
        return TaskEnd(
            text=answer if isinstance(answer, str) else self._count.text,
            value=answer if task.output_schema is not None else None,
            model=step["model"],
            rounds=self._count.rounds,
            tool_calls=self._count.tool_calls,
            usage=Usage(**used),
            seconds=outcome["seconds"],
            run=outcome["run"],
            folder=end.folder,
            finish=finish,
            note=None if finish == "stop" else next(iter(step["warnings"][-1:]), None),
            servers=tuple(server.name for server in task.servers),
            warnings=tuple(dict.fromkeys(warnings)),
        )


def _nobody(entry: Entry) -> None:
    """Keeps nothing."""


def _finding(error: CannotServeError, code: str) -> Diagnostic | None:
    return next((found for found in error.diagnostics if found.code == code and found.level == "error"), None)


def _words(finding: Diagnostic) -> str:
    return finding.message if finding.help is None else f"{finding.message} (help: {finding.help})"
