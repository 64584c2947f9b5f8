"""The graph as a Mermaid flowchart, which GitHub, GitLab and many editors draw from text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.plan.edges import EdgeKind
from runner.show.graph.colour import model_legend, tint, tints
from runner.show.graph.graph import MEANING, Box, Diagram

_SHAPES = {
    "task": ('["', '"]'),
    "tool": ('[/"', '"/]'),
    "run": ('("', '")'),
    "workflow": ('[["', '"]]'),
    "approve": ('{{"', '"}}'),
}
_ARROWS: dict[EdgeKind, str] = {"written": "-->", "inferred": "-.->", "when": "-. when .->"}
_DASHES: dict[EdgeKind, str] = {"inferred": "stroke-dasharray:7 4", "when": "stroke-dasharray:1.5 4"}
_LOOKS: dict[EdgeKind, str] = {"written": "solid", "inferred": "dashed", "when": "dotted"}
# Mermaid reads `#34;` as a character, and everything else that it could take for a sign of its own goes that way.
_SIGNS = re.compile(r"[^\w .,:/=()-]", re.ASCII)


def graph_mermaid(view: Diagram) -> str:
    """The flowchart, ending in a newline. Names of nodes are ``s_`` and the key, with ``_IN_`` for ``/``."""
    parts = [
        "flowchart TD",
        *_nodes(view, "  "),
        *(f"  {_id(line.source)} {_ARROWS[line.kind]} {_id(line.target)}" for line in view.every_line),
        *_legend(view),
        *_styles(view),
    ]
    return "\n".join(parts) + "\n"


def _nodes(view: Diagram, indent: str) -> Iterator[str]:
    for box in view.boxes:
        if box.inner is None:
            opening, closing = _SHAPES[box.kind]
            yield f"{indent}{_id(box.key)}{opening}{_label(_words(box))}{closing}"
        else:
            title = _escaped(" · ".join(_words(box)))  # a second line would stand on what is inside
            yield f'{indent}subgraph {_id(box.key)}["{title}"]'
            yield from _nodes(box.inner, f"{indent}  ")
            yield f"{indent}end"


def _id(key: str) -> str:
    return "s_" + key.replace("/", "_IN_")


def _words(box: Box) -> Iterator[str]:
    yield f"{box.id} · {box.kind}"
    yield from filter(None, (box.title, box.model.label if box.model is not None else box.subject, *box.notes))


def _label(lines: Iterable[str]) -> str:
    return "<br/>".join(map(_escaped, lines))


def _escaped(text: str) -> str:
    return _SIGNS.sub(lambda found: found[0] if ord(found[0]) > 0x7F else f"#{ord(found[0])};", text)


def _legend(view: Diagram) -> Iterator[str]:
    """Boxes of their own, whose ids begin with ``m_``; the lines in words."""
    models = model_legend(view)
    looks = [f"{_LOOKS[kind]}: {MEANING[kind]}" for kind in view.kinds]
    if not models and len(looks) < 2:
        return
    yield '  subgraph m_legend["Legend"]'
    for index, words in models:
        yield f'    m_{index}["{_escaped(words)}"]'
    if looks:
        yield f'    m_lines["{_label(looks)}"]'
    yield "  end"


def _styles(view: Diagram) -> Iterator[str]:
    lines = list(view.every_line)
    for kind, dashes in _DASHES.items():
        numbers = ",".join(str(number) for number, line in enumerate(lines) if line.kind == kind)
        if numbers:
            yield f"  linkStyle {numbers} {dashes}"
    boxes = list(view.every_box)
    indexes = tints(view)
    for index, _ in model_legend(view):
        ids = [_id(box.key) for box in boxes if box.model is not None and indexes[box.model.id] == index]
        yield f"  classDef model{index} fill:{tint(index).pale},stroke:{tint(index).strong},color:#111"
        yield f"  class {','.join((*ids, f'm_{index}'))} model{index}"
    asking = [_id(box.key) for box in boxes if box.kind == "approve"]
    if asking:
        yield "  classDef asks fill:#FFF3BF,stroke:#B08900,color:#111,stroke-width:3px"
        yield f"  class {','.join(asking)} asks"
    cleaning = [_id(box.key) for box in boxes if box.cleans_up]
    if cleaning:
        yield "  classDef cleans stroke-dasharray:6 3,stroke-width:2px"
        yield f"  class {','.join(cleaning)} cleans"
