"""``bridge-run FILE``: run a workflow, or show its plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from runner.app.request import RunRequest, WatchOptions
from runner.cli.locked_option import run_locked_option
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
from runner.cli.replay_option import PARTS, RunCommand, replay_option
from runner.cli.watch_options import taken, watch_options


@click.command(name="run", cls=RunCommand, short_help="Run a workflow.", context_settings={"allow_extra_args": True})
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
@click.option("--rehearse", is_flag=True, help="Walk every branch with made-up answers; touch nothing outside.")
@click.option("--stubs", metavar="FILE", type=click.Path(), help="With --rehearse: what steps answer.")
@click.option("--stubs-init", is_flag=True, help="Write a file of stubs beside the workflow, and run nothing.")
@run_locked_option
@click.option("--record", is_flag=True, help="Write down all that passes, in `FILE`'s .recording.jsonl.")
@click.option("--step", "steps", multiple=True, metavar="ID", help="With --record: only this step; replay the others.")
@click.option("--re-record", "again", multiple=True, metavar="ID", help="The same as --record --step ID.")
@replay_option
@click.option("--recording", metavar="PATH", type=click.Path(), help="Where the recording lies, if not beside FILE.")
@click.option("--strict", is_flag=True, help="With --replay: fail if something recorded is not used.")
@answer_option
@yes_option
@output_option
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="With --dry-run: the plan.")
@click.option("--keep-loaded", is_flag=True, help="Leave the models loaded that the run loads.")
@quiet_option
@run_dir_option
@watch_options
@no_color_option
@click.pass_context
def command(context: click.Context, /, *, no_color: bool, again: tuple[str, ...], **given: Any) -> int:
    """Run the workflow in FILE; its outputs go to stdout, all else to stderr."""
    if context.args:
        _refuse_more(context.args[0], given)
    given |= {"steps": (*given["steps"], *again), "record": given["record"] or bool(again)}
    request = RunRequest(watch=taken(given), colour=not no_color, **given)  # every option has the name of its field
    _refuse_contradictions(request)
    return _carry_out(request)


def _refuse_more(word: str, given: Mapping[str, Any]) -> None:
    from runner.words.suggest import did_you_mean

    ways = f"an input is given by `-i {word}`" if "=" in word else "`bridge-run check` takes several"
    if word.endswith(".jsonl") and (given["record"] or given["replay"]):
        ways = f"`--recording {word}` says where the recording lies"
    elif given["replay"]:
        ways = did_you_mean(word, PARTS) or ways
    elif given["rehearse"]:
        ways = f"`--stubs {word}` takes the answers from there"
    raise click.UsageError(f"a run takes one file, and `{word}` is left over; {ways}")


def _refuse_contradictions(asked: RunRequest) -> None:
    """Options that make no sense together."""
    if asked.faults is not None and (asked.dry_run or asked.endpoints):
        other = "--dry-run" if asked.dry_run else "--endpoint"
        raise click.UsageError(f"`--faults` and `{other}` exclude each other")
    if asked.rehearse or asked.stubs_init or asked.stubs is not None:
        _refuse_beside_rehearsal(asked)
    if asked.locked is not None:
        _refuse_beside_lock(asked)
    _refuse_beside_recording(asked)
    _refuse_beside_watching(asked)
    reports = asked.faults is not None or asked.rehearse
    if not asked.dry_run and (asked.offline or asked.tools or (asked.format != "text" and not reports)):
        name = "--offline" if asked.offline else "--tools" if asked.tools else "--format"
        raise click.UsageError(f"`{name}` belongs to `--dry-run`")


def _refuse_beside_recording(asked: RunRequest) -> None:
    if asked.steps and not asked.record:
        raise click.UsageError("`--step` belongs to `--record`")
    if asked.strict and asked.replay is None:
        raise click.UsageError("`--strict` belongs to `--replay`")
    if not asked.record and asked.replay is None:
        if asked.recording is not None:
            raise click.UsageError("`--recording` belongs to `--record` or `--replay`")
        return
    name, painted = ("--record", False) if asked.record else ("--replay", asked.replay != "tools")
    others = {
        "--replay": asked.record and asked.replay is not None,
        "--dry-run": asked.dry_run,
        "--faults": asked.faults is not None,
        "--rehearse": asked.rehearse,
        "--stubs-init": asked.stubs_init,
        "--simulate": painted and asked.simulate is not None,
        "--endpoint": painted and bool(asked.endpoints),
    }
    other = next((option for option, given in others.items() if given), None)
    if other is not None:
        raise click.UsageError(f"`{name}` and `{other}` exclude each other")


def _refuse_beside_rehearsal(asked: RunRequest) -> None:
    if asked.stubs is not None and not asked.rehearse:
        raise click.UsageError("`--stubs` belongs to `--rehearse`")
    name = "--stubs-init" if asked.stubs_init else "--rehearse"
    others = {
        "--rehearse": asked.rehearse and asked.stubs_init,
        "--dry-run": asked.dry_run,
        "--faults": asked.faults is not None,
        "--simulate": asked.simulate is not None,
        "--endpoint": bool(asked.endpoints),
    }
    other = next((option for option, given in others.items() if given), None)
    if other is not None:
        raise click.UsageError(f"`{name}` and `{other}` exclude each other")


def _refuse_beside_lock(asked: RunRequest) -> None:
    """A lock is about real servers; with ``--dry-run`` it stands in for them."""
    others = {
        "--rehearse": asked.rehearse,
        "--stubs-init": asked.stubs_init,
        "--record": asked.record,
        "--replay": asked.replay is not None,
        "--faults": asked.faults is not None,
        "--offline": asked.offline,
        "--tools": asked.dry_run and asked.tools,
        "--simulate": asked.dry_run and asked.simulate is not None,
    }
    other = next((option for option, given in others.items() if given), None)
    if other is not None:
        raise click.UsageError(f"`--locked` and `{other}` exclude each other")


def _refuse_beside_watching(asked: RunRequest) -> None:
    """Who watches wants a run to watch."""
    if asked.watch == WatchOptions():
        return
    watch = asked.watch
    chosen = (("--metrics-port", watch.metrics_port), ("--metrics-file", watch.metrics_file))
    name = next((option for option, given in chosen if given is not None), "--log-format")
    others = {
        "--dry-run": asked.dry_run,
        "--faults": asked.faults is not None,
        "--rehearse": asked.rehearse,
        "--stubs-init": asked.stubs_init,
    }
    other = next((option for option, given in others.items() if given), None)
    if other is not None:
        raise click.UsageError(f"`{name}` and `{other}` exclude each other")


def _carry_out(request: RunRequest) -> int:
    if request.stubs_init:
        from runner.app.rehearsal.rehearse import init_stubs

        return init_stubs(request)
    if request.rehearse:
        from runner.app.rehearsal.rehearse import rehearse

        return rehearse(request)
    if request.faults is not None:
        return _rehearse(request)
    return _show_plan(request) if request.dry_run else _watched(request)


def _rehearse(request: RunRequest) -> int:
    """The faults one by one; ``list`` only names them."""
    from runner.app.rehearsal.faults import fault_list, rehearse_faults

    if request.faults == "list":
        click.echo(fault_list())
        return 0
    return rehearse_faults(request, os.environ)


def _watched(request: RunRequest) -> int:
    """The run, and around it who watches; mostly nobody, and then nothing is paid for them."""
    if request.watch == WatchOptions() and not any(name.startswith("OTEL_") for name in os.environ):
        return _run(request)
    from runner.app.run.watched import run_watched

    return run_watched(request, _run)


def _run(request: RunRequest) -> int:
    if request.record or request.replay is not None:
        from runner.app.recording.story import record_run, replay_run

        return record_run(request) if request.record else replay_run(request)
    if request.locked is not None:
        from runner.app.lock.guard import run_locked

        return run_locked(request)
    from runner.app.run.run import run_workflow

    return run_workflow(request)


def _show_plan(request: RunRequest) -> int:
    from runner.app.dry_run import dry_run, tell_plan

    if request.locked is not None:
        from runner.app.lock.plan import dry_run_locked

        plan, notes = dry_run_locked(request, os.environ)
    else:
        plan, notes = dry_run(request, os.environ)
    tell_plan(plan, notes, request, os.environ)
    return 0
