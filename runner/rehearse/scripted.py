"""Stubs: what the steps of a rehearsed run answer, as a person wrote it; read, judged against the workflow, made nouns.

A stub file maps units to answers. A unit is a step's id; below a call its path (``call/draft``); one item of a fan-out
has its index (``fix[3]``), which goes before the step without one.

.. code-block:: yaml

    survey: {targets: []}                 # always this answer
    note: {answers: [Too short, Better]}  # one after the other: attempts, rounds, or the items of a fan-out
    deploy: {fail: command, message: no route to host}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, get_args

from runner.record.parts import without_indices
from runner.words.diagnostics import Diagnostic, in_file_order
from runner.words.errors import FailureKind, WorkflowError
from runner.words.noun import noun
from runner.words.schemas import complaints
from runner.words.spans import Path, Span, show_path
from runner.words.suggest import did_you_mean
from runner.workflow.document import Document, read_document
from runner.workflow.model import ApproveWork, CallWork, RunWork, Step, TaskWork, Workflow

_WORDS = frozenset(("answer", "answers", "fail", "message"))
_INDEX = re.compile(r"\[\d+\]")
EXAMPLE = "begin with a line `step: answer`; `--stubs-init` writes one for every step"


@noun
class Reply:
    """One answer of a unit: its value, or with ``fails`` the kind of its failure and the message."""

    value: Any = None
    fails: FailureKind | None = None
    message: str = ""


@noun
class Stub:
    """What a unit answers, one after the other; the last one stays. ``span`` is where its name stands."""

    replies: tuple[Reply, ...]
    span: Span


@noun
class Stubs:
    """The stubs of one file or case. ``file`` is the path as it was given."""

    file: str = ""
    of: Mapping[str, Stub] = field(default_factory=dict)

    def name_for(self, unit: str) -> str | None:
        """The name under which the unit has a stub: its own, or that of its step; None if it has none.

        Of ``a[1]/b`` and ``a/b[2]`` the one with the later index wins.
        """
        parts = re.split(r"(\[\d+\])", unit)
        indices = [number for number, part in enumerate(parts) if _INDEX.fullmatch(part)]
        kept = range(2 ** len(indices))
        for mask in reversed(kept):
            gone = {index for bit, index in enumerate(indices) if not mask & (1 << bit)}
            name = "".join(part for number, part in enumerate(parts) if number not in gone)
            if name in self.of:
                return name
        return None


NO_STUBS = Stubs()


def steps_below(workflow: Workflow, before: str = "") -> Iterator[tuple[str, Step, Workflow]]:
    """Every step of the file and of those that it calls, with its path and the file it stands in, in file order."""
    for step in workflow.steps:
        yield before + step.id, step, workflow
        if isinstance(step.work, CallWork):
            yield from steps_below(step.work.callee, f"{before}{step.id}/")


def read_stubs(path: str, workflow: Workflow) -> Stubs:
    """Read a stub file for a workflow.

    Raises:
        WorkflowError: it cannot be read, names what the workflow has not, or an answer does not fit its step.
    """
    document = read_document(path, start=EXAMPLE)
    return stubs_at(document, (), workflow)


def stubs_at(document: Document, path: Path, workflow: Workflow) -> Stubs:
    """The stubs that stand at ``path`` of a document.

    Raises:
        WorkflowError: as ``read_stubs``.
    """
    given: Any = document.data
    for part in path:
        given = given[part]
    known = {name: step for name, step, _ in steps_below(workflow)}
    found = [finding for name in given for finding in _judge(document, path, name, given[name], known)]
    if found:
        raise WorkflowError(in_file_order(found))
    stubs = {
        name: Stub(replies=replies_of(value), span=document.key_span((*path, name))) for name, value in given.items()
    }
    return Stubs(file=document.file, of=stubs)


def replies_of(given: Any) -> tuple[Reply, ...]:
    """The answers that a stub stands for."""
    if _is_explicit(given) and "answers" in given:
        return tuple(_reply(one) for one in given["answers"]) or (Reply(),)
    return (_reply(given),)


def _is_explicit(given: Any) -> bool:
    """Whether a mapping says how it is meant: all its keys are words of this file, not of an answer."""
    return isinstance(given, Mapping) and bool(given) and given.keys() <= _WORDS and given.keys() != {"message"}


def _reply(given: Any) -> Reply:
    if not _is_explicit(given):
        return Reply(value=given)
    if "fail" in given:
        return Reply(fails=given["fail"], message=given.get("message", f"failed by its stub ({given['fail']})"))
    return Reply(value=given["answer"])


def _judge(document: Document, path: Path, name: str, given: Any, known: Mapping[str, Step]) -> Iterator[Diagnostic]:
    place = (*path, name)
    step = known.get(without_indices(name))
    if step is None:
        inner = next((path for path in known if path.endswith(f"/{name}")), None)
        near = f"did you mean `{inner}`?" if inner else did_you_mean(name, known)
        hint = near or f"the steps are {', '.join(f'`{path}`' for path in list(known)[:8])}"
        yield _finding(document, "BR217", place, f"the workflow has no step `{name}`", hint, key=True)
        return
    if isinstance(step.work, CallWork):
        hint = f"write a stub for each of its steps: `{name}/{step.work.callee.steps[0].id}`"
        yield _finding(document, "BR220", place, f"`{name}` calls a workflow, whose steps answer", hint, key=True)
        return
    if _is_explicit(given) and "answers" in given:
        yield from _misused(document, place, given, "answers")
        if not isinstance(given["answers"], list) or not given["answers"]:
            message = f"`answers` of `{name}` is no list of answers"
            yield _finding(document, "BR219", (*place, "answers"), message, "write one or more: `answers: [a, b]`")
            return
        for index, one in enumerate(given["answers"]):
            yield from _judge_reply(document, (*place, "answers", index), name, one, step)
    else:
        yield from _judge_reply(document, place, name, given, step)


def _judge_reply(document: Document, place: Path, name: str, given: Any, step: Step) -> Iterator[Diagnostic]:
    if not _is_explicit(given):
        yield from _misfits(document, place, name, given, step)
        return
    if "fail" in given:
        yield from _misused(document, place, given, "fail")
        kinds = get_args(FailureKind)
        if given["fail"] not in kinds:
            hint = did_you_mean(str(given["fail"]), kinds) or f"the kinds are {', '.join(kinds)}"
            message = f"`{given['fail']}` is no kind of failure"
            yield _finding(document, "BR220", (*place, "fail"), message, hint)
        elif isinstance(step.work, ApproveWork):
            yield _finding(document, "BR220", place, f"`{name}` is a question and cannot fail", "write its choice")
    elif "answer" in given:
        yield from _misused(document, place, given, "answer")
        yield from _misfits(document, (*place, "answer"), name, given["answer"], step)
    else:
        yield _finding(document, "BR220", place, f"`answers` of `{name}` within answers", "write one list")


def _misused(document: Document, place: Path, given: Mapping[str, Any], word: str) -> Iterator[Diagnostic]:
    allowed = {"fail", "message"} if word == "fail" else {word}
    for other in given:
        if other not in allowed:
            message = f"`{other}` and `{word}` exclude each other"
            yield _finding(document, "BR220", (*place, other), message, "keep one of them", key=True)


def _misfits(document: Document, place: Path, name: str, value: Any, step: Step) -> Iterator[Diagnostic]:
    """Why an answer cannot be that of the step."""
    work = step.work
    if isinstance(work, ApproveWork):
        if value not in work.choices:
            shown = ", ".join(f"`{choice}`" for choice in work.choices)
            message = f"`{value}` is no answer to `{name}`"
            yield _finding(document, "BR220", place, message, f"the choices are {shown}")
    elif step.output_schema is not None:
        for complaint in complaints(step.output_schema, value):
            where = f" at `{show_path(complaint.path)}`" if complaint.path else ""
            message = f"the answer of `{name}` does not fit its `output`{where}: {complaint.message}"
            yield _finding(document, "BR220", (*place, *complaint.path), message, "correct the stub, or the `output`")
    elif not isinstance(value, str) and (isinstance(work, TaskWork) or (isinstance(work, RunWork) and not _json(work))):
        message = f"`{name}` answers with a text, and this is none"
        yield _finding(document, "BR219", place, message, "write a text in quotes, or give the step an `output`")


def _json(work: RunWork) -> bool:
    return work.parse_json


def _finding(
    document: Document, code: str, place: Path, message: str, hint: str | None, *, key: bool = False
) -> Diagnostic:
    span = document.key_span(place) if key else document.span(place)
    return Diagnostic(code=code, message=message, file=document.file, span=span, help=hint)
