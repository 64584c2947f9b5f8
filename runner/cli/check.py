"""``bridge-run check``: everything that can be known about workflow files without running them."""

from __future__ import annotations

import os

import click

from runner.app.request import CheckRequest, Format
from runner.cli.options import config_option, endpoint_option, model_option, no_color_option, simulate_option


@click.command(name="check", short_help="Check workflow files.")
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path())
@click.option("--offline", is_flag=True, help="Check all but the models; ask no server.")
@click.option("--tools", is_flag=True, help="Start the tool servers and see what they offer.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
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
    from runner.app.check import check
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
        format=format,
        colour=not no_color,
    )
    return tell_report(check(request, os.environ), request, os.environ)
