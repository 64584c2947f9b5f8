"""``bridge-run lock``: write down what model servers and tool servers say of themselves, or compare it."""

from __future__ import annotations

import os

import click

from runner.app.request import Format
from runner.cli.options import config_option, endpoint_option, no_color_option, simulate_option


@click.command(name="lock", short_help="Write down which models and tools there are.")
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path())
@click.option("--file", metavar="FILE", type=click.Path(), help="The lock file.  [bridge.lock, at the project's root]")
@click.option("--check", is_flag=True, help="Write nothing; say what has changed since, exit 1 if anything has.")
@click.option("--update", metavar="NAME", help="Renew the entry of one model or tool server, and no other.")
@endpoint_option
@config_option
@simulate_option
@click.option("--format", type=click.Choice(["text", "json"]), default="text", help="With --check: what has changed.")
@no_color_option
def command(
    *,
    paths: tuple[str, ...],
    file: str | None,
    check: bool,
    update: str | None,
    endpoints: tuple[str, ...],
    config: str | None,
    simulate: str | None,
    format: Format,
    no_color: bool,
) -> int:
    """Ask the model servers and start the tool servers of workflows, and write what they say into a lock file.

    Folders are searched for *.yaml and *.yml; without a name it is the folder `workflows`.
    """
    if check and update is not None:
        raise click.UsageError("`--check` and `--update` exclude each other")
    if format != "text" and not check:
        raise click.UsageError("`--format` belongs to `--check`")
    from runner.app.lock.lock import LockRequest, lock

    request = LockRequest(
        paths=paths,
        endpoints=endpoints,
        config=config,
        simulate=simulate,
        file=file,
        update=update,
        check=check,
        format=format,
        colour=not no_color,
    )
    return lock(request, os.environ)
