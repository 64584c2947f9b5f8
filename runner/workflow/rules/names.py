"""Rules about what a template names: BR206, BR207, BR211, BR228."""

from __future__ import annotations

from collections.abc import Iterable

from runner.words.diagnostics import Diagnostic
from runner.words.suggest import did_you_mean
from runner.workflow.rules.places import ROOTS
from runner.workflow.rules.view import StepView, Use, View

_WHERE = {
    "item": "exists only in a step with `for_each`",
    "matrix": "exists only in a step with `matrix`",
    "loop": "exists only in a step with `for_each`, `matrix` or `repeat`",
    "previous": "exists only in a step with `repeat`",
    "output": "exists only in `expect` and `repeat`: it is the answer that is being checked",
    "error": "exists only in `on_error.output`: it is what went wrong in the step",
}
_STEP_ATTRIBUTES = ("output", "status", "error")
_RUN_ATTRIBUTES = (*_STEP_ATTRIBUTES, "exit_code", "stderr")
_ERROR_ATTRIBUTES = ("kind", "message")


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
    if root in _WHERE and use.place.role not in _NARROW:
        yield view.finding("BR207", f"`{root}` {_WHERE[root]}", view.use_span(use))
    elif root not in ROOTS:
        known = sorted(use.place.names)
        near = did_you_mean(root, (*known, *(f"steps.{step}" for step in view.by_id), *_inputs(view)))
        hint = near or "here one may use " + ", ".join(f"`{name}`" for name in known)
        yield view.finding("BR207", f"`{root}` is not defined", view.use_span(use), help=hint)


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
    known = _RUN_ATTRIBUTES if step.kind == "run" else _STEP_ATTRIBUTES
    name = str(use.path[2])
    if name not in known:
        hint = did_you_mean(name, known) or f"a step has {_listed(known)}; what it answered is in `output`"
        yield view.finding("BR207", f"`steps.{step.id}` has no `{name}`", view.use_span(use), help=hint)
    elif name == "error" and len(use.path) > 3 and use.path[3] not in _ERROR_ATTRIBUTES:
        message = f"`steps.{step.id}.error` has no `{use.path[3]}`"
        yield view.finding("BR207", message, view.use_span(use), help=f"an error has {_listed(_ERROR_ATTRIBUTES)}")
    elif name in {"status", "exit_code", "stderr"} and len(use.path) > 3:
        message = f"`steps.{step.id}.{name}` has no parts"
        yield view.finding("BR207", message, view.use_span(use), help=f"write `steps.{step.id}.{name}`")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _wrong_run(view: View, use: Use) -> Iterable[Diagnostic]:
    if len(use.path) > 1 and use.path[1:] != ("id",):
        message = f"`run` has no `{use.path[1]}`" if use.path[1] != "id" else "`run.id` has no parts"
        yield view.finding("BR207", message, view.use_span(use), help="a run has `run.id`")


_NARROW = frozenset(("model", "server", "server_secret", "defaults"))
_NARROW_WORDS = {
    "model": "a model's name may use only `inputs`: every model is found before anything starts",
    "server": "an MCP server's settings may use only `inputs` and `run`, and `secrets` in `env` and `headers`",
    "server_secret": "an MCP server's settings may use only `inputs`, `secrets` and `run`",
    "defaults": "the defaults may use only `inputs` and `run`",
}


def br228_name_out_of_place(view: View) -> Iterable[Diagnostic]:
    """A name that exists, in a setting that is worked out before it does."""
    for use in view.uses:
        root = str(use.path[0])
        if use.place.role in _NARROW and root in ROOTS and root not in use.place.names:
            if root in {"secrets", "steps"}:
                continue  # BR211 and BR234 say it better
            yield view.finding(
                "BR228", f"`{root}` cannot be used here", view.use_span(use), help=_NARROW_WORDS[use.place.role]
            )


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
