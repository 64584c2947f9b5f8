"""The shape of a workflow file: the schemas that ship with bridge-run, and what a document misses of its own."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.errors import UsageError
from runner.words.schemas import canonical, complaints_by
from runner.words.suggest import did_you_mean
from runner.workflow.document import Document
from runner.workflow.shape import word_complaints

_SUFFIX = ".schema.json"


def shape_findings(document: Document) -> tuple[Diagnostic, ...]:
    """What keeps a document from being a workflow of version 1, in file order; decode it only if there is nothing."""
    found = complaints_by(_workflow_judge(), document.data)
    return in_file_order(word_complaints(document, workflow_schema(), found)) if found else ()


@lru_cache(maxsize=1)
def _workflow_judge() -> str:
    return canonical(workflow_schema())


@lru_cache(maxsize=1)
def workflow_schema() -> dict[str, Any]:
    """The JSON Schema of the workflow file. Shared by all callers: treat it as frozen."""
    schema: dict[str, Any] = json.loads(schema_text("workflow"))
    return schema


def schema_text(name: str) -> str:
    """The text of a schema that ships with bridge-run, by its short name: ``workflow``.

    Raises:
        UsageError: there is no such schema.
    """
    folder = _schema_folder()
    names = sorted(entry.name.removesuffix(_SUFFIX) for entry in folder.glob(f"*{_SUFFIX}"))
    if name not in names:
        hint = did_you_mean(name, names) or f"there are: {', '.join(names)}"
        raise UsageError(f"there is no schema named `{name}`", hint=hint)
    return (folder / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def _schema_folder() -> FilePath:
    """Inside the package in an installed wheel, beside the package in a checkout."""
    package = FilePath(__file__).resolve().parent.parent
    shipped = package / "_schemas"
    return shipped if shipped.is_dir() else package.parent / "schemas"
