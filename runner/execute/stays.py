"""What is left to do for each model, and so whose turn in memory it is: the agenda of the plan against the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from runner.chat.endpoint import Endpoint
from runner.plan.agenda import Agenda, Group, Stay
from runner.plan.plan import ModelChoice, Plan, PlannedStep
from runner.plan.residency import name_of

_ONE: Final = 1


class Work:
    """How many units of each group are not over yet. One that has not begun counts once, with all that is below it."""

    def __init__(self, plan: Plan) -> None:
        self._below: dict[Group, tuple[Group, ...]] = {}
        for _ in self._survey(plan, ""):
            pass
        self._left = dict.fromkeys(self._below, 1)
        self._listener: Callable[[Group, int], None] | None = None

    def listen(self, listener: Callable[[Group, int], None]) -> None:
        """It is told of every change: a group, and how many units more."""
        self._listener = listener

    def left(self, group: Group) -> int:
        """Units that are not over yet, as far as is known."""
        return self._left.get(group, 0)

    def fanned_out(self, group: Group, units: int) -> None:
        """What counted as one is so many."""
        self._add(self._below[group], units - 1)

    def again(self, group: Group) -> None:
        """What the call did is done once more."""
        self._add(self._below[group][1:], 1)

    def over(self, group: Group, *, whole: bool) -> None:
        """A unit is over; ``whole``: nothing below it was begun."""
        self._add(self._below[group] if whole else (group,), -1)

    def _add(self, groups: tuple[Group, ...], units: int) -> None:
        for group in groups:
            self._left[group] += units
            if self._listener is not None:
                self._listener(group, units)

    def _survey(self, plan: Plan, before: str) -> Iterator[Group]:
        for planned in plan.steps:
            own = before + planned.step.id
            here = [own] if not planned.rows else []
            for number, row in enumerate(planned.rows or (planned,)):
                group = group_of(planned, own, number)
                below = tuple(self._survey(row.callee, f"{group}/")) if row.callee is not None else ()
                self._below[group] = (group, *below)
                here += [*below] if group == own else [group, *below]
            self._below[own] = tuple(dict.fromkeys((own, *here)))
            yield from self._below[own]


def group_of(planned: PlannedStep, own: str, item: int) -> Group:
    """The group of an item of a step whose own group is ``own``."""
    return f"{own}[{item}]" if planned.rows else own


class Stays:
    """Which stays are open: their model may be loaded, for all before them but so many as fit are over."""

    def __init__(self, plan: Plan, agenda: Agenda, work: Work) -> None:
        self._stays = agenda.stays
        self._ranks = agenda.ranks
        self._number = _stay_of_each(agenda)
        self._left = [0] * len(self._stays)
        for group, number in self._number.items():
            self._left[number] += work.left(group)
        self._open: tuple[int, ...] | None = None
        work.listen(self._changed)
        self._specs = {spec.url: spec for spec in plan.servers}
        self._choices = {(c.endpoint, name_of(c)): c for planned in plan.family for c in planned.choices}

    def rank(self, group: Group) -> int:
        """Lower goes first."""
        return self._ranks.get(group, len(self._ranks))

    def stay_of(self, group: Group) -> int | None:
        """The number of the stay that answers the group; None for groups without a model, or unknown to the agenda."""
        return self._number.get(group)

    def open(self) -> tuple[int, ...]:
        """The numbers of the stays that are open and not over, in their order."""
        if self._open is None:
            self._open = tuple(self._find_open())
        return self._open

    def _find_open(self) -> Iterator[int]:
        there: dict[str, list[Stay]] = {}
        for number, stay in enumerate(self._stays):
            if not self._left[number]:
                continue
            before = there.setdefault(stay.endpoint, [])
            if self._fits(stay, before):
                yield number
            before.append(stay)

    def _changed(self, group: Group, units: int) -> None:
        number = self._number.get(group)
        if number is not None:
            before = self._left[number]
            self._left[number] += units
            if not before or not self._left[number]:
                self._open = None

    def choice(self, number: int) -> ModelChoice | None:
        """The model of a stay."""
        stay = self._stays[number]
        return self._choices.get((stay.endpoint, stay.model))

    def groups(self, number: int) -> tuple[Group, ...]:
        """What a stay answers."""
        return self._stays[number].groups

    def still_needed(self, endpoint: str, model: str) -> bool:
        """Whether the model has work in a stay that is open."""
        return any((self._stays[n].endpoint, self._stays[n].model) == (endpoint, model) for n in self.open())

    def _fits(self, stay: Stay, before: list[Stay]) -> bool:
        spec = self._specs.get(stay.endpoint) or Endpoint(url=stay.endpoint)
        names = {one.model for one in before} - {stay.model}
        most = spec.max_loaded if spec.max_loaded is not None else _ONE if spec.memory is None else None
        if most is not None and len(names) >= most:
            return False
        return spec.memory is None or self._bytes(stay.endpoint, {*names, stay.model}) <= spec.memory

    def _bytes(self, endpoint: str, models: set[str]) -> int:
        choices: Mapping[tuple[str, str], ModelChoice] = self._choices
        sizes = (choices[endpoint, model].entry.size_bytes for model in models if (endpoint, model) in choices)
        return sum(size or 0 for size in sizes)


def _stay_of_each(agenda: Agenda) -> dict[Group, int]:
    """The stay of each group. One whose items pass through one by one is in many, and bound to none of them."""
    found: dict[Group, int] = {}
    many: set[Group] = set()
    for number, stay in enumerate(agenda.stays):
        many.update(group for group in stay.groups if group in found)
        found.update(dict.fromkeys(stay.groups, number))
    return {group: number for group, number in found.items() if group not in many}
