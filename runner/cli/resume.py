"""``bridge-run resume RUN``: go on with a run that paused, failed or was ended."""

from __future__ import annotations

from typing import Any

import click

from runner.app.request import Format, ResumeRequest
from runner.cli.options import (
    answer_option,
    no_color_option,
    output_option,
    quiet_option,
    run_dir_option,
    yes_option,
)
from runner.cli.watch_options import taken, watch_options


@click.command(name="resume", short_help="Go on with a run.")
@click.argument("run", metavar="RUN")
@answer_option
@yes_option
@click.option("--changed", is_flag=True, help="Go on although the workflow file has changed since.")
@output_option
@quiet_option
@run_dir_option
@watch_options
@no_color_option
def command(
    *,
    run: str,
    answers: tuple[str, ...],
    yes: bool,
    changed: bool,
    output: Format,
    quiet: bool,
    run_dir: str,
    no_color: bool,
    **watch: Any,
) -> int:
    """Go on with RUN: an id of a run, the beginning of one, its folder, `last`, or `last~1`.

    What is done stays done. Models, servers and inputs are those that the run began with.
    """
    from runner.app.resume import resume_run
    from runner.app.run.watched import run_watched

    return run_watched(
        ResumeRequest(
            run=run,
            answers=answers,
            yes=yes,
            changed=changed,
            output=output,
            quiet=quiet,
            run_dir=run_dir,
            colour=not no_color,
            watch=taken(watch),
        ),
        resume_run,
    )
