"""One step from start to end: its ``when``, its attempts, its time, and what stands in for a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio

from runner.chat.messages import Usage
from runner.execute.retry import Attempts
from runner.execute.run_step import RunWorker
from runner.execute.step_time import StepTime
from runner.execute.task_step import TaskWorker
from runner.execute.tool_step import ToolWorker
from runner.execute.worker import Outcome, Worker
from runner.execute.world import World
from runner.plan.plan import PlannedStep
from runner.record.events import StepFinished, StepRetried, StepStarted
from runner.words.errors import BridgeError, HistoryError, StepError
from runner.words.templates import render, truth
from runner.workflow.model import RunWork, ToolWork


@dataclass(slots=True)
class _Tally:
    """What a step used, for its last event, whatever way it ends."""

    started: float
    attempts: int = 0
    worker: Worker | None = None


async def run_step(world: World, planned: PlannedStep) -> StepFinished:
    """Do one step whose needs are met; its end is returned, not yet journalled.

    Raises:
        HistoryError: the journal cannot be written.
    """
    tally = _Tally(world.clock.monotonic())
    try:
        if not _wanted(world, planned):
            return StepFinished(step=planned.step.id, status="skipped", reason="its `when` does not hold")
        outcome = await _in_time(world, planned, tally)
    except HistoryError:
        raise
    except BridgeError as error:
        return _failed(world, planned, tally, error)
    except anyio.get_cancelled_exc_class():
        raise
    except Exception as error:
        return _failed(world, planned, tally, _bug(world, planned, error))
    return _finished(world, planned, tally, status="succeeded", output=outcome.output, extras=outcome.extras)


def _wanted(world: World, planned: PlannedStep) -> bool:
    return planned.step.when is None or truth(planned.step.when, world.names())


async def _in_time(world: World, planned: PlannedStep, tally: _Tally) -> Outcome:
    """The step's outcome within its time, or the run's if that ends first.

    Raises:
        BridgeError: it failed, kind ``timeout`` if the time was over.
    """
    time = StepTime(world, planned)
    if time.left > 0:  # else not even begun: a command would be started before its cancellation is noticed
        with time.bounded():
            return await _attempts(world, planned, tally, time)
    raise time.over()


async def _attempts(world: World, planned: PlannedStep, tally: _Tally, time: StepTime) -> Outcome:
    """The outcome of the first attempt that succeeds, of the first model that can."""
    step = planned.step
    choice = planned.model
    world.journal.append(
        StepStarted(
            step=step.id,
            kind=step.kind,
            model=choice.model if choice else None,
            endpoint=choice.endpoint if choice else None,
        )
    )
    worker = tally.worker = _worker(world, planned, time)
    while True:
        try:
            return await _policy(world, planned, tally, time, worker)
        except BridgeError as error:
            if not worker.fall_back(error):
                raise


async def _policy(world: World, planned: PlannedStep, tally: _Tally, time: StepTime, worker: Worker) -> Outcome:
    """The step's policy of retries; attempts are counted through all models."""
    step, before = planned.step, tally.attempts

    async def attempt(number: int) -> Outcome:
        tally.attempts = before + number
        return await worker.attempt(tally.attempts)

    def on_retry(number: int, error: BridgeError, wait: float) -> None:
        world.journal.append(
            StepRetried(step=step.id, attempt=before + number, kind=error.kind, message=error.message, wait=wait)
        )

    attempts = Attempts(
        policy=step.retry,
        clock=world.clock,
        deadline=time.deadline,
        random=world.random,
        repeatable=worker.repeatable,
        on_retry=on_retry,
    )
    return await attempts.run(attempt)


def _worker(world: World, planned: PlannedStep, time: StepTime) -> Worker:
    """The one place that knows which kinds there are."""
    if isinstance(planned.step.work, ToolWork):
        return ToolWorker(world, planned.step)
    if isinstance(planned.step.work, RunWork):
        return RunWorker(world, planned.step)
    assert planned.model is not None, "a plan ties every task to a model"
    return TaskWorker(world, planned, planned.model, time.standing_still)


def _bug(world: World, planned: PlannedStep, error: Exception) -> StepError:
    """What nobody foresaw: for a person a line, for us a file."""
    import traceback

    trace = "".join(traceback.format_exception(error))
    place = world.artifacts.artifact(planned.step.id, "bug.txt", trace)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return StepError("bug", f"a bug in bridge-run: {said}", hint=f"please report it with `{place}` of the run folder")


def _failed(world: World, planned: PlannedStep, tally: _Tally, error: BridgeError) -> StepFinished:
    """The end of a failed step: failed, tolerated, or recovered with the value that stands in."""
    facts = {"kind": error.kind, "message": error.message}
    if error.hint:
        facts["hint"] = error.hint
    on_error = planned.step.on_error
    if on_error.do == "output":
        try:
            value = render(on_error.output, world.names(error=facts))
        except BridgeError as second:
            facts = {"kind": second.kind, "message": f"{error.message}; and `on_error.output`: {second.message}"}
        else:
            return _finished(world, planned, tally, status="recovered", output=value, error=facts)
    tolerated = on_error.do == "continue"
    reason = "`on_error: continue`: the run goes on" if tolerated else None
    return _finished(world, planned, tally, status="failed", error=facts, tolerated=tolerated, reason=reason)


def _finished(world: World, planned: PlannedStep, tally: _Tally, **facts: Any) -> StepFinished:
    worker = tally.worker
    facts.setdefault("extras", worker.extras if worker else {})
    return StepFinished(
        step=planned.step.id,
        attempts=tally.attempts,
        usage=worker.usage if worker else Usage(),
        seconds=world.clock.monotonic() - tally.started,
        model=worker.model if worker else planned.model.model if planned.model else None,
        **facts,
    )
