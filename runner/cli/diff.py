"""``bridge-run diff RUN RUN``: how two runs differ."""

from __future__ import annotations

import os

import click

from runner.app.request import Format
from runner.cli.options import no_color_option, run_dir_option


@click.command(name="diff", short_help="Say how two runs differ.")
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="[RUN]", required=False)
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@run_dir_option
@no_color_option
def command(*, before: str, after: str | None, format: Format, run_dir: str, no_color: bool) -> int:
    """Say what went otherwise in the second run: statuses, outputs word by word, models, tool calls, tokens, time.

    A RUN is an id, the beginning of one, a folder, `last`, or `last~1` for the one before; the second is the last one
    if it is left out. Exit codes: 0 the same, 1 different; tokens and time alone are no difference.
    """
    from runner.app.diff_runs import DiffRequest, diff_runs

    request = DiffRequest(before=before, after=after, format=format, run_dir=run_dir, colour=not no_color)
    return diff_runs(request, os.environ)
