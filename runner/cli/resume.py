"""``bridge-run resume RUN``: go on with a run that paused, failed or was ended."""

from __future__ import annotations

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


@click.command(name="resume", short_help="Go on with a run.")
@click.argument("run", metavar="RUN")
@answer_option
@yes_option
@click.option("--changed", is_flag=True, help="Go on although the workflow file has changed since.")
@output_option
@quiet_option
@run_dir_option
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
) -> int:
    """Go on with RUN: an id of a run, the beginning of one, its folder, or `last`.

    What is done stays done. Models, servers and inputs are those that the run began with.
    """
    from runner.app.resume import resume_run

    return resume_run(
        ResumeRequest(
            run=run,
            answers=answers,
            yes=yes,
            changed=changed,
            output=output,
            quiet=quiet,
            run_dir=run_dir,
            colour=not no_color,
        )
    )
