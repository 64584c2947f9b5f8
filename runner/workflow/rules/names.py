"""Rules about what a template names: BR206, BR207, BR211, BR228."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.words.diagnostics import Diagnostic
from runner.words.spans import show_path
from runner.words.suggest import did_you_mean
from runner.workflow.rules.places import ROOTS
from runner.workflow.rules.view import StepView, Use, View
from runner.workflow.synonyms import NAMES

_WHERE = {
    "item": "exists only in a step with `for_each`",
    "matrix": "exists only in a step with `matrix`",
    "loop": "exists only in a step with `for_each`, `matrix` or `repeat`",
    "previous": "exists only in a step with `repeat`",
    "output": "exists only in `expect` and `repeat`: it is the answer that is being checked",
    "error": "exists only in `on_error.output`: it is what went wrong in the step",
}
_STEP_ATTRIBUTES = ("output", "status", "error", "artifacts")
_RUN_ATTRIBUTES = (*_STEP_ATTRIBUTES, "exit_code", "stderr")


def br206_undeclared_input(view: View) -> Iterable[Diagnostic]:
    """``inputs.x`` where no input is called x."""
    declared = view.section("inputs")
    for use in view.uses:
        if use.path[0] == "inputs" and len(use.path) > 1 and use.path[1] not in declared:
            name = str(use.path[1])
            hint = did_you_mean(name, declared) or f"declare it: `inputs: {{{name}: {{type: string}}}}`"
            yield view.finding("BR206", f"there is no input `{name}`", view.use_span(use), help=hint)


def br207_undefined_name(view: View) -> Iterable[Diagnostic]:
    """A name that does not exist, or not in this place."""
    for use in view.uses:
        root = str(use.path[0])
        if root not in use.place.names:
            yield from _wrong_root(view, use, root)
        elif root == "steps":
            yield from _wrong_step(view, use)
        elif root == "run":
            yield from _wrong_run(view, use)


def _wrong_root(view: View, use: Use, root: str) -> Iterable[Diagnostic]:
    step = view.steps[use.place.step] if use.place.step is not None and use.place.role not in _NARROW else None
    if step is not None and root in _of_its_items(step):
        key = use.place.path[2]
        message = f"`{root}` does not exist here: `{key}` is worked out outside of the {_of_its_items(step)[root]}"
        yield view.finding("BR207", message, view.use_span(use))
    elif step is not None and root == "item" and step.item_name is not None:
        hint = f"write `{show_path((step.item_name, *use.path[1:]))}`"
        message = f"`item` does not exist here: `as` calls it `{step.item_name}`"
        yield view.finding("BR207", message, view.use_span(use), help=hint)
    elif root in _WHERE and use.place.role not in _NARROW:
        yield view.finding("BR207", f"`{root}` {_WHERE[root]}", view.use_span(use))
    elif root not in ROOTS and not _is_item(view, use):
        known = sorted(use.place.names)
        near = did_you_mean(root, (*known, *(f"steps.{step}" for step in view.by_id), *_inputs(view)))
        hint = NAMES.get(root) or near or "here one may use " + ", ".join(f"`{name}`" for name in known)
        yield view.finding("BR207", f"`{root}` is not defined", view.use_span(use), help=hint)


def _of_its_items(step: StepView) -> Mapping[str, str]:
    """The names that some places of a step know, each with the plural of what it belongs to."""
    names = {} if step.item_name is None else {step.item_name: "items", "loop": "items"}
    return names | dict.fromkeys(("previous", "loop"), "rounds") if "repeat" in step.data else names


def _is_item(view: View, use: Use) -> bool:
    return use.place.step is not None and view.steps[use.place.step].item_name == use.path[0]


def _inputs(view: View) -> tuple[str, ...]:
    return tuple(f"inputs.{name}" for name in view.section("inputs"))


def _wrong_step(view: View, use: Use) -> Iterable[Diagnostic]:
    if len(use.path) < 2:  # no step would be waited for, so what is there would be a matter of time
        message = "`steps` cannot be read as a whole, nor by a name that is only known in the run"
        yield view.finding("BR207", message, view.use_span(use), help=f"name the step that is meant: {_existing(view)}")
        return
    name = str(use.path[1])
    step = view.by_id.get(name)
    if step is None:
        hint = did_you_mean(name, view.by_id) or _existing(view)
        yield view.finding("BR207", f"there is no step `{name}`", view.use_span(use), help=hint)
    elif len(use.path) > 2:
        yield from _wrong_attribute(view, use, step)


def _existing(view: View) -> str:
    shown = _listed(list(view.by_id)[:8]) + (", …" if len(view.by_id) > 8 else "")
    return f"the only step is {shown}" if len(view.by_id) == 1 else f"the steps are {shown}"


def _wrong_attribute(view: View, use: Use, step: StepView) -> Iterable[Diagnostic]:
    known = _RUN_ATTRIBUTES if step.kind == "run" and not step.fans_out else _STEP_ATTRIBUTES
    name = str(use.path[2])
    if name not in known:
        message, hint = f"`steps.{step.id}` has no `{name}`", did_you_mean(name, known)
        if step.kind == "run" and name in _RUN_ATTRIBUTES:
            message += ": it runs many times"
            hint = f"`steps.{step.id}.output` is the list of what its commands wrote"
        hint = hint or f"a step has {_listed(known)}; what it answered is in `output`"
        yield view.finding("BR207", message, view.use_span(use), help=hint)
    elif name == "artifacts" and not step.data.get("artifacts"):
        message = f"`steps.{step.id}.artifacts` is always empty: the step keeps no files"
        hint = f"give step `{step.id}` the key `artifacts`, with the paths to keep"
        yield view.finding("BR207", message, view.use_span(use), help=hint, level="warning")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _wrong_run(view: View, use: Use) -> Iterable[Diagnostic]:
    if len(use.path) > 1 and use.path[1:] != ("id",):
        message = f"`run` has no `{use.path[1]}`" if use.path[1] != "id" else "`run.id` has no parts"
        yield view.finding("BR207", message, view.use_span(use), help="a run has `run.id`")


_NARROW = frozenset(("model", "server", "server_secret", "defaults"))
_NARROW_WORDS = {
    "model": "a model's name may use only `inputs`, and `matrix` in a step that has one: every model is found before"
    " anything starts",
    "server": "an MCP server's settings may use only `inputs` and `run`, and `secrets` in `env` and `headers`",
    "server_secret": "an MCP server's settings may use only `inputs`, `secrets` and `run`",
    "defaults": "the defaults may use only `inputs` and `run`",
}


def br228_name_out_of_place(view: View) -> Iterable[Diagnostic]:
    """A name that exists, in a setting that is worked out before it does."""
    for use in view.uses:
        root = str(use.path[0])
        if use.place.role not in _NARROW or root in use.place.names or root in {"secrets", "steps"}:
            continue  # BR211 and BR234 say better what is wrong with the last two
        is_item = _is_item(view, use)
        if root in ROOTS or is_item:
            by_matrix = "go through models by `matrix`: it is known before anything starts, and items are not"
            hint = by_matrix if is_item else _NARROW_WORDS[use.place.role]
            yield view.finding("BR228", f"`{root}` cannot be used here", view.use_span(use), help=hint)


def br211_secret_out_of_place(view: View) -> Iterable[Diagnostic]:
    """A secret where it would be seen, or one that was not declared."""
    for use in view.uses:
        if use.path[0] != "secrets":
            continue
        name = str(use.path[1]) if len(use.path) > 1 else ""
        if "secrets" not in use.place.names:
            hint = "secrets go into `env` or `headers` of an MCP server, or into `env` of a `run` step"
            message = f"the secret{f' `{name}`' if name else ''} would be seen here"
            yield view.finding("BR211", message, view.use_span(use), help=hint)
        elif name and name not in view.secrets:
            hint = did_you_mean(name, view.secrets) or f"declare it: `secrets: [{name}]`"
            yield view.finding("BR211", f"there is no secret `{name}`", view.use_span(use), help=hint)
