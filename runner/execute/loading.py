"""Loading and unloading on one server, each written down: what was asked, what came of it, why one was passed over."""

from __future__ import annotations

from collections.abc import Container
from contextlib import nullcontext
from dataclasses import replace

import anyio

from runner.chat.backend import Backend
from runner.chat.catalogue import EndpointCatalogue, Instance, ModelEntry
from runner.chat.endpoint import Endpoint
from runner.execute.clock import Clock
from runner.execute.demand import Demand
from runner.execute.neighbour import Alone, Neighbours
from runner.execute.resident import Resident, make_resident
from runner.plan.residency import ROUND
from runner.record.events import ModelLoaded, ModelLoadFailed, ModelLoadStarted, ModelUnloaded
from runner.record.journal import Journal
from runner.words.errors import LLMConnectionError, LLMError, LLMTimeoutError, ModelMemoryError, ModelNotFoundError
from runner.words.units import show_bytes, show_seconds

CLEAN_UP_SECONDS = 5.0
"""For a load that was cancelled to come through after all, and to be unloaded; no server can be told to stop it."""
GLANCE_SECONDS = 0.2
UNLOAD_SECONDS = 10.0
"""How long an unload goes on although the run is cancelled: nobody else would do it."""


class Loading:
    """The loads of one server. ``stale`` are the models of which the list that the plan saw is not true any more."""

    def __init__(
        self, spec: Endpoint, backend: Backend, journal: Journal, clock: Clock, neighbours: Neighbours | None = None
    ) -> None:
        self._spec = spec
        self._neighbours = neighbours or Alone()
        self._found: dict[str, str] = {}
        self._backend = backend
        self._journal = journal
        self._clock = clock
        self._ours: dict[str, str] = {}
        self._begun: LLMError | None = None
        self._under_way: dict[str, int] = {}
        self.stale: set[str] = set()

    async def fetch(self, demand: Demand) -> Resident:
        """Ask what is loaded, take what is good enough, else load it; one run at a time.

        Raises:
            ModelNotFoundError: the server has it no more.
            ModelMemoryError: it does not fit.
            LLMError: it cannot be loaded.
        """
        server = self._backend.endpoint
        turn = self._neighbours.turn(server, demand.name, wants=True) if demand.manages else nullcontext()
        async with turn:
            return await self._fetch(demand)

    async def _fetch(self, demand: Demand) -> Resident:
        listing = await self._backend.catalogue()
        demand = replace(demand, entry=_entry(listing, demand))
        instance = demand.best(demand.entry.instances)
        if instance is None and demand.pinned:
            raise ModelNotFoundError(
                demand.name, _names(listing), hint="it was loaded when the run began; it has been unloaded since"
            )
        if instance is not None or not demand.manages:
            ours = instance is not None and instance.id in self._ours
            while not self.use(demand, instance):  # in our turn nobody unloads it: one who looks is gone at once
                await self._clock.sleep(GLANCE_SECONDS)
            if not ours:
                self.reused(demand, instance)
            return make_resident(demand, instance, self._spec, ours=ours, now=self._clock.monotonic())
        self._check_memory(demand, listing)
        return await self._load(demand)

    def use(self, demand: Demand, instance: Instance | None) -> bool:
        """Let other runs know that the instance is used here; False if one of them is about to unload it."""
        if instance is None or not demand.manages:
            return True
        if not self._neighbours.use(self._backend.endpoint, instance.id):
            return False
        if instance.id not in self._ours:
            self._found[instance.id] = demand.name
        return True

    async def unload(self, instance: str, reason: str, *, broken: bool = False, in_turn: bool = False) -> None:
        """Unload what this run loaded, and nothing else; a failure is written down and hurts nobody.

        What another run uses is left to that, unless it is ``broken`` for everybody. ``in_turn``: the turn is held.
        """
        name = self._ours.pop(instance, None)
        if name is not None:
            self.stale.add(name)
            await self._leave(instance, name, reason, ours=True, broken=broken, in_turn=in_turn)

    async def unload_all(self, reason: str) -> None:
        """Unload all that this run loaded and has not unloaded yet, and what other runs have left to it."""
        for instance in tuple(self._ours):
            await self.unload(instance, reason)
        self._found |= {instance: name for name, instance in self._neighbours.inherited(self._backend.endpoint)}
        while self._found:
            instance, name = self._found.popitem()
            await self._leave(instance, name, f"{reason}, and so is the one that loaded it", ours=False)

    async def _leave(
        self, instance: str, name: str, reason: str, *, ours: bool, broken: bool = False, in_turn: bool = False
    ) -> None:
        server = self._backend.endpoint
        turn = nullcontext() if in_turn else self._neighbours.turn(server, name)  # nobody waits for himself
        with anyio.move_on_after(UNLOAD_SECONDS, shield=True) as limit:
            async with turn:
                with self._neighbours.leave(server, name, instance, ours=ours) as last:
                    if not last and not broken:
                        return
                    try:
                        await self._backend.unload(instance)
                    except LLMError as error:
                        reason = f"{reason}; but the server says: {error.message}"
        if limit.cancelled_caught:
            reason = f"{reason}; but the server said nothing for {show_seconds(UNLOAD_SECONDS)}"
        self._journal.append(ModelUnloaded(endpoint=server, model=name, instance=instance, reason=reason))

    def reused(self, demand: Demand, instance: Instance | None) -> None:
        """Write down that a model is used as it is found."""
        self.stale.discard(demand.name)
        if instance is None or not demand.manages:
            return
        self._journal.append(
            ModelLoaded(
                endpoint=self._backend.endpoint,
                model=demand.name,
                instance=instance.id,
                context_length=instance.context_length,
                parallel=instance.parallel,
                reused=True,
            )
        )

    def broke_off(self, demand: Demand, error: LLMError) -> None:
        """Write down that a load failed for good, unless none was begun: a server that is gone is told by its steps."""
        if error is self._begun or not isinstance(error, LLMConnectionError):
            self.failed(demand, error)

    def failed(self, demand: Demand, error: LLMError, then: str | None = None) -> None:
        """Write down that a load failed, and what is done about it."""
        self._journal.append(
            ModelLoadFailed(
                endpoint=self._backend.endpoint, model=demand.name, kind=error.kind, message=error.message, then=then
            )
        )

    async def _load(self, demand: Demand) -> Resident:
        server, before = self._backend.endpoint, {one.id for one in demand.entry.instances}
        self._journal.append(
            ModelLoadStarted(
                endpoint=server, model=demand.name, settings=demand.settings, size_bytes=demand.entry.size_bytes
            )
        )
        started = self._clock.monotonic()
        self._under_way[demand.name] = demand.entry.size_bytes or 0
        try:
            instance = await self._backend.load(demand.name, demand.settings)
        except LLMError as error:
            self._begun = error
            raise
        except anyio.get_cancelled_exc_class():
            await self._clean_up(demand, before)
            raise
        finally:
            del self._under_way[demand.name]
        self._ours[instance.id] = demand.name
        self._neighbours.use(server, instance.id)
        self.stale.discard(demand.name)
        self._journal.append(
            ModelLoaded(
                endpoint=server,
                model=demand.name,
                instance=instance.id,
                seconds=self._clock.monotonic() - started,
                context_length=instance.context_length,
                parallel=instance.parallel,
                note=_note(demand, instance),
            )
        )
        return make_resident(demand, instance, self._spec, ours=True, now=self._clock.monotonic())

    async def _clean_up(self, demand: Demand, before: Container[str]) -> None:
        """A load that was cancelled may come through all the same: nobody else would unload it."""
        with anyio.move_on_after(CLEAN_UP_SECONDS, shield=True):
            try:
                while not (came := await self._came(demand, before)):
                    await self._clock.sleep(GLANCE_SECONDS)
            except LLMError:
                came = ()
            for instance in came:
                self._ours[instance] = demand.name
                await self.unload(instance, "its load was cancelled, and came through all the same", in_turn=True)
            return
        cut = LLMTimeoutError(f"the load of `{demand.name}` was cancelled, and may still come through")
        self.failed(demand, cut, then=f"nobody waits for it; `bridge-run models unload {demand.name}` frees it")

    async def _came(self, demand: Demand, before: Container[str]) -> tuple[str, ...]:
        entry = _entry(await self._backend.catalogue(), demand)
        return tuple(one.id for one in entry.instances if one.id not in before)

    def _check_memory(self, demand: Demand, listing: EndpointCatalogue) -> None:
        """Raises: ModelMemoryError: it would go over the ``memory`` that the configuration gives this server."""
        size, most = demand.entry.size_bytes, self._spec.memory
        if size is None or most is None:
            return
        used = sum((model.size_bytes or 0) * len(model.instances) for model in listing.models)
        used += sum(self._under_way.values())  # not listed before it is there
        if used + size <= most:
            return
        there = ", ".join(f"`{m.key}` {show_bytes(m.size_bytes or 0)}" for m in listing.models if m.instances)
        raise ModelMemoryError(
            f"`{demand.name}` on {self._backend.endpoint} needs {show_bytes(size)}, and of its `memory` of "
            f"{show_bytes(most)} only {show_bytes(max(most - used, 0))} are free"
            + (f" (loaded: {there})" if there else ""),
            hint="unload what is not needed (`bridge-run models unload ID`), or raise `memory` in the configuration",
            required_bytes=size,
            available_bytes=max(most - used, 0),
            configured=True,
        )


def smaller(demand: Demand) -> Demand | None:
    """The demand with half of the context, as long as the file does not name one and the steps can begin with it."""
    if demand.explicit:
        return None
    half = demand.settings["context_length"] // 2 // ROUND * ROUND
    if half < max(demand.context, ROUND):
        return None
    return replace(demand, settings={**demand.settings, "context_length": half})


def _entry(listing: EndpointCatalogue, demand: Demand) -> ModelEntry:
    """Raises: ModelNotFoundError."""
    wanted = demand.entry.key.casefold()
    for entry in listing.models:
        if entry.key.casefold() == wanted:
            return entry
    raise ModelNotFoundError(demand.name, _names(listing), hint="the server had it when the run began")


def _names(listing: EndpointCatalogue) -> tuple[str, ...]:
    return tuple(entry.key for entry in listing.models)


def _note(demand: Demand, instance: Instance) -> str | None:
    """What is worth saying about a load that worked."""
    passed = [
        f"beside `{one.id}`, which was there: {why}" for one in demand.entry.instances if (why := demand.lacks(one))
    ]
    got = demand.lacks(instance)
    if got is not None:
        passed.append(f"the server loaded it with other settings than asked: {got}")
    return "; ".join(passed) or None
