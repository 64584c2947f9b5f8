"""``bridge-run FILE``: run a workflow, or show its plan."""

from __future__ import annotations

import os

import click

from runner.app.request import Format, RunRequest
from runner.cli.options import (
    answer_option,
    config_option,
    endpoint_option,
    model_option,
    no_color_option,
    output_option,
    quiet_option,
    run_dir_option,
    simulate_option,
    yes_option,
)


@click.command(name="run", short_help="Run a workflow.", context_settings={"allow_extra_args": True})
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("-i", "--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input; @FILE reads the value.")
@click.option("--inputs", "inputs_file", metavar="FILE", type=click.Path(), help="Inputs from a YAML or JSON file.")
@click.option("--dry-run", is_flag=True, help="Show the plan and run nothing.")
@click.option("--offline", is_flag=True, help="With --dry-run: leave the models out.")
@click.option("--tools", is_flag=True, help="With --dry-run: start the tool servers and see what they offer.")
@model_option
@endpoint_option
@config_option
@simulate_option
@click.option("--faults", metavar="NAMES", help="Rehearse against faults of the server: NAME[,NAME], `all`, or `list`.")
@answer_option
@yes_option
@output_option
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="With --dry-run: the plan.")
@click.option("--keep-loaded", is_flag=True, help="Leave the models loaded that the run loads.")
@quiet_option
@run_dir_option
@no_color_option
@click.pass_context
def command(
    context: click.Context,
    *,
    file: str,
    inputs: tuple[str, ...],
    inputs_file: str | None,
    dry_run: bool,
    offline: bool,
    tools: bool,
    models: tuple[str, ...],
    endpoints: tuple[str, ...],
    config: str | None,
    simulate: str | None,
    faults: str | None,
    answers: tuple[str, ...],
    yes: bool,
    output: Format,
    format: Format,
    keep_loaded: bool,
    quiet: bool,
    run_dir: str,
    no_color: bool,
) -> int:
    """Run the workflow in FILE; its outputs go to stdout, all else to stderr."""
    if context.args:
        _refuse_more(context.args[0])
    request = RunRequest(
        file=file,
        inputs=inputs,
        inputs_file=inputs_file,
        models=models,
        endpoints=endpoints,
        config=config,
        simulate=simulate,
        faults=faults,
        dry_run=dry_run,
        offline=offline,
        tools=tools,
        answers=answers,
        yes=yes,
        output=output,
        format=format,
        keep_loaded=keep_loaded,
        quiet=quiet,
        run_dir=run_dir,
        colour=not no_color,
    )
    _refuse_contradictions(request)
    return _carry_out(request)


def _refuse_more(word: str) -> None:
    ways = f"an input is given by `-i {word}`" if "=" in word else "`bridge-run check` takes several"
    raise click.UsageError(f"a run takes one file, and `{word}` is left over; {ways}")


def _refuse_contradictions(asked: RunRequest) -> None:
    """Options that make no sense together."""
    if asked.faults is not None and (asked.dry_run or asked.endpoints):
        other = "--dry-run" if asked.dry_run else "--endpoint"
        raise click.UsageError(f"`--faults` and `{other}` exclude each other")
    if not asked.dry_run and (asked.offline or asked.tools or (asked.format != "text" and asked.faults is None)):
        name = "--offline" if asked.offline else "--tools" if asked.tools else "--format"
        raise click.UsageError(f"`{name}` belongs to `--dry-run`")


def _carry_out(request: RunRequest) -> int:
    if request.faults is not None:
        return _rehearse(request)
    return _show_plan(request) if request.dry_run else _run(request)


def _rehearse(request: RunRequest) -> int:
    """The faults one by one; ``list`` only names them."""
    from runner.app.faults import fault_list, rehearse_faults

    if request.faults == "list":
        click.echo(fault_list())
        return 0
    return rehearse_faults(request, os.environ)


def _run(request: RunRequest) -> int:
    from runner.app.run import run_workflow

    return run_workflow(request)


def _show_plan(request: RunRequest) -> int:
    from runner.app.dry_run import dry_run, tell_plan

    plan, notes = dry_run(request, os.environ)
    tell_plan(plan, notes, request, os.environ)
    return 0
