"""Options that several verbs share."""

from __future__ import annotations

import click

model_option = click.option(
    "--model",
    "models",
    multiple=True,
    metavar="[ALIAS=]ID",
    help="Another model for this run: for an alias of the file, or as the default.",
)
endpoint_option = click.option(
    "--endpoint", "endpoints", multiple=True, metavar="URL", help="Where a model server listens.  [127.0.0.1:1234]"
)
simulate_option = click.option(
    "--simulate", metavar="SCRIPT", type=click.Path(), help="Let a built-in simulator answer instead of models."
)
no_color_option = click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
