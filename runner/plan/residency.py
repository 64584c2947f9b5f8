"""How each model of a plan will come into memory: as somebody has loaded it, loaded by the run, or by its server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final, Literal

from runner.chat.catalogue import Instance
from runner.plan.loading import merged_load
from runner.plan.plan import ModelChoice, PlannedStep
from runner.words.json_text import as_text
from runner.words.noun import noun

LEAST_CONTEXT: Final = 8_192
"""Tokens that a model is loaded with at least where the file does not say."""
TOOLS_CONTEXT: Final = 16_384
"""The same for a step with tools: their results fill a conversation."""
GROWTH: Final = 2
"""A conversation is expected to grow to this many times its opening."""
ROUND: Final = 4_096

How = Literal["loaded", "load", "load anew", "on demand", "served"]


@noun
class Residence:
    """One model and how it will be there.

    ``how``: ``loaded`` already and good enough; ``load``: the run loads it, ``load anew`` although a copy is there, for
    the reason in ``lacks``; ``on demand``: its server loads it when it is asked; ``served``: its server has it, and
    nobody is told how.

    ``steps`` are answered by it, ``reserve_of`` are steps for which it is a fallback. ``context_length`` in tokens is
    what it has or will have, None if nobody knows. ``need`` is what its hungriest step wants, ``opening`` what the step
    that needs most to begin cannot do without. ``asked`` are the load settings of the file, ``settings`` those that go
    with a load: with a context, too. ``ttl`` in seconds is the longest that is asked for, None = until the end.
    """

    choice: ModelChoice
    how: How = "served"
    steps: tuple[str, ...] = ()
    reserve_of: tuple[str, ...] = ()
    instance: Instance | None = None
    context_length: int | None = None
    need: int = 0
    opening: int = 0
    tools: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    ttl: float | None = None
    lacks: str | None = None

    @property
    def name(self) -> str:
        """The model's key, or the very variant or instance that was asked for."""
        return name_of(self.choice)

    @property
    def pinned(self) -> bool:
        """Whether a certain loaded instance was named: that one is used or missing, never loaded."""
        entry = self.choice.entry
        return self.name != entry.key and any(instance.id == self.name for instance in entry.instances)


def name_of(choice: ModelChoice) -> str:
    """What is loaded once for this choice: the model, or the very variant or instance that was named."""
    return choice.entry.key if choice.model.casefold() == choice.entry.key.casefold() else choice.model


def residences(steps: Iterable[PlannedStep]) -> tuple[Residence, ...]:
    """Every model of a plan once, those that answer steps before those that only stand in."""
    found: dict[tuple[str, str], Residence] = {}
    for step, choice, is_fallback in _choices(steps):
        key = choice.endpoint, name_of(choice)
        found[key] = _with_step(found.get(key), step, choice, is_fallback=is_fallback)
    ordered = sorted(found.values(), key=lambda one: not one.steps)
    return tuple(map(_settled, ordered))


def _choices(steps: Iterable[PlannedStep]) -> Iterator[tuple[PlannedStep, ModelChoice, bool]]:
    for step in steps:
        for one in step.rows or (step,):
            yield from ((one, choice, choice is not one.model) for choice in one.choices)


def _with_step(before: Residence | None, step: PlannedStep, choice: ModelChoice, *, is_fallback: bool) -> Residence:
    one = before or Residence(choice=choice, ttl=choice.ttl)
    ids = (step.step.id,)
    return replace(
        one,
        steps=one.steps + ids * (not is_fallback),
        reserve_of=one.reserve_of + ids * is_fallback,
        need=max(one.need, step.needs.context if step.needs else 0),
        opening=max(one.opening, step.needs.opening if step.needs else 0),
        tools=one.tools or bool(step.grants),
        asked=merged_load((one.asked, choice.load)),
        ttl=None if one.ttl is None or choice.ttl is None else max(one.ttl, choice.ttl),
    )


def _settled(one: Residence) -> Residence:
    """With the decision how it comes into memory."""
    one = replace(one, settings={"context_length": _context_to_load(one), **one.asked})
    choice, pinned = one.choice, one.pinned
    mine = [instance for instance in choice.entry.instances if not pinned or instance.id == one.name]
    good = [instance for instance in mine if pinned or _lacks(one, instance) is None]
    if good:
        best = _roomiest(good)
        return replace(one, how="loaded", instance=best, context_length=best.context_length)
    if choice.manages:
        lacks = _lacks(one, _roomiest(mine)) if mine else None
        how: How = "load anew" if mine else "load"
        return replace(one, how=how, context_length=one.settings["context_length"], lacks=lacks)
    if mine:
        best = _roomiest(mine)
        return replace(one, instance=best, context_length=best.context_length, lacks=_lacks(one, best))
    on_demand = choice.loads_on_demand and choice.entry.loaded is not True
    return replace(one, how="on demand" if on_demand else "served")


def _roomiest(instances: Sequence[Instance]) -> Instance:
    return max(instances, key=lambda instance: instance.context_length or 0)


def _context_to_load(one: Residence) -> int:
    """Room to grow, within what the model has."""
    least = TOOLS_CONTEXT if one.tools else LEAST_CONTEXT
    wanted = max(least, -(-one.need * GROWTH // ROUND) * ROUND)
    most = one.choice.entry.max_context_length
    return wanted if most is None else min(wanted, most)


def _lacks(one: Residence, instance: Instance) -> str | None:
    """Why a loaded copy is not good enough, in words; None if it is."""
    least = one.asked.get("context_length", one.need)
    if instance.context_length is not None and instance.context_length < least:
        return f"its context is {instance.context_length:,} tokens, and {least:,} are wanted"
    return other_setting(instance, one.asked)


def other_setting(instance: Instance, asked: Mapping[str, Any]) -> str | None:
    """The first setting, the context apart, that a loaded copy has otherwise than ``asked``, in words."""
    for key, wanted in asked.items():
        if key != "context_length" and instance.config.get(key, wanted) != wanted:
            return f"its `{key}` is {as_text(instance.config[key])}, and the file asks for {as_text(wanted)}"
    return None
