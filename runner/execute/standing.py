"""The models of a program that goes on: nobody knows beforehand which will be asked, and people load and unload, too.

What a request needs is loaded as in a run: once for all who wait for it, never twice, and not unloaded before they are
done. What was loaded here is unloaded when it was idle for its time to live, and at the end; what somebody wants to
keep is not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from runner.chat.backend import Backend
from runner.chat.catalogue import Instance
from runner.chat.endpoint import Endpoint
from runner.execute.breaker import State
from runner.execute.clock import Clock
from runner.execute.demand import Demand, Key, key_of
from runner.execute.lease import Lease
from runner.execute.loading import Loading
from runner.execute.models import Models, Waiting
from runner.execute.neighbour import Neighbours
from runner.execute.residency import Residency
from runner.execute.resident import Resident, make_resident
from runner.plan.plan import ModelChoice, PlannedStep
from runner.record.journal import Journal
from runner.words.noun import noun

MANY = 1_000
"""How many models may be loaded where the configuration does not say: the server's own guard has the last word."""


@noun
class _NoPlan:
    servers: tuple[Endpoint, ...]
    family: tuple[PlannedStep, ...] = ()


class StandingModels(Models):
    """``Models`` without a plan: each lease brings its own demand. ``servers`` bound how they may be used."""

    def __init__(
        self,
        servers: Sequence[Endpoint],
        backends: Mapping[str, Backend],
        journal: Journal,
        clock: Clock,
        *,
        neighbours: Neighbours | None = None,
    ) -> None:
        bounded = tuple(
            replace(one, max_loaded=MANY) if one.max_loaded is None and one.memory is None else one for one in servers
        )
        super().__init__(_NoPlan(servers=bounded), backends, journal, clock, neighbours=neighbours)

    @asynccontextmanager
    async def lease_for(self, choice: ModelChoice, demand: Demand, waiting: Waiting) -> AsyncIterator[Lease]:
        """As ``lease``, for a demand that nobody planned. One that is loaded, and not good enough, is used as it is.

        Raises:
            LLMError: it cannot be loaded.
        """
        self._demands[key_of(choice)] = demand
        async with self.lease(choice, waiting) as lease:
            yield lease

    def circuits(self) -> Mapping[Key, State]:
        """The state of the circuit of each model that was asked, by ``(endpoint, name)``."""
        return {key: breaker.state for key, breaker in self._breakers.items()}

    def residents(self) -> Iterable[tuple[str, Resident]]:
        """What is known to be in memory, with the address of its server."""
        for url, server in self._servers.items():
            assert isinstance(server, _Standing)
            for resident in server.known():
                yield url, resident

    def keep_for(self, endpoint: str, instance: str, ttl: float | None) -> None:
        """From now on it is unloaded after so many idle seconds; None = at the end. Only if it was loaded here."""
        self._standing(endpoint).keep_for(instance, ttl)

    def hand_over(self, endpoint: str, instance: str) -> None:
        """It is nobody's any more: it stays loaded until somebody unloads it."""
        self._standing(endpoint).hand_over(instance)

    def is_gone(self, endpoint: str, instance: str) -> None:
        """Somebody has unloaded it, or is about to: who comes next looks anew."""
        self._standing(endpoint).is_gone(instance)

    def outgrown(self, endpoint: str, name: str) -> None:
        """What is loaded of that model is not enough: who comes next looks anew, and loads another copy."""
        self._standing(endpoint).outgrown(name)

    async def make_room(self, demand: Demand, most: int) -> None:
        """Unload what was loaded here and is idle, so that of ``most`` models there is room for this one."""
        await self._standing(demand.endpoint).make_room(demand, most)

    def visited(self, demand: Demand) -> Resident | None:
        """What is known to be in memory of that model, with one user more, who asks it by other ways than a lease."""
        return self._standing(demand.endpoint).visited(demand)

    def adopt(self, demand: Demand, instance: Instance) -> Resident | None:
        """What a run has just loaded, with one user more: it is ours from now on, too. None if another copy is."""
        return self._standing(demand.endpoint).adopt(demand, instance)

    def left(self, resident: Resident) -> None:
        """A user of ``visited`` or ``adopt`` is done with it."""
        self._standing(resident.demand.endpoint).release(resident)

    def _standing(self, endpoint: str) -> _Standing:
        server = self._servers[endpoint]
        assert isinstance(server, _Standing)
        return server

    def _residency(self, spec: Endpoint, backend: Backend) -> Residency:
        loading = _OpenLoading(spec, backend, self._journal, self._clock, self._neighbours)
        return _Standing(spec, loading, self._clock)


class _OpenLoading(Loading):
    """Loads of which some are given away."""

    def give_away(self, instance: str) -> None:
        """It is not ours any more, and nobody unloads it for us; others are told that we use it, if we did."""
        ours, found = self._ours.pop(instance, None), self._found.pop(instance, None)
        with self._neighbours.leave(self._backend.endpoint, ours or found or instance, instance, ours=False):
            pass

    def take(self, demand: Demand, instance: Instance) -> bool:
        """What another run has loaded is ours, too; False if it is about to be unloaded."""
        if not self._neighbours.use(self._backend.endpoint, instance.id):
            return False
        self._ours[instance.id] = demand.name
        self.stale.discard(demand.name)
        return True


class _Standing(Residency):
    """The models of one server, with people about."""

    _loading: _OpenLoading

    def known(self) -> tuple[Resident, ...]:
        return tuple(resident for resident in self._there.values() if not resident.spoiled)

    def keep_for(self, instance: str, ttl: float | None) -> None:
        for resident in self._at(instance):
            if resident.demand.ttl != ttl:
                resident.demand = replace(resident.demand, ttl=ttl)
                resident.timed = False
                self._watch(resident)

    def hand_over(self, instance: str) -> None:
        for resident in self._at(instance):
            resident.ours = False
        self._loading.give_away(instance)

    def is_gone(self, instance: str) -> None:
        for resident in self._at(instance):
            self.spoil(resident, crashed=False)
        self._loading.give_away(instance)

    async def make_room(self, demand: Demand, most: int) -> None:
        others = [one for one in self.known() if one.ours and one.demand.name != demand.name]
        idle = sorted((one for one in others if not one.users), key=lambda one: one.last_used)
        for one in idle[: max(len(others) + 1 - most, 0)]:
            del self._there[one.demand.name]
            await self._loading.unload(one.address, f"`{demand.name}` needs its place")

    def visited(self, demand: Demand) -> Resident | None:
        resident = self._there.get(demand.name)
        return None if resident is None or resident.spoiled else resident.join()

    def adopt(self, demand: Demand, instance: Instance) -> Resident | None:
        if demand.name in self._there or demand.name in self._coming or not self._loading.take(demand, instance):
            return None
        resident = make_resident(demand, instance, self._spec, ours=True, now=self._clock.monotonic())
        self._there[demand.name] = resident
        self._loading.reused(demand, instance)
        self._tell()
        return resident.join()

    def outgrown(self, name: str) -> None:
        resident = self._there.get(name)
        if resident is None:
            return
        if resident.ours and not resident.users:
            self._loading.stale.add(name)
            self._give_up(resident, "its context is too small")  # it goes before the larger one comes
        else:
            self.spoil(resident, crashed=False)

    def _at(self, instance: str) -> tuple[Resident, ...]:
        return tuple(one for one in self._there.values() if one.address == instance)
