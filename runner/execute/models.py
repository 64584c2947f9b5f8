"""The models of a run: who asks one, asks here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Protocol

import anyio

from runner.chat.backend import Backend
from runner.chat.endpoint import Endpoint
from runner.execute.breaker import Breaker, State
from runner.execute.clock import Clock
from runner.execute.demand import Demand, Key, demands_of, key_of
from runner.execute.lease import Lease
from runner.execute.loading import Loading
from runner.execute.neighbour import Neighbours
from runner.execute.patience import Patience
from runner.execute.residency import Residency
from runner.execute.resident import Resident
from runner.plan.plan import ModelChoice, PlannedStep
from runner.plan.residency import name_of
from runner.record.events import CircuitChanged
from runner.record.journal import Journal
from runner.words.errors import LLMError

Waiting = Callable[[], AbstractAsyncContextManager[object]]
"""Entered while a step waits for its model: its own time stands still, and its place is for others."""


class Planned(Protocol):
    """What is known of the models before any is asked: a plan, mostly."""

    @property
    def family(self) -> Iterable[PlannedStep]:
        """Every step that may ask one."""

    @property
    def servers(self) -> tuple[Endpoint, ...]:
        """How the servers may be used, where that is bounded."""


class Models:
    """One lease for each step at work, one load for each model, one breaker for each model on each server."""

    def __init__(
        self,
        plan: Planned,
        backends: Mapping[str, Backend],
        journal: Journal,
        clock: Clock,
        *,
        keep_loaded: bool = False,
        neighbours: Neighbours | None = None,
        answers: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """``answers(model)``: it is known that the model answers who asks it now."""
        self._backends = backends
        self._answers = answers
        self._journal = journal
        self._clock = clock
        self._keep_loaded = keep_loaded
        self._neighbours = neighbours
        self._demands = demands_of(plan.family)
        specs = {spec.url: spec for spec in plan.servers}
        self._servers = {
            url: self._residency(specs.get(url) or Endpoint(url=url), backend) for url, backend in backends.items()
        }
        self._breakers: dict[Key, Breaker] = {}
        self._patience: dict[Key, Patience] = {}
        self._counted: dict[Breaker, LLMError] = {}

    def keep(self, is_needed: Callable[[str, str], bool]) -> None:
        """``is_needed(endpoint, model)``: that one makes room last of all that are idle."""
        for url, server in self._servers.items():
            server.is_needed = partial(is_needed, url)

    def is_there(self, choice: ModelChoice) -> bool:
        """Whether nobody would have to wait for it; True where nobody can tell."""
        return not choice.manages or self._servers[choice.endpoint].is_there(name_of(choice))

    async def prefetch(self, choice: ModelChoice) -> None:
        """Load the model although nobody asks it yet, if there is room; what goes wrong is found by who asks it."""
        await self._servers[choice.endpoint].prefetch(self._demands[key_of(choice)])

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Loads and unloads happen in here; at the end what the run has loaded is unloaded."""
        async with anyio.create_task_group() as group:
            for server in self._servers.values():
                server.open(group)
            try:
                yield
            finally:
                group.cancel_scope.cancel()
                await self._close(self._servers.values())

    @asynccontextmanager
    async def lease(self, choice: ModelChoice, waiting: Waiting, *, has_fallback: bool = False) -> AsyncIterator[Lease]:
        """Hold the model: loaded by now, addressed by its instance, and not unloaded before this ends.

        ``has_fallback``: another model would do, so nobody waits until there is memory for this one.

        Raises:
            LLMError: it cannot be loaded.
        """
        key = key_of(choice)
        server, demand = self._servers[choice.endpoint], self._demands[key]
        breaker = self._breaker(key)

        async def hold() -> Resident:
            at_hand = server.at_hand(demand)
            if at_hand is not None:
                return at_hand
            breaker.refuse_if_open()
            return await self._waited_for(server, demand, breaker, waiting, has_fallback=has_fallback)

        async def renew(spoiled: Resident) -> Resident:
            server.release(spoiled)  # at once: who holds one while it waits for another may wait for itself
            try:
                return await hold()
            except BaseException:
                spoiled.join()  # the end of the lease lets go of it again
                raise

        lease = Lease(
            choice,
            await hold(),
            self._backends[choice.endpoint],
            has_fallback=has_fallback,
            breaker=breaker,
            patience=self._patience.setdefault(key, Patience()),
            clock=self._clock,
            spoil=server.spoil,
            lighten=server.lighten,
            warmed=server.warmed,
            renew=renew,
        )
        try:
            yield lease
        finally:
            server.release(lease.resident)

    async def _waited_for(
        self, server: Residency, demand: Demand, breaker: Breaker, waiting: Waiting, *, has_fallback: bool
    ) -> Resident:
        held: Resident | None = None
        try:
            async with waiting():
                held = await self._acquired(server, demand, breaker, has_fallback=has_fallback)
        except BaseException:
            if held is not None:  # it was called off while it waited for its place
                server.release(held)
            raise
        return held

    async def _acquired(self, server: Residency, demand: Demand, breaker: Breaker, *, has_fallback: bool) -> Resident:
        try:
            return await server.acquire(demand, has_fallback=has_fallback)
        except LLMError as error:
            if error is not self._counted.get(breaker):  # all who waited for one load hear of one failure
                self._counted[breaker] = error
                breaker.failed(error)
            raise

    async def _close(self, servers: Iterable[Residency]) -> None:
        for server in servers:
            await server.close(keep=self._keep_loaded)

    def _residency(self, spec: Endpoint, backend: Backend) -> Residency:
        return Residency(spec, Loading(spec, backend, self._journal, self._clock, self._neighbours), self._clock)

    def _breaker(self, key: Key) -> Breaker:
        if key not in self._breakers:
            self._breakers[key] = Breaker(
                f"`{key[1]}` on {key[0]}",
                self._clock.monotonic,
                partial(self._circuit_changed, key),
                partial(self._answers, key[1]),
            )
        return self._breakers[key]

    def _circuit_changed(self, key: Key, state: State, failures: int) -> None:
        self._journal.append(CircuitChanged(endpoint=key[0], model=key[1], state=state, failures=failures))
