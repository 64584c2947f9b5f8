"""``bridge-run graph``: from a file to a picture of it; no server is asked."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from runner.app.console import allows_colour, say, tell
from runner.app.files import one_file
from runner.app.problem import tell_findings
from runner.show.graph.graph import Diagram, GraphFormat, box_count, diagram
from runner.words.errors import UsageError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.workflow.load import load
from runner.workflow.model import Workflow

_ENDINGS: Mapping[str, GraphFormat] = {
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".txt": "ascii",
}
_COLUMNS = 80
"""Cells of a line where nobody says how wide the screen is."""
_MOST_STEPS = 5_000
"""More than that nobody can look at; calls of calls can be far more."""
_SIGNS = "●◆■▶│─┼├┤┴╰╯╮▸◂╓║╙×·…"


@noun
class GraphRequest:
    """``bridge-run graph FILE``: ``format`` None is that of the ending of ``output``, else ``ascii``.

    ``depth`` is how many levels of called workflows are drawn, None = all; ``output`` None or ``-`` = stdout.
    """

    file: str
    format: GraphFormat | None = None
    depth: int | None = None
    output: str | None = None
    colour: bool = True


def draw(request: GraphRequest, environment: Mapping[str, str]) -> int:
    """Check the file and draw it, to stdout or into a file; returns the exit code.

    Raises:
        WorkflowError: the file is at fault, or one that it calls.
        UsageError: it does not exist, the drawing cannot be written, or it would be too large.
    """
    form = _format(request)
    loaded = load(one_file(request.file))
    tell_findings(loaded.warnings, colour=allows_colour(sys.stderr, environment, wanted=request.colour))
    view = diagram(loaded.workflow, _bounded(loaded.workflow, request.depth))
    if request.output in (None, "-"):
        colour = allows_colour(sys.stdout, environment, wanted=request.colour)
        say(_drawn(view, form, colour=colour, plain=not _can_show(_SIGNS)))
    else:
        _write(request.output, _drawn(view, form), request.file)
        tell(f"{loaded.workflow.name}: drawn in {request.output} ({form})")
    return Exit.OK


def _format(request: GraphRequest) -> GraphFormat:
    if request.format is not None or request.output in (None, "-"):
        return request.format or "ascii"
    ending = Path(request.output).suffix.lower()
    if ending not in _ENDINGS:
        known = ", ".join(_ENDINGS)
        raise UsageError(
            f"`{request.output}` does not say what to draw: its ending is none of {known}",
            hint="choose by `--format ascii|mermaid|dot|svg`",
        )
    return _ENDINGS[ending]


def _bounded(workflow: Workflow, depth: int | None) -> int | None:
    """The depth, if so many steps can be drawn."""
    count = box_count(workflow, depth)
    if count > _MOST_STEPS:
        hint = "show less of what it calls: `--depth 0` draws the file alone" if depth != 0 else None
        raise UsageError(f"{count:,} steps are too many to draw (at most {_MOST_STEPS:,})", hint=hint)
    return depth


def _drawn(view: Diagram, form: GraphFormat, *, colour: bool = False, plain: bool = False) -> str:
    """Each way to draw is imported when it is asked for."""
    if form == "svg":
        from runner.show.graph.svg import graph_svg

        return graph_svg(view)
    if form == "dot":
        from runner.show.graph.dot import graph_dot

        return graph_dot(view)
    if form == "mermaid":
        from runner.show.graph.mermaid import graph_mermaid

        return graph_mermaid(view)
    from runner.show.graph.ascii import graph_text

    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else _COLUMNS
    return graph_text(view, columns, colour=colour, plain=plain)


def _can_show(signs: str) -> bool:
    try:
        signs.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _write(path: str, text: str, source: str) -> None:
    if os.path.exists(path) and os.path.samefile(path, source):  # noqa: PTH110, PTH121 - what was typed
        raise UsageError(f"`{path}` is the workflow itself", hint="draw it into another file")
    try:
        Path(path).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write `{path}`: {error.strerror or error}", hint="choose another place") from error
