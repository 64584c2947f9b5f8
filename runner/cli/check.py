"""``bridge-run check``: everything that can be known about workflow files without running them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from runner.app.request import CheckFormat, CheckRequest
from runner.cli.locked_option import LockedCommand, locked_option
from runner.cli.options import config_option, endpoint_option, model_option, no_color_option, simulate_option

if TYPE_CHECKING:
    from runner.app.check.check import Report


@click.command(name="check", cls=LockedCommand, short_help="Check workflow files.")
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path())
@click.option("--offline", is_flag=True, help="Check all but the models; ask no server.")
@click.option("--tools", is_flag=True, help="Start the tool servers and see what they offer.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@locked_option
@model_option
@endpoint_option
@config_option
@simulate_option
@click.option("--fix", is_flag=True, help="Repair what can be repaired for certain, then check.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: take out what is not used, too.")
@click.option(
    "--format",
    type=click.Choice(["text", "json", "github", "sarif", "junit"]),
    default="text",
    help="Findings for people, programs, annotations on GitHub, code scanning, or test reports.",
)
@click.option("--output-file", metavar="FILE", type=click.Path(), help="Write them there; the text is shown as well.")
@no_color_option
def command(
    *,
    paths: tuple[str, ...],
    offline: bool,
    tools: bool,
    strict: bool,
    locked: str | None,
    models: tuple[str, ...],
    endpoints: tuple[str, ...],
    config: str | None,
    simulate: str | None,
    fix: bool,
    diff: bool,
    unsafe_fixes: bool,
    format: CheckFormat,
    output_file: str | None,
    no_color: bool,
) -> int:
    """Check workflow files, the models they name and the commands of their tool servers; run nothing.

    Folders are searched for *.yaml and *.yml; without a name it is the folder `workflows`.
    """
    request = CheckRequest(
        paths=paths,
        models=models,
        endpoints=endpoints,
        config=config,
        simulate=simulate,
        offline=offline,
        tools=tools,
        strict=strict,
        locked=locked,
        format=format,
        output_file=output_file,
        fix=fix,
        diff=diff,
        unsafe_fixes=unsafe_fixes,
        colour=not no_color,
    )
    _refuse_what_excludes(request)
    return _check(request)


def _refuse_what_excludes(request: CheckRequest) -> None:
    if request.fix and request.diff:
        raise click.UsageError("`--fix` and `--diff` exclude each other: the second only shows what the first would do")
    if request.unsafe_fixes and not (request.fix or request.diff):
        raise click.UsageError("`--unsafe-fixes` belongs to `--fix` or `--diff`")
    if request.diff and request.format != "text" and request.output_file is None:
        raise click.UsageError(f"`--diff` and `--format {request.format}` both want stdout: add `--output-file FILE`")


def _check(request: CheckRequest) -> int:
    from runner.app.check.report import tell_report

    report = _report(request)
    if request.fix or request.diff:
        from runner.app.check.fix import fix_files

        if fix_files(report, request):
            report = _report(request)
    return tell_report(report, request, os.environ)


def _report(request: CheckRequest) -> Report:
    if request.locked is None:
        from runner.app.check.check import check

        return check(request, os.environ)
    asks = {"--offline": request.offline, "--tools": request.tools, "--simulate": request.simulate is not None}
    other = next((option for option, given in asks.items() if given), None)
    if other is not None:
        raise click.UsageError(f"`--locked` and `{other}` exclude each other: the lock file stands in for all servers")
    from runner.app.lock.check import check_locked

    return check_locked(request, os.environ)
