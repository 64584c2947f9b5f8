"""A model in the memory of a server, as far as this run uses it."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.chat.catalogue import Instance
from runner.chat.endpoint import Endpoint
from runner.execute.demand import Demand
from runner.execute.slots import Slots

USUAL_PARALLEL = 4
"""What LM Studio answers at once unless it is told otherwise (its documentation, 0.4)."""
CUT = 0.95
"""The part of a shared context that is given out: token counts are estimates."""


@dataclass(slots=True, eq=False, kw_only=True)
class Resident:
    """``address`` is the id to send, ``context_length`` what one request may use, in tokens, None if nobody knows.

    ``ours``: this run loaded it, and will unload it. ``fresh``: nobody has used it yet. ``spoiled``: it may not be what
    it was, so it is looked at again before anybody new uses it.
    ``users`` are the leases on it; ``timed``: somebody waits for the end of its time to live.
    """

    demand: Demand
    address: str
    instance: Instance | None
    slots: Slots
    ours: bool = False
    fresh: bool = True
    users: int = 0
    timed: bool = False
    last_used: float = 0.0
    spoiled: bool = False
    context_length: int | None = None
    names: frozenset[str] = field(default_factory=frozenset)

    def join(self) -> Resident:
        """This one, with one user more."""
        self.users += 1
        self.fresh = False
        return self

    @property
    def shared_context(self) -> bool:
        """Whether requests at once share the context."""
        return self.instance is not None and self.instance.shared_context

    def learned_context(self, tokens: int) -> None:
        """The server named the context itself: believe it, if it is smaller than what was thought."""
        self.context_length = tokens if self.context_length is None else min(self.context_length, tokens)
        if self.slots.pool is not None:
            self.slots.pool = min(self.slots.pool, int(tokens * CUT))

    def renewed(self, seen: Resident) -> Resident:
        """This one as it was ``seen`` just now. Who uses it keeps his slot, so that nobody unloads it under him."""
        if not self.users or seen.address != self.address:
            return seen
        self.demand, self.instance, self.ours, self.names = seen.demand, seen.instance, seen.ours, seen.names
        self.context_length = seen.context_length
        self.slots.pool = seen.slots.pool
        self.slots.widen(seen.slots.parallel)
        self.spoiled = False
        return self


def make_resident(
    demand: Demand, instance: Instance | None, endpoint: Endpoint | None, *, ours: bool, now: float
) -> Resident:
    """The resident for an instance; without one, for a model that its server will load when it is asked."""
    context = instance.context_length if instance is not None else None
    shared = instance is not None and instance.shared_context and context is not None
    on_demand = instance is None and demand.loads_on_demand
    return Resident(
        demand=demand,
        address=instance.id if instance is not None and demand.manages else demand.name,
        instance=instance,
        slots=Slots(
            1 if on_demand else parallel_of(demand, instance, endpoint),
            int((context or 0) * CUT) if shared else None,
        ),
        ours=ours,
        last_used=now,
        context_length=context,
        names=frozenset((demand.name, *demand.entry.names, *((instance.id,) if instance is not None else ()))),
    )


def parallel_of(demand: Demand, instance: Instance | None, endpoint: Endpoint | None) -> int | None:
    """How many requests it is given at once; None = no bound of ours.

    What the configuration says goes first, but never over what the server says. Models in MLX format get one: several
    at once are reported to crash them (LM Studio's bug tracker, 2255).
    """
    wanted = endpoint.parallel if endpoint is not None else None
    told = instance.parallel if instance is not None else None
    if wanted is not None:
        return wanted if told is None else min(wanted, told)
    if demand.entry.format == "mlx":
        return 1
    if told is not None:
        return told
    return USUAL_PARALLEL if demand.limited else None
