"""Rules about keys that mean nothing where they stand: BR237, BR238, BR239."""

from __future__ import annotations

from collections.abc import Iterable

from runner.words.complaint import listed, quoted
from runner.words.diagnostics import Diagnostic
from runner.words.spans import Path
from runner.words.suggest import did_you_mean
from runner.workflow.rules.places import ROOTS
from runner.workflow.rules.view import StepView, View

_TAKEN = frozenset(ROOTS) - {"item"} | {
    "true", "false", "none", "not", "and", "or", "if", "else", "in", "is", "range", "self",
}  # fmt: skip
_OF_A_FAN_OUT = {
    "max_parallel": "; `limits: {parallel: …}` at the top is for all steps",
    "fail_fast": "; `limits: {fail_fast: true}` at the top is for all steps",
    "order": "",
}
_NOT_FOR_A_PERSON = (
    "output", "expect", "repair", "retry", "repeat", "limits", "artifacts", "reads_only", "effects",
)  # fmt: skip


def br237_taken_name(view: View) -> Iterable[Diagnostic]:
    """An item whose name means something else already."""
    for step in view.steps:
        name = step.data.get("as")
        if name in _TAKEN:
            message = f"an item cannot be called `{name}`: in templates that means something else"
            hint = "choose another name, or leave it out: then it is `item`"
            yield view.finding("BR237", message, view.value_span((*step.path, "as")), help=hint)


def br238_key_out_of_place(view: View) -> Iterable[Diagnostic]:
    """A key that has nothing to work on in its step."""
    for step in view.steps:
        yield from _without_items(view, step)
        if step.kind == "approve":
            for key in _NOT_FOR_A_PERSON:
                if key in step.data:
                    message = f"`{key}` means nothing in an `approve` step: a person is asked, once"
                    yield view.finding("BR238", message, view.key_span((*step.path, key)), help="take it out")
        elif step.kind != "task" and "repair" in step.data:
            message = f"`repair` asks a model again, and a `{step.kind}` step has none"
            hint = "take it out; `retry` is what does a step again"
            yield view.finding("BR238", message, view.key_span((*step.path, "repair")), help=hint, level="warning")


def _without_items(view: View, step: StepView) -> Iterable[Diagnostic]:
    if "as" in step.data and "for_each" not in step.data:
        matrix = "matrix" in step.data
        message = "`as` names the items of `for_each`, and this step has none"
        hint = "take it out: in templates the row is called `matrix`" if matrix else "add `for_each`, or take it out"
        yield view.finding("BR238", message, view.key_span((*step.path, "as")), help=hint)
    for key, instead in _OF_A_FAN_OUT.items():
        if key in step.data and not step.fans_out:
            message = f"`{key}` is about many items, and this step runs once"
            hint = f"add `for_each` or `matrix`, or take it out{instead}"
            yield view.finding("BR238", message, view.key_span((*step.path, key)), help=hint)


def br239_default_is_no_choice(view: View) -> Iterable[Diagnostic]:
    """An answer that nobody could give."""
    for step in view.steps:
        choices = step.data.get("choices", ("yes", "no"))
        default = step.data.get("default")
        if default is not None and default not in choices:
            hint = did_you_mean(default, choices) or f"the choices are {listed(map(quoted, choices), 'and')}"
            message = f"`{default}` is none of the choices"
            yield view.finding("BR239", message, view.value_span((*step.path, "default")), help=hint)


def without_choices(view: View, findings: Iterable[Diagnostic]) -> Iterable[Diagnostic]:
    """The findings less those about a `yes` or `no` that is an answer to a question, and so meant as a word."""
    asking = [step for step in view.steps if step.kind == "approve"]
    paths: list[Path] = [(*step.path, "default") for step in asking if "default" in step.data]
    paths += [(*step.path, "choices", index) for step in asking for index in range(len(step.data.get("choices", ())))]
    meant = {view.value_span(path) for path in paths}
    return (finding for finding in findings if finding.code != "BR227" or finding.span not in meant)
