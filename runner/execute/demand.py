"""What a run will ask of each model: the load settings of the file, and the context its steps need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from runner.chat.catalogue import Instance, ModelEntry
from runner.plan.plan import ModelChoice, PlannedStep
from runner.plan.residency import Residence, name_of, other_setting, residences
from runner.words.noun import noun

Key = tuple[str, str]
"""``(endpoint, name)`` of a model: what is loaded once."""


@noun
class Demand:
    """What the steps of a run want of one model.

    ``name`` is its key, with the variant where one is asked for; ``pinned``: a certain instance was asked for, which is
    used or missing, never loaded. ``settings`` go with a load; ``context`` is the tokens that its hungriest step needs,
    ``explicit``: the file itself names the context. ``ttl`` in seconds, None = until the end.
    """

    name: str
    endpoint: str
    entry: ModelEntry
    manages: bool
    loads_on_demand: bool
    pinned: bool = False
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
        return other_setting(instance, self.settings)

    @property
    def _least_context(self) -> int:
        return int(self.settings["context_length"]) if self.explicit else self.context

    def best(self, instances: Iterable[Instance]) -> Instance | None:
        """The good enough instance with the largest context, None if there is none."""
        good = [one for one in instances if self.pinned or self.lacks(one) is None]
        return max(good, key=lambda one: one.context_length or 0, default=None)


def key_of(choice: ModelChoice) -> Key:
    """What is loaded once for this choice: the model, or the very instance or variant that was named."""
    return choice.endpoint, name_of(choice)


def demands_of(steps: Iterable[PlannedStep]) -> dict[Key, Demand]:
    """The demands of a plan, fallbacks among them, by ``key_of``: what the plan showed is what is asked for."""
    return {key_of(one.choice): _demand(one) for one in residences(steps)}


def _demand(one: Residence) -> Demand:
    return Demand(
        name=one.name,
        endpoint=one.choice.endpoint,
        entry=one.choice.entry,
        manages=one.choice.manages,
        loads_on_demand=one.choice.loads_on_demand,
        pinned=one.pinned,
        settings=one.settings,
        context=one.need,
        explicit="context_length" in one.asked,
        ttl=one.ttl,
    )
