"""Which findings a comment of the file allows, and which comments allow nothing any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.plan.finding import span_at
from runner.words.diagnostics import Diagnostic
from runner.words.noun import noun
from runner.words.spans import Path
from runner.workflow.allow import ALLOWABLE
from runner.workflow.model import Allow, Workflow


@noun
class Judged:
    """A finding, and the places besides its own at which a comment may allow it: the model's alias, the step."""

    finding: Diagnostic
    places: tuple[Path, ...] = ()


def sift(judged: Sequence[Judged], workflow: Workflow) -> tuple[Diagnostic, ...]:
    """The findings that no comment allows."""
    return tuple(one.finding for one in judged if not any(_reaches(allow, one, workflow) for allow in workflow.allows))


def stale(judged: Sequence[Judged], workflow: Workflow) -> Iterator[Diagnostic]:
    """A warning (BR329) for every code of a comment that none of the findings has; itself to be allowed by it."""
    for allow in workflow.allows:
        for code in allow.codes:
            alone = Allow(codes=(code,), span=allow.span, first=allow.first, last=allow.last)
            if code == "BR329" or "BR329" in allow.codes or any(_reaches(alone, one, workflow) for one in judged):
                continue
            yield Diagnostic(
                code="BR329",
                message=f"this comment allows `{code}`, and there is no such finding here",
                file=workflow.file,
                span=allow.span,
                level="warning",
                help=f"delete `{code}` from it, or write `BR329` beside it if the finding depends on the machine",
            )


def _reaches(allow: Allow, judged: Judged, workflow: Workflow) -> bool:
    code = judged.finding.code
    if code not in allow.codes or code not in ALLOWABLE:
        return False
    return any(allow.first <= line <= allow.last for line in _lines(judged, workflow))


def _lines(judged: Judged, workflow: Workflow) -> Iterable[int]:
    if judged.finding.span is not None:
        yield judged.finding.span.line
    else:
        yield 1
    for place in judged.places:
        span = span_at(workflow, place)
        if span is not None:
            yield span.line
