"""``bridge-run serve``: an MCP server for hosts that hand tasks and workflows to local models."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.options import config_option, endpoint_option
from runner.cli.watch_options import taken, watch_options


@click.command(name="serve", short_help="Serve tasks, workflows and models to MCP hosts.")
@click.option("--http", metavar="[HOST:]PORT", help="Serve over streamable HTTP, at /mcp.  [stdin and stdout]")
@click.option("--token-env", metavar="NAME", help="The variable that holds the bearer token.  [BRIDGE_RUN_SERVE_TOKEN]")
@click.option("--allow-host", "allow_hosts", multiple=True, metavar="HOST", help="Another Host header to accept.")
@click.option(
    "--allow-origin", "allow_origins", multiple=True, metavar="ORIGIN", help="An Origin header to accept: web pages."
)
@click.option("--max-body", type=click.IntRange(min=1), metavar="BYTES", help="Of one request.  [4194304]")
@click.option("--folder", metavar="DIR", type=click.Path(), help="The project: its workflow files are offered.  [.]")
@click.option("--mcp-json", metavar="FILE", type=click.Path(), help="The MCP servers for tasks.  [those of the hosts]")
@click.option("--merge", is_flag=True, help="The MCP servers of all files that are found, not of the first.")
@endpoint_option
@config_option
@click.option("--run-dir", metavar="DIR", help="Where runs are kept.  [.bridge/runs]")
@click.option("--model-tools/--no-model-tools", default=True, help="The tools about models: load, list, complete…")
@click.option(
    "--wait", type=click.FloatRange(min=0, max=86_400), metavar="SECONDS",
    help="How long a call waits for long work; then it goes on as a task.  [50]",
)  # fmt: skip
@watch_options
def command(**given: Any) -> int:
    """Serve MCP: tasks for local models, the project's workflows, and the models themselves.

    Hosts start it themselves and speak to it over stdin and stdout; with --http it is started once for many.
    """
    watch = taken(given)
    asked = {name: value for name, value in given.items() if value is not None}
    if "http" not in asked:
        _refuse_without_http(asked)
    from runner.app.bridge.serve.request import ServeRequest
    from runner.app.bridge.serve.serve import serve

    return serve(ServeRequest(watch=watch, **asked))


def _refuse_without_http(asked: dict[str, Any]) -> None:
    for name, option in _OF_HTTP.items():
        if asked.get(name):
            raise click.UsageError(f"`{option}` belongs to `--http`")


_OF_HTTP = {
    "token_env": "--token-env",
    "allow_hosts": "--allow-host",
    "allow_origins": "--allow-origin",
    "max_body": "--max-body",
}
