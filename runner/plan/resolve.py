"""Which model on which server answers a step, which may stand in for it, or the findings that say why none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.chat.catalogue import Catalogue
from runner.plan.lookup import Found, Places, all_names, look_up, the_loaded
from runner.plan.missing import Miss, Missing
from runner.plan.plan import ModelChoice
from runner.plan.setting import Setting
from runner.plan.wanted import Wanted
from runner.words.diagnostics import Diagnostic
from runner.words.errors import ModelNotFoundError
from runner.words.noun import noun
from runner.workflow.model import Workflow


@noun
class Resolution:
    """A choice, or None and at least one error among the findings; ``error`` is its form for callers of the API."""

    choice: ModelChoice | None = None
    findings: tuple[Diagnostic, ...] = ()
    error: ModelNotFoundError | None = None


def resolve_model(
    wanted: Sequence[Wanted],
    catalogue: Catalogue,
    workflow: Workflow,
    setting: Setting,
    *,
    step_id: str,
    sampling: Mapping[str, Any],
    places: Places,
) -> Resolution:
    """The first of the wanted names that a server has; the others that are there are its fallbacks.

    A first wish that is missing is then a warning (BR303). ``sampling`` is the step's own, ``step_id`` stands in
    messages about steps that name no model. ``places`` says where the models of other steps are, and learns of this.
    """
    missing = Missing(catalogue=catalogue, workflow=workflow, setting=setting, step_id=step_id)
    looked = [_look(wish, missing, places) for wish in wanted]
    misses = [one for one in looked if isinstance(one, Miss)]
    fatal = tuple(miss.finding for miss in misses if miss.fatal)
    if fatal:
        return Resolution(findings=fatal)
    choices = _choices(wanted, looked, workflow, setting, sampling)
    if not choices:
        return Resolution(findings=tuple(miss.finding for miss in misses), error=_error(misses, catalogue))
    first = replace(choices[0], fallbacks=tuple(choices[1:]))
    places.add(first.endpoint, first.entry, first.model, loads=first.manages or first.loads_on_demand)
    warnings = (missing.first_wish(looked[0], first),) if isinstance(looked[0], Miss) else ()
    return Resolution(choice=first, findings=warnings)


def _look(wish: Wanted, missing: Missing, places: Places) -> Found | Miss:
    if wish.problem is not None:
        return missing.unreadable(wish)
    bound = missing.servers_for(wish)
    if isinstance(bound, Miss):
        return bound
    if wish.name is None:
        loaded = the_loaded(bound)
        return loaded[0] if len(loaded) == 1 else missing.not_one_loaded(wish, loaded)
    found = look_up(wish.name, bound, places)
    if found is None:
        return missing.not_found(wish, bound)
    return missing.only_embeds(wish, found) if found.entry.type == "embedding" else found


def _choices(
    wanted: Sequence[Wanted],
    looked: Sequence[Found | Miss],
    workflow: Workflow,
    setting: Setting,
    sampling: Mapping[str, Any],
) -> list[ModelChoice]:
    """A choice for each model that was found, each model of a server once."""
    choices: dict[tuple[str, str], ModelChoice] = {}
    for wish, found in zip(wanted, looked, strict=True):
        if isinstance(found, Found):
            merged = {**workflow.default_sampling, **wish.sampling, **sampling}
            choices.setdefault((found.endpoint, found.model), _choice(wish, found, setting, merged))
    return list(choices.values())


def _choice(wish: Wanted, found: Found, setting: Setting, sampling: Mapping[str, Any]) -> ModelChoice:
    return ModelChoice(
        wanted=wish.name or wish.text,
        model=found.model,
        endpoint=found.endpoint,
        origin=wish.origin,
        entry=found.entry,
        answers_as=frozenset(found.entry.names),
        sampling=sampling,
        load={**setting.load_at(found.endpoint), **wish.load},
        ttl=wish.ttl,
        manages=found.server.manages,
        loads_on_demand=found.server.loads_on_demand,
    )


def _error(misses: Sequence[Miss], catalogue: Catalogue) -> ModelNotFoundError | None:
    named = (miss.wish.name for miss in misses if miss.finding.code == "BR301" and miss.wish.name is not None)
    first = next(named, None)
    return None if first is None else ModelNotFoundError(first, all_names(catalogue))
