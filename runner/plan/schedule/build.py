"""A plan as a scheduling problem: every step a job, what it calls included, and what each is reckoned to cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from runner.chat.endpoint import Endpoint
from runner.plan.agenda import Costs, Group, LoadEstimate, room_at
from runner.plan.plan import Plan, PlannedStep
from runner.plan.residency import Residence, name_of, residences
from runner.plan.schedule.jobs import Job, Load, Need, Problem, Round, Turn
from runner.plan.schedule.turns import seconds_of
from runner.words.json_text import read_json
from runner.words.noun import noun
from runner.workflow.fan_out import Matrix
from runner.workflow.model import Step

TASK_SECONDS: Final = 10.0
"""What a task is taken to last that was never measured."""
OTHER_SECONDS: Final = 1.0
"""The same for a step without a model."""
LOAD_SECONDS: Final = 1.0
"""What a load takes before the first byte is read, and
``BYTES_A_SECOND``: what is read from a disk that is neither the best nor the worst."""
BYTES_A_SECOND: Final = 1024**3
UNSIZED_SECONDS: Final = 5.0
"""A load of a model whose size nobody knows."""
GUESSED_ITEMS: Final = 10
"""The items of a list that is only known when its step has run."""

_LOADED = ("load", "load anew", "on demand")


def make_problem(plan: Plan, costs: Costs) -> Problem:
    """The plan as jobs, in the order of its steps; a call is the steps below it."""
    builder = _Builder(plan, costs)
    _, turns = builder.add_steps(plan, "", _Around())
    specs = {server.url: server for server in plan.servers}
    return Problem(
        jobs=tuple(builder.jobs),
        loads=tuple(builder.loads),
        servers=tuple(builder.servers),
        rooms=tuple(room_at(specs.get(url) or Endpoint(url=url), builder.sizes[url]) for url in builder.servers),
        parallel=builder.parallel,
        caps=tuple(builder.caps),
        naive=Round(times=1, turns=turns),
        estimates=tuple(builder.estimates),
        guessed_items=builder.guessed_items,
        assumes=builder.assumes,
    )


def one_by_one(step: Step) -> bool:
    """Whether the items of a call pass one by one, each whole before the next begins."""
    return step.fan_out is not None and (step.fan_out.in_order or step.fan_out.max_parallel == 1)


@noun
class _Around:
    """Where a step stands: the fan-outs around it as ``(identity, items so far)``, what it waits for from outside."""

    fan_outs: tuple[tuple[str, int], ...] = ()
    before: tuple[int, ...] = ()
    caps: tuple[int, ...] = ()

    @property
    def items(self) -> int:
        return self.fan_outs[-1][1] if self.fan_outs else 1

    def within(self, name: str, items: int) -> _Around:
        fan_outs = (*self.fan_outs, (name, self.items * items)) if items > 1 else self.fan_outs
        return replace(self, fan_outs=fan_outs)


class _Part:
    """A piece of a call whose items pass one by one, while it is put together."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.answers: list[int | None] = []


class _Builder:
    def __init__(self, plan: Plan, costs: Costs) -> None:
        self.parallel = plan.workflow.limits.parallel
        self.jobs: list[Job] = []
        self.caps: list[int] = []
        self.loads: list[Load] = []
        self.servers: dict[str, int] = {}
        self.sizes: dict[str, dict[str, int]] = {}
        self.estimates: list[LoadEstimate] = []
        self.guessed_items: dict[Group, int] = {}
        self.assumes = False
        self._costs = costs
        self._models: dict[tuple[str, str], int] = {}
        self._around: list[tuple[tuple[str, int], ...]] = []
        for one in residences(plan.family):
            if one.how in _LOADED and one.steps:
                self._add_load(one)

    def _add_load(self, one: Residence) -> None:
        endpoint, size = one.choice.endpoint, one.choice.entry.size_bytes
        known = self._costs.loads.get((endpoint, one.name))
        guess = UNSIZED_SECONDS if size is None else LOAD_SECONDS + size / BYTES_A_SECOND
        seconds = guess if known is None else known
        server = self.servers.setdefault(endpoint, len(self.servers))
        self.sizes.setdefault(endpoint, {})[one.name] = size or 0
        self._models[endpoint, one.name] = len(self.loads)
        self.loads.append(Load(server=server, name=one.name, seconds=seconds))
        measured, sized = known is not None, size is not None
        self.estimates.append(
            LoadEstimate(endpoint=endpoint, model=one.name, seconds=seconds, measured=measured, sized=sized)
        )

    def add_steps(self, plan: Plan, prefix: str, around: _Around) -> tuple[tuple[int, ...], tuple[Turn | Round, ...]]:
        """Add the steps of a plan; returns the jobs at which it ends, and the same work one unit after the other."""
        ends: dict[str, tuple[int, ...]] = {}
        turns: list[Turn | Round] = []
        for planned in plan.steps:
            needed = _once(job for need in planned.waits_for for job in ends[need]) or around.before
            here = replace(around, before=needed)
            ends[planned.step.id], naive = self._add_step(plan, planned, prefix + planned.step.id, here)
            turns += naive
        used = {need for planned in plan.steps for need in planned.waits_for}
        last = _once(job for step_id, jobs in ends.items() if step_id not in used for job in jobs)
        return last or around.before, tuple(turns)

    def _add_step(
        self, plan: Plan, planned: PlannedStep, group: Group, around: _Around
    ) -> tuple[tuple[int, ...], list[Turn | Round]]:
        around = self._capped(planned.step, around)
        if not planned.rows:
            end, turn = self._add_one(plan, planned, group, around, self._items(planned, group))
            return end, [turn]
        ends: list[int] = []
        turns: list[Turn | Round] = []
        for number, row in enumerate(planned.rows):
            end, turn = self._add_one(plan, row, f"{group}[{number}]", around, 1)
            turns.append(turn)
            ends += end
            if row.callee is not None and one_by_one(planned.step):
                around = replace(around, before=end)
        return _once(ends), turns

    def _add_one(
        self, plan: Plan, planned: PlannedStep, group: Group, around: _Around, items: int
    ) -> tuple[tuple[int, ...], Turn | Round]:
        step = planned.step
        if items == 0:
            return (self._add_job(Job(groups=tuple(_groups(planned, group))), around, ()),), Round(times=0, turns=())
        if planned.callee is None:
            seconds, model = self._seconds(plan, planned), self._model(planned)
            inner = around.within(group, items)
            job = Job(groups=(group,), units=inner.items, seconds=seconds, models=() if model is None else (model,))
            return (self._add_job(job, around, inner.fan_outs),), _repeated(
                items, (Turn(model=model, seconds=seconds),)
            )
        if step.repeat is not None or (one_by_one(step) and items > 1):  # the rounds of a repeat pass one by one, too
            return self._add_call_in_turns(planned, group, around, items)
        end, turns = self.add_steps(planned.callee, f"{group}/", around.within(group, items))
        return end, _repeated(items, turns)

    def _add_call_in_turns(
        self, planned: PlannedStep, group: Group, around: _Around, items: int
    ) -> tuple[tuple[int, ...], Round]:
        """A call whose items pass one by one, as one job: between its items there is nothing to order."""
        assert planned.callee is not None, "only a call has items that pass through several steps"
        part = _Part()
        turns = self._turns(planned.callee, f"{group}/", part, waves=True)
        naive = self._turns(planned.callee, f"{group}/", _Part(), waves=False)
        whole = Round(times=around.items * items, turns=turns)
        seconds = sum(map(seconds_of, whole.turns)) * whole.times
        models = _once(model for model in part.answers if model is not None)
        job = Job(groups=tuple(part.groups), seconds=seconds, models=models, turns=whole, answers=tuple(part.answers))
        return (self._add_job(job, around, ()),), Round(times=items, turns=naive)

    def _turns(self, plan: Plan, prefix: str, part: _Part, *, waves: bool) -> tuple[Turn | Round, ...]:
        """One item of a call in turns: one step after the other; with ``waves`` the items of a step go side by side."""
        turns: list[Turn | Round] = []
        for planned in plan.steps:
            group = prefix + planned.step.id
            items = 1 if planned.rows else self._items(planned, group)
            for number, row in enumerate(planned.rows or (planned,)):
                name = f"{group}[{number}]" if planned.rows else group
                if row.callee is not None:
                    turns.append(Round(times=items, turns=self._turns(row.callee, f"{name}/", part, waves=waves)))
                    continue
                model = self._model(row)
                part.groups.append(name)
                part.answers.append(model)
                times = -(-items // self._at_once(row.step)) if waves else items
                turns.append(_repeated(times, (Turn(model=model, seconds=self._seconds(plan, row)),)))
        return tuple(turns)

    def _at_once(self, step: Step) -> int:
        most = step.fan_out.max_parallel if step.fan_out is not None else None
        return self.parallel if most is None else min(self.parallel, most)

    def _add_job(self, job: Job, around: _Around, fan_outs: tuple[tuple[str, int], ...]) -> int:
        needs = tuple(Need(job=need, items=_shared(fan_outs, self._around[need])) for need in around.before)
        self.jobs.append(replace(job, needs=needs, caps=around.caps))
        self._around.append(fan_outs)
        return len(self.jobs) - 1

    def _capped(self, step: Step, around: _Around) -> _Around:
        most = self._at_once(step)
        if most == self.parallel:
            return around
        self.caps.append(most)
        return replace(around, caps=(*around.caps, len(self.caps) - 1))

    def _items(self, planned: PlannedStep, group: Group) -> int:
        """How many times the step runs; a list that another step makes is taken to have a usual length."""
        step = planned.step
        if step.fan_out is None:
            return 1
        over = step.fan_out.over
        if isinstance(over, Matrix):
            return len(over.rows)
        if planned.items is not None:
            return planned.items
        known = over.items if isinstance(over.items, tuple) else _written_list(over.items)
        if known is not None:
            return len(known)
        self.guessed_items[group] = GUESSED_ITEMS
        return GUESSED_ITEMS

    def _seconds(self, plan: Plan, planned: PlannedStep) -> float:
        measured = self._costs.steps.get(f"{plan.workflow.name}/{planned.step.id}")
        if measured is not None:
            return measured
        is_task = planned.step.kind == "task"
        self.assumes |= is_task
        return TASK_SECONDS if is_task else OTHER_SECONDS

    def _model(self, planned: PlannedStep) -> int | None:
        """The model to be loaded for it; None where there is none, or it is there already."""
        choice = planned.model
        return None if choice is None else self._models.get((choice.endpoint, name_of(choice)))


def _groups(planned: PlannedStep, group: Group) -> Iterable[Group]:
    if planned.callee is None:
        return [group]
    return [name for one in planned.callee.steps for name in _groups(one, f"{group}/{one.step.id}")]


def _shared(one: tuple[tuple[str, int], ...], other: tuple[tuple[str, int], ...]) -> int:
    """The items of the innermost fan-out around both."""
    shared = 1
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        shared = mine[1]
    return shared


def _repeated(items: int, turns: tuple[Turn | Round, ...]) -> Turn | Round:
    return turns[0] if items == 1 and len(turns) == 1 else Round(times=items, turns=turns)


def _written_list(expression: str) -> list[object] | None:
    """The list that an expression writes out in full."""
    try:
        value = read_json(expression)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def _once(jobs: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(jobs))
