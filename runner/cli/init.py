"""``bridge-run init``: the files of a first project."""

from __future__ import annotations

import os
from typing import Literal

import click

from runner.cli.options import no_color_option


@click.command(name="init", short_help="Write the files of a first project.")
@click.argument("folder", default=".", type=click.Path())
@click.option(
    "--ci", type=click.Choice(["github", "gitlab", "none"]), default="github", help="Whose CI file.  [github]"
)
@click.option("--no-lock", is_flag=True, help="Ask no model server; write no bridge.lock.")
@no_color_option
def command(*, folder: str, ci: Literal["github", "gitlab", "none"], no_lock: bool, no_color: bool) -> int:
    """Write a first workflow into FOLDER, a test of it, settings, and a CI file that checks both.

    What is there already is left as it is. If a model server answers, there is a lock file, too.
    """
    from runner.app.init import InitRequest, init

    return init(InitRequest(folder=folder, ci=ci, lock=not no_lock, colour=not no_color), os.environ)
