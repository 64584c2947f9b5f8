"""Work in turns: one unit after the other, each model loaded when it is asked for, the one unused for longest out."""

from __future__ import annotations

from collections.abc import Sequence

from runner.plan.schedule.jobs import Problem, Round, Turn

Resident = tuple[int, ...]
"""Models in the memory of all servers, by index, the one unused for longest first."""


class Turns:
    """Goes through turns and counts; ``resident`` is what is in memory when it begins, and after it when it is done.

    With ``server`` only the models of that one count.
    """

    def __init__(self, problem: Problem, resident: Sequence[int] = (), server: int | None = None) -> None:
        self.resident: Resident = tuple(resident)
        self.loads = 0
        self.loading = 0.0
        """Seconds of loads."""
        self._problem = problem
        self._server = server

    def go(self, turn: Turn | Round) -> None:
        """Take the turns. Once a round finds and leaves in memory what the one before did, the others cost the same."""
        if isinstance(turn, Turn):
            if turn.model is not None and self._server in (None, self._problem.loads[turn.model].server):
                self._ask(turn.model)
            return
        for done in range(1, turn.times + 1):
            before, loads, loading = self.resident, self.loads, self.loading
            for one in turn.turns:
                self.go(one)
            if self.resident == before:
                self.loads += (self.loads - loads) * (turn.times - done)
                self.loading += (self.loading - loading) * (turn.times - done)
                return

    def _ask(self, model: int) -> None:
        there = [other for other in self.resident if other != model]
        if model not in self.resident:
            self.loads += 1
            self.loading += self._problem.loads[model].seconds
            there = self._with_room(there, model)
        self.resident = (*there, model)

    def _with_room(self, there: list[int], model: int) -> list[int]:
        server = self._problem.loads[model].server
        room = self._problem.rooms[server]
        while not room.holds(self._problem.names((*there, model), server)):
            there.remove(next(other for other in there if self._problem.loads[other].server == server))
        return there


def seconds_of(turn: Turn | Round) -> float:
    """How long it takes if every model is there."""
    return turn.seconds if isinstance(turn, Turn) else turn.times * sum(map(seconds_of, turn.turns))
