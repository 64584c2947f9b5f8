"""``bridge-run test``: run test cases of workflows."""

from __future__ import annotations

import click

from runner.cli.options import no_color_option, quiet_option


@click.command(name="test", short_help="Run the test cases of workflows.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
@click.option("-k", "only", metavar="TEXT", default="", help="Only cases that have this in `file::name`.")
@click.option("--update", is_flag=True, help="Write snapshots that differ or are missing, and show what changed.")
@click.option("--repeat", metavar="N", type=click.IntRange(1, 100), default=1, help="Run each case N times; compare.")
@click.option("--jobs", metavar="N", type=click.IntRange(1, 64), help="Run N cases at once, each in a process.")
@click.option("--junit", metavar="FILE", type=click.Path(), help="Write a JUnit report too.")
@quiet_option
@no_color_option
def command(
    *,
    paths: tuple[str, ...],
    only: str,
    update: bool,
    repeat: int,
    jobs: int | None,
    junit: str | None,
    quiet: bool,
    no_color: bool,
) -> int:
    """Run every case of the *.test.yaml files in PATH, without models, tools or commands.

    Exit codes: 0 all passed, 1 a case failed, 3 a file is at fault.
    """
    from runner.app.cases.cases import TestRequest, run_tests

    request = TestRequest(
        paths=paths, only=only, update=update, repeat=repeat, jobs=jobs, junit=junit, quiet=quiet, colour=not no_color
    )
    return run_tests(request)
