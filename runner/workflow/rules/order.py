"""Rules about which step waits for which: BR203, BR204, BR205, BR234."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from runner.words.diagnostics import Diagnostic, Note
from runner.words.spans import Path, Span
from runner.words.suggest import did_you_mean
from runner.workflow.rules.view import StepView, Use, View

_MOST_CIRCLES = 20


class Edge(NamedTuple):
    """``waiting`` needs ``needed``, because of a need written at ``path`` or of a template (``use``)."""

    waiting: str
    needed: str
    path: Path
    use: Use | None


def needs_of(view: View) -> Mapping[str, Mapping[str, Edge]]:
    """For each id what its step waits for, written and inferred; unknown ids and a reading of itself left out."""
    edges: dict[str, dict[str, Edge]] = {step.id: {} for step in view.steps}
    for step in view.steps:
        for needed, path in step.written_needs:
            if needed in view.by_id:
                edges[step.id].setdefault(needed, Edge(step.id, needed, path, None))
    for use in _readings(view):
        reader, needed = _reader(view, use), str(use.path[1])
        if needed in view.by_id and needed != reader.id:
            edges[reader.id].setdefault(needed, Edge(reader.id, needed, use.place.path, use))
    return edges


def _readings(view: View) -> Iterator[Use]:
    """References from inside a step to ``steps.<id>``."""
    return (u for u in view.uses if u.place.step is not None and len(u.path) > 1 and u.path[0] == "steps")


def _reader(view: View, use: Use) -> StepView:
    return view.steps[use.place.step or 0]


def br203_duplicate_step(view: View) -> Iterable[Diagnostic]:
    """Two steps of one id."""
    for step in view.steps:
        first = view.by_id[step.id]
        if first.index != step.index:
            note = Note(message="first defined here", span=view.value_span((*first.path, "id")))
            message = f"there are two steps named `{step.id}`"
            span = view.value_span((*step.path, "id"))
            yield view.finding("BR203", message, span, help="give one of them another `id`", notes=(note,))


def br204_unknown_need(view: View) -> Iterable[Diagnostic]:
    """``needs`` names a step that is not there."""
    for step in view.steps:
        for needed, path in step.written_needs:
            if needed not in view.by_id:
                hint = did_you_mean(needed, (i for i in view.by_id if i != step.id)) or _existing(view, step)
                message = f"step `{step.id}` needs `{needed}`, which does not exist"
                yield view.finding("BR204", message, view.value_span(path), help=hint)


def _existing(view: View, step: StepView) -> str:
    others = [name for name in view.by_id if name != step.id]
    if not others:
        return "there is no other step"
    if len(others) == 1:
        return f"the only other step is `{others[0]}`"
    return "the steps are " + ", ".join(f"`{name}`" for name in others[:8]) + (", …" if len(others) > 8 else "")


def br205_circle(view: View) -> Iterable[Diagnostic]:
    """Steps that wait for each other."""
    edges = {reader: dict(needed) for reader, needed in needs_of(view).items()}
    for _ in range(_MOST_CIRCLES):
        circle = _circle(edges)
        if circle is None:
            return
        yield _circle_finding(view, circle)
        del edges[circle[0].waiting][circle[0].needed]


def _circle_finding(view: View, circle: list[Edge]) -> Diagnostic:
    ids = [edge.waiting for edge in circle]
    shown = " -> ".join([*ids, ids[0]])
    if len(circle) == 1:
        message, hint = f"step `{ids[0]}` waits for itself: {shown}", "take it out of its own `needs`"
    else:
        message, hint = f"these steps wait for each other: {shown}", "take out one of these needs"
    notes = tuple(Note(message=_why(edge), span=_edge_span(view, edge)) for edge in circle[1:])
    return view.finding("BR205", message, _edge_span(view, circle[0]), help=hint, notes=notes)


def _why(edge: Edge) -> str:
    return f"`{edge.waiting}` {'needs' if edge.use is None else 'reads'} `{edge.needed}` here"


def _edge_span(view: View, edge: Edge) -> Span:
    if edge.use is not None:
        return view.use_span(edge.use)
    return view.value_span(edge.path)


def _circle(edges: Mapping[str, Mapping[str, Edge]]) -> list[Edge] | None:
    """A shortest circle through the first step in file order that stands on one, from that step on."""
    for start in _tangled(edges):
        came_by: dict[str, Edge] = {}
        level = [start]
        while level and start not in came_by:
            following: list[str] = []
            for reader in level:
                for needed, edge in edges[reader].items():
                    if needed not in came_by:
                        came_by[needed] = edge
                        following.append(needed)
            level = following
        if start in came_by:
            return _walk_back(came_by, start)
    return None


def _tangled(edges: Mapping[str, Mapping[str, Edge]]) -> list[str]:
    """The steps left when those that wait for nothing, and then those that waited only for them, are taken away."""
    waits = {reader: len(needed) for reader, needed in edges.items()}
    readers: dict[str, list[str]] = {reader: [] for reader in edges}
    for reader, needed_by in edges.items():
        for needed in needed_by:
            readers[needed].append(reader)
    free = [reader for reader, count in waits.items() if count == 0]
    while free:
        for reader in readers[free.pop()]:
            waits[reader] -= 1
            if waits[reader] == 0:
                free.append(reader)
    return [reader for reader, count in waits.items() if count > 0]


def _walk_back(came_by: Mapping[str, Edge], start: str) -> list[Edge]:
    circle = [came_by[start]]
    while circle[-1].waiting != start:
        circle.append(came_by[circle[-1].waiting])
    return circle[::-1]


def br234_no_result_yet(view: View) -> Iterable[Diagnostic]:
    """A step's result is read where it cannot exist: inside the step itself, or before any step runs."""
    for use in view.uses:
        if use.path[0] != "steps":
            continue
        if use.place.role in {"defaults", "server", "server_secret", "model"}:
            message = "no step has a result here: this is settled before the first step starts"
            by_matrix = use.place.role == "model" and use.place.step is not None
            hint = (
                "use `inputs`, or a `matrix` of models" if by_matrix else "use `inputs`, or move the text into a step"
            )
            yield view.finding("BR234", message, view.use_span(use), help=hint)
        elif use.place.step is not None and len(use.path) > 1 and use.path[1] == _reader(view, use).id:
            yield _reads_itself(view, use)


def _reads_itself(view: View, use: Use) -> Diagnostic:
    step = _reader(view, use)
    hint = "write `output` for the answer that is checked" if use.place.role == "expect" else "name another step"
    return view.finding("BR234", f"step `{step.id}` reads its own result", view.use_span(use), help=hint)
