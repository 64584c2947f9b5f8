"""Workflows of any shape with the graph that they have, and readers that get the graph back out of a drawing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from runner.plan.edges import EdgeKind
from runner.workflow.fan_out import FanOut, ForEach, Matrix, Repeat
from runner.workflow.model import (
    ApproveWork,
    CallWork,
    ModelWish,
    OnError,
    RunWork,
    Step,
    TaskWork,
    ToolWork,
    Work,
    Workflow,
)

Line = tuple[str, str, EdgeKind]
IDS = st.from_regex(r"\A[a-z][a-z0-9_]{0,12}\Z")
WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from([
        '"quoted" \\N \\', "<b>&amp;</b>", "a\nb\r\n\tc", "設計を見直す", "👩‍👩‍👧 🚀", "%%{init: {}}%%",
        "`md` 1. - x", "--> end", "]]> #35; #quot;", "\x1b[31m\x00\u202e\ufeff\uffff",
        "e\u0301" * 9, "W" * 90, "'; DROP", "{{ x", "x" * 300,
    ]),
)  # fmt: skip


@dataclass(frozen=True)
class Graphed:
    """A workflow, the keys of its steps and its lines, called workflows included."""

    workflow: Workflow
    keys: frozenset[str]
    lines: frozenset[Line]


def call(step_id: str, callee: Workflow, **fields: Any) -> Step:
    """A step that calls a workflow."""
    return Step(id=step_id, path=(), work=CallWork(file=f"./{callee.name}.yaml", callee=callee), **fields)


def task(step_id: str, *reads: str, model: str | None = "coder", needs: Sequence[str] = (), **fields: Any) -> Step:
    """A task that reads some steps and names others under ``needs``."""
    text = " ".join(f"{{{{ steps.{one}.output }}}}" for one in reads)
    both = tuple(dict.fromkeys((*reads, *needs)))
    return Step(
        id=step_id, path=(), work=TaskWork(task=text, model=model), needs=both, written_needs=tuple(needs), **fields
    )


def workflow(*steps: Step, name: str = "w", **fields: Any) -> Workflow:
    """A workflow of these steps, with two models."""
    models = {
        "coder": ModelWish(id="qwen/qwen3-coder-30b", path=(), alias="coder"),
        "thinker": ModelWish(id="mistralai/magistral-small-2509", path=(), alias="thinker"),
    }
    return Workflow(name=name, file=f"{name}.yaml", folder=".", steps=steps, models=models, **fields)


def _work(draw: Any, text: str, callees: st.SearchStrategy[Graphed] | None) -> tuple[Work, Graphed | None]:
    words = draw(WORDS)
    kind = draw(st.sampled_from(["task", "tool", "run", "approve", *(["workflow"] if callees is not None else [])]))
    if kind == "workflow" and callees is not None:
        called = draw(callees)
        return CallWork(file=words or "x", callee=called.workflow, given={"x": [text]}), called
    works: dict[str, Work] = {
        "task": TaskWork(task=text, model=draw(st.sampled_from([None, "coder", "thinker", "a/b", ("coder", words)]))),
        "tool": ToolWork(server="files", tool="read", arguments={"path": text, "more": {"x": 1}}),
        "run": RunWork(argv=("echo", words, text)),
        "approve": ApproveWork(question=f"{words}{text}", default=draw(st.sampled_from([None, "yes"]))),
    }
    return works[kind], None


@st.composite
def graphed(draw: Any, depth: int = 2) -> Graphed:
    """Any workflow with calls down to ``depth``, its texts as bad as they can be."""
    callees = graphed(depth - 1) if depth > 0 else None
    ids = draw(st.lists(IDS, min_size=1, max_size=5 if depth < 2 else 7, unique=True))
    steps, keys, lines = [], set(ids), set()
    for index, step_id in enumerate(ids):
        needs = {
            need: draw(st.sampled_from(["written", "inferred", "when"])) for need in ids[:index] if draw(st.booleans())
        }
        lines |= {(need, step_id, kind) for need, kind in needs.items()}
        text = " ".join(f"{{{{ steps.{need}.output }}}}" for need, kind in needs.items() if kind == "inferred")
        when = " and ".join(f"steps.{need}.output" for need, kind in needs.items() if kind == "when") or None
        work, called = _work(draw, text, callees)
        if called is not None:
            keys |= {f"{step_id}/{key}" for key in called.keys}
            lines |= {(f"{step_id}/{source}", f"{step_id}/{target}", kind) for source, target, kind in called.lines}
        steps.append(
            Step(
                id=step_id,
                path=("steps", index),
                work=work,
                name=draw(st.one_of(st.none(), WORDS)),
                needs=tuple(needs),
                written_needs=tuple(need for need, kind in needs.items() if kind == "written"),
                when=when,
                join=draw(st.sampled_from(["all_succeeded", "none_failed", "any_succeeded", "all_finished"])),
                fan_out=draw(st.sampled_from([None, ITEMS, ROWS])),
                repeat=draw(st.sampled_from([None, Repeat(until="output == 'ok'", most=3)])),
                on_error=draw(st.builds(OnError, do=st.sampled_from(["fail", "continue", "output"]), output=WORDS)),
            )
        )
    return Graphed(workflow(*draw(st.permutations(steps))), frozenset(keys), frozenset(lines))


ITEMS = FanOut(over=ForEach(items=("a", "b")), max_parallel=1)
ROWS = FanOut(over=Matrix(axes={"os": ("linux", "mac"), "fast": (True, False)}))


def read_mermaid(text: str) -> tuple[list[str], list[Line]]:
    """The keys and the lines of a flowchart; fails at a line that is none of what we write."""
    keys, lines, dashes = [], [], {}
    for row in text.split("\n")[1:-1]:
        if found := re.fullmatch(r"  linkStyle ([\d,]+) stroke-dasharray:(.+)", row):
            dashes |= dict.fromkeys(map(int, found[1].split(",")), found[2])
        elif found := re.fullmatch(r"  s_(\w+) (?:-->|-\.->|-\. when \.->) s_(\w+)", row):
            lines.append((found[1], found[2]))
        elif found := re.fullmatch(
            r' +(?:subgraph )?s_(\w+)(?:\["|\[/"|\("|\[\["|\{\{")(.*)(?:"\]|"/\]|"\)|"\]\]|"\}\})', row
        ):
            keys.append(_key(found[1]))
            assert not set(found[2].replace("<br/>", "")) & set('"<>`&%[]{}'), row
        else:
            assert re.fullmatch(r' +end|  subgraph m_legend\["Legend"\]|    m_\w+\[".*"\]|  class(Def)? .*', row), row
    kinds: dict[str | None, EdgeKind] = {None: "written", "7 4": "inferred", "1.5 4": "when"}
    return keys, [(_key(a), _key(b), kinds[dashes.get(number)]) for number, (a, b) in enumerate(lines)]


def _key(name: str) -> str:
    return name.replace("_IN_", "/")


_STRING = r'"((?:[^"\\]|\\.)*)"'


def read_dot(text: str) -> tuple[list[str], list[Line]]:
    """Likewise of a digraph; lines between clusters are taken back to the calling steps."""
    keys: list[str] = []
    lines: list[Line] = []
    kinds: dict[str, EdgeKind] = {"solid": "written", "dashed": "inferred", "dotted": "when"}
    ends = r"(?:, ltail=\"cluster:([\w/]+)\")?(?:, lhead=\"cluster:([\w/]+)\")?"
    depth = 0
    for row in text.split("\n")[:-1]:
        depth += len(re.findall(r"\{$", row)) - (row.strip() == "}")
        if found := re.fullmatch(rf' +"([\w/]+)" -> "([\w/]+)" \[style=(\w+){ends}\];', row):
            lines.append((found[4] or found[1], found[5] or found[2], kinds[found[3]]))
        elif found := re.fullmatch(rf' +(?:"([\w/]+)" \[label={_STRING}, .*\];|subgraph "cluster:([\w/]+)" \{{)', row):
            keys.append(found[1] or found[3])
        elif row.startswith('  ":legend"'):
            ElementTree.fromstring(row.partition("label=<")[2].removesuffix(">];"))
        else:
            head = rf"digraph {_STRING} \{{|  compound=.*|  (graph|node|edge) \[.*\];"
            assert re.fullmatch(rf'{head}| +label={_STRING}; labeljust="l";| *\}}', row), row
    assert depth == 0
    return keys, lines


def read_svg(text: str) -> tuple[list[str], list[Line]]:
    """Likewise of a picture; a step of a called workflow has to lie in the group of the step that calls it."""
    root = ElementTree.fromstring(text)
    keys: list[str] = []

    def visit(element: ElementTree.Element, within: str) -> None:
        key = element.get("data-step")
        if key is not None:
            assert key.rpartition("/")[0] == within
            keys.append(key)
        for part in element:
            visit(part, within if key is None else key)

    visit(root, "")
    found = [path.attrib for path in root.iter("{http://www.w3.org/2000/svg}path") if "data-from" in path.attrib]
    return keys, [(one["data-from"], one["data-to"], one["data-kind"]) for one in found]  # type: ignore[misc]


_UP, _DOWN = "│├┤┼┴╰╯", "│├┤┼╮"


def read_rails(lines: Sequence[str], steps: Sequence[str]) -> set[tuple[str, str]]:
    """The pairs that a picture of rails shows to somebody who follows its strokes from cell to cell.

    Whoever ends a stroke at a rail belongs to it: an arrow at the step says that it takes from there.
    """
    wide = max(map(len, lines)) + 2
    grid = [line.ljust(wide) for line in lines]
    names = iter(steps)
    gives: dict[tuple[int, int], set[str]] = {}
    takes: dict[tuple[int, int], set[str]] = {}
    rail: dict[tuple[int, int], tuple[int, int]] = {}
    for y, line in enumerate(grid):
        for x in range(0, wide, 2):
            if line[x] in _UP + "╮":
                above = y > 0 and line[x] in _UP and grid[y - 1][x] in _DOWN
                rail[y, x] = rail[y - 1, x] if above else (y, x)
    node, node_at = "", -1
    for y, line in enumerate(grid):
        if "●" in line:
            node, node_at = next(names), line.index("●")
            if y > 0 and grid[y - 1][node_at] in _DOWN:
                takes.setdefault(rail[y - 1, node_at], set()).add(node)
            # A corner in a line without a step is where a line of this step's own begins, see below.
            below = grid[y + 1] if y + 1 < len(grid) else ""
            if below and below[node_at] in ("│├┤┼┴╰╯" if "●" in below else "│"):
                gives.setdefault(rail[y + 1, node_at], set()).add(node)
        for side in (-1, 1):
            first = line[node_at + side] if node_at + side >= 0 else " "
            if first in "▸◂─":
                into = takes if first != "─" else gives
                for cell in _touched(line, node_at, side):
                    into.setdefault(rail[y, cell], set()).add(node)
    return {(source, target) for one, those in takes.items() for target in those for source in gives.get(one, ())}


def _touched(line: str, start: int, side: int) -> list[int]:
    cells, cell = [], start + side
    while line[cell] in "─▸◂│├┤┼┴╰╯╮":
        if line[cell] in "├┤┼┴╰╯╮":
            cells.append(cell)
            if line[cell] not in "┼┴":
                break
        cell += side
    return cells
