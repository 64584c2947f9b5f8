"""``bridge-run check``: everything that can be known about workflow files without running them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from runner.app.request import CheckRequest, Format
from runner.cli.locked_option import LockedCommand, locked_option
from runner.cli.options import config_option, endpoint_option, model_option, no_color_option, simulate_option

if TYPE_CHECKING:
    from runner.app.check import Report


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
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="Findings for people or machines.")
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
    format: Format,
    no_color: bool,
) -> int:
    """Check workflow files, the models they name and the commands of their tool servers; run nothing.

    Folders are searched for *.yaml and *.yml; without a name it is the folder `workflows`.
    """
    from runner.app.report import tell_report

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
        colour=not no_color,
    )
    return tell_report(_report(request), request, os.environ)


def _report(request: CheckRequest) -> Report:
    if request.locked is None:
        from runner.app.check import check

        return check(request, os.environ)
    asks = {"--offline": request.offline, "--tools": request.tools, "--simulate": request.simulate is not None}
    other = next((option for option, given in asks.items() if given), None)
    if other is not None:
        raise click.UsageError(f"`--locked` and `{other}` exclude each other: the lock file stands in for all servers")
    from runner.app.lock_check import check_locked

    return check_locked(request, os.environ)
