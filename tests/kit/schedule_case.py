"""Small plans to be scheduled, in a line: steps with models and seconds, without any file or server."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.chat.catalogue import Instance, ModelEntry
from runner.chat.endpoint import Endpoint
from runner.plan.agenda import Costs
from runner.plan.plan import ModelChoice, Plan, PlannedStep
from runner.workflow.fan_out import FanOut, ForEach, Matrix, Repeat
from runner.workflow.model import CallWork, RunLimits, RunWork, Step, TaskWork, Workflow

HERE = "http://one"


def choice(name: str, endpoint: str = HERE, *, size: int | None = None, loaded: bool = False) -> ModelChoice:
    """A model that the run has to load, unless it is loaded."""
    there = (Instance(id=name),) if loaded else ()
    entry = ModelEntry(key=name, type="llm", size_bytes=size, instances=there, loaded=loaded)
    return ModelChoice(wanted=name, model=name, endpoint=endpoint, origin="step", entry=entry, manages=True)


def step(
    step_id: str,
    *needs: str,
    model: str | ModelChoice | None = None,
    each: object = None,
    repeat: bool = False,
    rows: tuple[str, ...] = (),
    call: Plan | None = None,
    **fan: Any,
) -> PlannedStep:
    """``step("b", "a", model="m")``: a task that waits for ``a``; without a model a command.

    ``each`` is a number of items or an expression, ``rows`` the models of a matrix, ``call`` a plan that it calls.
    """
    over: ForEach | Matrix | None = None
    if isinstance(each, int):
        over = ForEach(items=tuple(range(each)))
    elif isinstance(each, str):
        over = ForEach(items=each)
    elif isinstance(each, Matrix):
        over = each
    elif rows:
        over = Matrix(axes={"model": rows})
    work: Any = RunWork(argv=("true",))
    if call is not None:
        work = CallWork(file="callee.yaml", callee=call.workflow)
    elif model is not None or rows:
        work = TaskWork(task="Go.")
    written = Step(
        id=step_id,
        path=("steps", 0),
        work=work,
        needs=needs,
        fan_out=None if over is None else FanOut(over=over, **fan),
        repeat=Repeat(until="true", most=3) if repeat else None,
    )
    chosen = choice(model) if isinstance(model, str) else model
    planned = PlannedStep(step=written, waits_for=needs, model=chosen, callee=call)
    if not rows:
        return planned
    each_row = tuple(PlannedStep(step=written, waits_for=needs, model=choice(row), callee=call) for row in rows)
    return PlannedStep(step=written, waits_for=needs, model=each_row[0].model, rows=each_row)


def plan(
    *steps: PlannedStep,
    parallel: int = 8,
    max_loaded: int | None = None,
    memory: int | None = None,
    name: str = "w",
    offline: bool = False,
) -> Plan:
    """The plan of these steps; one server, of which the bounds are those of its memory."""
    workflow = Workflow(
        name=name,
        file=f"{name}.yaml",
        folder=".",
        steps=tuple(one.step for one in steps),
        limits=RunLimits(parallel=parallel),
    )
    servers = (Endpoint(url=HERE, max_loaded=max_loaded, memory=memory),)
    return Plan(workflow=workflow, steps=steps, endpoints=(HERE,), servers=servers, offline=offline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A problem in its plainest words: steps in file order, each ``(needs, model or None, seconds)``, by index."""

    steps: tuple[tuple[tuple[int, ...], str | None, int], ...]
    loads: Mapping[str, int] = field(default_factory=dict)
    most: int = 1
    parallel: int = 1

    @property
    def plan(self) -> Plan:
        """The case as a plan."""
        steps = (
            step(f"s{number}", *(f"s{need}" for need in needs), model=model)
            for number, (needs, model, _) in enumerate(self.steps)
        )
        return plan(*steps, parallel=self.parallel, max_loaded=self.most)

    @property
    def costs(self) -> Costs:
        """What everything takes, as if it had been measured."""
        return Costs(
            loads={(HERE, model): float(seconds) for model, seconds in self.loads.items()},
            steps={f"w/s{number}": float(seconds) for number, (_, _, seconds) in enumerate(self.steps)},
        )


def random_case(seed: int, most_steps: int = 9, most_models: int = 3) -> Case:
    """A case that the seed decides."""
    dice = random.Random(seed)
    models = "abcdefgh"[: dice.randint(2, most_models)]
    dense = dice.choice([0.1, 0.2, 0.35, 0.6])
    steps = []
    for number in range(dice.randint(3, most_steps)):
        needs = tuple(need for need in range(number) if dice.random() < dense)
        model = None if dice.random() < 0.15 else dice.choice(models)
        steps.append((needs, model, dice.randint(1, 9)))
    return Case(
        steps=tuple(steps),
        loads={model: dice.randint(1, 12) for model in models},
        most=dice.randint(1, 2),
        parallel=dice.randint(1, 3),
    )
