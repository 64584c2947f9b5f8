"""One model is loaded once: what several aliases say of how to load it becomes one setting for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.chat.catalogue import Catalogue
from runner.plan.finding import finding
from runner.plan.plan import ModelChoice, PlannedStep
from runner.words.diagnostics import Diagnostic
from runner.words.json_text import as_text
from runner.workflow.model import Workflow

_Model = tuple[str, str]
"""Address and key."""


def agree_on_loads(
    steps: Sequence[PlannedStep], workflow: Workflow
) -> tuple[tuple[PlannedStep, ...], tuple[Diagnostic, ...]]:
    """The steps, each model of theirs with the load settings that it has for all of them; warnings where they differ.

    The largest ``context_length`` counts, so that every step has its room; of every other setting the one that the
    first step to run asks for. A step whose alias says nothing takes what the others say.
    """
    asked: dict[_Model, list[ModelChoice]] = {}
    for choice in _choices(steps):
        asked.setdefault(_model(choice), []).append(choice)
    agreed = {model: merged_load(choice.load for choice in choices) for model, choices in asked.items()}
    warnings = [warning for model, choices in asked.items() for warning in _differing(choices, agreed[model], workflow)]
    return tuple(_with_loads(step, agreed) for step in steps), tuple(warnings)


def unknown_settings(steps: Sequence[PlannedStep], catalogue: Catalogue, workflow: Workflow) -> Iterator[Diagnostic]:
    """An error for each setting that a server would refuse to load a model with; of a fallback, a warning."""
    known = {one.endpoint: one.load_settings for one in catalogue.endpoints if one.manages}
    told: dict[tuple[str, str], Diagnostic] = {}
    for step in steps:
        for choice in _choices((step,)):
            takes = known.get(choice.endpoint)
            for name in choice.load if takes is not None else ():
                if name not in (takes or ()):
                    is_fallback = not any(choice is one.model for one in (step, *step.rows))
                    found = _unknown(choice, name, takes or (), workflow, is_fallback=is_fallback)
                    if (choice.origin, name) not in told or not is_fallback:
                        told[choice.origin, name] = found
    yield from told.values()


def _unknown(
    choice: ModelChoice, setting: str, takes: Sequence[str], workflow: Workflow, *, is_fallback: bool
) -> Diagnostic:
    message = f"`{choice.entry.key}` on {choice.endpoint} cannot be loaded with `{setting}`: it has no such setting"
    ways = f"take it out; that server knows {', '.join(f'`{name}`' for name in takes)}"
    place = (*_place(choice.origin), setting)
    return finding(workflow, "BR325", place, message, level="warning" if is_fallback else "error", help=ways)


def _choices(steps: Sequence[PlannedStep]) -> Iterator[ModelChoice]:
    for step in steps:
        for one in step.rows or (step,):
            yield from one.choices


def _model(choice: ModelChoice) -> _Model:
    return choice.endpoint, choice.entry.key


def merged_load(loads: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One way to load for all who want the model: the largest context, and of all else what is asked for first."""
    merged: dict[str, Any] = {}
    for load in loads:
        lengths = [one["context_length"] for one in (merged, load) if "context_length" in one]
        merged = {**load, **merged} | ({"context_length": max(lengths)} if lengths else {})
    return merged


def _differing(choices: Sequence[ModelChoice], agreed: Mapping[str, Any], workflow: Workflow) -> Iterator[Diagnostic]:
    """A warning for each alias that does not get what it asks for."""
    told_how = (choice for choice in choices if choice.manages)  # where nothing can be set, nothing differs
    overruled = {choice.origin: choice for choice in told_how if not choice.load.items() <= agreed.items()}
    for origin, choice in overruled.items():
        gets = ", ".join(f"{key} {as_text(agreed[key])}" for key, value in choice.load.items() if agreed[key] != value)
        message = f"`{choice.entry.key}` is loaded once for all steps, and not as `{origin}` asks: with {gets}"
        ways = "give all aliases of one model the same `load`"
        yield finding(workflow, "BR315", _place(origin), message, level="warning", help=ways)


def _place(origin: str) -> tuple[str, ...]:
    """Where the alias stands that an origin names last: `defaults.model, models.coder`."""
    alias = origin.rpartition("models.")[2]
    return ("models", alias, "load")


def _with_loads(step: PlannedStep, agreed: Mapping[_Model, Mapping[str, Any]]) -> PlannedStep:
    rows = tuple(_with_loads(row, agreed) for row in step.rows)
    if step.model is None:
        return replace(step, rows=rows) if rows else step
    fallbacks = tuple(replace(one, load=agreed[_model(one)]) for one in step.model.fallbacks)
    return replace(step, model=replace(step.model, load=agreed[_model(step.model)], fallbacks=fallbacks), rows=rows)
