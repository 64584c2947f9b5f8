"""In which order the models of a run are to be in memory, and what that order comes to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from runner.chat.endpoint import Endpoint
from runner.words.noun import noun

Group = str
"""All work of one step: its id, with the calling steps before it (``call/draft``). Where the rows of a matrix differ in
model, a group is one row, counted from 0: ``probe[2]``, and below it ``probe[2]/draft``. Other fan-outs are not told
apart: every item of ``call`` belongs to ``call/draft`` with its draft.
"""


@noun
class Stay:
    """A model in the memory of a server, from its load until another one needs its place; ``model`` as ``name_of``.

    ``groups`` are what it answers in that time. ``swaps`` are further models that take turns with it, because the items
    of a call pass through one by one and its models do not fit together: such a stay has the server for itself, and
    its models are loaded when they are asked for.
    """

    endpoint: str
    model: str
    groups: tuple[Group, ...]
    swaps: tuple[str, ...] = ()


@noun
class Room:
    """What the memory of a server holds of ours: at most ``most`` models, of at most ``memory`` bytes together.

    None = no such bound. ``sizes`` are the bytes of the models, by name; one that is not in it counts as nothing.
    """

    most: int | None = 1
    memory: int | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def holds(self, models: Collection[str]) -> bool:
        """Whether all of them fit together; a single one always does, as far as anybody can say beforehand."""
        if len(models) <= 1:
            return True
        if self.most is not None and len(models) > self.most:
            return False
        return self.memory is None or sum(self.sizes.get(model, 0) for model in models) <= self.memory


def room_at(server: Endpoint, sizes: Mapping[str, int]) -> Room:
    """As the run keeps it: one model at a time, unless the configuration says how many, or how much."""
    return Room(most=server.most_models, memory=server.memory, sizes=sizes)


def open_stays(stays: Sequence[Stay], over: Collection[int], room: Room, first: int = 0) -> tuple[int, ...]:
    """Which stays of one server are open: their models may be in memory now, and their groups may start.

    ``stays`` are all of that server, in their order; ``over`` the indexes of those whose groups are all over, among
    them everything before ``first``. A stay is open if it fits beside the models of all stays before it that are not
    over. What is open once stays open until it is over, and the models of all that are open fit together.
    """
    found: list[int] = []
    models: set[str] = set()
    for index in range(first, len(stays)):
        stay = stays[index]
        if index in over:
            continue
        if stay.swaps:
            return tuple(found) if found else (index,)
        models.add(stay.model)
        if not room.holds(models):
            break
        found.append(index)
    return tuple(found)


@noun
class Agenda:
    """What the dispatcher follows. ``stays`` of one server follow each other in this order; ``ranks`` say which of two
    groups that may both start goes first (lower first), groups without a model among them.

    A group starts when its stay is open and the model is there. A group that is in no stay has no model to wait for; an
    agenda without any stay says that models are best loaded when they are asked for.
    """

    stays: tuple[Stay, ...] = ()
    ranks: Mapping[Group, int] = field(default_factory=dict)

    def stays_at(self, endpoint: str) -> tuple[Stay, ...]:
        """The stays of one server, in their order."""
        return tuple(stay for stay in self.stays if stay.endpoint == endpoint)


@noun
class Costs:
    """What was measured before, in seconds. ``loads`` by ``(endpoint, model)``, ``steps`` by ``workflow/step``."""

    loads: Mapping[tuple[str, str], float] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)


NO_COSTS = Costs()


@noun
class LoadEstimate:
    """What a load is reckoned to take, in seconds, and where the number is from.

    Not ``measured``: by the model's size, or if ``sized`` is False by nothing but habit.
    """

    endpoint: str
    model: str
    seconds: float
    measured: bool
    sized: bool = True


@noun
class Forecast:
    """What the agenda comes to. Naive order: the steps one after the other in the order of the file, item by item,
    every model loaded when it is asked for. Seconds are reckoned, with ``estimates`` and ``step_seconds``.

    ``on_demand_loads`` and ``on_demand_seconds``: whatever may start does, in the order of the file, and every model is
    loaded when it is asked for. ``step_seconds`` is what a task is taken to last that was never measured, 0.0 where all
    were. ``guessed_items``: fan-outs whose number of items is not known yet, by group, and how many were reckoned with.
    ``chain``: every step waits for the one before, so that no other order is possible.
    """

    agenda: Agenda
    loads: int
    naive_loads: int
    seconds: float
    naive_seconds: float
    on_demand_loads: int = 0
    on_demand_seconds: float = 0.0
    estimates: tuple[LoadEstimate, ...] = ()
    step_seconds: float = 0.0
    guessed_items: Mapping[Group, int] = field(default_factory=dict)
    chain: bool = False
