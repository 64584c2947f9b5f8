"""What is left to do for each model, and so whose turn in memory it is: the agenda of the plan against the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.chat.endpoint import Endpoint
from runner.plan.agenda import Agenda, Group, Room, open_stays, room_at
from runner.plan.plan import ModelChoice, Plan, PlannedStep
from runner.plan.residency import name_of


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
        self._work = work
        self._number = {group: number for number, stay in enumerate(self._stays) for group in stay.groups}
        self._left = [0] * len(self._stays)
        for group, number in self._number.items():
            self._left[number] += work.left(group)
        self._choices = {(c.endpoint, name_of(c)): c for planned in plan.family for c in planned.choices}
        self._servers = self._rooms(plan)
        self._open: tuple[int, ...] | None = None
        work.listen(self._changed)

    def rank(self, group: Group) -> int:
        """Lower goes first."""
        return self._ranks.get(group, len(self._ranks))

    def stay_of(self, group: Group) -> int | None:
        """The number of the stay that answers the group; None for groups without a model, or unknown to the agenda."""
        return self._number.get(group)

    def open(self) -> tuple[int, ...]:
        """The numbers of the stays that are open and not over, in their order."""
        if self._open is None:
            self._open = tuple(sorted(self._find_open()))
        return self._open

    def wanted(self, number: int) -> ModelChoice | None:
        """The model that may be loaded as soon as the stay is open; None if its models take turns."""
        stay = self._stays[number]
        return None if stay.swaps else self._choices.get((stay.endpoint, stay.model))

    def waiting_groups(self, number: int) -> tuple[Group, ...]:
        """What the stay answers and is not over."""
        return tuple(group for group in self._stays[number].groups if self._work.left(group))

    def still_needed(self, endpoint: str, model: str) -> bool:
        """Whether the model has work in a stay that is open."""
        stays = (self._stays[number] for number in self.open())
        return any(stay.endpoint == endpoint and model in (stay.model, *stay.swaps) for stay in stays)

    def _find_open(self) -> Iterator[int]:
        for room, numbers in self._servers:
            over = {index for index, number in enumerate(numbers) if not self._left[number]}
            for index in open_stays([self._stays[number] for number in numbers], over, room):
                yield numbers[index]

    def _changed(self, group: Group, units: int) -> None:
        number = self._number.get(group)
        if number is not None:
            before = self._left[number]
            self._left[number] += units
            if not before or not self._left[number]:
                self._open = None

    def _rooms(self, plan: Plan) -> list[tuple[Room, list[int]]]:
        """What each server holds, and the numbers of its stays."""
        specs = {spec.url: spec for spec in plan.servers}
        numbers: dict[str, list[int]] = {}
        for number, stay in enumerate(self._stays):
            numbers.setdefault(stay.endpoint, []).append(number)
        sizes = {key: choice.entry.size_bytes or 0 for key, choice in self._choices.items()}
        return [
            (room_at(specs.get(url) or Endpoint(url=url), {m: size for (u, m), size in sizes.items() if u == url}), own)
            for url, own in numbers.items()
        ]
