"""What is in the memory of one server: loaded once, shared by who needs it, never pushed out while it is used.

Nobody but this object loads or unloads. Steps ask for a model and wait; the loading itself runs beside them, so that a
step that gives up does not end a load that others wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import anyio
from anyio.abc import TaskGroup

from runner.chat.endpoint import Endpoint
from runner.execute.clock import Clock
from runner.execute.demand import Demand
from runner.execute.loading import Loading, smaller
from runner.execute.resident import Resident, make_resident, parallel_of
from runner.words.errors import LLMError, ModelMemoryError
from runner.words.units import show_seconds

PATIENCE_SECONDS = 300.0
"""After waiting so long for another model, nobody new joins the one that is in use: it runs dry and makes room."""
GOODBYE_SECONDS = 20.0
"""For unloading everything at the end."""


@dataclass(slots=True, eq=False)
class _Ticket:
    """Somebody waiting for a model."""

    name: str
    since: float
    has_fallback: bool
    error: LLMError | None = None


class Residency:
    """The models of one server. ``spec`` bounds how many of ours are loaded there at once."""

    def __init__(self, spec: Endpoint, loading: Loading, clock: Clock) -> None:
        self._spec = spec
        self._loading = loading
        self._clock = clock
        self._there: dict[str, Resident] = {}
        self._crashed: list[tuple[str, str]] = []
        self._lighter: dict[str, Demand] = {}
        self._coming: set[str] = set()
        self._cramped: set[str] = set()
        self._queue: list[_Ticket] = []
        self._pulse = anyio.Event()
        self._group: TaskGroup | None = None
        self.is_needed: Callable[[str], bool] = lambda _: False

    def open(self, group: TaskGroup) -> None:
        """Loads run in ``group`` from now on."""
        self._group = group

    async def acquire(self, demand: Demand, *, has_fallback: bool) -> Resident:
        """The model, in memory and with one user more; waits for its load, or for room.

        Raises:
            LLMError: it cannot be loaded.
        """
        ticket = _Ticket(demand.name, self._clock.monotonic(), has_fallback)
        self._queue.append(ticket)
        try:
            while True:
                resident = self._found(demand)
                if resident is not None and self._may_join(resident, ticket):
                    return resident.join()
                if resident is None and demand.name not in self._coming:
                    self._begin(demand)
                await self._pulse.wait()
                if ticket.error is not None:
                    raise ticket.error
        finally:
            self._queue.remove(ticket)

    def is_there(self, name: str) -> bool:
        """Whether it is in memory, as far as is known."""
        resident = self._there.get(name)
        return resident is not None and not resident.spoiled

    async def prefetch(self, demand: Demand) -> None:
        """Load it beside what is at work, if that takes nobody's place who is needed; returns when that is settled."""
        known = self._found(demand) is not None or demand.name in self._coming
        if known or not demand.manages or self._group is None or not self._has_room(demand):
            return
        if any(self.is_needed(r.demand.name) for r in self._idle(demand)[: max(self._surplus(demand), 0)]):
            return
        victims = self._take_victims(demand)
        self._coming.add(demand.name)
        self._group.start_soon(partial(self._bring, demand, victims, ahead=True))

    def at_hand(self, demand: Demand) -> Resident | None:
        """The model with one user more, if that takes no waiting; most do not."""
        if self._queue:
            return None
        resident = self._found(demand)
        return None if resident is None else resident.join()

    def release(self, resident: Resident) -> None:
        """A user is done with it."""
        resident.users -= 1
        resident.last_used = self._clock.monotonic()
        self._watch(resident)
        self._tell()

    def spoil(self, resident: Resident, *, crashed: bool) -> None:
        """It crashed, or may not be there any more: who comes next looks anew. What crashed is loaded anew, too."""
        if self._there.get(resident.demand.name) is not resident:
            return
        resident.spoiled = True
        self._loading.stale.add(resident.demand.name)
        if crashed:
            self._give_up(resident, "it crashed")
        self._tell()

    def lighten(self, resident: Resident) -> bool:
        """It had too little memory to work. False if it is not ours, or cannot be loaded with less context.

        While others use it they are left to it: it may do when they are done.
        """
        less = smaller(resident.demand) if resident.ours else None
        if less is None or resident.users > 1 or self._there.get(resident.demand.name) is not resident:
            return less is not None
        resident.spoiled = True
        self._loading.stale.add(resident.demand.name)
        self._lighter[resident.demand.name] = less
        self._give_up(resident, "it ran out of memory")
        self._tell()
        return True

    def _give_up(self, resident: Resident, reason: str) -> None:
        """Nobody finds it any more; what is ours is unloaded before the next load."""
        del self._there[resident.demand.name]
        if resident.ours:
            self._crashed.append((resident.address, reason))

    def warmed(self, resident: Resident) -> None:
        """A model that its server loaded for the first request has answered: more may come at once."""
        if resident.instance is None:
            resident.slots.widen(parallel_of(resident.demand, None, self._spec))

    async def close(self, *, keep: bool) -> None:
        """Unload what is ours, unless it is to be kept; never raises, and takes a bounded time."""
        self._group = None
        self._there.clear()
        if not keep:
            with anyio.move_on_after(GOODBYE_SECONDS, shield=True):
                await self._loading.unload_all("the run is over")

    def _found(self, demand: Demand) -> Resident | None:
        resident = self._there.get(demand.name)
        if resident is None and demand.name not in self._coming:
            return self._at_once(demand)
        return None if resident is not None and resident.spoiled else resident

    def _at_once(self, demand: Demand) -> Resident | None:
        """Whoever needs no loading: an instance that the server listed, or a server that keeps order itself."""
        if demand.name in self._loading.stale:
            return None
        instance = demand.best(demand.entry.instances)
        if (demand.manages and instance is None) or not self._loading.use(demand, instance):
            return None
        if demand.limited and instance is None:
            if not self._has_room(demand):
                return None
            self._take_victims(demand)
        self._loading.reused(demand, instance)
        resident = make_resident(demand, instance, self._spec, ours=False, now=self._clock.monotonic())
        self._there[demand.name] = resident
        return resident

    def _may_join(self, resident: Resident, ticket: _Ticket) -> bool:
        """Not if somebody has waited for another model for too long, and this one is in its way."""
        if resident.fresh or not self._in_the_way(resident):
            return True
        now = self._clock.monotonic()
        return not any(
            other.name != ticket.name
            and other.since < ticket.since
            and now - other.since > PATIENCE_SECONDS
            and (other.name not in self._coming or other.name in self._cramped)
            for other in self._queue
        )

    def _in_the_way(self, resident: Resident) -> bool:
        return resident.ours or (resident.instance is None and resident.demand.limited)

    def _begin(self, demand: Demand) -> None:
        """Start the load, if there is room or room can be made."""
        if demand.limited and not self._has_room(demand):
            return
        victims = self._take_victims(demand) if demand.limited else []
        self._coming.add(demand.name)
        assert self._group is not None, "models are leased only while they are open"
        self._group.start_soon(self._bring, demand, victims)

    def _has_room(self, demand: Demand) -> bool:
        return self._surplus(demand) <= len(self._idle(demand))

    def _surplus(self, demand: Demand) -> int:
        """How many of ours must go before this may come; 0 or less: none."""
        most = self._spec.most_models or 1_000
        there = {name for name, resident in self._there.items() if self._in_the_way(resident)}
        return len((there | self._coming) - {demand.name}) + 1 - most

    def _idle(self, demand: Demand) -> list[Resident]:
        """Ours that nobody uses, but for this one itself; the one unused for longest first."""
        idle = [r for n, r in self._there.items() if n != demand.name and self._in_the_way(r) and not self._wanted(r)]
        return sorted(idle, key=lambda r: (self.is_needed(r.demand.name), r.last_used))

    def _wanted(self, resident: Resident) -> bool:
        """Whether somebody uses it, or is about to: else two that do not fit together push each other out for ever."""
        if resident.users:
            return True
        return resident.fresh and any(ticket.name == resident.demand.name for ticket in self._queue)

    def _take_victims(self, demand: Demand) -> list[Resident]:
        """Those that must go before this may come; nobody finds them any more."""
        victims = self._idle(demand)[: max(self._surplus(demand), 0)]
        for victim in victims:
            del self._there[victim.demand.name]
        return victims

    async def _bring(self, demand: Demand, victims: Sequence[Resident], *, ahead: bool = False) -> None:
        """Load it. ``ahead`` of anybody who needs it: then a failure is nobody's, and it is not tried with less."""
        try:
            while self._crashed:
                await self._loading.unload(*self._crashed.pop(), broken=True)
            for victim in victims:
                await self._loading.unload(victim.address, f"`{demand.name}` needs its place")
            wanted = self._lighter.get(demand.name, demand)
            seen = await (self._loading.fetch(wanted) if ahead else self._fetched(wanted))
            old = self._there.get(demand.name)
            self._there[demand.name] = seen if old is None else old.renewed(seen)
        except LLMError as error:
            self._loading.broke_off(demand, error)
            for ticket in self._queue:
                if ticket.name == demand.name and not ahead:
                    ticket.error = error
        finally:
            self._coming.discard(demand.name)
            self._cramped.discard(demand.name)
            self._tell()

    async def _fetched(self, demand: Demand) -> Resident:
        """The model loaded, whatever room has to be made for it.

        Raises:
            LLMError: it cannot be loaded, or does not fit even when all of ours is gone.
        """
        wanted = demand
        while True:
            try:
                return await self._loading.fetch(demand)
            except ModelMemoryError as error:
                less = None if error.configured else smaller(demand)
                idle = [r for r in self._idle(demand) if r.ours]
                if idle:
                    self._loading.failed(demand, error, then=f"`{idle[0].demand.name}`, which is idle, is unloaded")
                    del self._there[idle[0].demand.name]
                    await self._loading.unload(idle[0].address, f"`{demand.name}` needs its memory")
                elif less is not None:
                    demand = less
                    context = demand.settings["context_length"]
                    self._loading.failed(demand, error, then=f"it is tried with a context of {context:,} tokens")
                elif self._others_work(demand) and not self._somebody_falls_back(demand):
                    self._loading.failed(demand, error, then="it waits until another model is not used any more")
                    await self._until_some_idle(demand)
                    demand = wanted
                else:
                    raise

    async def _until_some_idle(self, demand: Demand) -> None:
        """Wait until another of ours may go; until then nobody new joins those in use for too long."""
        self._cramped.add(demand.name)
        self._tell()  # two that wait like this do not wait for each other
        while self._others_work(demand) and not any(r.ours for r in self._idle(demand)):
            await self._pulse.wait()
        self._cramped.discard(demand.name)

    def _others_work(self, demand: Demand) -> bool:
        """Whether memory of ours may become free: others are there, or on their way and will be used up one day."""
        ours = {name for name, resident in self._there.items() if resident.ours}
        return bool((ours | self._coming) - self._cramped - {demand.name})

    def _somebody_falls_back(self, demand: Demand) -> bool:
        return any(ticket.name == demand.name and ticket.has_fallback for ticket in self._queue)

    def _watch(self, resident: Resident) -> None:
        ttl, idle = resident.demand.ttl, resident.ours and not resident.users and not resident.timed
        if idle and ttl is not None and self._group is not None:
            resident.timed = True
            self._group.start_soon(self._when_idle, resident, ttl)

    async def _when_idle(self, resident: Resident, ttl: float) -> None:
        """Unload it once it was idle for its time. While it is used nobody watches: its release begins anew."""
        left = ttl
        while left > 0 and not resident.users:
            await self._clock.sleep(left)
            left = resident.last_used + ttl - self._clock.monotonic()
        if resident.demand.ttl != ttl:  # it is watched with another one by now
            return
        resident.timed = False
        name = resident.demand.name
        if resident.users or self._there.get(name) is not resident:
            return
        del self._there[name]
        await self._loading.unload(resident.address, f"idle for its `ttl` of {show_seconds(ttl)}")
        self._tell()

    def _tell(self) -> None:
        self._pulse.set()
        self._pulse = anyio.Event()
