"""``bridge-run graph``: a workflow as a picture of what waits for what."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from runner.cli.options import no_color_option

if TYPE_CHECKING:
    from runner.show.graph.graph import GraphFormat


@click.command(name="graph", short_help="Draw a workflow's graph.")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option(
    "--format",
    type=click.Choice(["ascii", "mermaid", "dot", "svg"]),
    help="What to draw it as.  [by the ending of -o, else ascii]",
)
@click.option("--depth", type=click.IntRange(0), metavar="N", help="Show called workflows so deep.  [all]")
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Write it to a file: .svg, .mmd, .dot, .txt.")
@no_color_option
def command(*, file: str, format: GraphFormat | None, depth: int | None, output: str | None, no_color: bool) -> int:
    """Draw the steps of a workflow, what each waits for and why; check the file first, and run nothing.

    On the terminal every step is a row, with rails at its side. Called workflows are drawn inside the steps that call
    them.
    """
    from runner.app.graph import GraphRequest, draw

    request = GraphRequest(file=file, format=format, depth=depth, output=output, colour=not no_color)
    return draw(request, os.environ)
