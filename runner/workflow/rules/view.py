"""What a rule sees: the document, its decoded meaning, and every template looked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any, NamedTuple

from runner.words.diagnostics import Diagnostic, Level, Note
from runner.words.noun import noun
from runner.words.spans import Path, Span
from runner.words.templates import Reference
from runner.workflow.document import Document
from runner.workflow.model import Workflow
from runner.workflow.rules.places import Place, template_places

STEP_KINDS = ("task", "tool", "run", "workflow", "approve")

ReadSchema = Callable[[str], Any]
"""The JSON value of a file named beside the workflow; raises OSError (absent) or ValueError (no JSON)."""


@noun
class StepView:
    """A step as it is written: its place in the list, its id and its keys."""

    index: int
    id: str
    data: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """Where it stands."""
        return ("steps", self.index)

    @property
    def written_needs(self) -> tuple[tuple[str, Path], ...]:
        """The ids under ``needs``, each with its path; one id may stand there without a list."""
        needs = self.data.get("needs", ())
        if isinstance(needs, str):
            return ((needs, (*self.path, "needs")),)
        return tuple((needed, (*self.path, "needs", item)) for item, needed in enumerate(needs))

    @property
    def kind(self) -> str:
        """Which of the five kinds it is."""
        return next((kind for kind in STEP_KINDS if kind in self.data), "task")

    @property
    def fans_out(self) -> bool:
        """Whether it runs once for each item of a list or each row of a matrix."""
        return "for_each" in self.data or "matrix" in self.data

    @property
    def item_name(self) -> str | None:
        """How its templates call an item of ``for_each``; None if there are no items."""
        return str(self.data.get("as", "item")) if "for_each" in self.data else None


class Use(NamedTuple):
    """A reference, the place it stands in, and its path: ``("steps", "scan", "output")``."""

    place: Place
    reference: Reference
    path: tuple[str | int, ...]


@noun
class View:
    """A document that has the right shape, prepared for the rules.

    ``by_id`` has the first step of each id; ``uses`` every reference of every place; ``has_file`` says whether a
    file named beside the workflow is there. ``callees`` are the checked workflows that steps call, by their index.
    ``memo`` is where rules keep what they need of the whole file more than once.
    """

    document: Document
    steps: tuple[StepView, ...]
    by_id: Mapping[str, StepView]
    places: tuple[Place, ...]
    uses: tuple[Use, ...]
    read_schema: ReadSchema
    has_file: Callable[[str], bool]
    callees: Mapping[int, Workflow] = field(default_factory=dict)
    memo: dict[object, Any] = field(default_factory=dict)

    def section(self, name: str) -> Mapping[str, Any]:
        """A mapping at the top of the file; empty if it is not there."""
        value = self.document.data.get(name)
        return value if isinstance(value, dict) else {}

    def places_of(self, step: StepView) -> tuple[Place, ...]:
        """The places in a step, in no particular order."""
        if Place not in self.memo:
            found: dict[int | None, list[Place]] = {}
            for place in self.places:
                found.setdefault(place.step, []).append(place)
            self.memo[Place] = found
        return tuple(self.memo[Place].get(step.index, ()))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The declared secrets."""
        return tuple(self.document.data.get("secrets") or ())

    def finding(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        help: str | None = None,
        level: Level = "error",
        notes: tuple[Note, ...] = (),
    ) -> Diagnostic:
        """A finding in this file."""
        file = self.document.file
        return Diagnostic(code=code, message=message, file=file, span=span, help=help, level=level, notes=notes)

    def value_span(self, path: Path) -> Span:
        """Where a value stands."""
        return self.document.span(path)

    def key_span(self, path: Path) -> Span:
        """Where a key stands."""
        return self.document.key_span(path)

    def inner_span(self, path: Path, offset: int, length: int) -> Span:
        """Where characters of a text stand."""
        line, column = self.document.place(path, offset)
        end_line, end_column = self.document.place(path, offset + length - 1)
        return Span(line, column, end_line, end_column + 1)

    def use_span(self, use: Use) -> Span:
        """Where a reference stands."""
        return self.inner_span(use.place.path, use.reference.offset, use.reference.length)

    def output_schema(self, step: StepView) -> Any:
        """The JSON Schema of a step's answer; None if it has none, or its file cannot be read."""
        output = step.data.get("output")
        if not isinstance(output, dict | bool):
            return None
        file = schema_file(output)
        if file is None:
            return output
        try:
            return self.read_schema(file)
        except (OSError, ValueError):
            return None


def schema_file(output: Any) -> str | None:
    """The file of ``output: {schema: FILE}``; None if the schema stands in the workflow itself."""
    if isinstance(output, dict) and set(output) == {"schema"} and isinstance(output["schema"], str):
        return output["schema"]
    return None


def make_view(
    document: Document,
    read_schema: ReadSchema,
    has_file: Callable[[str], bool],
    *,
    callees: Mapping[int, Workflow] | None = None,
) -> View:
    """Prepare a document for the rules."""
    steps = tuple(_steps(document.data))
    by_id: dict[str, StepView] = {}
    for step in steps:
        by_id.setdefault(step.id, step)
    places = template_places(document.data)
    uses = tuple(Use(place, reference, reference.path) for place in places for reference in place.inspection.references)
    return View(
        document=document,
        steps=steps,
        by_id=by_id,
        places=places,
        uses=uses,
        read_schema=read_schema,
        has_file=has_file,
        callees=callees or {},
    )


def _steps(data: Mapping[str, Any]) -> Iterator[StepView]:
    for index, step in enumerate(data.get("steps", ())):
        yield StepView(index=index, id=str(step.get("id", "")), data=step)
