"""The pretended engine: loads models, keeps their slots, and decides what a request is answered with."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from runner.rehearse.simulator import refusal
from runner.rehearse.simulator.again import Again
from runner.rehearse.simulator.answer import Answer, compose, serial_of, shortened
from runner.rehearse.simulator.ask import Ask
from runner.rehearse.simulator.download import Downloads, Moment
from runner.rehearse.simulator.effect import NONE, Effect, worded
from runner.rehearse.simulator.fault import fault_named
from runner.rehearse.simulator.match import DEFAULT_INDEX, no_turn, pick
from runner.rehearse.simulator.overflow import overflowing
from runner.rehearse.simulator.responses_ask import Remembered
from runner.rehearse.simulator.script import Script, ScriptedModel, Turn
from runner.rehearse.simulator.state import Domain, Instance, Memory, OnDemand, domain_of
from runner.rehearse.simulator.striking import Striking, staged
from runner.words.noun import noun


@noun
class Seat:
    """A slot of an instance, held while it answers; ``load_seconds`` is how long the request waited for its load."""

    instance: Instance
    load_seconds: float


@noun
class Part:
    """What an instance is to say, and the turn that it comes from; ``index`` as in ``match.Picked``.

    ``effect``: what goes wrong with it; ``fault``: its name, None if nothing does.
    """

    answer: Answer
    turn: Turn
    index: int
    effect: Effect = NONE
    fault: str | None = None

    @property
    def label(self) -> str:
        """The turn as the log names it."""
        return "default" if self.index == DEFAULT_INDEX else f"turns[{self.index}]"


class Engine:
    """One running server's memory and slots. All of it lives on one event loop."""

    def __init__(self, script: Script, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.script = script = staged(script)
        self.clock = clock
        self.memory = Memory(script, clock())
        self.downloads = Downloads(script.settings)
        self.striking = Striking(script.faults)
        self.remembered = Remembered()
        self._again = Again()
        self._played: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._slots: dict[Instance, asyncio.Semaphore] = {}

    def moment(self) -> Moment:
        """Now, by both clocks."""
        return Moment(self.clock(), datetime.now(UTC))

    def models(self) -> Mapping[str, ScriptedModel]:
        """What is downloaded now, by key."""
        for job in self.downloads.finished(self.clock()):
            self.memory.shelve(job.key, job.size)
        return self.memory.models

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
        self.models()
        asked = self.clock()
        found = self.memory.resolve(name, domain, asked)
        if isinstance(found, OnDemand):
            effect = self._load_effect(found.model)
            if found.model.load_error is not None or effect.refuse is not None:
                await asyncio.sleep(found.model.pace.load)
                raise refusal.load_on_demand_failed(found.model.key)
            found = self.memory.load(found.model, asked, jit=True, ttl=ttl, context_length=context_length)
            found.ready_at += effect.silence
        self.memory.enter(found)
        try:
            await self.until_ready(found)
            load_seconds = self.clock() - asked if found.ready_at > asked else 0.0
            async with self._slots.setdefault(found, asyncio.Semaphore(found.parallel)):
                still_there(found)
                yield Seat(instance=found, load_seconds=load_seconds)
        finally:
            self._leave(found)

    async def load(
        self, model: ScriptedModel, context_length: int | None, config: Mapping[str, Any] | None = None
    ) -> Instance:
        """Load another copy, as a person asks for it: it stays until somebody unloads it.

        Raises:
            Refusal: the script says that it cannot be loaded, or it does not fit into memory.
        """
        effect = self._load_effect(model)
        reason = model.load_error if effect.refuse is None else effect.refuse(model.key).text
        if reason is not None:
            await asyncio.sleep(model.pace.load)
            raise refusal.load_failed(model.key, domain_of(model), reason)
        instance = self.memory.load(model, self.clock(), context_length=context_length, config=config)
        instance.ready_at += effect.silence
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
        picked = pick(model, self._again.seen(ask.conversation), self._again.used(model.key, played))
        if picked is None:
            raise refusal.plain(no_turn(model, ask.conversation))
        serial = serial_of(self.script.settings.seed, model.key, picked.index, played[picked.index])
        played[picked.index] += 1
        prompt = -(-ask.conversation.characters // 4)
        answer = compose(
            picked,
            model=instance.id,
            serial=serial,
            prompt_tokens=min(prompt, instance.context_length),
            max_tokens=_room(ask, instance, prompt),
        )
        name, effect = self._effect(picked.turn, ask, model, answer)
        effect = overflowing(effect, instance, prompt)
        if effect.duplicates:
            answer = answer.by(self.memory.load(model, self.clock()).id)
        if effect.rewrite is not None:
            answer = shortened(effect.rewrite(answer), _room(ask, instance, prompt))
        if effect.loses and picked.turn.fault is None:
            self._again.lose(model.key, picked.index)
        if effect.spoils and picked.turn.fault is None:
            self._again.spoil(answer)
        return Part(answer=answer, turn=picked.turn, index=picked.index, effect=effect, fault=name)

    def strike_down(self, instance: Instance, effect: Effect) -> None:
        """Take the instance away, if the effect says so."""
        if effect.crashes:
            self.memory.crash(instance)
        elif effect.unloads:
            self.memory.unload(instance.id)

    def _effect(self, turn: Turn, ask: Ask, model: ScriptedModel, answer: Answer) -> tuple[str | None, Effect]:
        """What goes wrong: by the turn, else by the faults of the script, else nothing."""
        if turn.fault is not None:
            effect = worded(turn.fault)
            kind = fault_named(turn.fault.name)
            return turn.fault.name, effect or (kind.effect if kind is not None else NONE)
        kind = self.striking.answer(ask, model, answer)
        return (None, NONE) if kind is None else (kind.name, kind.effect)

    def _load_effect(self, model: ScriptedModel) -> Effect:
        kind = self.striking.load(model)
        return NONE if kind is None else kind.effect

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


def _room(ask: Ask, instance: Instance, prompt: int) -> int | None:
    """The most that may be said, in tokens: what was asked for, and what the prompt leaves of the context."""
    left = max(instance.context_length - prompt, 1) if prompt < instance.context_length else None
    limits = [limit for limit in (ask.max_tokens, left) if limit is not None]
    return min(limits, default=None)
