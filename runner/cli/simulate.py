"""``bridge-run simulate``: an LM Studio look-alike that plays a script."""

from __future__ import annotations

import click


@click.command("simulate")
@click.argument("script", type=click.Path(), required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one."
)
@click.option("--log", type=click.Path(dir_okay=False), help="Append one JSON line for each request to this file.")
@click.option("--faults", metavar="NAMES", help="What goes wrong: NAME[,NAME] or `all`; `list` prints the names.")
@click.pass_context
def command(
    context: click.Context, *, script: str | None, host: str, port: int, log: str | None, faults: str | None
) -> None:
    """Pretend to be LM Studio, with the models and answers of SCRIPT.

    Prints the address, and serves until it is interrupted.
    """
    if faults == "list":
        from runner.app.rehearsal.faults import fault_list

        click.echo(fault_list())
        return
    if script is None:
        raise click.UsageError("Missing argument 'SCRIPT'.")
    from runner.app.files import script_file
    from runner.rehearse.simulator.foreground import serve_until_stopped

    code = serve_until_stopped(script_file(script), host=host, port=port, log=log, announce=click.echo, faults=faults)
    context.exit(code)
