"""A step that fans out: one unit of work for each item of a list, or row of a matrix, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

import anyio
from anyio.abc import TaskGroup

from runner.chat.messages import Usage
from runner.execute.hall import Hall, Paused, Unit
from runner.execute.halt import Halt
from runner.execute.place import unit_key
from runner.execute.stays import group_of
from runner.execute.step import UNWANTED, failed_step, loop_names, run_unit, wanted
from runner.execute.turns import Strand
from runner.execute.world import World
from runner.record.events import StepFinished, StepStarted
from runner.words.errors import BridgeError, StepError, root_cause
from runner.words.noun import noun
from runner.words.templates import evaluate, inspect_expression
from runner.workflow.fan_out import FanOut, ForEach
from runner.workflow.model import ApproveWork, CallWork, Step


@noun
class Item:
    """One of the units: what it is in the list (or row), and the names that its templates see."""

    index: int
    value: Any
    names: Mapping[str, Any] = field(default_factory=dict)


async def run_fan_out(hall: Hall, world: World, unit: Unit, fan_out: FanOut) -> StepFinished:
    """Do all items; the end of the step as a whole is returned, those of the items are journalled.

    Raises:
        HistoryError: the journal cannot be written.
        Paused: an item waits for an answer, and all others are done.
    """
    step = unit.planned.step
    try:
        if step.when is not None and not judges_items(step, fan_out) and not wanted(world, step):
            end = StepFinished(step=step.id, status="skipped", reason=UNWANTED)
        else:
            return await _Fan(hall, world, unit, fan_out, items_of(fan_out, world)).run()
    except BridgeError as error:
        end = failed_step(world, unit.planned, error)
    hall.work.over(unit.group, whole=True)
    return end


def judges_items(step: Step, fan_out: FanOut) -> bool:
    """Whether the ``when`` of the step is judged for each item: it reads what only an item has."""
    own = {"matrix", "loop", fan_out.over.name if isinstance(fan_out.over, ForEach) else "matrix"}
    return step.when is not None and any(ref.path[0] in own for ref in inspect_expression(step.when).references)


def items_of(fan_out: FanOut, world: World) -> tuple[Item, ...]:
    """The items in order.

    Raises:
        BridgeError: the expression cannot be worked out, or gives no list.
    """
    over = fan_out.over
    if not isinstance(over, ForEach):
        rows = over.rows
        return tuple(_item(n, row, "matrix", len(rows)) for n, row in enumerate(rows))
    values = over.items if isinstance(over.items, tuple) else evaluate(over.items, world.names())
    if not isinstance(values, list | tuple):
        shown = _KINDS.get(type(values), type(values).__name__)
        hint = "let the expression give a list; for a mapping: `… | items` or `… | dictsort`"
        raise StepError("request", f"`for_each: {over.items}` gives {shown}, and a list is needed", hint=hint)
    return tuple(_item(n, value, over.name, len(values)) for n, value in enumerate(values))


_KINDS = {dict: "a mapping", str: "a text", int: "a number", float: "a number", bool: "a boolean", type(None): "null"}


def _item(index: int, value: Any, name: str, length: int) -> Item:
    return Item(index=index, value=value, names={name: value, "loop": loop_names(index, length)})


class _Fan:
    """The items of one step at work."""

    def __init__(self, hall: Hall, world: World, unit: Unit, fan_out: FanOut, items: Sequence[Item]) -> None:
        self._hall = hall
        self._world = world
        self._unit = unit
        self._step = unit.planned.step
        self._fan_out = fan_out
        self._items = items
        self._judges = judges_items(self._step, fan_out)
        self._ends: list[StepFinished | None] = [None] * len(items)
        self._started = world.clock.monotonic()
        self._working = 0
        self._pulse = anyio.Event()

    async def run(self) -> StepFinished:
        """The end of the step."""
        self._world.for_item(self._step.id, None, {}).journal.append(
            StepStarted(step=self._step.id, kind=self._step.kind, items=len(self._items))
        )
        if not self._unit.planned.rows:
            self._hall.work.fanned_out(self._unit.group, len(self._items))
        with self._unit.halt.below(fails_fast=self._fan_out.fail_fast) as halt:
            try:
                async with anyio.create_task_group() as group:
                    await self._all(group, halt)
            except BaseExceptionGroup as failures:
                raise root_cause(failures) from failures
            except anyio.get_cancelled_exc_class():
                self._cancel_rest("the run was interrupted")
                raise
        if any(end is None for end in self._ends):
            raise Paused
        return self._gathered([end for end in self._ends if end is not None])

    async def _all(self, group: TaskGroup, halt: Halt) -> None:
        """Start the items in order, no more at once than are allowed, until all are over."""
        strand, window = self._unit.strand, self._window()
        for item in self._items:
            while self._working >= window:
                strand.settle()
                await self._pulse.wait()
            if self._ended_before(item, halt):
                continue
            self._working += 1
            group.start_soon(self._one, item, halt, self._hall.turns.strand())
        while self._working:
            strand.settle()
            await self._pulse.wait()
        strand.stir()

    def _window(self) -> int:
        """How many items are begun and not over. One that waits between two stages of a call is not at work, so the
        bound of the run does not hold for it; one that is written does.
        """
        if self._fan_out.max_parallel is not None:
            return self._fan_out.max_parallel
        if self._fan_out.in_order:
            return 1
        waits = isinstance(self._step.work, CallWork | ApproveWork) or self._unit.planned.rows
        return len(self._items) if waits else self._world.limits.parallel

    def _ended_before(self, item: Item, halt: Halt) -> bool:
        """Whether the item needs no work: it was done before this session, or is called off."""
        key = unit_key(self._world.before + self._step.id, item.index)
        seed = self._hall.seeds.take(key)
        called_off = halt.reason_for(self._step)
        if seed is None and called_off is None:
            return False
        self._hall.work.over(self._group(item), whole=True)
        if seed is not None:
            self._ends[item.index] = seed
        else:
            self._end(item, StepFinished(step=self._step.id, status="cancelled", reason=called_off))
        return True

    async def _one(self, item: Item, halt: Halt, strand: Strand) -> None:
        planned = self._unit.planned.for_item(item.index)
        unit = Unit(
            planned=planned,
            group=self._group(item),
            order=(*self._unit.order, item.index),
            cap=self._unit.cap,
            halt=halt,
            strand=strand,
            item=item.index,
        )
        world = self._world.for_item(self._step.id, item.index, {**self._world.item_names, **item.names})
        try:
            end = await run_unit(self._hall, world, unit, judge_when=self._judges)
        except Paused:
            end = None
        if end is not None:
            self._end(item, end)
            if self._fan_out.fail_fast and end.status == "failed" and not end.tolerated:
                halt.call(f"item {item.index} of `{self._step.id}` failed, and the step fails fast")
        self._working -= 1
        self._unit.strand.stir()  # before this one settles, so that nothing is decided without those that come next
        self._pulse.set()
        self._pulse = anyio.Event()
        strand.settle()

    def _group(self, item: Item) -> str:
        return group_of(self._unit.planned, self._unit.group, item.index)

    def _end(self, item: Item, end: StepFinished) -> None:
        self._ends[item.index] = end
        self._world.for_item(self._step.id, item.index, {}).journal.append(end)

    def _cancel_rest(self, reason: str) -> None:
        for item in self._items:
            if self._ends[item.index] is None:
                self._end(item, StepFinished(step=self._step.id, status="cancelled", reason=reason))

    def _gathered(self, ends: Sequence[StepFinished]) -> StepFinished:
        """The end of the step from those of its items."""
        facts: dict[str, Any] = {
            "step": self._step.id,
            "attempts": max((end.attempts for end in ends), default=0),
            "usage": sum((end.usage for end in ends), Usage()),
            "seconds": self._world.clock.monotonic() - self._started,
            "model": next((end.model for end in ends if end.model is not None), None),
            "extras": _extras(ends),
        }
        called_off = self._unit.halt.reason_for(self._step)
        if called_off is not None and any(end.status == "cancelled" for end in ends):
            return StepFinished(status="cancelled", reason=called_off, **facts)
        failed = [number for number, end in enumerate(ends) if end.status == "failed" and not end.tolerated]
        if failed:
            return StepFinished(status="failed", error=_error(ends, failed), **facts)
        stood_in = any(end.status == "recovered" or end.tolerated for end in ends)
        outputs = [end.output for end in ends]
        if not isinstance(self._fan_out.over, ForEach):
            outputs = [{"matrix": item.value, "output": out} for item, out in zip(self._items, outputs, strict=True)]
        return StepFinished(status="recovered" if stood_in else "succeeded", output=outputs, **facts)


def _extras(ends: Sequence[StepFinished]) -> dict[str, Any]:
    kept = [path for end in ends for path in end.extras.get("artifacts", ())]
    return {"artifacts": kept} if kept else {}


def _error(ends: Sequence[StepFinished], failed: Sequence[int]) -> dict[str, str]:
    """The first failure, and how many there were."""
    first = ends[failed[0]].error or {}
    count = f"{len(failed):,} of {len(ends):,} items failed"
    which = f"item {failed[0]}" if len(failed) == 1 else f"the first is item {failed[0]}"
    error = {"kind": first.get("kind", "bug"), "message": f"{count}; {which}: {first.get('message', '')}"}
    return {**error, "hint": first["hint"]} if "hint" in first else error
