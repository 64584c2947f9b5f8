"""The files that a workflow calls: found, loaded and checked as it is, circles and depth seen across files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runner.words.diagnostics import Diagnostic, has_errors
from runner.words.errors import WorkflowError
from runner.words.noun import noun
from runner.words.spans import Path
from runner.words.templates import has_template
from runner.workflow.document import Document
from runner.workflow.model import CallWork, Workflow

DEEPEST = 8
"""Workflows below the one that is started (format, point 22)."""

Load = Callable[[str, "Chain"], tuple[Workflow, tuple[Diagnostic, ...]]]
"""Loads a called file; gives it with its warnings, or raises ``WorkflowError``."""


@noun
class Called:
    """The workflows that the steps of a file call, by the index of the step, and all that was found on the way.

    A file that is at fault is left out; its own findings, or one about the call, are among ``findings``.
    """

    workflows: Mapping[int, Workflow]
    findings: tuple[Diagnostic, ...] = ()


@dataclass(slots=True)
class Chain:
    """The files from the one that was started to the one that is being loaded, each as it is shown.

    ``loaded`` are those that were found right, whoever calls them: a file is read once.
    """

    files: tuple[str, ...]
    loaded: dict[str, tuple[Workflow, tuple[Diagnostic, ...]]] = field(default_factory=dict)

    def through(self, file: str) -> Chain:
        """The chain one file longer."""
        return Chain((*self.files, file), self.loaded)

    def circle(self, file: str) -> tuple[str, ...]:
        """The part of the chain that a call of ``file`` would close to a circle; empty if it does not."""
        known = [_identity(one) for one in self.files]
        return self.files[known.index(_identity(file)) :] if _identity(file) in known else ()


def called_by(document: Document, chain: Chain, load: Load) -> Called:
    """Load every file that a step of the document calls; their paths start at its folder."""
    workflows: dict[int, Workflow] = {}
    findings: list[Diagnostic] = []
    for index, step in enumerate(document.data["steps"]):
        file = step.get("workflow")
        if not isinstance(file, str) or has_template(file):  # a template is told by BR228
            continue
        path: Path = ("steps", index, "workflow")
        target = os.path.normpath(os.path.join(os.path.dirname(document.file), os.path.expanduser(file)))  # noqa: PTH111, PTH118, PTH120 - shown as it is written, not made absolute
        refusal = _refusal(document, path, file, target, chain)
        if refusal is not None:
            findings.append(refusal)
            continue
        try:
            workflow, warnings = _loaded(target, chain, load)
        except WorkflowError as error:
            findings += error.diagnostics
            if not has_errors(error.diagnostics):
                raise
            continue
        findings += warnings
        if _depth(workflow) + len(chain.files) > DEEPEST + 1:
            findings.append(_too_deep(document, path, chain))
            continue
        workflows[index] = workflow
    return Called(workflows=workflows, findings=tuple(findings))


def _loaded(target: str, chain: Chain, load: Load) -> tuple[Workflow, tuple[Diagnostic, ...]]:
    if target not in chain.loaded:
        chain.loaded[target] = load(target, chain.through(target))
    return chain.loaded[target]


def _depth(workflow: Workflow) -> int:
    """How many workflows are called one below the other, this one included."""
    callees = (step.work.callee for step in workflow.steps if isinstance(step.work, CallWork))
    return 1 + max(map(_depth, callees), default=0)


def _refusal(document: Document, path: Path, file: str, target: str, chain: Chain) -> Diagnostic | None:
    """Why the file is not even read."""
    if os.path.isdir(target):  # noqa: PTH112
        hint = "name the workflow file in it"
        return _finding(document, "BR232", path, f"`{file}` is a folder", hint)
    if not os.path.isfile(target):  # noqa: PTH113
        hint = "the path starts at the folder of the workflow file"
        return _finding(document, "BR232", path, f"there is no file `{file}`", hint)
    circle = chain.circle(target)
    if circle:
        shown = " -> ".join((*circle, circle[0]))
        return _finding(
            document, "BR236", path, f"these workflows call each other: {shown}", "take out one of the calls"
        )
    if len(chain.files) > DEEPEST:
        return _too_deep(document, path, chain)
    return None


def _too_deep(document: Document, path: Path, chain: Chain) -> Diagnostic:
    message = f"workflows call each other more than {DEEPEST} deep: {' -> '.join(chain.files)} -> …"
    return _finding(document, "BR236", path, message, "let one of them do the work of the next itself")


def _finding(document: Document, code: str, path: Path, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code=code, message=message, file=document.file, span=document.span(path), help=hint)


def _identity(file: str) -> str:
    return os.path.realpath(file)
