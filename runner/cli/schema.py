"""``bridge-run schema``: the JSON Schemas of what is read and written, for editors and other programs."""

from __future__ import annotations

import click

SCHEMAS = ("workflow", "journal", "recording", "result", "simulator", "test", "lock")


@click.command(name="schema", short_help="Print a JSON Schema.")
@click.argument("name", metavar=f"[{'|'.join(SCHEMAS)}]", default="workflow")
def command(name: str) -> int:
    """Print a JSON Schema (draft 2020-12): of workflow files, and of all that is written and read beside them.

    The first line of a workflow file can name it for editors:

    \b
      # yaml-language-server: $schema=workflow.schema.json
    """
    from runner.app.console import say
    from runner.workflow.schema import schema_text

    say(schema_text(name))
    return 0
