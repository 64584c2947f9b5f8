"""What a run will ask of each model: the load settings of the file, and the context its steps need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any, Final

from runner.chat.catalogue import Instance, ModelEntry
from runner.plan.plan import ModelChoice, PlannedStep
from runner.words.noun import noun

LEAST_CONTEXT: Final = 8192
"""Tokens that a model is loaded with at least where the file does not say; servers take 4,096 to 8,192."""
TOOLS_CONTEXT: Final = 16384
"""The same for a step with tools: their results fill a conversation."""
GROWTH: Final = 2
"""A conversation is expected to grow to this many times its opening."""
ROUND: Final = 4096

Key = tuple[str, str]
"""``(endpoint, name)`` of a model: what is loaded once."""


@noun
class Demand:
    """What the steps of a run want of one model.

    ``name`` is its key, with the variant where one is asked for; ``pinned``: a certain instance was asked for, which is
    used or missing, never loaded; ``tools``: some step gives it tools. ``settings`` go with a load; ``context`` is the
    tokens that its hungriest step needs to begin, ``explicit``: the file itself names the context. ``ttl`` in seconds,
    None = until the end.
    """

    name: str
    endpoint: str
    entry: ModelEntry
    manages: bool
    loads_on_demand: bool
    pinned: bool = False
    tools: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    context: int = 0
    explicit: bool = False
    ttl: float | None = None

    @property
    def limited(self) -> bool:
        """Whether its loading can push another model out, so that somebody has to keep order."""
        return self.manages or self.loads_on_demand

    def lacks(self, instance: Instance) -> str | None:
        """Why a loaded instance is not good enough, in words; None if it is."""
        if instance.context_length is not None and instance.context_length < self._least_context:
            return f"its context is {instance.context_length:,} tokens, and {self._least_context:,} are needed"
        for key, wanted in self.settings.items():
            if key != "context_length" and instance.config.get(key, wanted) != wanted:
                return f"its `{key}` is {_word(instance.config[key])}, and the file asks for {_word(wanted)}"
        return None

    @property
    def _least_context(self) -> int:
        return int(self.settings["context_length"]) if self.explicit else self.context

    def best(self, instances: Iterable[Instance]) -> Instance | None:
        """The good enough instance with the largest context, None if there is none."""
        good = [one for one in instances if self.pinned or self.lacks(one) is None]
        return max(good, key=lambda one: one.context_length or 0, default=None)


def key_of(choice: ModelChoice) -> Key:
    """What is loaded once for this choice: the model, or the very instance or variant that was named."""
    return choice.endpoint, choice.entry.key if choice.model.casefold() == choice.entry.key.casefold() else choice.model


def demands_of(steps: Iterable[PlannedStep]) -> dict[Key, Demand]:
    """The demands of a plan, fallbacks among them, by ``key_of``.

    Of two aliases that want the same model loaded differently the first one in the file has its way, but for the
    context: there the larger wins, because it serves both.
    """
    demands: dict[Key, Demand] = {}
    for step, choice in _choices(steps):
        new = _demand(step, choice)
        old = demands.get(key_of(choice))
        demands[key_of(choice)] = new if old is None else _both(old, new)
    return {key: _with_context(demand) for key, demand in demands.items()}


def _choices(steps: Iterable[PlannedStep]) -> Iterator[tuple[PlannedStep, ModelChoice]]:
    for step in steps:
        if step.model is not None:
            for choice in (step.model, *step.model.fallbacks):
                yield step, choice


def _demand(step: PlannedStep, choice: ModelChoice) -> Demand:
    endpoint, name = key_of(choice)
    return Demand(
        name=name,
        endpoint=endpoint,
        entry=choice.entry,
        manages=choice.manages,
        loads_on_demand=choice.loads_on_demand,
        pinned=name != choice.entry.key and any(instance.id == name for instance in choice.entry.instances),
        tools=bool(step.grants),
        settings=choice.load,
        context=step.needs.context if step.needs is not None else 0,
        explicit="context_length" in choice.load,
        ttl=choice.ttl,
    )


def _both(one: Demand, other: Demand) -> Demand:
    contexts = [d.settings["context_length"] for d in (one, other) if d.explicit]
    settings = {**other.settings, **one.settings, **({"context_length": max(contexts)} if contexts else {})}
    ttls = [d.ttl for d in (one, other)]
    return replace(
        one,
        tools=one.tools or other.tools,
        settings=settings,
        context=max(one.context, other.context),
        explicit=bool(contexts),
        ttl=None if None in ttls else max(ttl for ttl in ttls if ttl is not None),
    )


def _with_context(demand: Demand) -> Demand:
    """The demand with a context to load with, where the file names none: room to grow, within what the model has."""
    if demand.explicit:
        return demand
    least = TOOLS_CONTEXT if demand.tools else LEAST_CONTEXT
    wanted = max(least, -(-demand.context * GROWTH // ROUND) * ROUND)
    most = demand.entry.max_context_length
    return replace(
        demand, settings={**demand.settings, "context_length": wanted if most is None else min(wanted, most)}
    )


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
