"""Whose turn it is: among the steps that may start, those that the agenda of models wants first.

A decision is made only when everybody who is about to come has come, so that it does not depend on who was a moment
faster. Each line of work is a strand: it is coming, until it waits for its turn, works in it, or waits for others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

import anyio

from runner.execute.clock import Clock
from runner.execute.stays import Stays
from runner.plan.agenda import Group
from runner.words.noun import noun

PATIENCE_SECONDS = 300.0
"""Who has waited so long for a turn goes first, whatever the agenda says."""


@dataclass(slots=True, eq=False)
class Cap:
    """At most so many units of a part of the run at once; ``above`` is the cap around it."""

    most: int
    above: Cap | None = None
    used: int = 0

    @property
    def has_room(self) -> bool:
        """Whether one more may begin."""
        return self.used < self.most and (self.above is None or self.above.has_room)

    def take(self, units: int) -> None:
        """So many more (or, below zero, fewer) are at work."""
        self.used += units
        if self.above is not None:
            self.above.take(units)


@noun
class Ticket:
    """Who asks for a turn: its group, where it stands among the units of the group, and the cap that holds for it."""

    group: Group
    order: tuple[int, ...] = ()
    cap: Cap | None = None


@dataclass(slots=True, eq=False)
class _Waiter:
    """``returns``: it had its turn, and gave it up for a while."""

    ticket: Ticket
    since: float
    returns: bool = False
    turn: anyio.Event = field(default_factory=anyio.Event)
    gone: bool = False


_Line = tuple[int | None, int]
"""A stay (None: no model) and a cap: who stands in one line may come in under the same conditions."""
_Place = tuple[int, tuple[int, ...], int, _Waiter]
"""Rank, order within the group, number of arrival, who."""


class Strand:
    """One line of work. While it is stirring, decisions wait for it."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._stirring = False
        self.has_followed = False
        """Whether the called file, of a unit that calls one, was carried out at least once."""

    def stir(self) -> None:
        """It goes on, and may come for a turn or bring others."""
        if not self._stirring:
            self._stirring = True
            self._turns.coming(1)

    def settle(self) -> None:
        """It has come for its turn, is at work, waits for others, or is over."""
        if self._stirring:
            self._stirring = False
            self._turns.coming(-1)


@dataclass(slots=True, eq=False)
class Turn:
    """A turn that somebody has."""

    turns: Turns
    ticket: Ticket
    waiter: _Waiter | None = None

    def aside(self) -> AbstractAsyncContextManager[None]:
        """While this lives, others have the place; at its end it is waited for again."""
        return self.turns.aside(self)


class Turns:
    """Hands out the ``parallel`` places of a run. ``on_open`` hears of each stay that opens before its first turn;
    ``is_there`` says whether the model of a stay is in memory.
    """

    def __init__(
        self,
        parallel: int,
        stays: Stays,
        clock: Clock,
        *,
        on_open: Callable[[int], None],
        is_there: Callable[[int], bool],
    ) -> None:
        self.parallel = parallel
        self._stays = stays
        self._clock = clock
        self._on_open = on_open
        self._is_there = is_there
        self._queues: dict[_Line, list[_Place]] = {}
        self._numbers = count()
        self._running = 0
        self._coming = 0
        self._told: set[int] = set()
        self._inside: Counter[int | None] = Counter()
        self._settled: set[int | None] = set()

    def strand(self) -> Strand:
        """A new line of work, stirring."""
        strand = Strand(self)
        strand.stir()
        return strand

    def coming(self, strands: int) -> None:
        """So many more strands (or, below zero, fewer) are on their way."""
        self._coming += strands
        if self._coming == 0:
            self._decide()

    @asynccontextmanager
    async def turn(self, strand: Strand, ticket: Ticket) -> AsyncIterator[Turn]:
        """Wait for the turn and have it; the strand stirs again when it is over."""
        turn = Turn(self, ticket)
        turn.waiter = self._enter(ticket)
        strand.settle()
        try:
            await turn.waiter.turn.wait()
            yield turn
        finally:
            strand.stir()
            self._leave(turn.waiter)

    @asynccontextmanager
    async def aside(self, turn: Turn) -> AsyncIterator[None]:
        """Give the place to others for a while, and wait for one again."""
        assert turn.waiter is not None, "a turn is given up by who has it"
        stay = self._stays.stay_of(turn.ticket.group)
        self._leave(turn.waiter)
        self._inside[stay] += 1
        self.coming(0)
        try:
            yield
        finally:
            self._inside[stay] -= 1
            self._settled.add(stay)  # the model is there, or could not be loaded: nobody need wait for who asked first
            turn.waiter = self._enter(turn.ticket, returns=True)
            self.coming(0)
            await turn.waiter.turn.wait()

    def _enter(self, ticket: Ticket, *, returns: bool = False) -> _Waiter:
        waiter = _Waiter(ticket, self._clock.monotonic(), returns)
        queue = self._queues.setdefault((self._stays.stay_of(ticket.group), id(ticket.cap)), [])
        heappush(queue, (-1 if returns else self._stays.rank(ticket.group), ticket.order, next(self._numbers), waiter))
        return waiter

    def _leave(self, waiter: _Waiter) -> None:
        if not waiter.turn.is_set():
            waiter.gone = True
            return
        self._running -= 1
        self._inside[self._stays.stay_of(waiter.ticket.group)] -= 1
        if waiter.ticket.cap is not None:
            waiter.ticket.cap.take(-1)

    def _decide(self) -> None:
        """Let in who may come in; then tell of models that may be loaded by now."""
        open_now = frozenset(self._stays.open())
        while self._running < self.parallel:
            waiter = self._next(open_now)
            if waiter is None:
                break
            self._running += 1
            self._inside[self._stays.stay_of(waiter.ticket.group)] += 1
            if waiter.ticket.cap is not None:
                waiter.ticket.cap.take(1)
            waiter.turn.set()
            stay = self._stays.stay_of(waiter.ticket.group)
            if stay is not None:
                self._told.add(stay)  # it asks for its model itself
        for number in sorted(open_now - self._told):
            self._told.add(number)
            self._on_open(number)

    def _next(self, open_now: frozenset[int]) -> _Waiter | None:
        """The first of those that may come in, taken from its queue."""
        now = self._clock.monotonic()
        heads = dict(self._heads())
        may = {line: place for line, place in heads.items() if self._may(line, place, open_now, now)}
        if not may and not self._inside.total():
            may = heads  # nobody else will ever make room: the agenda was wrong about something
        if not may:
            return None
        line = min(may, key=lambda line: _urgency(may[line], now))
        return heappop(self._queues[line])[-1]

    def _may(self, line: _Line, place: _Place, open_now: frozenset[int], now: float) -> bool:
        stay = line[0]
        if stay is None or place[-1].returns:
            return True
        if _is_patient_no_more(place, now):
            return True
        # The first of a stay brings its model; who would come with him would only wait for it, too.
        return stay in open_now and (not self._inside[stay] or stay in self._settled or self._is_there(stay))

    def _heads(self) -> Iterator[tuple[_Line, _Place]]:
        """The first of each queue whose cap has room."""
        for line, queue in tuple(self._queues.items()):
            while queue and queue[0][-1].gone:
                heappop(queue)
            if not queue:
                del self._queues[line]
                continue
            cap = queue[0][-1].ticket.cap
            if cap is None or cap.has_room:
                yield line, queue[0]


def _urgency(place: _Place, now: float) -> tuple[bool, float, tuple[int, ...]]:
    rank, order, _, waiter = place
    if _is_patient_no_more(place, now):
        return False, waiter.since, order
    return True, rank, order


def _is_patient_no_more(place: _Place, now: float) -> bool:
    return now - place[-1].since > PATIENCE_SECONDS
