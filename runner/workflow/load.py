"""From a path to a workflow that was checked: all problems of a stage at once, in file order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from runner.words.diagnostics import Diagnostic, has_errors, in_file_order
from runner.words.errors import WorkflowError
from runner.words.noun import noun
from runner.workflow.callees import Chain, called_by
from runner.workflow.decode import decode
from runner.workflow.document import Document, read_document
from runner.workflow.model import Workflow
from runner.workflow.rules.keys import without_choices
from runner.workflow.rules.order import needs_of
from runner.workflow.rules.table import judge
from runner.workflow.rules.typing import output_schemas
from runner.workflow.rules.view import View, make_view
from runner.workflow.schema import shape_findings

_HARMLESS = frozenset({"BR215"})
"""Findings about the shape that leave everything of its right type: the meaning can be judged beside them."""


@noun
class Loaded:
    """A checked workflow, what is doubtful in its file though it works, and the document that both came from."""

    workflow: Workflow
    warnings: tuple[Diagnostic, ...]
    document: Document


def load(path: str) -> Loaded:
    """Read and check a workflow file and all that it calls; ``path`` is shown in findings as it is given.

    Raises:
        WorkflowError: with every problem of the first stage that has any (text, shape, meaning), warnings too.
    """
    return load_document(read_document(path))


def load_document(document: Document, chain: Chain | None = None) -> Loaded:
    """Check a document that was read; files that it names are looked up beside ``document.file``.

    ``chain`` are the files that led to it, itself the last.

    Raises:
        WorkflowError: as ``load``.
    """
    shape = _without_echo(document.warnings, shape_findings(document))
    if has_errors(finding for finding in shape if finding.code not in _HARMLESS):
        raise WorkflowError(shape)
    folder = FilePath(document.file).parent
    called = called_by(document, chain or Chain((document.file,)), _load_callee)
    read_schema = _schema_reader(folder)
    view = make_view(
        document, read_schema, lambda file: (folder / file).expanduser().is_file(), callees=called.workflows
    )
    decoded = decode(document, _forgiving(read_schema), needs=_needs(view), callees=called.workflows)
    findings = in_file_order((*without_choices(view, shape), *called.findings, *decoded.findings, *judge(view)))
    if has_errors(findings):
        raise WorkflowError(findings)
    workflow = replace(decoded.workflow, folder=str(folder), output_schemas=output_schemas(view))
    return Loaded(workflow=workflow, warnings=findings, document=document)


def _load_callee(path: str, chain: Chain) -> tuple[Workflow, tuple[Diagnostic, ...]]:
    loaded = load_document(read_document(path), chain)
    return loaded.workflow, loaded.warnings


def _needs(view: View) -> dict[str, tuple[str, ...]]:
    """What each step waits for, in file order."""
    order = {step.id: step.index for step in view.steps}
    return {step: tuple(sorted(needed, key=order.__getitem__)) for step, needed in needs_of(view).items()}


def _without_echo(warnings: Iterable[Diagnostic], errors: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """All of them, less a warning about a word that is an error anyway: `write: yes` is told once."""
    at_fault = {error.span for error in errors}
    return in_file_order((*(warning for warning in warnings if warning.span not in at_fault), *errors))


def _schema_reader(folder: FilePath) -> Callable[[str], Any]:
    """Reads a JSON file beside the workflow, once."""
    known: dict[str, Any] = {}

    def read_schema(file: str) -> Any:
        if file not in known:
            known[file] = json.loads((folder / file).read_text(encoding="utf-8"))
        return known[file]

    return read_schema


def _forgiving(read_schema: Callable[[str], Any]) -> Callable[[str], Any]:
    """For the decoder: a file that cannot be read lets everything pass, because a rule (BR226, BR232) reports it."""

    def read(file: str) -> Any:
        try:
            return read_schema(file)
        except (OSError, ValueError):
            return {}

    return read
