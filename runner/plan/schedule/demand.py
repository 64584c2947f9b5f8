"""What it comes to if nobody plans: whatever may start does, takes its slot, and waits there for its model."""

from __future__ import annotations

from runner.plan.schedule.jobs import Problem
from runner.plan.schedule.run import Links, Simulation
from runner.plan.schedule.turns import Turns


class OnDemand(Simulation):
    """File order; a model is loaded when it is asked for, in the place of the idle one that was unused for longest."""

    def __init__(self, problem: Problem, links: Links) -> None:
        super().__init__(problem, links, range(len(problem.jobs)))
        self._there: list[int] = []
        """Models in memory, the one unused for longest first."""
        self._coming: set[int] = set()
        self._users = [0] * len(problem.loads)
        self._waiting: list[tuple[int, int]] = []
        """``(job, units)`` that hold their slots and wait for models, first come first served."""
        self._alone: dict[int, int] = {}
        """Server → the job whose models take turns there, so that nothing else can."""

    def begin(self) -> None:
        """Nothing is loaded before it is asked for."""

    def in_bulk(self, job: int) -> bool:
        """Between two rounds of one job nothing may slip in that waits for memory, and the first must begin at once."""
        models = self.problem.jobs[job].models
        if not models:
            return True
        if self._waiting or self._coming or any(model not in self._there for model in models):
            return False
        return not any(self.problem.loads[model].server in self._alone for model in models)

    def start(self, job: int, units: int, rounds: int) -> None:
        """Work, or wait for the models."""
        if not self._begins(job, units, rounds):
            self._waiting.append((job, units))

    def loaded(self, model: int) -> None:
        """It may be used."""
        self._coming.discard(model)
        self._there.append(model)

    def units_over(self, job: int, units: int) -> None:
        """The models may be idle now."""
        for model in self.problem.jobs[job].models:
            self._users[model] -= units
            if model in self._there:
                self._there.remove(model)
                self._there.append(model)
        self._alone = {server: other for server, other in self._alone.items() if other != job}

    def after(self) -> None:
        """Look again at all that wait."""
        self._waiting = [(job, units) for job, units in self._waiting if not self._begins(job, units, 1)]

    def _begins(self, job: int, units: int, rounds: int) -> bool:
        """Begin to work if every model is there; else begin the loads for which there is room."""
        models = self.problem.jobs[job].models
        servers = list(dict.fromkeys(self.problem.loads[model].server for model in models))
        swapping = [server for server in servers if self.problem.swaps(self.problem.jobs[job], server)]
        plain = [model for model in models if self.problem.loads[model].server not in swapping]
        if any(server in self._alone for server in servers) or not all(map(self._idle, swapping)):
            return False
        absent = [model for model in plain if model not in self._there]
        if absent and len(models) > 1 and self._collector not in (None, job):
            return False
        for model in absent:
            if model not in self._coming and self._room_for(model, kept=plain):
                self._coming.add(model)
                self.load(model)
        if absent:
            return False
        self.work(job, units, rounds, sum(self._swap(job, server) for server in swapping))
        for model in models:
            self._users[model] += units
        return True

    @property
    def _collector(self) -> int | None:
        """Who waits longest for several models. Only he collects them: two would push out each other's for ever."""
        return next((job for job, _ in self._waiting if len(self.problem.jobs[job].models) > 1), None)

    def _idle(self, server: int) -> bool:
        loads = self.problem.loads
        return not any(
            (self._users[model] or model in self._coming) and load.server == server for model, load in enumerate(loads)
        )

    def _room_for(self, model: int, kept: list[int]) -> bool:
        """Make room if that can be done; what is collected to be there together stays."""
        server = self.problem.loads[model].server
        collector = self._collector
        kept = [*kept, *(self.problem.jobs[collector].models if collector is not None else ())]
        room = self.problem.rooms[server]
        there = [other for other in self._there if self.problem.loads[other].server == server]
        idle = [other for other in there if not self._users[other] and other not in kept]
        victims: list[int] = []
        while not room.holds(self.problem.names((*there, *self._coming, model), server)):
            if not idle:
                return False
            victims.append(idle.pop(0))
            there.remove(victims[-1])
        self._there = [other for other in self._there if other not in victims]
        return True

    def _swap(self, job: int, server: int) -> float:
        """The seconds of the loads of a job whose models take turns on that server."""
        turns = self.problem.jobs[job].turns
        assert turns is not None, "only a call whose items pass one by one has models that do not fit together"
        swaps = Turns(self.problem, self._there, server)
        swaps.go(turns)
        self._there = list(swaps.resident)
        self._alone[server] = job
        self.loads += swaps.loads
        return swaps.loading
