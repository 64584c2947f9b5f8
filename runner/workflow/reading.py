"""What decoding needs again and again: durations, sizes and words, with the findings about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.words.diagnostics import Diagnostic
from runner.words.errors import WorkflowError
from runner.words.spans import Path
from runner.words.units import DURATION_HINT, SIZE_HINT, parse_duration, parse_size
from runner.workflow.document import Document
from runner.workflow.model import Json, ModelWish

SchemaReader = Callable[[str], Json]
"""Gives the JSON Schema in a file named by the workflow; raises ``WorkflowError`` with its findings if it cannot."""


@dataclass(slots=True)
class Reading:
    """A document being decoded, and what was found wrong on the way. ``wishes`` are models written out in place."""

    document: Document
    read_schema: SchemaReader
    findings: list[Diagnostic] = field(default_factory=list)
    wishes: dict[str, ModelWish] = field(default_factory=dict)

    def seconds(self, holder: Mapping[str, Any], key: str, path: Path) -> float | None:
        """The duration under a key in seconds; None where there is none, or no legal one."""
        text = holder.get(key)
        if text is None:
            return None
        try:
            return parse_duration(text)
        except ValueError as error:
            self._report(str(error), (*path, key), DURATION_HINT)
            return None

    def size(self, holder: Mapping[str, Any], key: str, path: Path) -> int | None:
        """The size under a key, written as a number or with a unit; None as for durations."""
        value = holder.get(key)
        if value is None or isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except ValueError as error:
            self._report(str(error), (*path, key), SIZE_HINT)
            return None

    def _report(self, message: str, path: Path, hint: str) -> None:
        span = self.document.span(path)
        self.findings.append(Diagnostic(code="BR215", message=message, file=self.document.file, span=span, help=hint))

    def word(self, value: Any, path: Path) -> Any:
        """A number or boolean as the text that stands in the file (``1.10`` stays ``1.10``); all else as it is."""
        return self.document.source(path) if isinstance(value, bool | int | float) else value

    def words(self, holder: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
        """The list under a key, every item a text."""
        at = (*path, key)
        return tuple(self.word(item, (*at, index)) for index, item in enumerate(holder.get(key, ())))

    def texts(self, holder: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
        """The mapping under a key, every number and boolean in it a text."""
        at = (*path, key)
        return {name: self.word(value, (*at, name)) for name, value in holder.get(key, {}).items()}

    def schema(self, name: str) -> Json:
        """The JSON Schema in a file; None if there is a finding about it instead."""
        try:
            return self.read_schema(name)
        except WorkflowError as error:
            self.findings.extend(error.diagnostics)
            return None


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are not None: what the file leaves out keeps the default of its noun."""
    return {name: value for name, value in fields.items() if value is not None}
