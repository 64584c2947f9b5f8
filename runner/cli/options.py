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
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="URL|NAME",
    help="Where a model server listens, or its name in the configuration; `embedded` is one of our own."
    "  [127.0.0.1:1234]",
)
config_option = click.option(
    "--config", metavar="FILE", type=click.Path(), help="The configuration to read instead of the `bridge.toml` found."
)
simulate_option = click.option(
    "--simulate", metavar="SCRIPT", type=click.Path(), help="Let a built-in simulator answer instead of models."
)
answer_option = click.option(
    "--answer", "answers", multiple=True, metavar="ID=CHOICE", help="The answer to the question of an `approve` step."
)
yes_option = click.option("--yes", is_flag=True, help="Answer every other question: yes, else its default.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
output_option = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="The result on stdout."
)
run_dir_option = click.option(
    "--run-dir", metavar="DIR", default=".bridge/runs", help="Where runs are kept.  [.bridge/runs]"
)
no_color_option = click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
