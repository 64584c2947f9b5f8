"""Which model on which server answers a step, or the findings that say why none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.chat.catalogue import Catalogue, ModelEntry
from runner.plan.finding import finding
from runner.plan.lookup import Found, all_names, look_up, similar_names, the_loaded
from runner.plan.plan import ModelChoice
from runner.plan.wanted import Wanted
from runner.words.diagnostics import Diagnostic, Note
from runner.words.errors import ModelNotFoundError
from runner.words.noun import noun
from runner.workflow.model import Workflow

_SHOWN = 8


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
    *,
    step_id: str,
    sampling: Mapping[str, Any],
) -> Resolution:
    """The first of the wanted names that a server has; a first wish that is missing is then a warning (BR303).

    ``sampling`` is the step's own, ``step_id`` stands in messages about steps that name no model.
    """
    for wish in wanted:
        if wish.problem is not None:
            return Resolution(findings=(_unreadable(wish, workflow),))
    missing: list[Wanted] = []
    for wish in wanted:
        if wish.name is None:
            return _the_one_loaded(wish, catalogue, workflow, step_id=step_id, sampling=sampling)
        found = look_up(wish.name, catalogue)
        if found is not None:
            return _taken(wish, found, missing, catalogue, workflow, sampling=sampling)
        missing.append(wish)
    return _not_found(missing, catalogue, workflow)


def _taken(
    wish: Wanted,
    found: Found,
    missing: Sequence[Wanted],
    catalogue: Catalogue,
    workflow: Workflow,
    *,
    sampling: Mapping[str, Any],
) -> Resolution:
    if found.entry.type == "embedding":
        return Resolution(findings=(_only_embeds(wish, found, catalogue, workflow),))
    warnings = tuple(_first_wish_missing(other, wish, workflow) for other in missing[:1])
    return Resolution(choice=_choice(wish, found, workflow, sampling), findings=warnings)


def _choice(wish: Wanted, found: Found, workflow: Workflow, sampling: Mapping[str, Any]) -> ModelChoice:
    return ModelChoice(
        wanted=wish.name or wish.text,
        model=found.model,
        endpoint=found.endpoint,
        origin=wish.origin,
        entry=found.entry,
        answers_as=frozenset(found.entry.names),
        sampling={**workflow.default_sampling, **wish.sampling, **sampling},
    )


def _the_one_loaded(
    wish: Wanted, catalogue: Catalogue, workflow: Workflow, *, step_id: str, sampling: Mapping[str, Any]
) -> Resolution:
    loaded = the_loaded(catalogue)
    if len(loaded) == 1:
        return Resolution(choice=_choice(wish, loaded[0], workflow, sampling))
    if loaded:
        names = ", ".join(f"`{found.entry.key}`" for found in loaded)
        why = f"no model is named for step `{step_id}`, and {len(loaded)} are loaded: {names}"
        first = loaded[0].entry.key
        ways = f"name one of them: `--model {first}` for once, or `defaults: {{model: {first}}}` in the file"
        notes: tuple[Note, ...] = ()
    else:
        why = f"no model is named for step `{step_id}`, and none is loaded"
        ways = "name one: `--model ID` for this run, `defaults: {model: ID}` in the file, or load one: `lms load ID`"
        notes = available(catalogue)
    return Resolution(findings=(finding(workflow, "BR302", wish.path, why, help=ways, notes=notes),))


def _not_found(missing: Sequence[Wanted], catalogue: Catalogue, workflow: Workflow) -> Resolution:
    findings, errors = [], []
    for wish in missing:
        name = wish.name or wish.text
        near = similar_names(name, catalogue)
        errors.append(ModelNotFoundError(name, all_names(catalogue)))
        findings.append(
            finding(
                workflow,
                "BR301",
                wish.path,
                errors[-1].message + _swapped_by(wish),
                help=_did_you_mean(near) if near else f"download it (`lms get {name}`), or name one that is there",
                notes=available(catalogue),
            )
        )
    return Resolution(findings=tuple(findings), error=errors[0])


def available(catalogue: Catalogue) -> tuple[Note, ...]:
    """What each server has, loaded models first, as notes beside a finding."""
    return tuple(
        Note(message=f"{endpoint.endpoint} has {_listed(endpoint.models)}") for endpoint in catalogue.endpoints
    )


def _listed(models: Sequence[ModelEntry]) -> str:
    chat = [model for model in models if model.type != "embedding"]
    ordered = sorted(chat, key=lambda model: not (model.loaded or model.instances))
    names = [f"`{model.key}`" + (" (loaded)" if model.loaded else "") for model in ordered]
    if not names:
        return "no models that answer prompts"
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _did_you_mean(names: Sequence[str]) -> str:
    *others, last = [f"`{name}`" for name in names]
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"


def _swapped_by(wish: Wanted) -> str:
    return f" (asked for by `{wish.origin}`)" if wish.origin.startswith("--") else ""


def _first_wish_missing(wish: Wanted, taken: Wanted, workflow: Workflow) -> Diagnostic:
    message = f"no server has the first wish `{wish.name}`; its fallback `{taken.name}` is used"
    return finding(workflow, "BR303", wish.path, message, level="warning")


def _only_embeds(wish: Wanted, found: Found, catalogue: Catalogue, workflow: Workflow) -> Diagnostic:
    message = f"`{found.entry.key}` makes embeddings; it cannot answer a prompt" + _swapped_by(wish)
    ways = "name a model that answers prompts"
    return finding(workflow, "BR304", wish.path, message, help=ways, notes=available(catalogue))


def _unreadable(wish: Wanted, workflow: Workflow) -> Diagnostic:
    message = f"the model's name `{wish.text}` cannot be made: {wish.problem}"
    return finding(workflow, "BR301", wish.path, message, help="a model's name may read `inputs`, nothing else")
