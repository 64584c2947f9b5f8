"""Rules about questions to a person: BR245."""

from __future__ import annotations

from collections.abc import Iterable

from runner.words.diagnostics import Diagnostic
from runner.workflow.rules.order import needs_of
from runner.workflow.rules.view import StepView, Use, View


def br245_answer_unread(view: View) -> Iterable[Diagnostic]:
    """A question whose answer changes nothing."""
    asking = [step for step in view.steps if step.kind == "approve" and len(step.data.get("choices", "yn")) > 1]
    if not asking:
        return
    read = {use.path[1] for use in view.uses if use.path[0] == "steps" and _reads_answer(use)}
    needed = {step_id for needs in needs_of(view).values() for step_id in needs}
    for step in asking:
        if step.id in read or not (step.id in needed or "outputs" in view.document.data):
            continue  # what nobody needs is an output of the file by itself
        yield _unread(view, step, needed)


def _reads_answer(use: Use) -> bool:
    return len(use.path) == 2 or use.path[2:3] == ("output",)


def _unread(view: View, step: StepView, needed: set[str]) -> Diagnostic:
    choice = step.data.get("choices", ("yes",))[0]
    hint = f"write `when: steps.{step.id}.output == '{choice}'` where it matters"
    if step.fans_out:
        hint = f"read the list `steps.{step.id}.output` where it matters"
    message = f"nothing reads the answer to `{step.id}`"
    if step.id in needed:
        message += ": the steps after it run whatever is answered"
    return view.finding("BR245", message, view.key_span((*step.path, "approve")), help=hint, level="warning")
