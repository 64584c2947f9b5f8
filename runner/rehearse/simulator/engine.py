"""The pretended engine: loads models, keeps their slots, and decides what a request is answered with."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from runner.rehearse.simulator import refusal
from runner.rehearse.simulator.answer import Answer, compose, serial_of
from runner.rehearse.simulator.ask import Ask
from runner.rehearse.simulator.match import DEFAULT_INDEX, Picked, no_turn, pick
from runner.rehearse.simulator.script import Script, ScriptedModel, Turn
from runner.rehearse.simulator.state import Domain, Instance, Memory, OnDemand, domain_of
from runner.words.noun import noun


@noun
class Seat:
    """A slot of an instance, held while it answers; ``load_seconds`` is how long the request waited for its load."""

    instance: Instance
    load_seconds: float


@noun
class Part:
    """What an instance is to say, and the turn that it comes from; ``index`` as in ``match.Picked``."""

    answer: Answer
    turn: Turn
    index: int

    @property
    def label(self) -> str:
        """The turn as the log names it."""
        return "default" if self.index == DEFAULT_INDEX else f"turns[{self.index}]"


class Engine:
    """One running server's memory and slots. All of it lives on one event loop."""

    def __init__(self, script: Script, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.script = script
        self.clock = clock
        self.memory = Memory(script, clock())
        self._played: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._slots: dict[Instance, asyncio.Semaphore] = {}

    def instances(self) -> tuple[Instance, ...]:
        """What is loaded now; what is still loading is not shown."""
        now = self.clock()
        return tuple(instance for instance in self.memory.instances(now) if instance.ready_at <= now)

    @asynccontextmanager
    async def seat(
        self, name: str | None, domain: Domain, *, ttl: float | None = None, context_length: int | None = None
    ) -> AsyncIterator[Seat]:
        """Hold a slot of the instance that answers to ``name``; load it if need be, wait while all slots are taken.

        Raises:
            Refusal: nothing answers to the name, or the instance was unloaded while the request waited.
        """
        asked = self.clock()
        found = self.memory.resolve(name, domain, asked)
        if isinstance(found, OnDemand):
            if found.model.load_error is not None:
                await asyncio.sleep(found.model.pace.load)
                raise refusal.load_on_demand_failed(found.model.key)
            found = self.memory.load(found.model, asked, jit=True, ttl=ttl, context_length=context_length)
        self.memory.enter(found)
        try:
            await self.until_ready(found)
            load_seconds = self.clock() - asked if found.ready_at > asked else 0.0
            async with self._slots.setdefault(found, asyncio.Semaphore(found.parallel)):
                still_there(found)
                yield Seat(instance=found, load_seconds=load_seconds)
        finally:
            self._leave(found)

    async def load(self, model: ScriptedModel, context_length: int | None) -> Instance:
        """Load another copy, as a person asks for it: it stays until somebody unloads it.

        Raises:
            Refusal: the script says that it cannot be loaded.
        """
        if model.load_error is not None:
            await asyncio.sleep(model.pace.load)
            raise refusal.load_failed(model.key, domain_of(model), model.load_error)
        instance = self.memory.load(model, self.clock(), context_length=context_length)
        await self.until_ready(instance)
        return instance

    async def until_ready(self, instance: Instance) -> None:
        """Wait until its load ends.

        Raises:
            Refusal: it was unloaded meanwhile.
        """
        left = instance.ready_at - self.clock()
        if left > 0:
            await asyncio.sleep(left)
        still_there(instance)

    def part(self, ask: Ask, instance: Instance) -> Part:
        """What the instance says to the request; the turn counts as played.

        Raises:
            Refusal: the model takes no images, or the script has nothing to say.
        """
        model = instance.model
        if ask.images and not model.sees:
            raise refusal.no_images(model.key)
        played = self._played[model.key]
        picked = pick(model, ask.conversation, played)
        if picked is None:
            raise refusal.plain(no_turn(model, ask.conversation))
        serial = serial_of(self.script.settings.seed, model.key, picked.index, played[picked.index])
        played[picked.index] += 1
        answer = compose(
            picked,
            model=_answering_as(picked, instance),
            serial=serial,
            prompt_tokens=min(-(-ask.conversation.characters // 4), instance.context_length),
            max_tokens=ask.max_tokens,
        )
        return Part(answer=answer, turn=picked.turn, index=picked.index)

    def _leave(self, instance: Instance) -> None:
        self.memory.leave(instance, self.clock())
        if not instance.busy:
            self._slots.pop(instance, None)


def still_there(instance: Instance) -> None:
    """Nothing, as long as the instance is loaded.

    Raises:
        Refusal: it was unloaded.
    """
    if instance.gone:
        raise refusal.plain(refusal.MODEL_UNLOADED)


def _answering_as(picked: Picked, instance: Instance) -> str:
    fault = picked.turn.fault
    return fault.text if fault is not None and fault.kind == "wrong_model" else instance.id
