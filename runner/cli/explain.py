"""``bridge-run explain CODE``: what a finding means, with a wrong and a right example."""

from __future__ import annotations

import click


@click.command(name="explain", short_help="Explain a finding's code.")
@click.argument("code", required=False)
def command(code: str | None) -> int:
    """Explain the CODE of a finding, such as BR204; without one, list them all."""
    from runner.app.console import say
    from runner.app.explanations import explanation_text, list_text

    say(list_text() if code is None else explanation_text(code))
    return 0
