"""``bridge-run doctor``: whether this machine is ready, and what to do if it is not."""

from __future__ import annotations

import os

import click

from runner.cli.options import config_option, endpoint_option, no_color_option, simulate_option


@click.command(name="doctor", short_help="Look whether everything is ready.")
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path())
@endpoint_option
@simulate_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@no_color_option
def command(
    *,
    paths: tuple[str, ...],
    endpoints: tuple[str, ...],
    simulate: str | None,
    config: str | None,
    as_json: bool,
    no_color: bool,
) -> int:
    """Look at the model servers, the models, and the tool servers of workflow files; start those and end them again.

    Without a name the files are those of the folder `workflows`, if there is one. Nothing is loaded and no step runs.
    """
    from runner.app.doctor.doctor import DoctorRequest, doctor

    request = DoctorRequest(
        paths=paths,
        endpoints=endpoints,
        simulate=simulate,
        config=config,
        format="json" if as_json else "text",
        colour=not no_color,
    )
    return doctor(request, os.environ)
