"""One unit of work from start to end: a step, or an item of one. Its ``when``, its turn, its rounds, its attempts, its
time, and what stands in for a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from runner.chat.messages import Usage
from runner.execute.approve_step import ApproveWorker
from runner.execute.call_step import CallWorker
from runner.execute.hall import CalledOff, Hall, Paused, Unit
from runner.execute.own_servers import with_own_servers
from runner.execute.place import unit_key
from runner.execute.retry import Attempts
from runner.execute.run_step import RunWorker
from runner.execute.step_time import StepTime
from runner.execute.task_step import TaskWorker
from runner.execute.tool_step import ToolWorker
from runner.execute.turns import Ticket, Turn
from runner.execute.worker import Outcome, Worker
from runner.execute.world import World
from runner.plan.plan import PlannedStep
from runner.record.events import StepFinished, StepRepeated, StepRetried, StepStarted, StepWarned
from runner.words.errors import BridgeError, HistoryError, StepError
from runner.words.templates import render, render_text, truth
from runner.workflow.fan_out import Repeat
from runner.workflow.model import ApproveWork, CallWork, RunWork, Step, ToolWork


@dataclass(slots=True)
class _Tally:
    """What a unit used, for its last event, whatever way it ends."""

    started: float
    attempts: int = 0
    workers: list[Worker] = field(default_factory=list)
    artifacts: tuple[str, ...] = ()

    @property
    def usage(self) -> Usage:
        return sum((worker.usage for worker in self.workers), Usage())


async def run_unit(hall: Hall, world: World, unit: Unit, *, judge_when: bool) -> StepFinished:
    """Do one unit whose needs are met; its end is returned, not yet journalled. ``world`` is that of the unit.

    ``judge_when``: its ``when`` is judged here, and not for the fan-out as a whole.

    Raises:
        HistoryError: the journal cannot be written.
        Paused: it waits for an answer.
    """
    end = await _run(hall, world, unit, judge_when=judge_when)
    untouched = isinstance(unit.planned.step.work, CallWork) and not unit.strand.has_followed
    hall.work.over(unit.group, whole=untouched)
    return end


async def _run(hall: Hall, world: World, unit: Unit, *, judge_when: bool) -> StepFinished:
    tally = _Tally(world.clock.monotonic())
    planned = unit.planned
    try:
        if judge_when and not wanted(world, planned.step):
            return StepFinished(step=planned.step.id, status="skipped", reason=UNWANTED)
        if isinstance(planned.step.work, CallWork):  # its steps are stopped one by one, so that those can clean up
            return await _done(hall, world, unit, tally)
        with unit.halt.stoppable(cleans_up=planned.step.cleans_up):
            return await _done(hall, world, unit, tally)
    except (HistoryError, Paused):
        raise
    except CalledOff:
        pass
    except BridgeError as error:
        return _failed(world, planned, tally, error)
    except anyio.get_cancelled_exc_class():
        raise
    except Exception as error:
        return _failed(world, planned, tally, _bug(world, planned, error))
    return _finished(world, planned, tally, status="cancelled", reason=unit.halt.reason_for(planned.step))


UNWANTED = "its `when` does not hold"


def wanted(world: World, step: Step) -> bool:
    """Whether the ``when`` of the step holds.

    Raises:
        TemplateError: it cannot be judged.
    """
    return step.when is None or truth(step.when, world.names())


async def _done(hall: Hall, world: World, unit: Unit, tally: _Tally) -> StepFinished:
    """The unit when its turn has come; calls and questions take no turn of their own."""
    if isinstance(unit.planned.step.work, CallWork | ApproveWork):
        outcome = await _in_time(hall, world, unit, tally)
    else:
        ticket = Ticket(group=unit.group, order=unit.order, cap=unit.cap)
        async with hall.turns.turn(unit.strand, ticket) as turn:
            tally.started = world.clock.monotonic()
            try:
                outcome = await _in_time(hall, world, unit, tally, turn)
            except BridgeError:
                if unit.halt.fails_fast and unit.planned.step.on_error.do == "fail":
                    await world.give_way()  # while it still has its turn, which nobody got before it failed
                raise
    extras = {**outcome.extras, **({"artifacts": list(tally.artifacts)} if tally.artifacts else {})}
    return _finished(world, unit.planned, tally, status="succeeded", output=outcome.output, extras=extras)


async def _in_time(hall: Hall, world: World, unit: Unit, tally: _Tally, turn: Turn | None = None) -> Outcome:
    """The outcome within the unit's time, or the run's if that ends first.

    Raises:
        BridgeError: it failed, kind ``timeout`` if the time was over.
    """
    time = StepTime(world, unit.planned, turn)
    if time.left > 0:  # else not even begun: a command would be started before its cancellation is noticed
        with time.bounded():
            return await _watched(hall, world, unit, tally, time)
    raise time.over()


async def _watched(hall: Hall, world: World, unit: Unit, tally: _Tally, time: StepTime) -> Outcome:
    """The outcome of the rounds, between a look at the files before and one after; what it leaves behind is kept."""
    step, choice = unit.planned.step, unit.planned.model
    world.journal.append(
        StepStarted(
            step=step.id,
            kind=step.kind,
            model=choice.model if choice else None,
            endpoint=choice.endpoint if choice else None,
        )
    )
    before = await world.files.fingerprint() if step.reads_only else None
    async with with_own_servers(world, step) as own:
        outcome = await _rounds(hall, own, unit, tally, time)
    if step.reads_only:
        _refuse_changes(await world.files.changed(before))
    if step.artifacts:
        await _keep(world, unit, tally)
    return outcome


def _refuse_changes(changed: tuple[str, ...]) -> None:
    if changed:
        shown = ", ".join(f"`{path}`" for path in changed[:5]) + (", …" if len(changed) > 5 else "")
        hint = "take the tools that write from it, or `reads_only`; a step beside it may have changed them too"
        raise StepError("expectation", f"it is `reads_only`, and files changed meanwhile: {shown}", hint=hint)


async def _keep(world: World, unit: Unit, tally: _Tally) -> None:
    step = unit.planned.step
    patterns = [render_text(pattern, world.names()) for pattern in step.artifacts]
    kept = await world.files.keep(patterns, unit_key(world.before + step.id, unit.item))
    tally.artifacts = kept.paths
    for pattern in kept.empty:
        world.journal.append(StepWarned(step=step.id, message=f"no file matches the artifact `{pattern}`"))


async def _rounds(hall: Hall, world: World, unit: Unit, tally: _Tally, time: StepTime) -> Outcome:
    """The outcome of the one round, or of the first after which ``repeat`` is satisfied.

    Raises:
        BridgeError: a round failed; kind ``limit``: ``until`` never held.
    """
    step = unit.planned.step
    if step.repeat is None:
        return await _attempts(hall, world, unit, tally, time)
    previous = None
    for number in range(1, step.repeat.most + 1):
        names = {**world.item_names, "loop": loop_names(number - 1, step.repeat.most), "previous": previous}
        if number > 1:
            world.journal.append(StepRepeated(step=step.id, number=number, attempt=tally.attempts + 1))
        outcome = await _attempts(hall, replace(world, item_names=names), _with_rest(unit, tally), tally, time)
        if truth(step.repeat.until, world.names(**names, output=outcome.output)):
            return outcome
        previous = outcome.output
    raise _never(step.repeat)


def _with_rest(unit: Unit, tally: _Tally) -> Unit:
    """The unit with what is left of its tokens: all rounds share them."""
    most = unit.planned.step.limits.tokens
    if most is None:
        return unit
    limits = replace(unit.planned.step.limits, tokens=max(most - tally.usage.total, 0))
    return replace(unit, planned=replace(unit.planned, step=replace(unit.planned.step, limits=limits)))


def _never(repeat: Repeat) -> StepError:
    rounds = f"{repeat.most} round" + "s" * (repeat.most != 1)
    hint = "raise `max` of the `repeat`, or see why the answers do not come closer"
    return StepError("limit", f"`until` did not hold after {rounds}: {repeat.until}", hint=hint)


def loop_names(index: int, length: int) -> Mapping[str, Any]:
    """What ``loop`` is in templates."""
    return {
        "index": index + 1,
        "index0": index,
        "first": index == 0,
        "last": index == length - 1,
        "length": length,
    }


async def _attempts(hall: Hall, world: World, unit: Unit, tally: _Tally, time: StepTime) -> Outcome:
    """The outcome of the first attempt that succeeds, of the first model that can."""
    worker = _worker(hall, world, unit, time)
    tally.workers.append(worker)
    while True:
        try:
            return await _policy(world, unit.planned, tally, time, worker)
        except BridgeError as error:
            if not worker.fall_back(error):
                raise


async def _policy(world: World, planned: PlannedStep, tally: _Tally, time: StepTime, worker: Worker) -> Outcome:
    """The step's policy of retries; attempts are counted through all rounds and models."""
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


def _worker(hall: Hall, world: World, unit: Unit, time: StepTime) -> Worker:
    """The one place that knows which kinds there are."""
    work = unit.planned.step.work
    if isinstance(work, ToolWork):
        return ToolWorker(world, unit.planned.step)
    if isinstance(work, RunWork):
        return RunWorker(world, unit.planned.step)
    if isinstance(work, CallWork):
        return CallWorker(hall, world, unit)
    if isinstance(work, ApproveWork):
        return ApproveWorker(hall, world, unit)
    assert unit.planned.model is not None, "a plan ties every task to a model"
    return TaskWorker(world, unit.planned, unit.planned.model, time.standing_still)


def _bug(world: World, planned: PlannedStep, error: Exception) -> StepError:
    """What nobody foresaw: for a person a line, for us a file."""
    import traceback

    trace = "".join(traceback.format_exception(error))
    place = world.artifacts.artifact(planned.step.id, "bug.txt", trace)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return StepError("bug", f"a bug in bridge-run: {said}", hint=f"please report it with `{place}` of the run folder")


def failed_step(world: World, planned: PlannedStep, error: BridgeError) -> StepFinished:
    """The end of a step that failed before any work was begun."""
    return _failed(world, planned, _Tally(world.clock.monotonic()), error)


def _failed(world: World, planned: PlannedStep, tally: _Tally, error: BridgeError) -> StepFinished:
    """The end of a failed unit: failed, tolerated, or recovered with the value that stands in."""
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
    worker = tally.workers[-1] if tally.workers else None
    facts.setdefault("extras", worker.extras if worker else {})
    return StepFinished(
        step=planned.step.id,
        attempts=tally.attempts,
        usage=tally.usage,
        seconds=world.clock.monotonic() - tally.started,
        model=worker.model if worker else planned.model.model if planned.model else None,
        **facts,
    )
