"""The graph in Graphviz's language; we write it and do not need the program."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator

from runner.plan.edges import EdgeKind
from runner.show.graph.colour import model_legend, tint, tints
from runner.show.graph.graph import MEANING, Box, Diagram, Line

_SHAPES = {"task": "box", "tool": "component", "run": "box", "workflow": "folder", "approve": "hexagon"}
_LOOKS: dict[EdgeKind, str] = {"written": "solid", "inferred": "dashed", "when": "dotted"}
_ASKS = ("#FFF3BF", "#B08900")
_PLAIN = ("#F3F4F6", "#6B7280")


def graph_dot(view: Diagram) -> str:
    """The digraph, ending in a newline. The name of a node is its key; a called workflow is ``cluster:<key>``.

    Lines of a cluster begin and end at steps inside it (``ltail``, ``lhead``), for Graphviz knows no others.
    """
    text = _Text(view)
    parts = [
        f"digraph {_quoted(view.name)} {{",
        "  compound=true; rankdir=TB; nodesep=0.35; ranksep=0.55;",
        '  graph [fontname="Helvetica", fontsize=12, style=rounded, color="#9CA3AF"];',
        '  node [fontname="Helvetica", fontsize=11, style="filled,rounded", margin="0.18,0.09"];',
        '  edge [color="#4B5563", arrowsize=0.8];',
        *text.nodes(view, "  "),
        *text.edges(),
        *_legend(view),
        "}",
    ]
    return "\n".join(parts) + "\n"


class _Text:
    def __init__(self, view: Diagram) -> None:
        self._boxes = {box.key: box for box in view.every_box}
        self._lines = list(view.every_line)
        self._indexes = tints(view)

    def nodes(self, view: Diagram, indent: str) -> Iterator[str]:
        """All boxes, the clusters with what is in them."""
        for box in view.boxes:
            if box.inner is None:
                yield f"{indent}{_quoted(box.key)} [{self._look(box)}];"
                continue
            yield f"{indent}subgraph {_quoted(f'cluster:{box.key}')} {{"
            yield f'{indent}  label={_label(_words(box))}; labeljust="l";'
            yield from self.nodes(box.inner, f"{indent}  ")
            yield f"{indent}}}"

    def _look(self, box: Box) -> str:
        fill, colour = _ASKS if box.kind == "approve" else _PLAIN
        if box.model is not None:
            fill, colour = tint(self._indexes[box.model.id]).pale, tint(self._indexes[box.model.id]).strong
        look = f'label={_label(_words(box))}, shape={_SHAPES[box.kind]}, fillcolor="{fill}", color="{colour}"'
        if box.cleans_up:
            look += ', style="filled,dashed", penwidth=1.6'
        return look + (", peripheries=2" if box.many else "")

    def edges(self) -> Iterator[str]:
        """All lines."""
        for line in self._lines:
            tail, head = self._boxes[line.source], self._boxes[line.target]
            look = f"style={_LOOKS[line.kind]}"
            if tail.inner is not None:
                look += f", ltail={_quoted(f'cluster:{tail.key}')}"
            if head.inner is not None:
                look += f", lhead={_quoted(f'cluster:{head.key}')}"
            yield f"  {_quoted(_last(tail))} -> {_quoted(_first(head))} [{look}];"


def _first(box: Box) -> str:
    """A step that waits for nothing inside the box."""
    if box.inner is None:
        return box.key
    waiting = {line.target for line in box.inner.lines}
    return _first(next(one for one in box.inner.boxes if one.key not in waiting))


def _last(box: Box) -> str:
    """The lowest step inside the box, so that what comes after the box stands below all of it."""
    if box.inner is None:
        return box.key
    levels = _levels(box.inner.lines)
    return _last(max(box.inner.boxes, key=lambda one: levels.get(one.key, 0)))


def _levels(lines: Iterable[Line]) -> dict[str, int]:
    """For each box that waits for others the length of the longest way to it."""
    needs: dict[str, list[str]] = {}
    for line in lines:
        needs.setdefault(line.target, []).append(line.source)
    levels: dict[str, int] = {}
    left = dict(needs)
    while left:
        settled = [key for key, those in left.items() if not any(one in left for one in those)]
        for key in settled:
            levels[key] = 1 + max(levels.get(one, 0) for one in left.pop(key))
    return levels


def _words(box: Box) -> Iterator[str]:
    yield f"{box.id} · {box.kind}"
    yield from filter(None, (box.title, box.model.label if box.model is not None else box.subject, *box.notes))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _label(lines: Iterable[str]) -> str:
    """Graphviz reads entities in a label (``&lt;``) and signs after a backslash (``\\n``, ``\\N``)."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in lines)
    return '"' + "\\n".join(escaped) + '"'


def _legend(view: Diagram) -> Iterator[str]:
    rows = [
        f'<TR><TD BGCOLOR="{tint(index).pale}" COLOR="{tint(index).strong}" ALIGN="LEFT">{html.escape(words)}</TD></TR>'
        for index, words in model_legend(view)
    ]
    looks = (f"{_LOOKS[kind]}: {MEANING[kind]}" for kind in view.kinds)
    rows += [f'<TR><TD BORDER="0" ALIGN="LEFT">{html.escape(words)}</TD></TR>' for words in looks]
    if rows:
        table = f'<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="3" CELLPADDING="4">{"".join(rows)}</TABLE>'
        yield f'  ":legend" [shape=plain, style="", fontsize=10, label=<{table}>];'
