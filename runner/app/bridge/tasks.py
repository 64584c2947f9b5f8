"""Work that outlives the call that asked for it: begun, looked at, waited for and cancelled by the id of its task."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from runner.chat.offer import Answered, Progress
from runner.words.errors import BridgeError, FailureKind, UsageError
from runner.words.suggest import did_you_mean

Status = Literal["working", "completed", "failed", "cancelled"]
AT_ONCE: Final = 64
"""So many tasks may be at work at once; so many that have ended are kept, for so many seconds:"""
KEPT: Final = 200
KEPT_SECONDS: Final = 3600.0


class TooManyTasksError(BridgeError):
    """No task can be begun now."""

    kind: FailureKind = "overloaded"


class TaskNotFoundError(UsageError):
    """There is no such task, or it ended too long ago; ``tasks`` are those there are."""

    facts = ("task_id", "tasks")

    def __init__(self, task_id: str, tasks: tuple[str, ...]) -> None:
        self.task_id = task_id
        self.tasks = tasks
        near = did_you_mean(task_id, tasks)
        kept = f"a task is kept for {KEPT_SECONDS / 60:.0f} minutes after its end, and not beyond that of the server"
        super().__init__(f"there is no task `{task_id}`", hint=f"{near} {kept}" if near else kept)


class Task:
    """One task. ``tool`` is whose work it is; times are seconds since 1970; ``answer`` is there when it has ended.

    ``cancelling``: it was cancelled, and may still clean up.
    """

    def __init__(self, tool: str) -> None:
        self.id = f"task-{secrets.token_hex(6)}"
        self.tool = tool
        self.begun = time.time()
        self.ended: float | None = None
        self.answer: Answered | None = None
        self.message = ""
        self.cancelling = False
        self.working: asyncio.Task[Answered] | None = None
        self._done = 0.0
        self._total: float | None = None
        self._listeners: list[Progress] = []

    @property
    def status(self) -> Status:
        """How it stands."""
        if self.ended is None:
            return "working"
        if self.answer is None:
            return "cancelled"
        return "failed" if self.answer.is_error else "completed"

    async def tell(self, done: float, total: float | None, message: str) -> None:
        """Keep how far it is, and tell whoever waits for it."""
        self._done, self._total, self.message = done, total, message
        for listener in tuple(self._listeners):
            await listener(done, total, message)

    @contextmanager
    def heard_by(self, listener: Progress) -> Iterator[None]:
        """Tell ``listener`` too how far it is, while the context lives."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def wait(self, seconds: float) -> bool:
        """Whether it has ended, after at most so long."""
        if self.working is not None and not self.working.done():
            await asyncio.wait((self.working,), timeout=seconds)
            await asyncio.sleep(0)  # who waits may be told before `note_end`
        return self.ended is not None

    async def cancel(self, seconds: float | None = None) -> bool:
        """End it and all that it has started, once; whether it has ended, after at most so long."""
        if self.working is not None and not self.working.done():
            self.cancelling = True
            self.working.cancel()
            await asyncio.wait((self.working,), timeout=seconds)
            await asyncio.sleep(0)
        return self.ended is not None

    def note_end(self, working: asyncio.Task[Answered]) -> None:
        """It has ended, whatever way."""
        self.ended = self.ended or time.time()
        if not working.cancelled():
            working.exception()  # taken note of: work gives its failures as answers

    def row(self) -> dict[str, Any]:
        """``{task_id, tool, status, seconds, progress, total, message}``."""
        until = time.time() if self.ended is None else self.ended
        return {
            "task_id": self.id,
            "tool": self.tool,
            "status": self.status,
            "seconds": round(max(0.0, until - self.begun), 3),
            "progress": self._done,
            "total": self._total,
            "message": self.message,
        }


class Tasks:
    """All tasks of a server; those that have ended are forgotten after a while."""

    def __init__(self, *, at_once: int = AT_ONCE, kept: int = KEPT, kept_seconds: float = KEPT_SECONDS) -> None:
        self._at_once = at_once
        self._kept = kept
        self._kept_seconds = kept_seconds
        self._tasks: dict[str, Task] = {}

    def begin(self, tool: str, work: Callable[[Progress], Awaitable[Answered]]) -> Task:
        """Begin the work, which is told where to tell how far it is.

        Raises:
            TooManyTasksError: as many are at work as may be.
        """
        self._forget()
        if sum(task.status == "working" for task in self._tasks.values()) >= self._at_once:
            hint = "wait for one of them (`task_status` lists them), or cancel one (`cancel_task`)"
            raise TooManyTasksError(f"{self._at_once} tasks are at work already", hint=hint)
        task = Task(tool)
        self._tasks[task.id] = task

        async def done() -> Answered:
            task.answer = await work(task.tell)
            task.ended = time.time()
            return task.answer

        task.working = asyncio.create_task(done(), name=f"{task.id} {tool}")
        task.working.add_done_callback(task.note_end)
        return task

    def find(self, task_id: str) -> Task:
        """The task of that id.

        Raises:
            TaskNotFoundError: there is none.
        """
        self._forget()
        task = self._tasks.get(task_id)
        if task is None:
            raise TaskNotFoundError(task_id, tuple(self._tasks))
        return task

    def all(self) -> tuple[Task, ...]:
        """Every task that is known, in the order in which they began."""
        self._forget()
        return tuple(self._tasks.values())

    async def close(self) -> None:
        """End all of them, and wait until what they started is gone. Who is closed twice does not let them clean up."""
        working = [task.working for task in self._tasks.values() if task.working is not None]
        going = [one for one in working if not one.done()]
        for one in going:
            one.cancel()
        if going:
            await asyncio.wait(going)

    def _forget(self) -> None:
        ended = [task for task in self._tasks.values() if task.ended is not None]
        oldest = time.time() - self._kept_seconds
        for number, task in enumerate(ended):
            if (task.ended or 0.0) < oldest or number < len(ended) - self._kept:
                del self._tasks[task.id]
