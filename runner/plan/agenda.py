"""In which order the models of a run are to be in memory, and what that order comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from runner.words.noun import noun

Group = str
"""All work of one step: its id, with the calling steps before it (``call/draft``). Where the rows of a matrix differ in
model, a group is one row: ``probe[2]``, and below it ``probe[2]/draft``. Other fan-outs are not told apart: every item
of ``call`` belongs to ``call/draft`` with its draft.
"""


@noun
class Stay:
    """A model in the memory of a server, from its load until another one needs its place; ``model`` as ``name_of``.

    ``groups`` are what it answers in that time.
    """

    endpoint: str
    model: str
    groups: tuple[Group, ...]


@noun
class Agenda:
    """What the dispatcher follows. ``stays`` of one server follow each other in this order; ``ranks`` say which of two
    groups that may both start goes first (lower first), groups without a model among them.
    """

    stays: tuple[Stay, ...] = ()
    ranks: Mapping[Group, int] = field(default_factory=dict)


@noun
class Costs:
    """What was measured before, in seconds. ``loads`` by ``(endpoint, model)``, ``steps`` by ``workflow/step``."""

    loads: Mapping[tuple[str, str], float] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)


NO_COSTS = Costs()


@noun
class LoadEstimate:
    """What a load is reckoned to take, in seconds, and where the number is from."""

    endpoint: str
    model: str
    seconds: float
    measured: bool


@noun
class Forecast:
    """What the agenda comes to. Naive order: the steps one after the other in the order of the file, item by item,
    every model loaded when it is asked for. Seconds are reckoned, with ``estimates`` and ``step_seconds``.

    ``guessed_items``: fan-outs whose number of items is not known yet, by group, and how many were reckoned with.
    ``chain``: every step waits for the one before, so that no other order is possible.
    """

    agenda: Agenda
    loads: int
    naive_loads: int
    seconds: float
    naive_seconds: float
    estimates: tuple[LoadEstimate, ...] = ()
    step_seconds: float = 0.0
    guessed_items: Mapping[Group, int] = field(default_factory=dict)
    chain: bool = False
