"""Which model a call means, and what it wants of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any, Final, Literal

from runner.app.servers import Asked
from runner.chat.catalogue import Catalogue, ModelEntry
from runner.execute.demand import Demand
from runner.plan.lookup import Found, the_loaded
from runner.plan.plan import ModelChoice
from runner.plan.residency import GROWTH, LEAST_CONTEXT, ROUND, TOOLS_CONTEXT, name_of
from runner.plan.wanted import DEFAULT
from runner.words.errors import ContextError, LLMValidationError, ModelNotFoundError
from runner.words.noun import noun

IDLE_SECONDS: Final = 3600.0
"""What a call loaded is unloaded after so long without another: LM Studio's own time for what it loads on demand."""

Kind = Literal["chat", "embedding"]


@noun
class Wish:
    """What a call wants of a model's memory.

    ``context`` is the tokens that it needs. ``settings`` are those of a load that were named; a ``context_length``
    among them is the least that will do. ``ttl`` in seconds, None = as long as the bridge runs.
    """

    context: int = 0
    tools: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    ttl: float | None = IDLE_SECONDS


def choice_of(found: Found, wish: Wish) -> ModelChoice:
    """The model, as a run would have chosen it."""
    return ModelChoice(
        wanted=found.model,
        model=found.model,
        endpoint=found.endpoint,
        origin="the call",
        entry=found.entry,
        answers_as=frozenset(found.entry.names),
        ttl=wish.ttl,
        manages=found.server.manages,
        loads_on_demand=found.server.loads_on_demand,
    )


def demand_of(choice: ModelChoice, wish: Wish) -> Demand:
    """What is asked of its memory."""
    name = name_of(choice)
    return Demand(
        name=name,
        endpoint=choice.endpoint,
        entry=choice.entry,
        manages=choice.manages,
        loads_on_demand=choice.loads_on_demand,
        pinned=name != choice.entry.key and any(instance.id == name for instance in choice.entry.instances),
        settings={"context_length": _context_to_load(choice.entry, wish), **wish.settings},
        context=wish.context,
        explicit="context_length" in wish.settings,
        ttl=wish.ttl,
    )


def _context_to_load(entry: ModelEntry, wish: Wish) -> int:
    """Room to grow, within what the model has; one that embeds gets all that it has."""
    least = TOOLS_CONTEXT if wish.tools else LEAST_CONTEXT
    wanted = max(least, -(-wish.context * GROWTH // ROUND) * ROUND)
    most = entry.max_context_length
    if most is None:
        return wanted
    return most if entry.type == "embedding" else min(wanted, most)


def the_one_that_embeds(asked: Asked) -> Found:
    """The only one that is loaded, else the only one there is.

    Raises:
        ModelNotFoundError: there is none, or several.
    """
    every = [
        Found(server=server, entry=entry, model=entry.key)
        for server, entry in asked.catalogue
        if entry.type == "embedding"
    ]
    loaded = [found for found in every if found.entry.in_memory]
    for some in (loaded, every):
        if len({found.entry.key.casefold() for found in some}) == 1:
            return some[0]
    keys = list(dict.fromkeys(found.entry.key for found in every))
    said = f"there are {len(keys)}: {', '.join(f'`{key}`' for key in keys)}" if keys else "no server has one"
    hint = "name one" if keys else "download one, such as `nomic-ai/nomic-embed-text-v1.5`"
    raise ModelNotFoundError(DEFAULT, keys, message=f"no embedding model is named, and {said}", hint=hint)


def not_by_us(asked: Asked, ours: Collection[tuple[str, str]]) -> Found | None:
    """The only loaded model that somebody else has loaded: what calls have loaded is no reason to ask which is meant.

    ``ours`` are the instances that calls have loaded, by ``(endpoint, instance)``.
    """
    others = [
        found
        for found in the_loaded(asked.catalogue)
        if any((found.endpoint, instance.id) not in ours for instance in found.entry.instances)
    ]
    return others[0] if len(others) == 1 else None


def check_kind(found: Found, kind: Kind | None, catalogue: Catalogue) -> None:
    """Raises: LLMValidationError: the list says that the model is for something else."""
    embeds = found.entry.type == "embedding"
    if kind is None or found.entry.type == "unknown" or embeds == (kind == "embedding"):
        return
    others = [entry.key for _, entry in catalogue if (entry.type == "embedding") == (kind == "embedding")]
    offer = f"name one of {', '.join(dict.fromkeys(others))}" if others else "download one, and name that"
    what = "embeds, and does not answer" if embeds else "answers, and does not embed"
    raise LLMValidationError(f"`{found.model}` on {found.endpoint} is a model that {what}", hint=offer)


def no_room(found: Found, needed: int, context: int) -> ContextError:
    """The error for a request that does not fit; sizes in tokens."""
    most = found.entry.max_context_length
    larger = most is None or most >= needed
    hint = (
        f"load it with more (`load_model` with `context_length` {needed} or above), or shorten the prompt"
        if larger
        else "shorten the prompt, or name a model with a larger context"
    )
    return ContextError(
        f"the request needs about {needed:,} tokens, and `{found.model}` has a context of {context:,}",
        hint=hint,
        n_prompt_tokens=needed,
        n_ctx=context,
    )
