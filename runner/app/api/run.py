"""How a run ended, for programs: the object of ``result.json`` with types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from runner.chat.messages import Usage
from runner.edges.run_folder import JOURNAL
from runner.record.events import NO_USAGE, RunStatus, StepStatus
from runner.words.errors import FailureKind, StepError
from runner.words.noun import noun


@noun
class Failure:
    """What went wrong. ``kind`` is one of the kinds that ``retry.on`` knows; ``step`` where it happened, None = in no
    single step."""

    kind: FailureKind
    message: str
    step: str | None = None


@noun
class Question:
    """What a paused run waits for: ``answers={id: choice}`` answers it, or ``bridge-run resume``."""

    id: str
    question: str
    choices: tuple[str, ...]
    default: str | None = None


@noun
class StepResult:
    """How a step ended, or an item of a fan-out. A step of a paused run may be ``waiting``.

    ``usage`` is in tokens, of all attempts together. ``reason`` says why it was skipped or cancelled. ``items`` are
    those of a fan-out, ``steps`` those of a called workflow, by id; None where there are none.
    """

    status: StepStatus | Literal["waiting"]
    output: Any = None
    error: Failure | None = None
    reason: str | None = None
    model: str | None = None
    attempts: int = 0
    usage: Usage = NO_USAGE
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    items: tuple[StepResult, ...] | None = None
    steps: Mapping[str, StepResult] | None = None

    @classmethod
    def read(cls, name: str, step: Mapping[str, Any]) -> Self:
        """From its object in a result."""
        error, items, called = step["error"], step.get("items"), step.get("steps")
        return cls(
            status=step["status"],
            output=step["output"],
            error=None if error is None else Failure(kind=error["kind"], message=error["message"], step=name),
            reason=step["reason"],
            model=step["model"],
            attempts=step["attempts"],
            usage=Usage(**step["usage"]),
            seconds=step["seconds"],
            warnings=tuple(step["warnings"]),
            artifacts=tuple(step.get("artifacts", ())),
            items=None if items is None else tuple(cls.read(f"{name}[{at}]", one) for at, one in enumerate(items)),
            steps=None if called is None else {key: cls.read(f"{name}/{key}", one) for key, one in called.items()},
        )


@noun
class Run:
    """How a run ended.

    ``status``: ``succeeded``, ``failed``, ``cancelled``, or ``paused``, which waits for answers to its ``questions``.
    ``exit_code`` is what ``bridge-run`` would have ended with. ``outputs`` are by name, ``steps`` by id, in file order.
    ``error`` is the first failure; None of a run that succeeded. ``folder`` holds the journal and ``result.json``.
    ``usage`` is in tokens, of all steps together, ``seconds`` those of the whole run. ``changes`` says what became of a
    workspace of its own.
    """

    id: str
    workflow: str
    file: str
    status: RunStatus
    exit_code: int
    outputs: Mapping[str, Any]
    steps: Mapping[str, StepResult]
    folder: str
    error: Failure | None = None
    usage: Usage = NO_USAGE
    seconds: float = 0.0
    questions: tuple[Question, ...] = ()
    warnings: tuple[str, ...] = ()
    changes: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.status == "succeeded"

    def raise_for_status(self) -> Self:
        """Itself, if it succeeded.

        Raises:
            StepError: it did not; of the kind of its ``error``.
        """
        if self.ok:
            return self
        hint = f"what happened is in {self.folder}/{JOURNAL}"
        if self.status == "paused":
            waits = ", ".join(f"`{question.id}`" for question in self.questions)
            ways = f"answer with `answers={{…}}`, or go on by `bridge-run resume {self.id}`"
            raise StepError("cancelled", f"run {self.id} is paused: it waits for an answer to {waits}", hint=ways)
        if self.error is None:
            raise StepError("cancelled", f"run {self.id} is {self.status}", hint=hint)
        where = "" if self.error.step is None else f"step `{self.error.step}`: "
        raise StepError(self.error.kind, f"{where}{self.error.message}", hint=hint)


def run_of(
    outcome: Mapping[str, Any], folder: str, changes: str | None = None, *, warnings: tuple[str, ...] = ()
) -> Run:
    """From the object of ``result.json``; ``warnings`` are more than it has."""
    steps = {name: StepResult.read(name, step) for name, step in outcome["steps"].items()}
    return Run(
        id=outcome["run"],
        workflow=outcome["workflow"],
        file=outcome["file"],
        status=outcome["status"],
        exit_code=outcome["exit_code"],
        outputs=outcome["outputs"],
        steps=steps,
        folder=folder,
        error=None if outcome["status"] == "succeeded" else _first_failure(outcome, steps),
        usage=sum((step.usage for step in steps.values()), NO_USAGE),
        seconds=outcome["seconds"],
        questions=tuple(Question(**{**one, "choices": tuple(one["choices"])}) for one in outcome["questions"]),
        warnings=(*outcome["warnings"], *warnings),
        changes=changes,
    )


def _first_failure(outcome: Mapping[str, Any], steps: Mapping[str, StepResult]) -> Failure | None:
    error = outcome["error"]
    if error is not None:
        return Failure(kind=error["kind"], message=error["message"])
    return next((step.error for step in steps.values() if step.status == "failed" and step.error), None)
